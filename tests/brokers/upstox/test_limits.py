"""Upstox' limits at their edges: one request below, at, and above each."""

from __future__ import annotations

import pytest

from brokers.upstox.limits import UpstoxOrderBudget, UpstoxReadBudget
from brokers.wire import NotNowError


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def spread(time, budget, count, a_second, *, is_exit) -> None:
    """Take ``count`` in bursts of ``a_second``, none of which has to wait."""
    for number in range(count):
        if number and number % a_second == 0:
            time.now += 1.0
        before = time.now
        budget.take(is_exit=is_exit, places=True)
        assert time.now == before


@pytest.mark.parametrize(("is_exit", "a_second"), [(False, 8), (True, 10)])
def test_orders_of_a_second(time, is_exit, a_second):
    orders = UpstoxOrderBudget(time.monotonic, time.sleep)
    spread(time, orders, a_second, a_second, is_exit=is_exit)
    orders.take(is_exit=is_exit, places=True)
    assert time.now == 1001.0


@pytest.mark.parametrize(("is_exit", "a_minute"), [(False, 450), (True, 500)])
def test_orders_of_a_minute(time, is_exit, a_minute):
    orders = UpstoxOrderBudget(time.monotonic, time.sleep)
    burst = 8 if not is_exit else 10
    spread(time, orders, a_minute, burst, is_exit=is_exit)
    time.now = 1057.5
    with pytest.raises(NotNowError, match="Upstox's limit of order requests"):
        orders.take(is_exit=is_exit, places=True)
    time.now = 1060.0
    orders.take(is_exit=is_exit, places=True)
    assert time.now == 1060.0


@pytest.mark.parametrize(("is_exit", "half_an_hour"), [(False, 1600), (True, 2000)])
def test_orders_of_half_an_hour(time, is_exit, half_an_hour):
    orders = UpstoxOrderBudget(time.monotonic, time.sleep)
    spread(time, orders, half_an_hour, 5, is_exit=is_exit)
    time.now = 2797.5
    with pytest.raises(NotNowError, match=r"may go out in 2\.5 seconds"):
        orders.take(is_exit=is_exit, places=True)
    time.now = 2800.0
    orders.take(is_exit=is_exit, places=True)
    assert time.now == 2800.0


def test_what_entries_may_not_use_is_left_for_exits(time):
    orders = UpstoxOrderBudget(time.monotonic, time.sleep)
    spread(time, orders, 1600, 5, is_exit=False)
    with pytest.raises(NotNowError):
        orders.take(is_exit=False, places=True)
    spread(time, orders, 1, 5, is_exit=True)


@pytest.mark.parametrize("kind", ["history", "other"])
def test_reads_wait_for_their_second_and_their_minute(time, kind):
    reads = UpstoxReadBudget(time.monotonic, time.sleep)
    moments = []
    for _ in range(501):
        reads.take(kind)
        moments.append(time.now)
    assert moments[:50] == [1000.0] * 50
    assert moments[50] == 1001.0
    assert moments[499] == 1009.0
    assert moments[500] == 1060.0
