"""The bars of a day in a file: what is written, what a restart does, and what history mends at the end."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.bar_sequence import LiveBar
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import BrokerError, DataError
from feeds.past_bars import PastBars
from feeds.record import BARS_FILE, DayRecord, RecordedDay
from feeds.sources.files import load_bars
from feeds.tick_bars import Bar
from tests.feeds.frames import day_frame

DAY = dt.date(2024, 10, 15)
CALENDAR = TradingCalendar({DAY: "09:15-09:30"})
SESSION = CALENDAR.session(DAY)
MINUTES = day_frame(str(DAY), 15)


class History:
    """Knows the minutes it is given."""

    def __init__(self, frame: pd.DataFrame = MINUTES) -> None:
        self.frame = frame
        self.asked = 0

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        self.asked += 1
        return self.frame[(self.frame.index >= first) & (self.frame.index <= last)]


def live_bar(number: int, *, origin: str = "ticks", **changes: object) -> LiveBar:
    """Return the minute of this number as it was built."""
    start = dt.datetime.combine(DAY, dt.time(9, 15 + number), IST)
    row = MINUTES.iloc[number]
    values = [float(row[name]) for name in ("open", "high", "low", "close", "volume", "open_interest")]
    bar = Bar(start, start + dt.timedelta(minutes=1), *values, complete=True)._replace(**changes)
    return LiveBar(bar, origin, 0.0)


def recorded(folder, *bars: LiveBar) -> DayRecord:
    record = DayRecord(folder, SESSION)
    for bar in bars:
        record.keep(bar)
    return record


def finish(record: DayRecord, history: History) -> RecordedDay:
    return record.finish(PastBars(CALENDAR, 1, history))


def test_a_whole_day_needs_no_history(tmp_path):
    history = History()
    day = finish(recorded(tmp_path, *map(live_bar, range(15))), history)
    assert day.is_whole
    assert (day.from_history, history.asked) == (0, 0)
    pd.testing.assert_frame_equal(day.frame, MINUTES, check_freq=False)


def test_the_file_can_be_imported(tmp_path):
    finish(recorded(tmp_path, *map(live_bar, range(15))), History())
    loaded = load_bars(tmp_path / BARS_FILE, calendar=CALENDAR)
    pd.testing.assert_frame_equal(loaded.frame[MINUTES.columns], MINUTES, check_freq=False)


def test_bars_that_ticks_were_lost_for_come_from_history(tmp_path):
    torn = live_bar(4, complete=False, volume=1.0)
    record = recorded(tmp_path, *map(live_bar, range(4)), torn, *map(live_bar, range(7, 15)))
    day = finish(record, History())
    assert day.is_whole
    assert day.from_history == 3
    pd.testing.assert_frame_equal(day.frame, MINUTES, check_freq=False)


def test_what_history_does_not_have_is_named_and_not_filled(tmp_path):
    torn = live_bar(4, complete=False)
    record = recorded(tmp_path, *map(live_bar, range(4)), torn, *map(live_bar, range(7, 15)))
    day = finish(record, History(MINUTES.iloc[:4]))
    assert not day.is_whole
    assert [f"{start:%H:%M}" for start in day.missing] == ["09:20", "09:21"]
    assert (day.incomplete, day.from_history, len(day.frame)) == (1, 0, 13)


def test_a_restart_goes_on_behind_the_last_bar_and_writes_none_twice(tmp_path):
    recorded(tmp_path, *map(live_bar, range(5))).close()
    with (tmp_path / BARS_FILE).open("a") as file:
        file.write("2024-10-15 09:20:00+05:30,80")  # what a crash left of a line
    record = recorded(tmp_path, *(live_bar(number, origin="warmup") for number in range(15)))
    assert finish(record, History()).is_whole
    lines = (tmp_path / BARS_FILE).read_text().splitlines()
    assert [line.rsplit(",", 1)[1] for line in lines] == ["from_ticks", *"1" * 5, *"0" * 10]


def test_bars_of_other_days_are_not_kept(tmp_path):
    earlier = live_bar(0, start=dt.datetime(2024, 10, 14, 9, 15, tzinfo=IST))
    record = recorded(tmp_path)
    assert not record.keep(earlier)
    assert record.keep(live_bar(0))
    assert not record.keep(live_bar(0))
    record.close()


def test_history_that_cannot_be_read_is_an_error_where_it_is_needed(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise BrokerError("Kite could not be asked")

    history = History()
    monkeypatch.setattr(history, "minutes", refuse)
    with pytest.raises(BrokerError, match="could not be asked"):
        finish(recorded(tmp_path, *map(live_bar, range(14))), history)


def test_a_file_of_bars_of_another_length(tmp_path):
    recorded(tmp_path, *map(live_bar, range(15))).close()
    with pytest.raises(DataError, match="begun with another --interval: use a new --out folder"):
        DayRecord(tmp_path, SESSION).finish(PastBars(CALENDAR, 3, History()))
