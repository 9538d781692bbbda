import datetime as dt

import numpy as np
import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.history import backtrader_times
from strategies.windows import DayWindows, split_times


def windows(**changes):
    defaults = {
        "last_entry": dt.time(15, 0),
        "square_off": dt.time(15, 20),
        "last_entry_before_close_minutes": 30,
        "square_off_before_close_minutes": 10,
        "bar_minutes": 3,
    }
    return DayWindows(TradingCalendar(), **{**defaults, **changes})


@pytest.mark.parametrize(
    ("day", "last_entry", "square_off"),
    [
        ("2024-06-03", "15:00", "15:20"),  # an ordinary Monday
        ("2026-07-31", "15:00", "15:20"),  # the last day that closes at 15:30
        ("2026-08-03", "15:00", "15:20"),  # the first that closes at 15:40
        ("2024-11-01", "18:30", "18:50"),  # Muhurat, 18:00 to 19:00
        ("2025-10-21", "14:15", "14:35"),  # Muhurat in the afternoon, 13:45 to 14:45
        ("2024-03-02", "12:00", "12:20"),  # a Saturday that ends at 12:30
        ("2021-02-24", "15:00", "15:20"),  # outage, extended to 17:00: the usual times hold
        ("2024-01-26", "00:00", "00:00"),  # Republic Day: never an entry
    ],
)
def test_window_of_a_day(day, last_entry, square_off):
    window = windows().of(dt.date.fromisoformat(day).toordinal())
    as_text = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in window)
    assert as_text == (last_entry, square_off)


def test_later_times_give_way_to_the_close():
    late = windows(last_entry=dt.time(15, 25), square_off=dt.time(15, 29))
    assert late.of(dt.date(2024, 6, 3).toordinal()) == (15 * 60, 15 * 60 + 20)
    assert late.of(dt.date(2026, 8, 3).toordinal()) == (15 * 60 + 10, 15 * 60 + 29)


@pytest.mark.parametrize(
    ("time", "entry_allowed", "square_off"),
    [
        ("14:59:59", True, False), ("15:00:00", False, False), ("15:00:01", False, False),
        ("15:19:59", False, False), ("15:20:00", False, True), ("15:20:01", False, True),
    ],
)  # fmt: skip
def test_flags_at_the_second(time, entry_allowed, square_off):
    times = backtrader_times(pd.DatetimeIndex([f"2024-06-03 {time}"]))
    flags = windows().flags(times)
    assert [bool(flag[0]) for flag in flags] == [entry_allowed, square_off]


def test_split_times_is_exact_for_every_minute_of_a_day():
    index = pd.date_range("2024-06-03", periods=1440, freq="min")
    days, minutes = split_times(backtrader_times(index))
    assert (days == dt.date(2024, 6, 3).toordinal()).all()
    assert (minutes == np.arange(1440)).all()


@pytest.mark.parametrize(
    ("bar_minutes", "square_off"),
    [(1, "15:20"), (5, "15:20"), (10, "15:20"), (15, "15:15"), (60, "15:15"), (125, "13:25")],
)
def test_the_square_off_is_decided_on_the_last_bar_but_one_at_the_latest(bar_minutes, square_off):
    window = windows(bar_minutes=bar_minutes).of(dt.date(2024, 6, 3).toordinal())
    assert f"{window.square_off // 60:02d}:{window.square_off % 60:02d}" == square_off
    assert window.last_entry <= window.square_off


@pytest.mark.parametrize(
    ("bar_minutes", "square_off"),
    [
        (3, 12 * 60 + 20),
        (45, 12 * 60 + 15),  # 11:30 to 12:15, 12:15 to 12:30
        (60, 10 * 60),  # one bar from 11:30 to 12:30, so the first segment's close
        (120, 10 * 60),
    ],
)
def test_a_broken_session_with_long_bars(bar_minutes, square_off):
    assert windows(bar_minutes=bar_minutes).of(dt.date(2024, 3, 2).toordinal()).square_off == square_off


def test_a_session_of_one_bar_is_not_traded():
    assert windows(bar_minutes=375).of(dt.date(2024, 6, 3).toordinal()) == (9 * 60 + 15, 9 * 60 + 15)


def test_no_entry_after_the_square_off_of_a_short_session():
    short = windows(last_entry_before_close_minutes=0)
    assert short.of(dt.date(2024, 11, 1).toordinal()) == (18 * 60 + 50, 18 * 60 + 50)


def test_zero_minutes_before_the_close_still_leave_a_bar_to_fill_in():
    latest = windows(square_off=dt.time(15, 30), square_off_before_close_minutes=0)
    assert latest.of(dt.date(2024, 6, 3).toordinal()).square_off == 15 * 60 + 27
