import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.finer_bars import FinerBars
from brokers.matching import first_bar_reaching, reached_at_open, reached_in_range


@pytest.mark.parametrize(
    ("kind", "is_buy", "trigger", "open_price", "expected"),
    [
        ("market", True, 0.0, 100.0, True),
        ("stop", True, 100.0, 99.95, False),
        ("stop", True, 100.0, 100.0, True),
        ("stop", True, 100.0, 100.05, True),
        ("stop", False, 100.0, 100.05, False),
        ("stop", False, 100.0, 100.0, True),
        ("stop", False, 100.0, 99.95, True),
        ("limit", True, 100.0, 100.05, False),
        ("limit", True, 100.0, 100.0, True),
        ("limit", True, 100.0, 99.95, True),
        ("limit", False, 100.0, 99.95, False),
        ("limit", False, 100.0, 100.0, True),
        ("limit", False, 100.0, 100.05, True),
    ],
)
def test_at_the_open(kind, is_buy, trigger, open_price, expected):
    assert reached_at_open(kind, is_buy, trigger, open_price) is expected


@pytest.mark.parametrize(
    ("kind", "is_buy", "high", "low", "expected"),
    [
        ("market", True, 200.0, 0.0, False),
        ("stop", True, 99.95, 90.0, False),
        ("stop", True, 100.0, 90.0, True),
        ("stop", False, 110.0, 100.05, False),
        ("stop", False, 110.0, 100.0, True),
        ("limit", True, 110.0, 100.05, False),
        ("limit", True, 110.0, 100.0, True),
        ("limit", False, 99.95, 90.0, False),
        ("limit", False, 100.0, 90.0, True),
    ],
)
def test_inside_the_bar(kind, is_buy, high, low, expected):
    assert reached_in_range(kind, is_buy, 100.0, high, low) is expected


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), min_size=1, max_size=300),
    st.integers(0, 299),
    st.integers(-10, 130),
    st.integers(-10, 130),
)
def test_first_bar_reaching_equals_a_plain_loop(bars, start, low_level, high_level):
    low = np.array([bottom for bottom, _ in bars], dtype=float)
    high = low + np.array([height for _, height in bars], dtype=float)
    expected = next(
        (i for i in range(start, len(low)) if low[i] <= low_level or high[i] >= high_level), len(low)
    )
    assert first_bar_reaching(low, high, start, low_level, high_level) == expected


def test_no_level_reaches_no_bar():
    assert first_bar_reaching(np.array([1.0, 2.0]), np.array([3.0, 4.0]), 0, -math.inf, math.inf) == 2


@pytest.mark.parametrize(
    ("highs", "lows", "is_long", "expected"),
    [
        ([100, 111, 100], [99, 100, 89], True, True),  # target in the second minute, stop in the third
        ([100, 100, 111], [99, 89, 100], True, False),
        ([100, 111, 100], [99, 89, 99], True, False),  # both in one minute: the stop
        ([100, 105, 100], [99, 89, 99], True, False),  # no target at all
        ([100, 111, 100], [99, 95, 99], True, True),  # no stop at all
        ([100, 100, 111], [99, 89, 100], False, True),  # short: target below, stop above
        ([100, 111, 100], [99, 99, 89], False, False),
    ],
)
def test_finer_bars_settle_the_order(highs, lows, is_long, expected):
    finer = FinerBars(np.array([0.0, *highs]), np.array([0.0, *lows]), np.array([0, 1, 1 + len(highs)]))
    stop, target = (90.0, 110.0) if is_long else (110.0, 90.0)
    assert finer.target_comes_first(1, is_long=is_long, stop=stop, target=target) is expected
