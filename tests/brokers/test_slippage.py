"""Slippage and latency: what they cost, and that they never give."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.slippage import (
    FillContext,
    LatencyModel,
    NoSlippage,
    PercentSlippage,
    SquareRootImpact,
    TickSlippage,
    VolatilitySlippage,
)
from feeds.errors import DataError, SettingsError

CONTEXT = FillContext(
    price=25_000.0,
    size=-650.0,
    bar_high=25_012.0,
    bar_low=24_992.0,
    bar_volume=65_000.0,
    recent_range=16.0,
    tick=0.1,
)
MODELS = [
    NoSlippage(),
    PercentSlippage(0.02),
    TickSlippage(2),
    VolatilitySlippage(0.1),
    SquareRootImpact(1.0),
]


@pytest.mark.parametrize(
    ("model", "points"),
    [
        (NoSlippage(), 0.0),
        (PercentSlippage(0.02), 5.0),
        (TickSlippage(2), 0.2),
        (VolatilitySlippage(0.1), 1.6),
        (SquareRootImpact(0.5), 0.5 * 16.0 * 0.1),
    ],
)
def test_points(model, points):
    assert model.adverse_points(CONTEXT) == pytest.approx(points)
    assert model.adverse_points(CONTEXT._replace(size=650.0)) == pytest.approx(points)


def test_only_models_that_look_at_the_range_ask_for_it():
    assert [model.needs_recent_range for model in MODELS] == [False, False, False, True, True]


@given(
    model=st.sampled_from(MODELS),
    price=st.floats(0.05, 1e6),
    size=st.floats(-1e6, 1e6),
    low=st.floats(0.05, 1e5),
    bar_range=st.floats(0.0, 1e4),
    volume=st.floats(0.0, 1e8),
    recent=st.floats(0.0, 1e4) | st.just(math.nan),
)
def test_slippage_is_never_a_gift(model, price, size, low, bar_range, volume, recent):
    context = FillContext(price, size, low + bar_range, low, volume, recent, 0.05)
    points = model.adverse_points(context)
    assert 0.0 <= points < math.inf


@given(small=st.floats(0.0, 1e6), more=st.floats(0.0, 1e6), volume=st.floats(0.0, 1e7))
def test_impact_grows_with_the_order_and_not_beyond_the_whole_bar(small, more, volume):
    model = SquareRootImpact(0.7)
    less = model.adverse_points(CONTEXT._replace(size=small, bar_volume=volume))
    greater = model.adverse_points(CONTEXT._replace(size=-(small + more), bar_volume=volume))
    assert less <= greater <= 0.7 * 16.0 * (1 + 1e-12)


@pytest.mark.parametrize("model", [VolatilitySlippage(0.5), SquareRootImpact(0.5)])
def test_the_first_bar_has_no_history_and_uses_its_own_range(model):
    whole_bar = CONTEXT._replace(size=1.0, bar_volume=1.0, recent_range=math.nan)
    assert model.adverse_points(whole_bar) == pytest.approx(0.5 * 20.0)


def test_a_bar_without_volume_is_charged_as_the_whole_bar():
    assert SquareRootImpact(1.0).adverse_points(CONTEXT._replace(bar_volume=0.0)) == 16.0


def test_a_negative_range_is_refused():
    with pytest.raises(DataError, match=r"-1\.0"):
        VolatilitySlippage(0.1).adverse_points(CONTEXT._replace(recent_range=-1.0))


def test_ticks_without_a_tick_size_are_refused():
    with pytest.raises(SettingsError, match=r"market\.tick_size"):
        TickSlippage(1).adverse_points(CONTEXT._replace(tick=0.0))
    assert TickSlippage(0).adverse_points(CONTEXT._replace(tick=0.0)) == 0.0


@pytest.mark.parametrize(
    "make", [PercentSlippage, TickSlippage, VolatilitySlippage, SquareRootImpact, LatencyModel]
)
@pytest.mark.parametrize("number", [-0.01, math.nan, math.inf])
def test_a_parameter_that_would_turn_a_cost_into_a_gift_is_refused(make, number):
    with pytest.raises(SettingsError, match="expected a number of 0 or more"):
        make(number)


@pytest.mark.parametrize(("latency_ms", "bar_seconds"), [(500, 180), (2_000, 60), (1, 375 * 60)])
def test_latency_is_the_mean_size_of_a_brownian_move(latency_ms, bar_seconds):
    sigma = 0.8  # points per square root of a second
    mean_range = sigma * math.sqrt(8 * bar_seconds / math.pi)
    mean_move = sigma * math.sqrt(2 * latency_ms / 1000 / math.pi)
    points = LatencyModel(latency_ms).adverse_points(25_000.0 + mean_range, 25_000.0, bar_seconds)
    assert points == pytest.approx(mean_move, rel=1e-9)


def test_half_a_second_costs_2_6_percent_of_a_three_minute_range():
    assert LatencyModel(500).adverse_points(120.0, 100.0, 180.0) == pytest.approx(0.527, abs=5e-4)


def test_no_latency_costs_nothing():
    assert LatencyModel(0).adverse_points(120.0, 100.0, 180.0) == 0.0
