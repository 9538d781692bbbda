"""Challengers see the bars of the day and nothing else, and nothing they do leaves their process."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from analyzers.challengers import (
    CHALLENGERS_DAYS_FILE,
    CHALLENGERS_FILE,
    read_challenger_days,
    read_challengers,
    write_challenger_days,
    write_challengers,
)
from analyzers.parity.files import BARS_FILE, read_bars, read_day
from feeds.errors import DataError
from strategies.challenger_process import ChallengerProcess
from strategies.challenger_watch import watch_challengers
from strategies.challengers import Challenger, judge_challengers, read_live_bars
from strategies.replay import replay_day
from strategies.settings import load_settings
from tests.analyzers.alerts.support import MemoryLog
from tests.live_market import wait_until
from tests.parity.recorded import CASH, bars_of_days
from tests.strategies.finished_days import finish_day

ROOT = Path(__file__).resolve().parents[2]
DICE = {"name": "dice", "strategy": "random_entry", "parameters": {"entry_probability": 0.2}}
CROSS = {"name": "cross", "strategy": "ema_cross"}


def settings_with(*challengers, strategy="ema_cross"):
    return load_settings(
        None, [f"strategy.name={strategy}", f"live.challengers={json.dumps(list(challengers))}"]
    )


@pytest.fixture
def day(tmp_path):
    """A finished day of ema_cross, with dice and ema_cross as challengers."""
    settings = settings_with(CROSS, DICE)
    folder = tmp_path / "day"
    finish_day(folder, bars_of_days(), settings)
    return folder, settings


def challengers_of(settings):
    return [Challenger(section, settings, CASH) for section in settings.live.challengers]


def test_a_challenger_that_is_the_champion_does_what_its_backtest_does(day):
    folder, settings = day
    cross, dice = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE)).challengers
    recorded = read_day(folder)
    trips = replay_day(recorded).run.trips
    assert cross.trades == len(trips) > 0
    assert cross.net_pnl == pytest.approx(sum(trip.net for trip in trips))
    assert cross.open_units == 0
    assert dice.trades > 0
    assert dice.fingerprint != cross.fingerprint


def test_nothing_is_entered_on_bars_that_are_not_of_the_day(day):
    folder, settings = day
    bars = read_bars(folder / BARS_FILE)
    bars["origin"] = "warmup"
    judged = judge_challengers(challengers_of(settings), bars)
    assert (judged.bars, judged.as_of) == (0, None)
    assert all(one.trades == 0 and one.last_side == 0 for one in judged.challengers)


def test_the_answer_does_not_depend_on_when_it_was_asked(day):
    """Bar by bar, with new objects in between as after a restart, or once at the end."""
    folder, settings = day
    bars = read_bars(folder / BARS_FILE)
    once = judge_challengers(challengers_of(settings), bars)
    keeping = challengers_of(settings)
    for end in range(len(bars) - 30, len(bars) + 1, 7):
        part = bars.iloc[:end]
        assert judge_challengers(keeping, part) == judge_challengers(challengers_of(settings), part)
    assert judge_challengers(keeping, bars) == once


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        ({"name": "a", "strategy": "ml", "model": "v0099"}, "no model 'v0099'"),
        ({"name": "a", "strategy": "ml"}, "no champion"),
        ({"name": "a", "strategy": "no_such"}, "no_such"),
        ({"name": "a", "strategy": "ema_cross", "parameters": {"fast": 1}}, "fast"),
    ],
)
def test_one_that_cannot_run_says_why_and_the_others_go_on(day, challenger, words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    folder, _ = day
    settings = settings_with(challenger, DICE)
    wrong, dice = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE)).challengers
    assert words in wrong.error
    assert dice.trades > 0


def test_its_kill_switch_is_not_the_champions(day, tmp_path):
    folder, settings = day
    switch = tmp_path / "KILL_SWITCH"
    switch.touch()
    settings = settings.model_copy(
        update={"risk": settings.risk.model_copy(update={"kill_switch_file": str(switch)})}
    )
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    assert all(one.trades for one in judged.challengers)


# -- files ---------------------------------------------------------------------------------------


def test_a_day_is_written_and_read_and_stands_once_in_the_list(day, tmp_path):
    folder, settings = day
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    write_challengers(folder / CHALLENGERS_FILE, judged)
    assert read_challengers(folder / CHALLENGERS_FILE) == judged
    path, date = tmp_path / CHALLENGERS_DAYS_FILE, judged.as_of.date()
    assert read_challenger_days(path) == []
    for _ in range(2):
        write_challenger_days(path, date, judged)
    rows = read_challenger_days(path)
    assert [(row["day"], row["name"]) for row in rows] == [(f"{date}", "cross"), (f"{date}", "dice")]
    assert float(rows[1]["net_pnl"]) == judged.challengers[1].net_pnl


@pytest.mark.parametrize(
    ("name", "content", "read"),
    [
        (CHALLENGERS_FILE, "{", read_challengers),
        (CHALLENGERS_FILE, '{"as_of": null, "bars": 1, "challengers": [{"name": 1}]}', read_challengers),
        (CHALLENGERS_DAYS_FILE, "day,who\n", read_challenger_days),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, read):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(DataError, match=name):
        read(path)


def test_bars_that_are_being_written_are_read_the_next_time(day):
    folder, _ = day
    path = folder / BARS_FILE
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert read_live_bars(folder) is None
    path.write_text(whole)
    assert len(read_live_bars(folder)) == len(read_bars(path))
    assert read_live_bars(folder / "nowhere") is None


# -- the process -----------------------------------------------------------------------------------


def first_line(folder, settings):
    told = {"folder": str(folder), "settings": settings.model_dump(mode="json"), "starting_cash": CASH}
    return json.dumps(told) + "\n"


def test_the_last_bars_are_judged_before_the_end(day, monkeypatch):
    folder, settings = day
    monkeypatch.setattr("os.nice", lambda _: 0)
    assert watch_challengers(io.StringIO(first_line(folder, settings) + "end\n")) == 0
    judged = judge_challengers(challengers_of(settings), read_bars(folder / BARS_FILE))
    assert read_challengers(folder / CHALLENGERS_FILE) == judged


@pytest.mark.slow
def test_the_process_follows_the_bars_and_is_started_anew(day, tmp_path):
    folder, settings = day
    path = folder / BARS_FILE
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-40]))
    log = MemoryLog()

    def bars_judged():
        file = folder / CHALLENGERS_FILE
        return read_challengers(file).bars if file.exists() else 0

    with ChallengerProcess(settings, folder, CASH, log) as process:
        wait_until(lambda: bars_judged() > 0, "the first bars to be judged")
        before = bars_judged()
        process._process.kill()
        wait_until(lambda: "challengers_died" in [one["event"] for one in log.records], "its death")
        path.write_text("".join(lines))
        wait_until(lambda: bars_judged() == before + 40, "the rest to be judged")
    assert read_challengers(folder / CHALLENGERS_FILE) == judge_challengers(
        challengers_of(settings), read_bars(path)
    )


def test_the_process_knows_no_broker_and_no_secret():
    """What could send an order is not even loaded."""
    code = (
        "import sys, strategies.__main__, strategies.challengers;"
        "senders = ('brokers.kite.', 'brokers.desk', 'brokers.wire', 'brokers.live_broker', 'kiteconnect',"
        " 'requests', 'websockets', 'aiohttp');"
        "known = [name for name in sys.modules if name.startswith(senders)];"
        "print([name for name in known if name != 'brokers.kite.settings'])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"
