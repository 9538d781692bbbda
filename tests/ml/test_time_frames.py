"""Longer bars: only what is complete, and the same bits from the warm-up as from the whole history."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.arrays import BarArrays
from ml.catalogue import CATALOGUE
from ml.features import DEFAULT_FEATURES, FeatureSet
from ml.time_frames import TIME_FRAME_FEATURES
from tests.ml.bars import random_bars

NAMES = [function.__name__ for function, _ in TIME_FRAME_FEATURES]
FEATURES = FeatureSet(NAMES)


@pytest.fixture(scope="module")
def bars():
    """Two weeks in which a few bars are missing."""
    whole = random_bars(12, seed=8)
    lost = np.random.default_rng(4).permutation(np.arange(100, len(whole) - 1))[:40]
    return whole.drop(index=whole.index[lost])


def longer(bars, minutes):
    """Return completed longer bars by pandas, by the time from which they may be known."""
    anchored = bars.groupby(
        [bars.index.normalize(), (bars.index.hour * 60 + bars.index.minute - 555) // minutes]
    )
    table = anchored.agg(high=("high", "max"), low=("low", "min"), close=("close", "last"))
    table["known_from"] = [*[part.index[0] for _, part in anchored][1:], pd.NaT]
    return table.dropna()


@pytest.mark.parametrize("minutes", [15, 60])
def test_a_bar_sees_the_last_completed_one(bars, minutes):
    table = longer(bars, minutes).set_index("known_from")
    expected = table.reindex(bars.index, method="ffill")
    width = CATALOGUE[f"range_{minutes}"].values(BarArrays.from_frame(bars))
    known = np.isfinite(width)
    assert known.sum() > 1000
    np.testing.assert_array_equal(
        width[known], ((expected["high"] - expected["low"]) / expected["close"])[known]
    )


def test_the_formulas(bars):
    arrays = BarArrays.from_frame(bars)
    for minutes in (15, 60):
        closes = longer(bars, minutes).set_index("known_from")["close"]
        trend = (closes - closes.shift(8)) / closes.diff().abs().rolling(8).sum()
        found = CATALOGUE[f"trend_{minutes}"].values(arrays)
        known = np.isfinite(found)
        np.testing.assert_allclose(found[known], trend.reindex(bars.index, method="ffill")[known], rtol=1e-9)
        assert np.abs(found[known]).max() <= 1 + 1e-12
    closes = longer(bars, 15).set_index("known_from")["close"]
    found = CATALOGUE["return_15"].values(arrays)
    known = np.isfinite(found)
    returns = closes.pct_change().reindex(bars.index, method="ffill")
    np.testing.assert_allclose(found[known], returns[known], rtol=1e-9, atol=1e-15)
    hours = longer(bars, 60).set_index("known_from").reindex(bars.index, method="ffill")
    found = CATALOGUE["position_60"].values(arrays)
    known = np.isfinite(found)
    share = (bars["close"] - hours["low"]) / (hours["high"] - hours["low"]) - 0.5
    np.testing.assert_allclose(found[known], share[known], rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(end=st.integers(FEATURES.warmup_bars, 1440), more=st.integers(0, 300))
def test_a_bar_alone_equals_the_same_bar_in_a_long_history(bars, end, more):
    whole = FEATURES.compute(bars.iloc[:end])[-1]
    begin = max(0, end - FEATURES.warmup_bars - more)
    np.testing.assert_array_equal(FEATURES.compute_last(bars.iloc[begin:end]), whole)
    np.testing.assert_array_equal(FEATURES.compute(bars.iloc[begin:end])[-1], whole)


def test_one_minute_bars_fit_their_warm_up():
    times = pd.date_range("2022-01-03 09:15", periods=375, freq="1min", tz="Asia/Kolkata")
    days = [random_bars(3, seed=seed).iloc[:375].set_axis(times + pd.Timedelta(days=day))
            for day, seed in enumerate((1, 2, 3, 7))]  # fmt: skip
    minutes = pd.concat(days)
    for end in (FEATURES.warmup_bars, 601, 750, 1111, 1499):
        whole = FEATURES.compute(minutes.iloc[:end])[-1]
        np.testing.assert_array_equal(FEATURES.compute_last(minutes.iloc[:end]), whole)


def test_a_market_at_rest_has_no_trend():
    still = random_bars(12, seed=1)
    still[["open", "high", "low", "close"]] = 10_000.0
    matrix = FEATURES.compute(still)
    for name in ("trend_15", "trend_60", "position_60"):
        assert np.isnan(matrix[:, NAMES.index(name)]).all()
    assert (matrix[FEATURES.warmup_bars :, NAMES.index("range_60")] == 0).all()


@pytest.mark.parametrize("bars_given", [0, 1, 2, 30])
def test_short_histories_have_no_values(bars_given):
    assert np.isnan(FEATURES.compute(random_bars(1).iloc[:bars_given])[:, NAMES.index("trend_60")]).all()


def test_the_default_features_are_those_of_the_bars_themselves():
    assert len(DEFAULT_FEATURES) == 13
    assert not set(DEFAULT_FEATURES) & set(NAMES)
