from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.kite.limits import KiteOrderBudget, KiteReadBudget
from brokers.wire import NotNowError, OrderRefusedError


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


@pytest.fixture
def orders(time):
    return KiteOrderBudget(time.monotonic, time.sleep)


def sent_at(time, orders, count, *, is_exit=False, places=True) -> list[float]:
    moments = []
    for _ in range(count):
        orders.take(is_exit=is_exit, places=places)
        moments.append(time.now)
    return moments


def test_eight_entries_a_second_and_two_more_for_exits(time, orders):
    assert sent_at(time, orders, 8) == [1000.0] * 8
    assert sent_at(time, orders, 2, is_exit=True) == [1000.0] * 2
    orders.take(is_exit=True, places=True)
    assert time.now == 1001.0


def test_the_ninth_entry_waits_for_its_second(time, orders):
    assert sent_at(time, orders, 9)[-1] == 1001.0


def test_cancels_take_part_in_the_second(time, orders):
    sent_at(time, orders, 8, places=False)
    assert sent_at(time, orders, 1)[-1] == 1001.0


def test_a_wait_beyond_two_seconds_is_refused_for_the_moment(time, orders):
    for _ in range(45):
        sent_at(time, orders, 8)
        time.now += 1.0
    with pytest.raises(NotNowError, match="limit of order requests"):
        orders.take(is_exit=False, places=True)
    before = time.now
    assert sent_at(time, orders, 10, is_exit=True) == [before] * 10


def test_the_day_ends_for_entries_before_it_ends_for_exits(orders):
    orders.saw_orders(3999)
    orders.take(is_exit=False, places=True)
    assert orders.placed_today == 4000
    with pytest.raises(OrderRefusedError, match="4000 orders of today, expected fewer than 4000"):
        orders.take(is_exit=False, places=True)
    orders.take(is_exit=True, places=True)
    orders.saw_orders(5000)
    with pytest.raises(OrderRefusedError):
        orders.take(is_exit=True, places=True)
    orders.take(is_exit=True, places=False)


def test_a_shorter_book_takes_nothing_back(orders):
    orders.saw_orders(100)
    orders.saw_orders(3)
    assert orders.placed_today == 100


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 0.5)), max_size=150))
def test_no_second_ever_holds_more_than_it_may(requests):
    time = Time()
    orders = KiteOrderBudget(time.monotonic, time.sleep)
    taken: list[tuple[float, bool]] = []
    for is_exit, places, pause in requests:
        time.now += pause
        orders.take(is_exit=is_exit, places=places)
        taken.append((time.now, is_exit))
    for moment, _ in taken:
        second = [is_exit for other, is_exit in taken if moment <= other < moment + 0.999]
        assert len(second) <= 10
    for (moment, _), (later, is_exit) in pairwise(taken):
        assert later >= moment
        if not is_exit:
            before = [other for other, _ in taken if later - 0.999 < other <= later]
            assert len(before) <= 10


def test_threads_share_one_budget():
    orders = KiteOrderBudget()
    refused = []

    def run() -> None:
        for _ in range(3):
            try:
                orders.take(is_exit=False, places=True)
            except NotNowError as error:
                refused.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert orders.placed_today + len(refused) == 18


@pytest.mark.parametrize(("kind", "a_second"), [("quote", 1), ("history", 3), ("other", 10)])
def test_reads_are_spread(time, kind, a_second):
    reads = KiteReadBudget(time.monotonic, time.sleep)
    moments = []
    for _ in range(a_second * 3):
        reads.take(kind)
        moments.append(time.now)
    assert moments == sorted([1000.0, 1001.0, 1002.0] * a_second)
