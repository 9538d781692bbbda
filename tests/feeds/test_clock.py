from __future__ import annotations

import datetime as dt

import pytest

from feeds.clock import IST, ReplayClock, WallClock
from feeds.errors import DataError

NINE = dt.datetime(2026, 8, 3, 9, tzinfo=IST)


def test_wall_clock_is_aware_and_in_indian_time():
    now = WallClock().now()
    assert now.utcoffset() == dt.timedelta(hours=5, minutes=30)


def test_replay_clock_stands_still_until_told():
    clock = ReplayClock(NINE)
    assert clock.now() == clock.now() == NINE


def test_replay_clock_never_goes_back():
    clock = ReplayClock(NINE)
    clock.set(NINE + dt.timedelta(seconds=5))
    clock.set(NINE + dt.timedelta(seconds=4))
    assert clock.now() == NINE + dt.timedelta(seconds=5)


def test_replay_clock_shows_other_zones_in_indian_time():
    clock = ReplayClock(dt.datetime(2026, 8, 3, 3, 45, tzinfo=dt.UTC))
    assert clock.now().strftime("%H:%M") == "09:15"


def test_naive_times_are_refused():
    with pytest.raises(DataError, match="without a time zone"):
        ReplayClock(dt.datetime(2026, 8, 3, 9))  # noqa: DTZ001 # the naive time is the point
