from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import ta.momentum
import ta.trend
import ta.volatility
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from ml.catalogue import CATALOGUE, LONGEST_SESSION_BARS
from ml.features import DEFAULT_FEATURES, BarArrays, FeatureSet, average_true_range, feature
from ml.settings import MlSettings
from tests.ml.bars import BARS_PER_DAY, random_bars

ALL = FeatureSet(tuple(CATALOGUE), allow_levels=True)
FRAME = random_bars(days=10)
WHOLE = ALL.compute(FRAME)


def column(name):
    return WHOLE[:, ALL.names.index(name)]


def value_of(name, frame):
    return CATALOGUE[name].values(BarArrays.from_frame(frame))


@feature(warmup_bars=2)
def close_change(bars):
    return np.append(np.nan, np.diff(bars.close))


@feature(warmup_bars=1)
def wrong_shape(bars):
    return bars.close[1:]


def unmarked(bars):
    return bars.close


# --- what is computed, against the `ta` library and by hand ------------------------------------------


def test_exponential_means_are_those_of_ta():
    for period in (5, 10):
        mean = ta.trend.EMAIndicator(FRAME["close"], period).ema_indicator()
        expected = ((mean - FRAME["close"]) / FRAME["close"]).to_numpy()
        np.testing.assert_allclose(column(f"ema_{period}")[400:], expected[400:], atol=1e-10)
    np.testing.assert_allclose(column("ema_cross"), column("ema_5") - column("ema_10"), atol=1e-14)


def test_slope_is_the_change_of_the_slow_mean_over_three_bars():
    mean = ta.trend.EMAIndicator(FRAME["close"], 10).ema_indicator()
    np.testing.assert_allclose(column("ema_slope")[400:], (mean.diff(3) / FRAME["close"])[400:], atol=1e-10)


def test_average_true_range_is_that_of_ta():
    expected = ta.volatility.AverageTrueRange(
        FRAME["high"], FRAME["low"], FRAME["close"], 14
    ).average_true_range()
    np.testing.assert_allclose(column("atr_14")[400:], expected[400:], rtol=1e-7)
    np.testing.assert_allclose(column("atr_14_percent"), 100 * column("atr_14") / FRAME["close"], rtol=1e-14)


def test_true_range_counts_the_gap_from_the_close_before():
    close = np.array([100.0, 110.0])
    assert average_true_range(np.array([101.0, 111.0]), np.array([99.0, 109.0]), close, period=1)[1] == 11.0


def test_relative_strength_is_that_of_ta():
    expected = ta.momentum.RSIIndicator(FRAME["close"], 14).rsi()
    np.testing.assert_allclose(column("rsi_14")[400:], expected[400:], atol=1e-6)


def test_relative_strength_of_a_market_that_stands_still_is_fifty():
    frame = FRAME.assign(close=100.0, open=100.0, high=100.0, low=100.0)
    assert value_of("rsi_14", frame)[-1] == 50.0
    assert np.isnan(value_of("return_zscore", frame)).all()


def test_vwap_starts_anew_each_session():
    typical = (FRAME["high"] + FRAME["low"] + FRAME["close"]) / 3
    days = FRAME.index.date
    expected = (typical * FRAME["volume"]).groupby(days).cumsum() / FRAME["volume"].groupby(days).cumsum()
    np.testing.assert_allclose(column("vwap")[389:], expected[389:], rtol=1e-12)
    first = 4 * BARS_PER_DAY
    assert column("vwap")[first] == pytest.approx(typical.iloc[first])
    np.testing.assert_allclose(
        column("vwap_distance")[389:], ((FRAME["close"] - expected) / FRAME["close"])[389:], atol=1e-12
    )


def test_vwap_waits_for_the_first_trade():
    frame = FRAME.copy()
    frame.iloc[4 * BARS_PER_DAY : 4 * BARS_PER_DAY + 2, frame.columns.get_loc("volume")] = 0.0
    assert np.isnan(value_of("vwap", frame)[500:502]).all()
    assert np.isfinite(value_of("vwap", frame)[502])


def test_a_session_longer_than_any_is_refused():
    index = pd.date_range("2022-01-03 03:00", periods=LONGEST_SESSION_BARS + 1, freq="min", tz="Asia/Kolkata")
    frame = FRAME.iloc[: len(index)].set_axis(index)
    with pytest.raises(DataError, match="session of 391 bars"):
        value_of("vwap", frame)


def test_score_measures_the_first_bar_of_a_session_from_its_own_open():
    gapped = FRAME.copy()
    gapped.iloc[5 * BARS_PER_DAY :, :4] *= 1.05
    np.testing.assert_allclose(value_of("return_zscore", gapped), column("return_zscore"), atol=1e-8)
    window = (FRAME["close"] / FRAME["close"].shift() - 1).iloc[105:125]
    assert column("return_zscore")[124] == pytest.approx(
        (window.iloc[-1] - window.mean()) / window.std(ddof=0)
    )


def test_volume_ratio_leaves_its_own_bar_out_of_the_mean():
    assert column("volume_ratio_20")[100] == pytest.approx(
        FRAME["volume"].iloc[100] / FRAME["volume"].iloc[80:100].mean()
    )
    silent = FRAME.copy()
    silent.iloc[80:100, silent.columns.get_loc("volume")] = 0.0
    assert np.isnan(value_of("volume_ratio_20", silent)[100])


def test_time_is_that_of_the_exchange():
    at_noon = np.flatnonzero((FRAME.index.hour == 12) & (FRAME.index.minute == 0))
    assert len(at_noon) == 10
    np.testing.assert_allclose(column("hour_sin")[at_noon], 0.0, atol=1e-15)
    np.testing.assert_allclose(column("hour_cos")[at_noon], -1.0)
    np.testing.assert_allclose(
        column("weekday_sin"), np.sin(2 * np.pi * FRAME.index.day_of_week / 7), atol=1e-12
    )
    np.testing.assert_allclose(
        column("weekday_cos"), np.cos(2 * np.pi * FRAME.index.day_of_week / 7), atol=1e-12
    )


# --- what it may know ---------------------------------------------------------------------------------


def test_warm_up_is_neither_longer_nor_shorter_than_said():
    for name, found in CATALOGUE.items():
        values = column(name)
        assert np.isnan(values[: found.warmup_bars - 1]).all(), name
        assert np.isfinite(values[found.warmup_bars - 1 :]).all(), name
    assert ALL.warmup_bars == 600
    assert FeatureSet(DEFAULT_FEATURES).warmup_bars == 390


@settings(max_examples=60, deadline=None)
@given(
    time=st.integers(min_value=0, max_value=len(FRAME) - 2),
    ahead=st.integers(min_value=1, max_value=50),
    factor=st.sampled_from([0.5, 0.9, 1.1, 3.0]),
)
def test_no_feature_knows_a_later_bar(time, ahead, factor):
    changed = FRAME.copy()
    changed.iloc[min(time + ahead, len(FRAME) - 1), :6] *= factor
    assert np.array_equal(ALL.compute(changed)[: time + 1], WHOLE[: time + 1], equal_nan=True)


@settings(max_examples=60, deadline=None)
@given(end=st.integers(min_value=ALL.warmup_bars, max_value=len(FRAME)), more=st.integers(0, 200))
def test_a_bar_is_the_same_with_any_history_before_it(end, more):
    window = FRAME.iloc[max(end - ALL.warmup_bars - more, 0) : end]
    assert np.array_equal(ALL.compute(window)[-1], WHOLE[end - 1])
    assert np.array_equal(ALL.compute_last(window), WHOLE[end - 1])


@pytest.mark.real_data
def test_real_bars_with_their_freak_prints_are_the_same_with_any_history(shared_data):
    frame = pd.read_parquet(shared_data / "data/reference/bars_3min_with_signal_2013_2016.parquet")
    frame = frame.set_index("datetime") if "datetime" in frame.columns else frame
    if "open_interest" not in frame.columns:
        frame = frame.assign(open_interest=np.nan)
    arrays = BarArrays.from_frame(frame)
    whole = ALL.compute(arrays)
    for end in np.random.default_rng(5).integers(ALL.warmup_bars, len(frame), 300):
        window = BarArrays(*(values[end - ALL.warmup_bars : end] for values in arrays))
        assert np.array_equal(ALL.compute_last(window), whole[end - 1], equal_nan=True)


def test_short_history_gives_nan_rather_than_a_guess():
    row = ALL.compute_last(FRAME.iloc[:100])
    known = {name for name, value in zip(ALL.names, row, strict=True) if np.isfinite(value)}
    assert known == {name for name, found in CATALOGUE.items() if found.warmup_bars <= 100}
    assert ALL.compute(FRAME.iloc[:0]).shape == (0, len(CATALOGUE))


# --- sets ----------------------------------------------------------------------------------------------


def test_settings_name_the_default_features():
    assert MlSettings().features == DEFAULT_FEATURES == FeatureSet().names
    assert len(DEFAULT_FEATURES) == 13


def test_own_features_by_dotted_path():
    own = FeatureSet(("tests.ml.test_features:close_change", "rsi_14"))
    matrix = own.compute(FRAME)
    np.testing.assert_array_equal(matrix[1:, 0], np.diff(FRAME["close"]))
    assert np.isnan(matrix[0, 0])
    assert own.names[0] == "tests.ml.test_features:close_change"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "ml.features is empty"),
        (("rsi_41",), r"unknown feature 'rsi_41'.*did you mean 'rsi_14'"),
        (("rsi_14", "rsi_14"), "repeats rsi_14"),
        (("rsi_14", "vwap"), "vwap.*scale of prices"),
        (("tests.ml.test_features:unmarked",), "does not say how many bars"),
        (("tests.ml.test_features:absent",), "absent"),
    ],
)
def test_wrong_names_are_refused(names, message):
    with pytest.raises(SettingsError, match=message):
        FeatureSet(names)


def test_a_feature_of_the_wrong_shape_is_refused():
    with pytest.raises(SettingsError, match="one value per bar"):
        FeatureSet(("tests.ml.test_features:wrong_shape",)).compute(FRAME)


def test_the_hash_knows_names_order_and_formula(monkeypatch):
    one = FeatureSet(("rsi_14", "ema_5"))
    assert one.hash == FeatureSet(("rsi_14", "ema_5")).hash
    assert one.hash != FeatureSet(("ema_5", "rsi_14")).hash
    monkeypatch.setitem(CATALOGUE, "rsi_14", CATALOGUE["rsi_14"]._replace(version=2))
    assert one.hash != FeatureSet(("rsi_14", "ema_5")).hash


def test_naive_times_are_refused():
    with pytest.raises(DataError, match="aware"):
        ALL.compute(FRAME.tz_localize(None))
