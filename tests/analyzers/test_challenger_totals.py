"""Champion and challengers over the days on which both ran: summed, printed, and shown on the page."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from analyzers.__main__ import main
from analyzers.challenger_totals import challenger_totals
from analyzers.challengers import (
    CHALLENGERS_DAYS_FILE,
    CHALLENGERS_FILE,
    ChallengerNow,
    ChallengersNow,
    ChallengerTrade,
    write_challenger_days,
    write_challengers,
)
from analyzers.status.challenger_files import ChallengerFiles
from feeds.clock import IST
from feeds.errors import DataError

FIRST = dt.date(2026, 9, 1)
NOON = dt.datetime(2026, 9, 24, 12, 0, tzinfo=IST)


def of(name, net, model="v0007", **more):
    return ChallengerNow(name=name, strategy="ml", model=model, trades=2, wins=1, gross_pnl=net + 900.0,
                         net_pnl=net, **more)  # fmt: skip


def put_champion(state, nets):
    rows = [f"{FIRST + dt.timedelta(days=i)},live,3,1,{net},700,1e6,done,x" for i, net in enumerate(nets)]
    header = "day,mode,trades,wins,net_pnl,charges,cash,outcome,folder"
    (state / "days.csv").write_text("\n".join([header, *rows]) + "\n")


def put_challengers(state, day, *challengers):
    now = ChallengersNow(as_of=NOON, bars=125, challengers=challengers)
    write_challenger_days(state / CHALLENGERS_DAYS_FILE, FIRST + dt.timedelta(days=day), now)


def test_only_days_of_both_are_compared(tmp_path):
    put_champion(tmp_path, [100.0, -50.0, "", 25.0])
    for day in (0, 1, 2, 7):  # the third is without a result of the champion, the last is not in its list
        put_challengers(tmp_path, day, of("new", 10.0 * (day + 1)))
    put_challengers(tmp_path, 3, of("new", 1.0, model="v0008"), of("broken", 0.0, error="no model"))
    first, second = challenger_totals(tmp_path)
    assert (first.model, first.days, first.trades, first.wins) == ("v0007", 2, 4, 2)
    assert (first.net_by_day, first.champion_net_by_day) == ((10.0, 20.0), (100.0, -50.0))
    assert (first.net_pnl, first.champion_net_pnl, first.gross_pnl) == (30.0, 50.0, 1830.0)
    assert (second.model, second.days, second.champion_net_pnl) == ("v0008", 1, 25.0)


def test_without_lists_there_is_nobody(tmp_path):
    assert challenger_totals(tmp_path) == []
    put_champion(tmp_path, [1.0])
    assert challenger_totals(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "damage"),
    [("days.csv", ("100.0", "much")), (CHALLENGERS_DAYS_FILE, (",2,1,", ",two,1,"))],
)
def test_a_damaged_list_is_named(tmp_path, name, damage):
    put_champion(tmp_path, [100.0])
    put_challengers(tmp_path, 0, of("new", 10.0))
    path = tmp_path / name
    path.write_text(path.read_text().replace(*damage))
    with pytest.raises(DataError, match=name):
        challenger_totals(tmp_path)


@pytest.mark.parametrize(
    ("days", "lead", "words"),
    [
        (19, 500.0, "too few days to tell, found 19, expected 20 or more"),
        (20, 500.0, "ahead of the champion: over 20 sessions the challenger earned +8,000 rupees net"),
        (21, 0.0, "not shown to be ahead of the champion: over 21 sessions"),
    ],
)
def test_the_table_says_what_the_days_say(tmp_path, capsys, days, lead, words):
    put_champion(tmp_path, [-100.0 for _ in range(days)])
    for day in range(days):
        put_challengers(tmp_path, day, of("new", -100.0 + lead))
    assert main(["challengers", "--state", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"new: {words}" in said
    assert f"{-100.0 * days:+,.0f}" in said


def test_a_folder_without_challengers_is_refused(tmp_path, capsys):
    assert main(["challengers", "--state", str(tmp_path)]) != 0
    assert "live.challengers" in capsys.readouterr().err


def test_the_page_is_told_of_today_and_of_all_days(tmp_path):
    state, day = tmp_path / "state", tmp_path / "day"
    state.mkdir()
    day.mkdir()
    files = ChallengerFiles(state)
    assert files.read(day) == []
    trade = ChallengerTrade(
        side=1, units=65, entry_time=NOON, entry_price=1.0, exit_time=NOON, exit_price=2.0,
        exit_reason="target", gross_pnl=65.0, net_pnl=10.0,
    )  # fmt: skip
    new = of("new", 10.0, round_trips=(trade,))
    write_challengers(
        day / CHALLENGERS_FILE, ChallengersNow(as_of=NOON, bars=56, challengers=(new, of("other", -5.0)))
    )
    shown = files.read(day)
    assert [(one["name"], one["net_pnl"], one["days"]) for one in shown] == [
        ("new", 10.0, 0),
        ("other", -5.0, 0),
    ]
    assert all(one["as_of"] == NOON.isoformat() and "round_trips" not in one for one in shown)
    json.dumps(shown)
    put_champion(state, [100.0, -50.0])
    put_challengers(state, 0, of("new", 7.0))
    put_challengers(state, 1, of("new", 8.0), of("other", 1.0, model="v0001"))  # another model: not today's
    sums = [
        (one["days"], one["days_trades"], one["days_net_pnl"], one["champion_net_pnl"])
        for one in files.read(day)
    ]
    assert sums == [(2, 4, 15.0, 50.0), (0, 0, 0.0, 0.0)]
    assert files.read(tmp_path / "tomorrow") == []
