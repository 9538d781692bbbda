"""The small rules on their own: bands, ticks, parts, and what is due when."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.sandbox.matching import (
    automatic_band_percent,
    executed_units,
    is_on_tick,
    is_reached,
    is_triggered,
    protected_limit,
    to_tick,
)
from brokers.sandbox.schedule import Schedule
from tests.brokers.sandbox.scene import at


@pytest.mark.parametrize(
    ("price", "percent"),
    [(99.95, 2.0), (100.0, 1.0), (100.05, 1.0), (499.95, 1.0), (500.0, 1.0), (500.05, 0.5), (26_000.0, 0.5)],
)
def test_the_automatic_band(price, percent):
    assert automatic_band_percent(price) == percent


@pytest.mark.parametrize(
    ("side", "price", "buy_limit"), [(1, 99.9, True), (1, 100.0, True), (1, 100.1, False)]
)
def test_a_limit_and_a_trigger_are_reached_at_their_price(side, price, buy_limit):
    assert is_reached(side, 100.0, price) is buy_limit
    assert is_reached(-side, -100.0, -price) is buy_limit
    assert is_triggered(side, 100.0, 200.0 - price) is buy_limit
    assert is_triggered(-side, -100.0, price - 200.0) is buy_limit


@given(
    side=st.sampled_from([1, -1]),
    ticks=st.integers(1, 1_000_000),
    percent=st.floats(0.01, 100.0),
    tick=st.sampled_from([0.05, 0.1, 0.2]),
)
def test_a_protected_limit_is_on_the_tick_and_within_its_band(side, ticks, percent, tick):
    price = to_tick(ticks * tick, tick)
    limit = protected_limit(side, price, percent, tick)
    assert is_on_tick(limit, tick)
    distance = (limit - price) * side
    band = price * percent / 100.0
    assert -1e-6 <= distance <= band + 1e-6
    assert distance > band - tick - 1e-6


@given(
    lots=st.integers(1, 50), lot=st.integers(1, 100), probability=st.floats(0.0, 1.0), seed=st.integers(0, 99)
)
def test_an_execution_takes_whole_lots_and_at_least_one(lots, lot, probability, seed):
    draw = random.Random(seed)  # noqa: S311 # a scenario, no secret
    units = executed_units(lots * lot, lot, probability, draw)
    assert units % lot == 0
    assert lot <= units <= lots * lot
    assert executed_units(lots * lot, lot, 0.0, draw) == lots * lot
    assert executed_units(lots * lot, lot, 1.0, draw) < lots * lot or lots == 1


def test_what_is_due_runs_in_order_and_never_in_the_past():
    schedule, done = Schedule(at(0)), []

    def note(name):
        return lambda time: done.append((name, time, schedule.now))

    schedule.add(at(2), note("second"))
    schedule.add(at(1), note("first"))
    schedule.add(at(1), note("first too"))
    schedule.run(at(1))
    assert done == [("first", at(1), at(1)), ("first too", at(1), at(1))]
    schedule.add(at(0.5), note("late"))
    assert schedule.next_due() == at(1)
    schedule.run(at(0))
    assert done[2:] == [("late", at(1), at(1))]
    schedule.run(at(5))
    assert done[3:] == [("second", at(2), at(2))]
    assert (schedule.now, schedule.next_due()) == (at(5), None)


def test_what_an_action_adds_runs_in_the_same_run():
    schedule, done = Schedule(at(0)), []
    schedule.add(at(1), lambda time: schedule.add(time, done.append))
    schedule.run(at(1))
    assert done == [at(1)]
