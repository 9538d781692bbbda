"""Limit entries, trailing stops and several targets on a paper account, over the ends of its processes."""

import datetime as dt
import json
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.brokers.paper_cases import contents, play, told
from tests.brokers.test_scaling import HALVES, shares, styles
from tests.brokers.test_simulated_accounting import COSTS, bar_steps, entry_signals, random_frame
from tests.support import frame_of, run, settings_of

CALM = (1000.0, 1001.0, 999.0, 1000.0)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.sqlite"


def after(frame, bar):
    """The moment after a bar has closed."""
    return frame.index[bar].to_pydatetime() + dt.timedelta(minutes=3) + SECOND


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bar_steps, entry_signals, styles, shares, st.sets(st.integers(1, 90), max_size=5))
def test_restarts_change_nothing(tmp_path_factory, steps, signals, style, share, breaks):
    """Killed between two bars and started at once: the day is as if nothing had happened, to the last bit."""
    frame = random_frame(steps, signals)
    chosen = settings_of(
        strategy=style, broker={**COSTS, "max_percent_of_volume": share},
        risk={"max_entries_per_day": 5, "max_lots": 5, "max_data_age_seconds": 30.0},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("restarts")
    whole = play(frame, chosen, folder / "whole.sqlite")
    path, start = folder / "broken.sqlite", None
    for bar in sorted(bar for bar in breaks if bar < len(frame)):
        play(frame, chosen, path, start=start, breaks_after=bar)
        start = after(frame, bar - 1)
    broken = play(frame, chosen, path, start=start)
    assert broken.journal.fills == whole.journal.fills
    assert broken.journal.events == whole.journal.events
    assert broken.broker.getcash() == whole.broker.getcash()
    if whole.journal.events:
        assert contents(path) == contents(folder / "whole.sqlite")


@pytest.mark.parametrize("missed", [0, 1, 3])
def test_a_stop_that_was_moved_is_where_it_was_moved_to(path, missed):
    """Also on bars that nobody saw."""
    bars = [CALM, CALM, (1015, 1016, 1014, 1015), (1012, 1013, 1011, 1012), (1012, 1013, 1005, 1006), CALM]
    frame = frame_of(bars, signal=[1, 0, 0, 0, 0, 0], atr=[10.0] * 6)
    chosen = settings_of(strategy={"trail_atr": 1.0, "target_atr": 50.0})
    play(frame, chosen, path, breaks_after=3)
    played = play(frame, chosen, path, start=after(frame, 2 + missed))
    assert told(played.journal) == [("entry", "03 09:18", 75, 1000), ("stop", "03 09:27", -75, 1005)]


@pytest.mark.parametrize("breaks_after", [2, 3])
def test_a_stop_limit_entry_goes_on_as_it_was_triggered_or_not(path, breaks_after):
    bars = [CALM, CALM, (1000, 1030, 999, 1025), (1020, 1021, 1015, 1018), CALM]
    frame = frame_of(bars, signal=[1] + [0] * 4, atr=[10.0] * 5)
    entry = {"kind": "stop_limit", "offset_atr": 1.0, "limit_atr": 0.5, "valid_bars": 5}
    chosen = settings_of(strategy={"entry": entry})
    play(frame, chosen, path, breaks_after=breaks_after)
    played = play(frame, chosen, path, start=after(frame, breaks_after - 1))
    assert told(played.journal)[0] == ("entry", "03 09:24", 75, 1015)
    assert played.journal.events == run(frame, chosen).events[: len(played.journal.events)]


def test_a_stop_goes_on_following_after_a_restart(path):
    bars = [CALM, CALM, CALM, (1020, 1021, 1019, 1020), (1015, 1016, 1009, 1012), CALM]
    frame = frame_of(bars, signal=[1] + [0] * 5, atr=[10.0] * 6)
    chosen = settings_of(strategy={"trail_atr": 1.0, "target_atr": 50.0})
    play(frame, chosen, path, breaks_after=2)
    played = play(frame, chosen, path, start=after(frame, 1))
    assert told(played.journal)[-1] == ("stop", "03 09:27", -75, 1010)


def test_an_entry_that_waits_over_a_restart_has_as_many_bars_as_without(path):
    frame = frame_of([CALM] * 7, signal=[1] + [0] * 6, atr=[10.0] * 7)
    chosen = settings_of(strategy={"entry": {"kind": "limit", "offset_atr": 1.0, "valid_bars": 4}})
    play(frame, chosen, path, breaks_after=3)
    played = play(frame, chosen, path, start=after(frame, 2))
    ended = [f"{event.time:%H:%M}" for event in played.journal.events if event.state == "canceled"]
    assert ended == ["09:30"] * 3


@pytest.mark.parametrize("taken_back_on", [1, 2])
def test_an_entry_that_was_taken_back_does_not_fill_after_a_crash(path, taken_back_on):
    """The process ends right after the bar on whose close it was taken back; the next bar would fill it."""
    bars = [CALM] * (taken_back_on + 1) + [(1000, 1001, 985, 995)] * 3
    frame = frame_of(bars, signal=[1] + [0] * (len(bars) - 1), atr=[10.0] * len(bars))
    entry = {"kind": "limit", "offset_atr": 1.0, "valid_bars": taken_back_on}
    chosen = settings_of(strategy={"entry": entry})
    play(frame, chosen, path, breaks_after=taken_back_on + 1)
    played = play(frame, chosen, path, start=after(frame, taken_back_on))
    assert played.journal.fills == []
    assert played.journal.events == run(frame, chosen).events


def test_the_day_on_paper_is_the_backtest(path):
    bars = [CALM, (1000, 1001, 995, 997), (997, 1006, 996, 1004), (1004, 1020, 1003, 1019), CALM, CALM]
    frame = frame_of(bars, signal=[1, 0, 0, 0, 0, 0], atr=[10.0] * 6)
    entry = {"kind": "limit", "offset_atr": 0.5, "valid_bars": 2}
    chosen = settings_of(strategy={"entry": entry, "trail_atr": 2.0, "targets": HALVES, "fixed_units": 150})
    played = play(frame, chosen, path)
    assert told(played.journal)[:3] == [
        ("entry", "03 09:18", 150, 995), ("target", "03 09:21", -75, 1005), ("stop", "03 09:27", -75, 999),
    ]  # fmt: skip
    assert played.journal.events == run(frame, chosen).events


def test_a_book_of_before_there_were_targets_is_read(path):
    frame = frame_of([CALM] * 6, signal=[1] + [0] * 5, atr=[10.0] * 6)
    play(frame, settings_of(), path, breaks_after=3)
    database = sqlite3.connect(path)
    state = json.loads(database.execute("SELECT body FROM state").fetchone()[0])
    for order in state["orders"]:
        del order["plimit"], order["planned"]
    database.execute("UPDATE state SET body = ?", (json.dumps(state),))
    database.commit()
    database.close()
    played = play(frame, settings_of(), path, start=after(frame, 2), breaks_after=5)
    assert played.broker.held == 75
    assert [order.role for order in played.broker.get_orders_open()] == ["stop", "target"]
