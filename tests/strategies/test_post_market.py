"""After the market: each part does its work, stands alone, and may be done again."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from analyzers.challenger_totals import challenger_totals
from analyzers.challengers import CHALLENGERS_FILE, CHALLENGERS_TRADES_FILE, read_challengers
from brokers.desk.facts import EntryDenied, Filled, Intent, TakenOver, TripClosed
from brokers.desk.journal_file import JournalFile, read_journal
from brokers.journal import Fill, OrderEvent
from brokers.paper_book import PaperBook
from brokers.paper_records import BookState, KeptFill
from feeds.clock import ReplayClock
from feeds.errors import BrokerError
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from ml.card import training_card
from ml.factory import train
from ml.registry import ModelRegistry
from ml.settings import MlSettings, ModelSettings, SplitSettings
from strategies import challenger_process
from strategies.base import IntradayStrategy
from strategies.candle_comparison import CANDLES_FILE
from strategies.challenger_settings import ChallengerSettings
from strategies.day_summary import summarise_day
from strategies.days_file import DAYS_FILE, DayRow, read_days, write_day_row
from strategies.drift_standing import read_standing
from strategies.modelling import load_stored
from strategies.post_market import run_post_market
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.test_ledger import a_trip
from tests.brokers.desk.wire_model import LOT
from tests.parity.recorded import CALENDAR, bars_of_days, last_day, settings_for
from tests.strategies.finished_days import finish_day

BARS = bars_of_days()
MINUTES = make_bars(SyntheticSettings(sessions=3, seed=5), CALENDAR)
DAY = last_day(BARS).date()


class Told:
    """A log that remembers."""

    def __init__(self):
        self.records = []

    def __getattr__(self, level):
        return lambda event, **fields: self.records.append({"level": level, "event": event, **fields})

    def of(self, event):
        (found,) = [record for record in self.records if record["event"] == event]
        return found


class Minutes:
    """A history that answers with a frame, or raises."""

    def __init__(self, answer=MINUTES):
        self.answer = answer
        self.asked = []

    def minutes(self, first, last):
        self.asked.append((first, last))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer[(self.answer.index >= first) & (self.answer.index <= last)]


def put_journal(path, rows):
    journal = JournalFile(path, ReplayClock(TIME))
    journal.append([row.fact for row in rows])
    journal.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "day"
    finish_day(folder, BARS, settings_for())
    put_journal(folder / "journal.sqlite", a_trip(closing_fill(), TripClosed(1, 0.0)))
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "20230104-day"))


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def closing_fill(units=-LOT):
    return Filled("a", "t2", units, 25_010.0, TIME, 25.0)


def run(folder, state, *, history=None, settings=None, day=DAY, **more):
    log = Told()
    done = run_post_market(
        folder, state, settings or settings_for(), CALENDAR, history, log, day=day, mode="paper", **more
    )
    return done, log


# -- a whole day -------------------------------------------------------------------------------------------


def test_a_day_is_compared_drawn_backed_up_and_summed_up(folder, state):
    history = Minutes()
    done, log = run(folder, state, history=history)
    summary = json.loads((folder / "summary.json").read_text())
    assert done.troubles == ()
    assert (done.candles.bars, done.candles.equal) == (125, 125)
    ((first, last),) = history.asked
    assert (f"{first:%H:%M}", f"{last:%H:%M}") == ("09:15", "15:29")
    assert done.parity == "passed"
    assert json.loads((folder / "parity.json").read_text())["passes"] is True
    assert (done.drift.level, done.drift.words) == ("unknown", "not known: the strategy asks no model")
    assert done.backups == (state / "backups" / "2023-01-04-journal.sqlite",)
    assert repr(read_journal(done.backups[0])) == repr(read_journal(folder / "journal.sqlite"))
    assert done.chart == folder / "chart.png"
    assert done.report == folder / "report.html"
    (row,) = read_days(state / DAYS_FILE)
    assert (row.day, row.mode, row.outcome) == (DAY, "paper", "done")
    assert (state / row.folder).resolve() == folder.resolve()
    assert row.net_pnl == pytest.approx(summary["metrics"]["net_pnl"], abs=0.01)
    assert row.cash == pytest.approx(summary["metrics"]["final_value"], abs=0.01)
    trades = pd.read_csv(folder / "trades.csv")
    assert (row.trades, row.wins) == (len(trades), (trades["net_pnl"] > 0).sum())
    assert log.of("post_market") == {
        "level": "info", "event": "post_market", "candle_bars": 125, "candle_equal": 125, "parity": "passed",
        "parity_words": done.parity_words, "drift": "unknown", "drift_words": done.drift.words,
        "hit_rate": "unknown", "hit_rate_words": done.hit_rate.words,
        "backup": str(done.backups[0]), "troubles": [],
    }  # fmt: skip
    told = log.of("summary")
    assert (told["day"], told["trades"], told["net_pnl"]) == (DAY, row.trades, row.net_pnl)
    assert told["max_drawdown"] == round(summary["metrics"]["max_drawdown"], 2)
    assert (told["chart"], told["report"]) == (str(done.chart), str(done.report))


def test_challengers_are_judged_and_one_that_cannot_be_is_told(tmp_path, state):
    folder = tmp_path / "day"
    challengers = [{"name": "dice", "strategy": "random_entry", "parameters": {"entry_probability": 0.2}},
                   {"name": "gone", "strategy": "ml", "model": "v0099"}]  # fmt: skip
    settings = settings_for()
    live = settings.live.model_copy(
        update={"challengers": tuple(ChallengerSettings(**one) for one in challengers)}
    )
    settings = settings.model_copy(update={"live": live})
    finish_day(folder, BARS, settings)
    done, _ = run(folder, state, settings=settings)
    (trouble,) = done.troubles
    assert trouble.startswith("challenger gone: no model 'v0099'")
    dice, gone = read_challengers(folder / CHALLENGERS_FILE).challengers
    with (folder / CHALLENGERS_TRADES_FILE).open(newline="") as file:
        trades = list(csv.DictReader(file))
    assert {row["name"] for row in trades} == {"dice"}
    assert sum(float(row["net_pnl"]) for row in trades) == pytest.approx(dice.net_pnl)
    (total,) = challenger_totals(state)
    champion = summarise_day(folder, DAY, "paper")
    assert (total.name, total.days, total.trades) == ("dice", 1, len(trades))
    assert total.champion_net_pnl == pytest.approx(champion.net_pnl, abs=0.01)
    assert gone.trades == 0


def test_doing_it_again_changes_nothing(folder, state):
    run(folder, state, history=Minutes())
    names = ("parity.json", CANDLES_FILE)
    before = [(folder / name).read_bytes() for name in names], read_days(state / DAYS_FILE)
    done, _ = run(folder, state, history=Minutes())
    assert done.troubles == ()
    assert ([(folder / name).read_bytes() for name in names], read_days(state / DAYS_FILE)) == before
    assert [path.name for path in (state / "backups").iterdir()] == ["2023-01-04-journal.sqlite"]


def test_state_and_day_may_be_one_folder(folder):
    done, _ = run(folder, folder, history=Minutes())
    assert done.troubles == ()
    assert read_days(folder / DAYS_FILE)[0].folder == "."


def test_a_folder_without_anything_is_a_day_without_trades(tmp_path, state):
    empty = tmp_path / "empty"
    empty.mkdir()
    done, log = run(empty, state, history=Minutes(), outcome="failed")
    assert done.parity == "not_run"
    assert "summary.json" in done.parity_words
    assert (done.candles, done.chart, done.report, done.backups) == (None, None, None, ())
    assert done.drift.level == "unknown"
    assert log.of("post_market")["level"] == "warning"
    (row,) = read_days(state / DAYS_FILE)
    assert (row.trades, row.cash, row.outcome) == (0, None, "failed")
    assert log.of("summary")["chart"] is None


# -- parts that fail ---------------------------------------------------------------------------------------


def harm(name):
    return lambda folder, state: (folder / name).write_text("damaged")


PARTS = {
    "candles": ("candles", lambda folder, state: None, BrokerError("Kite does not answer")),
    "parity": ("parity", harm("decisions.csv"), MINUTES),
    "backup": ("backup", harm("journal.sqlite"), MINUTES),
    "chart": ("chart", lambda folder, state: (folder / "equity.csv").unlink(), MINUTES),
    "list of days": (
        "list of days",
        lambda folder, state: (state / DAYS_FILE).write_text("what?\n"),
        MINUTES,
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_a_part_that_fails_is_told_and_the_others_go_on(folder, state, case):
    part, damage, answer = PARTS[case]
    damage(folder, state)
    done, log = run(folder, state, history=Minutes(answer))
    failed = {trouble.split(":")[0] for trouble in done.troubles}
    # What reads the same damaged file cannot go on either
    also = {
        "parity": {"drift"}, "backup": {"summary"}, "list of days": {"drift", "hit rate"},
    }.get(case, set())  # fmt: skip
    assert part in failed
    assert failed - {part} <= also
    assert all("\n" not in trouble for trouble in done.troubles)
    assert ("candles" in failed) is (done.candles is None)
    assert ("parity" in failed) is (done.parity == "not_run")
    assert ("backup" in failed) is (done.backups == ())
    assert log.of("post_market")["level"] == "warning"
    assert log.of("post_market")["troubles"] == list(done.troubles)


def test_a_bug_is_not_taken_for_a_part_that_failed(folder, state):
    with pytest.raises(ZeroDivisionError):
        run(folder, state, history=Minutes(ZeroDivisionError()))


def test_a_day_that_differs_from_its_backtest_is_a_warning(folder, state):
    path = folder / "decisions.csv"
    lines = path.read_text().splitlines()
    cells = lines[-1].split(",")
    cells[-1] = repr(float(cells[-1]) + 1.0)
    path.write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    done, log = run(folder, state, history=Minutes())
    assert (done.parity, done.parity_words) == ("differs", "these must not differ and do: inputs (1)")
    assert log.of("post_market")["level"] == "warning"


# -- candles -----------------------------------------------------------------------------------------------


def test_candles_that_differ_are_written_down(folder, state):
    other = MINUTES.copy()
    place = other.index.get_loc(last_day(BARS)) + 4  # the second minute of the second bar
    other.iloc[place, other.columns.get_loc("high")] += 500.0
    done, _ = run(folder, state, history=Minutes(other))
    written = json.loads((folder / CANDLES_FILE).read_text())
    assert (done.candles.bars, done.candles.equal) == (written["bars"], written["equal"]) == (125, 124)
    (difference,) = written["differences"]
    assert difference["start"] == "2023-01-04T09:18:00+05:30"
    assert (difference["field"], difference["unit"]) == ("high", "ticks")
    assert difference["difference"] < 0


def test_a_minute_that_the_broker_lacks_is_written_without_a_number(folder, state):
    first = MINUTES.index.get_loc(last_day(BARS)) + 3
    lacking = MINUTES.drop(MINUTES.index[first : first + 3])
    run(folder, state, history=Minutes(lacking))
    (difference,) = json.loads((folder / CANDLES_FILE).read_text())["differences"]
    assert (difference["field"], difference["live"], difference["history"]) == ("bar", 1.0, None)


def test_bars_from_the_same_history_prove_nothing(tmp_path, state):
    first = last_day(BARS)
    early = tuple(pd.date_range(first, periods=3, freq="3min"))
    gap = (first + pd.Timedelta(minutes=60),)
    folder = tmp_path / "late"
    finish_day(folder, BARS, settings_for(), backfilled=early + gap)
    history = Minutes()
    done, _ = run(folder, state, history=history)
    assert history.asked[0][0] == first + pd.Timedelta(minutes=9)
    assert (done.candles.bars, done.candles.equal) == (121, 121)
    assert done.candles.differences.empty


def test_a_history_without_the_day_is_a_trouble_and_not_an_agreement(folder, state):
    done, _ = run(folder, state, history=Minutes(MINUTES.iloc[:0]))
    assert done.candles is None
    assert "candles: the broker's history holds no minute from 2023-01-04 09:15 to 15:29" in done.troubles[0]


def test_without_a_history_nothing_is_asked_and_nothing_is_wrong(folder, state):
    done, log = run(folder, state)
    assert (done.candles, done.troubles) == (None, ())
    assert log.of("post_market")["candle_bars"] is None


# -- challengers that are worse than wrong -----------------------------------------------------------------


class Hanging(IntradayStrategy):
    """Never answers."""

    def decide(self):
        while True:
            pass


class Leaving(IntradayStrategy):
    """Ends the process that it is in."""

    def decide(self):
        raise SystemExit(7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "words"), [(Hanging, "within 6 seconds"), (Leaving, "exit code 7")], ids=["hangs", "leaves"]
)
def test_a_challenger_neither_holds_up_nor_ends_the_process_that_trades(
    tmp_path, state, monkeypatch, strategy, words
):
    monkeypatch.setattr(challenger_process, "_JUDGE_SECONDS", 6.0)
    challenger = ChallengerSettings(name="bad", strategy=f"{__name__}:{strategy.__name__}")
    settings = settings_for()
    live = settings.live.model_copy(update={"challengers": (challenger,)})
    settings = settings.model_copy(update={"live": live})
    folder = tmp_path / "day"
    finish_day(folder, BARS, settings)
    done, _ = run(folder, state, settings=settings)
    (trouble,) = done.troubles
    assert trouble.startswith("challengers: ")
    assert words in trouble
    assert len(read_days(state / DAYS_FILE)) == 1
    assert challenger_totals(state) == []


# -- numbers of a day that was broken off ------------------------------------------------------------------


@pytest.fixture
def broken_off(tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    return folder


def test_a_day_that_was_broken_off_is_summed_up_from_its_journal(broken_off, state):
    denied = EntryDenied(LOT, 25_000.0, TIME.replace(tzinfo=None), 0.6, "max_trades", "10 entries today")
    put_journal(broken_off / "journal.sqlite", a_trip(closing_fill(), TripClosed(1, 0.0), denied))
    done, _ = run(broken_off, state, outcome="failed")
    assert (done.summary.trades, done.summary.wins, done.summary.charges) == (1, 1, 45.0)
    assert done.summary.net_pnl == pytest.approx(10.0 * LOT - 45.0)
    assert (done.summary.entries_denied, done.summary.left_open) == (1, False)
    assert done.backups
    assert read_days(state / DAYS_FILE)[0].outcome == "failed"


def test_a_position_that_is_open_is_said(broken_off, state):
    put_journal(broken_off / "journal.sqlite", a_trip())
    done, _ = run(broken_off, state, outcome="failed")
    assert (done.summary.trades, done.summary.left_open) == (0, True)
    assert read_days(state / DAYS_FILE)[0].outcome == "left open"


def test_what_somebody_else_closed_is_neither_open_nor_counted(broken_off, state):
    put_journal(broken_off / "journal.sqlite", a_trip(TakenOver(1, LOT, 0), TripClosed(1, float("nan"))))
    done, _ = run(broken_off, state)
    assert (done.summary.trades, done.summary.net_pnl, done.summary.left_open) == (0, 0.0, False)


def test_an_entry_that_found_nobody_is_no_trade(broken_off, state):
    second = Intent("b", 1, "target", -LOT, "limit", 25_100.0, 25_000.0)
    put_journal(broken_off / "journal.sqlite", [*a_trip()[:3], *a_trip(TripClosed(1, 0.0), second)[-2:-1]])
    done, _ = run(broken_off, state)
    assert (done.summary.trades, done.summary.left_open) == (0, False)


def test_a_paper_day_that_was_broken_off_is_summed_up_from_its_book(broken_off, state):
    noon = TIME.replace(tzinfo=None)

    def fill(trade, role, size, price):
        return KeptFill(Fill(trade, trade, "NIFTY", noon, 1, role, size, price, price, 20.0), 1.0, 1e6)

    book = PaperBook(broken_off / "paper.sqlite")
    book.write(
        [
            fill(1, "entry", 65.0, 100.0), fill(1, "stop", -65.0, 90.0),
            fill(2, "entry", -65.0, 100.0), fill(2, "target", 65.0, 90.0),
            fill(3, "entry", 65.0, 100.0),
            OrderEvent(noon, 4, 4, "entry", "market", "denied", 65.0, 100.0),
        ],
        BookState("NIFTY", 1e6, 999_900.0, 4, 4, noon, 100.0),
    )  # fmt: skip
    book.close()
    done, _ = run(broken_off, state)
    found = done.summary
    assert (found.trades, found.wins, found.net_pnl, found.charges) == (2, 1, -80.0, 80.0)
    assert (found.entries_denied, found.left_open) == (1, True)
    assert done.backups == (state / "backups" / "2023-01-04-paper.sqlite",)


# -- backups -----------------------------------------------------------------------------------------------


def kept(state):
    return sorted(path.name for path in (state / "backups").iterdir())


@pytest.mark.parametrize(("keep", "left"), [(1, 0), (2, 1), (3, 2), (4, 3), (5, 3)])
def test_the_oldest_backups_are_removed_and_nothing_else(folder, state, keep, left):
    backups = state / "backups"
    backups.mkdir()
    older = [f"2023-01-0{number}-journal.sqlite" for number in (1, 2, 3)]
    own = ["2022-01-01-journal.sqlite.gz", "journal.sqlite", "notes.txt"]
    for name in older + own:
        (backups / name).write_text("kept")
    settings = settings_for()
    live = settings.live.model_copy(update={"keep_backups": keep})
    run(folder, state, settings=settings.model_copy(update={"live": live}))
    assert kept(state) == sorted([*older[len(older) - left :], "2023-01-04-journal.sqlite", *own])


def test_a_backup_elsewhere(folder, state, tmp_path):
    settings = settings_for()
    live = settings.live.model_copy(update={"backup_dir": str(tmp_path / "else where?#")})
    done, _ = run(folder, state, settings=settings.model_copy(update={"live": live}))
    assert done.backups == (tmp_path / "else where?#" / "2023-01-04-journal.sqlite",)


def test_a_journal_in_a_folder_with_an_odd_name_is_copied(finished, tmp_path, state):
    odd = Path(shutil.copytree(finished, tmp_path / "day? 100%#1"))
    done, _ = run(odd, state)
    assert done.troubles == ()
    assert read_journal(done.backups[0])


def test_a_journal_that_is_still_written_is_copied_as_it_is(folder, state):
    journal = JournalFile(folder / "journal.sqlite", ReplayClock(TIME))
    try:
        journal.append([row.fact for row in a_trip()][-1:])
        done, _ = run(folder, state)
        assert repr(read_journal(done.backups[0])) == repr(journal.rows())
        assert kept(state) == ["2023-01-04-journal.sqlite"]  # no write-ahead log beside it
    finally:
        journal.close()


def test_a_damaged_journal_leaves_the_backup_of_before(folder, state):
    before, _ = run(folder, state)
    good = before.backups[0].read_bytes()
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=DELETE")
    raw = bytearray(path.read_bytes())
    raw[4096:] = bytes(len(raw) - 4096)
    path.write_bytes(raw)
    done, _ = run(folder, state)
    assert any(trouble.startswith("backup: ") for trouble in done.troubles)
    assert before.backups[0].read_bytes() == good
    assert kept(state) == ["2023-01-04-journal.sqlite"]


# -- drift -------------------------------------------------------------------------------------------------

SMALL = MlSettings(
    features=("return_zscore", "volume_ratio_20", "atr_14_percent", "weekday_sin"),
    split=SplitSettings(embargo_bars=10),
    model=ModelSettings(rounds=10, leaf_rows=50, learning_rate=0.2, stopping_rounds=5),
)
ML_BARS = bars_of_days(sessions=110, seed=4)
DATES = sorted(set(ML_BARS.index.date))
WARMUP_BARS = 400


@pytest.fixture(scope="module")
def modelled(tmp_path_factory):
    """Five finished days of one stored model, and the settings they ran with."""
    root = tmp_path_factory.mktemp("modelled")
    ml = SMALL.model_copy(update={"registry": str(root / "models")})
    trained = train(ML_BARS, ml, "chronological")
    card = training_card(
        trained, ml, ML_BARS, instrument="NIFTY", bar_minutes=3, source="made up", sha256="0" * 64,
        trials=1, created_at=TIME,
    )  # fmt: skip
    ModelRegistry(ml.registry).save(trained.models[0], card)
    settings = settings_for("ml").model_copy(update={"ml": ml})
    model = load_stored(settings, "v0001")
    days = {}
    for day in DATES[-5:]:
        last = ML_BARS.index.searchsorted(pd.Timestamp(day, tz="Asia/Kolkata") + pd.Timedelta(days=1))
        bars = ML_BARS.iloc[last - 125 - WARMUP_BARS : last]
        assert finish_day(root / f"{day:%Y%m%d}", bars, settings, model=model) == day
        days[day] = root / f"{day:%Y%m%d}"
    return SimpleNamespace(settings=settings, days=days, root=root)


@pytest.fixture
def week(modelled, tmp_path):
    """A copy of the five days, each but the last one in the list of days."""
    state = tmp_path / "state"
    state.mkdir()
    days = {
        day: Path(shutil.copytree(folder, tmp_path / folder.name)) for day, folder in modelled.days.items()
    }
    for day in list(days)[:-1]:
        row = DayRow(day, "paper", 0, 0, 0.0, 0.0, None, "done", f"../{days[day].name}")
        write_day_row(state / DAYS_FILE, row)
    return SimpleNamespace(state=state, days=days, last=DATES[-1])


def drift_of(week, modelled):
    done, log = run(week.days[week.last], week.state, settings=modelled.settings, day=week.last)
    assert log.of("post_market")["drift"] == done.drift.level
    return done.drift


def edit(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def test_five_days_tell_of_the_drift(week, modelled):
    found = drift_of(week, modelled)
    assert found.level in ("ok", "warning")
    assert found.psi.keys() == {"return_zscore", "volume_ratio_20", "atr_14_percent", "p_sell", "p_buy"}
    assert found.day == week.last
    assert found.ks.keys() == found.psi.keys()
    standing = read_standing(week.state)
    assert (standing.day, standing.model, standing.level) == (week.last, "v0001", found.level)


def test_four_days_do_not(week, modelled):
    shutil.rmtree(week.days[DATES[-3]])
    assert drift_of(week, modelled).words == "not known: 4 of 5 sessions are recorded"


def test_a_feature_that_is_broken_all_week_is_seen(week, modelled):
    for folder in week.days.values():
        path = folder / "decisions.csv"
        table = pd.read_csv(path)
        table["volume_ratio_20"] = float("nan")
        table.to_csv(path, index=False, na_rep="nan")
    found = drift_of(week, modelled)
    assert found.level in ("warning", "alarm")
    assert "volume_ratio_20" in found.words


def test_the_bars_of_the_warm_up_are_not_among_those_compared(week, modelled):
    before = drift_of(week, modelled).psi
    path = week.days[week.last] / "decisions.csv"
    table = pd.read_csv(path)
    table.loc[: WARMUP_BARS - 1, "volume_ratio_20"] = 99.0
    table.to_csv(path, index=False, na_rep="nan")
    assert drift_of(week, modelled).psi == before


def test_answers_of_another_model_are_not_compared_but_its_features_are(week, modelled):
    def other(summary):
        return summary | {"model": summary["model"] | {"version": "v0002"}}

    edit(week.days[DATES[-4]] / "summary.json", other)
    assert drift_of(week, modelled).psi.keys() == {"return_zscore", "volume_ratio_20", "atr_14_percent"}


def test_a_model_that_is_gone_is_unknown_in_words(week, modelled, tmp_path):
    def gone(summary):
        return summary | {"model": summary["model"] | {"registry": str(tmp_path / "nowhere")}}

    edit(week.days[week.last] / "summary.json", gone)
    found = drift_of(week, modelled)
    assert found.level == "unknown"
    assert "cannot read" in found.words


def test_a_day_that_comes_again_later_is_judged_by_what_came_before_it(week, modelled):
    drift_of(week, modelled)
    done, _ = run(week.days[DATES[-2]], week.state, settings=modelled.settings, day=DATES[-2])
    assert done.drift.words == "not known: 4 of 5 sessions are recorded"


def test_a_week_day_by_day(modelled, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    levels = []
    for day, folder in modelled.days.items():
        done, _ = run(folder, state, settings=modelled.settings, day=day)
        assert (done.troubles, done.parity) == ((), "passed")
        levels.append(done.drift.level)
    assert levels[:-1] == ["unknown"] * 4
    assert levels[-1] in ("ok", "warning")
    rows = read_days(state / DAYS_FILE)
    assert [row.day for row in rows] == DATES[-5:]
    assert all((state / row.folder).is_dir() for row in rows)
