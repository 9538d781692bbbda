# ruff: noqa: DTZ001 # inside backtrader the wall clock of the exchange is kept naive
import datetime as dt

import backtrader as bt
import numpy as np
import pandas as pd
from backtrader.utils.dateintern import date2num
from hypothesis import given
from hypothesis import strategies as st

from feeds.history import backtrader_times, make_history_feed

whole_seconds = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2060, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(st.lists(whole_seconds, min_size=1, max_size=50))
def test_times_are_bit_equal_to_backtrader(moments):
    times = backtrader_times(pd.DatetimeIndex(moments))
    assert times.tolist() == [date2num(moment) for moment in moments]


def test_every_second_of_a_day_is_bit_equal_to_backtrader():
    index = pd.date_range("2024-06-03", periods=86_400, freq="s")
    assert backtrader_times(index).tolist() == [date2num(moment) for moment in index.to_pydatetime()]


class Recorder(bt.Strategy):
    def start(self):
        self.seen = []

    def next(self):
        data = self.data
        names = data.getlinealiases()
        self.seen.append(
            (data.opened_at(), data.closed_at(), *(getattr(data.lines, name)[0] for name in names))
        )


def seen_through(frame, closes, **options):
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(make_history_feed(frame, closes, name="NIFTY", bar_minutes=3))
    cerebro.addstrategy(Recorder)
    return cerebro.run(**options)[0].seen


def a_frame():
    index = pd.date_range("2024-06-03 09:15", periods=40, freq="3min", tz="Asia/Kolkata", name="datetime")
    values = np.random.default_rng(3).random((40, 5)) + 100
    frame = pd.DataFrame(values, columns=["open", "high", "low", "close", "volume"], index=index)
    return frame.assign(open_interest=5.0, complete=True, signal=0.5, note="text")


def test_preloaded_and_bar_by_bar_are_the_same():
    frame = a_frame()
    closes = frame.index + pd.Timedelta(minutes=3)
    preloaded = seen_through(frame, closes)
    assert len(preloaded) == 40
    assert preloaded == seen_through(frame, closes, preload=False)
    assert preloaded == seen_through(frame, closes, runonce=False)


def test_lines_hold_what_the_frame_holds_and_the_time_is_the_close():
    frame = a_frame()
    closes = frame.index + pd.Timedelta(minutes=3)
    feed = make_history_feed(frame, closes, name="NIFTY", bar_minutes=3)
    feed.start()
    feed.preload()
    for column, line in {
        "open": "open",
        "close": "close",
        "open_interest": "openinterest",
        "signal": "signal",
    }.items():
        assert list(getattr(feed.lines, line).array) == frame[column].tolist()
    assert set(feed.lines.complete.array) == {1.0}
    assert bt.num2date(feed.lines.datetime.array[0]).replace(microsecond=0) == dt.datetime(2024, 6, 3, 9, 18)
    assert "note" not in feed.getlinealiases()


def test_opened_and_closed_follow_the_current_bar():
    frame = a_frame()
    first = seen_through(frame, frame.index + pd.Timedelta(minutes=3))[0]
    assert first[:2] == (dt.datetime(2024, 6, 3, 9, 15), dt.datetime(2024, 6, 3, 9, 18))
