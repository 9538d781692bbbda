from __future__ import annotations

import datetime as dt
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.clock import IST, ReplayClock, SteadyClock, WallClock, seconds_since_boot
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


# -- steady clock ----------------------------------------------------------------------------------------

HOUR = 3_600.0


class Hands:
    """A wall clock and a counter that go as the test says."""

    def __init__(self):
        self.wall = ReplayClock(NINE)
        self.count = 1_000.0

    def pass_(self, seconds, *, stepped=0.0):
        self.count += seconds
        self.wall = ReplayClock(self.wall.now() + dt.timedelta(seconds=seconds + stepped))

    def now(self):
        return self.wall.now()


@pytest.fixture
def hands():
    return Hands()


@pytest.fixture
def steady(hands):
    return SteadyClock(hands, lambda: hands.count)


@pytest.mark.parametrize("seconds", [0.0, 0.001, HOUR, 30 * 24 * HOUR])
def test_steady_clock_goes_with_the_wall(hands, steady, seconds):
    hands.pass_(seconds)
    assert steady.now() == hands.now() == NINE + dt.timedelta(seconds=seconds)
    assert steady.stepped_seconds() == 0.0


@pytest.mark.parametrize("step", [-HOUR, -1.0, -0.002, 0.002, 1.0, HOUR])
def test_steady_clock_is_not_moved_with_the_wall_and_says_by_how_much(hands, steady, step):
    hands.pass_(60.0)
    hands.pass_(60.0, stepped=step)
    assert steady.now() == NINE + dt.timedelta(seconds=120)
    assert steady.stepped_seconds() == pytest.approx(step, abs=1e-6)
    hands.pass_(60.0, stepped=-step)  # set right again
    assert steady.stepped_seconds() == pytest.approx(0.0, abs=1e-6)


def test_a_new_steady_clock_takes_over_what_the_wall_shows(hands, steady):
    hands.pass_(60.0, stepped=-HOUR)
    assert SteadyClock(hands, lambda: hands.count).now() == hands.now() != steady.now()


@given(steps=st.lists(st.tuples(st.floats(0.0, 1e5), st.floats(-1e5, 1e5)), max_size=20))
def test_steady_clock_never_goes_back(steps):
    hands = Hands()
    steady = SteadyClock(hands, lambda: hands.count)
    shown = [steady.now()]
    for seconds, stepped in steps:
        hands.pass_(seconds, stepped=stepped)
        shown.append(steady.now())
    assert shown == sorted(shown)


def test_steady_clock_of_this_machine():
    before = WallClock().now()
    steady = SteadyClock()
    assert abs((steady.now() - before).total_seconds()) < 60.0
    assert abs(steady.stepped_seconds()) < 60.0
    assert steady.now().utcoffset() == dt.timedelta(hours=5, minutes=30)


def test_the_counter_goes_forward_with_or_without_one_that_counts_sleep(monkeypatch):
    assert seconds_since_boot() <= seconds_since_boot()
    monkeypatch.delattr("time.CLOCK_BOOTTIME", raising=False)
    before = time.monotonic()
    assert before <= seconds_since_boot() <= time.monotonic()
