"""Whatever the stream does: bars in order, none twice, and no unit of volume too many."""

from __future__ import annotations

import datetime as dt
import itertools

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.clock import ReplayClock
from feeds.market_events import StreamDown, StreamUp
from tests.feeds.live_support import (
    MINUTES,
    TODAY,
    HandClock,
    History,
    Scripted,
    at,
    closing_tick,
    framed,
    offline,
    ticks_of,
)

MORNING = ticks_of(TODAY.iloc[:60])
EXPECTED = offline(TODAY.iloc[:60])
LAST = MORNING[-1]


FAULTS = ["down", "down", "hole", "again", "late", "flap"]


def steps(faults=FAULTS):
    """Runs of ticks, what happens after each, and how many ticks that costs."""
    step = st.tuples(st.integers(1, 40), st.sampled_from(faults), st.integers(0, 45))
    return st.lists(step, min_size=1, max_size=12)


def scripted_morning(first, chosen):
    """The morning from tick number ``first`` on, with the faults in it."""
    events = [StreamUp()]
    place = first
    for run, fault, size in chosen:
        events += MORNING[place : place + run]
        place = min(place + run, len(MORNING))
        if fault == "down":
            events += [StreamDown("lost"), StreamUp()]
            place += size
        elif fault == "hole":
            place += size
        elif fault == "again":
            events.append(MORNING[place - 1])
        elif fault == "late":
            events.append(MORNING[max(0, place - 1 - size)])
        else:
            events += [StreamDown("lost"), StreamUp(), StreamDown("lost again")]
        place = min(place, len(MORNING))
    return [*events, *MORNING[place:], LAST, LAST._replace(time=LAST.time + dt.timedelta(seconds=1))]


FIRST = st.one_of(st.just(0), st.integers(4, 40))  # what is lost of the first minute nobody can know
MOODS = st.lists(st.booleans(), max_size=12)


class Moody(History):
    """Fails by a list of moods; the warm-up always succeeds."""

    def __init__(self, moods):
        super().__init__()
        self.moods = [False, *moods]

    def minutes(self, first, last):
        self.failures = int(bool(self.moods) and self.moods.pop(0))
        return super().minutes(first, last)


def assert_in_order(bars):
    for before, after in itertools.pairwise(bars):
        assert before.bar.end <= after.bar.start


@settings(max_examples=100, deadline=None)
@given(FIRST, steps())
def test_nothing_is_lost_when_history_can_be_read(first, chosen):
    scripted = Scripted(ReplayClock(at("09:00")))
    bars = scripted.put(*scripted_morning(first, chosen))
    assert_in_order([*scripted.warmup, *bars])
    assert [bar.bar.start for bar in bars] == list(EXPECTED.index)
    assert sum(bar.bar.volume for bar in bars) == EXPECTED["volume"].sum()


@settings(max_examples=100, deadline=None)
@given(FIRST, steps([fault for fault in FAULTS if fault != "hole"]), MOODS)
def test_a_bar_that_claims_to_be_complete_is_the_market_s(first, chosen, moods):
    scripted = Scripted(ReplayClock(at("09:00")), history=Moody(moods))
    bars = scripted.put(*scripted_morning(first, chosen))
    claimed = framed([bar for bar in bars if bar.bar.complete])
    pd.testing.assert_frame_equal(claimed, EXPECTED.loc[claimed.index], check_freq=False, check_exact=True)


@settings(max_examples=100, deadline=None)
@given(FIRST, steps(), MOODS)
def test_bars_are_in_order_and_every_one_is_delivered_or_reported(first, chosen, moods):
    scripted = Scripted(ReplayClock(at("09:00")), history=Moody(moods))
    bars = scripted.put(*scripted_morning(first, chosen))
    assert_in_order([*scripted.warmup, *bars])
    assert sum(bar.bar.volume for bar in bars) <= EXPECTED["volume"].sum()
    missing = sum(told["bars"] for told in scripted.told("bars_missing"))
    assert len(bars) + missing == len(EXPECTED)


@settings(max_examples=50, deadline=None)
@given(FIRST, steps(), MOODS, st.lists(st.integers(0, 8), min_size=1, max_size=50))
def test_with_a_wall_clock_too(first, chosen, moods, delays):
    """Events arrive some seconds late, and the clock is asked in between."""
    clock = HandClock(at("09:00"))
    scripted = Scripted(clock, history=Moody(moods))
    bars = []
    for number, event in enumerate(scripted_morning(first, chosen)):
        if hasattr(event, "time") and event.time > clock.time:
            late = event.time + dt.timedelta(seconds=delays[number % len(delays)])
            while clock.time < late:
                step = min(late, clock.time + dt.timedelta(seconds=1))
                clock.seconds += (step - clock.time).total_seconds()
                clock.time = step
                bars += scripted.drain()
        bars += scripted.put(event)
    assert_in_order([*scripted.warmup, *bars])
    assert sum(bar.bar.volume for bar in bars) <= EXPECTED["volume"].sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(MORNING) - 1), st.integers(1, 15))
def test_started_anywhere_the_bars_meet_the_warm_up(place, bar_minutes):
    """No bar of the day is missing between warm-up and ticks, and the volumes add up."""
    clock = ReplayClock(MORNING[place].time)
    scripted = Scripted(clock, bar_minutes=bar_minutes)
    rest = MORNING[place:]
    bars = [*scripted.warmup, *scripted.put(StreamUp(), *rest, closing_tick(rest)._replace(time=at("10:15")))]
    expected = offline(MINUTES, bar_minutes)
    today = [bar for bar in bars if bar.bar.start.date() == at("10:00").date()]
    ended = expected[(expected.index >= TODAY.index[0])].iloc[: len(today)]
    assert [bar.bar.start for bar in today] == list(ended.index)
    assert [bar.bar.volume for bar in today] == list(ended["volume"])
