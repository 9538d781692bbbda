from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ml import rolling
from ml.rolling import (
    RESIDUAL_WEIGHT,
    ema_weights,
    rolling_mean,
    rolling_standard_deviation,
    weighted_mean,
    wilder_weights,
)


@pytest.fixture
def values():
    return np.random.default_rng(3).standard_normal(40_000) + 100.0


@pytest.mark.parametrize("weights", [ema_weights(5), wilder_weights(14), np.ones(20)])
def test_one_bar_alone_equals_the_same_bar_in_a_long_history_bit_for_bit(values, weights):
    whole = weighted_mean(values, weights)
    size = len(weights)
    # 16384 is where a block ends
    for end in (size, size + 1, 16_383 + size, 16_384 + size, 16_385 + size, 40_000):
        assert weighted_mean(values[end - size : end], weights)[-1] == whole[end - 1]


def test_both_ways_of_adding_agree_bit_for_bit(values, monkeypatch):
    weights = wilder_weights(14)
    some = values[: len(weights) + 40]
    row_by_row = weighted_mean(some, weights)
    monkeypatch.setattr(rolling, "_FEW", 0)
    assert np.array_equal(weighted_mean(some, weights), row_by_row, equal_nan=True)


@pytest.mark.parametrize(
    "weights", [ema_weights(1), ema_weights(5), ema_weights(10), wilder_weights(1), wilder_weights(14)]
)
def test_weights_sum_to_one_and_leave_out_next_to_nothing(weights):
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights[-1] <= RESIDUAL_WEIGHT or len(weights) == 1 or weights[-1] < 2e-9


def test_shared_weights_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        ema_weights(5)[0] = 2.0


@pytest.mark.parametrize("size", [0, 1, 19])
def test_too_few_values_give_nan(size):
    assert np.isnan(rolling_mean(np.ones(size), 20)).all()
    assert len(rolling_standard_deviation(np.ones(size), 20)) == size
    assert np.isnan(rolling_standard_deviation(np.ones(size), 20)).all()


def test_mean_and_deviation_are_those_of_pandas(values):
    series = pd.Series(values)
    np.testing.assert_allclose(rolling_mean(values, 20), series.rolling(20).mean(), rtol=1e-12)
    np.testing.assert_allclose(
        rolling_standard_deviation(values, 20), series.rolling(20).std(ddof=0), rtol=1e-6
    )


def test_deviation_where_nothing_moves_is_exactly_zero():
    assert rolling_standard_deviation(np.zeros(30), 20)[-1] == 0.0
