"""What the strategy tells about a bar, and how it reaches the disk."""

from __future__ import annotations

import csv
import math

import backtrader as bt
import pandas as pd
import pytest

from analyzers.bar_record import BarRecord
from analyzers.parity.files import read_day
from brokers.journal import Journal
from brokers.risk.gate import RiskGate
from brokers.simulated import SimulatedBroker
from feeds.errors import DataError, SettingsError
from feeds.live import LiveFeed
from feeds.terms import DatedTerms
from strategies.assembly import assemble, assemble_backtest, make_execution
from strategies.recording import DayRecorder
from tests.parity.recorded import CALENDAR, as_live_bar, bars_of_days, last_day, record, settings_for
from tests.support import frame_of, run, settings_of

RISING = [(100.0 + step, 101.0 + step, 99.0 + step, 100.0 + step) for step in range(8)]


def records_of(frame, settings):
    seen: list[BarRecord] = []
    run(frame, settings, on_bar=seen.append)
    return seen


def row(minute: int, **changes) -> BarRecord:
    start = pd.Timestamp("2024-06-03 09:15") + pd.Timedelta(minutes=minute)
    base = BarRecord(start.to_pydatetime(), 0.0, False, True, 1, math.nan, 75.0, "", {"atr": 0.1 + 0.2})
    return base._replace(**changes)


def lines(path):
    return path.read_text().splitlines()


def test_a_record_says_what_was_asked_held_and_answered():
    frame = frame_of(RISING, signal=[0, 1, 0, 0, 0, 0, 0, 0], atr=[10.0] * 8)
    seen = records_of(frame, settings_of())
    assert [record.start.strftime("%H:%M") for record in seen[:3]] == ["09:15", "09:18", "09:21"]
    assert [(r.asked, r.side, r.units) for r in seen[:2]] == [(True, 0, 0.0), (True, 1, 75)]
    assert [(r.asked, r.position) for r in seen[2:]] == [(False, 75.0)] * 6
    assert seen[1].inputs == {"atr": 10.0, "signal": 1.0}
    assert math.isnan(seen[1].probability)


def test_a_record_says_when_and_why_the_position_is_left():
    bars = [(100.0, 101.0, 99.0, 100.0)] * 30
    frame = frame_of(bars, at="14:00", signal=[1] + [0] * 29, atr=[20.0] * 30)
    seen = {record.start.strftime("%H:%M"): record for record in records_of(frame, settings_of())}
    assert {time for time, record in seen.items() if record.leaves} == {"15:18"}
    assert seen["15:18"].leaves == "square_off"
    assert seen["15:18"].position == 75.0
    assert seen["15:21"].position == 0.0


def test_an_entry_too_small_for_a_lot_is_a_decision_without_units():
    frame = frame_of(RISING, signal=[1] * 8, atr=[10.0] * 8)
    seen = records_of(frame, settings_of(strategy={"sizer": "risk", "risk_percent": 0.0001}))
    assert {(record.asked, record.side, record.units) for record in seen} == {(True, 1, 0)}


@pytest.mark.parametrize("name", ["ema_cross", "opening_range", "random_entry"])
def test_recording_changes_no_order(name):
    bars, settings = bars_of_days(sessions=6), settings_for(name)
    plain = run(bars, settings)
    assert len(plain.fills) > 3
    seen: list[BarRecord] = []
    recorded = run(bars, settings, on_bar=seen.append)
    assert recorded.fills == plain.fills
    assert recorded.events == plain.events
    assert len(seen) > len(bars) - 40


@pytest.mark.parametrize("name", ["ema_cross", "opening_range"])
def test_bar_by_bar_the_records_are_those_of_the_whole_history(name):
    """Live, indicators see one bar after the other; in the replay the whole day at once."""
    bars, settings = bars_of_days(), settings_for(name)
    told = []
    for options in ({}, {"runonce": False}, {"preload": False}):
        seen: list[BarRecord] = []
        run(bars, settings, cerebro=options, on_bar=seen.append)
        told.append(str(seen))
    assert len(told[0]) > 10_000
    assert told[1] == told[0]
    assert told[2] == told[0]


class Script:
    """Bars that come one by one, as a live feed gets them."""

    def __init__(self, live_bars):
        self._left = list(live_bars)
        self.state = "LIVE"

    @property
    def has_ready(self):
        return bool(self._left)

    def start(self):
        pass

    def next(self, timeout_seconds):
        assert timeout_seconds >= 0
        if self._left:
            return self._left.pop(0)
        self.state = "OVER"
        return None


@pytest.mark.parametrize("name", ["ema_cross", "random_entry"])
def test_a_day_recorded_on_the_live_feed_is_the_backtest_of_its_bars(tmp_path, name):
    bars, chosen = bars_of_days(), settings_for(name)
    first = last_day(bars)
    ends = bars.index + pd.Timedelta(minutes=3)
    script = Script(
        as_live_bar(start, end, row, "warmup" if start < first else "ticks")
        for (start, row), end in zip(bars.iterrows(), ends, strict=True)
    )
    journal, terms = Journal(), DatedTerms(chosen.market, CALENDAR)
    broker = SimulatedBroker(
        cash=chosen.broker.starting_cash, execution=make_execution(chosen, terms),
        gate=RiskGate([], chosen.broker.starting_cash), journal=journal,
    )  # fmt: skip
    live = tmp_path / "live"
    with DayRecorder(live) as recorder:
        feed = LiveFeed(
            bars=script, on_bar=recorder.bar, name="NIFTY", timeframe=bt.TimeFrame.Minutes, compression=3
        )
        assemble(chosen, CALENDAR, feed=feed, broker=broker, terms=terms, on_bar=recorder.record).run()
    assert len(journal.fills) > 3
    expected = record(tmp_path / "backtest", bars, chosen)
    for file in ("bars.csv", "decisions.csv"):
        assert (live / file).read_bytes() == (expected / file).read_bytes()


def test_rows_read_back_to_the_same_bits(tmp_path):
    bars = bars_of_days()
    day = read_day(record(tmp_path / "day", bars, settings_for()))
    back = day.run.bars[bars.columns]
    pd.testing.assert_frame_equal(
        back.drop(columns="complete"), bars.drop(columns="complete"), check_freq=False
    )
    assert not back["complete"][back.index < bars.index[-125]].any()
    assert back["complete"].iloc[-125:].all()
    seen: list[BarRecord] = []
    quiet = bars.assign(complete=back["complete"])
    assemble_backtest(settings_for(), quiet, CALENDAR, on_bar=seen.append).engine.run()
    assert str(list(day.run.records.values())) == str(seen)


def test_a_restart_goes_on_behind_the_last_row(tmp_path):
    with DayRecorder(tmp_path) as recorder:
        for minute in (0, 3, 6):
            recorder.record(row(minute))
    before = lines(tmp_path / "decisions.csv")
    with DayRecorder(tmp_path) as recorder:
        for minute in (0, 3, 6, 9):
            recorder.record(row(minute, side=-1))
    after = lines(tmp_path / "decisions.csv")
    assert after[:-1] == before
    assert after[-1].startswith("2024-06-03 09:24:00+05:30,0.0,0,1,-1,nan,75.0,,0.30000000000000004")
    with DayRecorder(tmp_path):
        pass
    assert lines(tmp_path / "decisions.csv") == after


def test_bars_older_than_the_newest_are_not_written_again(tmp_path):
    bars = frame_of(RISING)
    ends = bars.index + pd.Timedelta(minutes=3)
    for first, origin in ((2, "ticks"), (0, "warmup")):
        with DayRecorder(tmp_path) as recorder:
            for place in range(first, first + 4):
                recorder.bar(as_live_bar(bars.index[place], ends[place], bars.iloc[place], origin))
    with (tmp_path / "bars.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [item["start"][11:16] for item in rows] == ["09:21", "09:24", "09:27", "09:30"]
    assert {item["origin"] for item in rows} == {"ticks"}


def test_a_torn_last_line_is_cut_and_written_again(tmp_path):
    with DayRecorder(tmp_path) as recorder:
        recorder.record(row(0))
        recorder.record(row(3))
    path = tmp_path / "decisions.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with DayRecorder(tmp_path) as recorder:
        recorder.record(row(3))
    assert path.read_bytes() == whole


def test_every_row_is_on_disk_before_the_next(tmp_path):
    recorder = DayRecorder(tmp_path)
    recorder.record(row(0))
    assert len(lines(tmp_path / "decisions.csv")) == 2
    recorder.close()


def test_another_strategy_in_the_same_folder_is_refused(tmp_path):
    with DayRecorder(tmp_path) as recorder:
        recorder.record(row(0))
        with pytest.raises(DataError, match=r"has the columns .*atr, this run records .*fast.*new --out"):
            recorder.record(row(3, inputs={"fast": 1.0}))


def test_an_input_may_not_be_called_like_a_column(tmp_path):
    with DayRecorder(tmp_path) as recorder, pytest.raises(SettingsError, match="names side, which"):
        recorder.record(row(0, inputs={"side": 1.0}))
