"""The features that come with the project, one small function each.

A feature is a function from :class:`ml.arrays.BarArrays` to one float64 per bar, marked with
:func:`feature`. What it says about a bar may use that bar and older ones only, and no more of them than its
``warmup_bars``. Values where it is undefined (0 / 0) are NaN, and a bar with a NaN gets no prediction.

``c`` is the close, ``t`` the bar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from feeds.errors import DataError, SettingsError
from ml.arrays import BarArrays, FloatArray
from ml.rolling import ema_weights, rolling_mean, rolling_standard_deviation, weighted_mean, wilder_weights
from ml.time_frames import TIME_FRAME_FEATURES

__all__ = ["CATALOGUE", "LONGEST_SESSION_BARS", "Feature", "FeatureFunction", "average_true_range", "feature"]

FeatureFunction = Callable[[BarArrays], FloatArray]

LONGEST_SESSION_BARS = 390
"""No session of NSE index futures has more bars: 09:15 to 15:40 is 385 minutes."""

_EMA_SLOPE_BARS = 3
_MINUTES = 2.0 * np.pi * np.arange(1440) / 1440
_DAYS = 2.0 * np.pi * np.arange(7) / 7
# Looked up, not computed: a vectorised sine may differ in its last bit with the array's length.
_MINUTE_SIN, _MINUTE_COS = np.sin(_MINUTES), np.cos(_MINUTES)
_DAY_SIN, _DAY_COS = np.sin(_DAYS), np.cos(_DAYS)


class Feature(NamedTuple):
    """A feature and what has to be known about it.

    Attributes
    ----------
    name : str
        Name in the settings and in model cards.
    function : callable
        From bars to an array of shape (n,).
    warmup_bars : int
        Bars, its own included, that a value needs.
    version : int
        Raised whenever the formula changes, so that models trained on the old one are refused.
    level : bool
        True for values on the scale of prices. They serve stops and charts; a model never sees them.
    """

    name: str
    function: FeatureFunction
    warmup_bars: int
    version: int
    level: bool

    def values(self, bars: BarArrays) -> FloatArray:
        """Compute the feature of every bar, shape (n,), NaN on the first ``warmup_bars - 1`` bars."""
        result = np.array(self.function(bars), dtype=np.float64)
        if result.shape != (bars.bars,):
            raise SettingsError(
                f"feature {self.name!r} returned an array of shape {result.shape} for {bars.bars} bars, "
                "expected one value per bar; mend the function"
            )
        result[: self.warmup_bars - 1] = np.nan
        return result


def feature(
    warmup_bars: int, *, version: int = 1, level: bool = False
) -> Callable[[FeatureFunction], FeatureFunction]:
    """Mark a function as a feature.

    Parameters
    ----------
    warmup_bars : int
        Bars, its own included, that a value needs: two for a difference to the bar before.
    version : int
        Raise it whenever the formula changes.
    level : bool
        True when the value is on the scale of prices.

    Returns
    -------
    callable
        A decorator that returns the function itself.
    """
    if warmup_bars < 1:
        raise SettingsError(f"warmup_bars {warmup_bars}: expected 1 or more, a value needs its own bar")

    def mark(function: FeatureFunction) -> FeatureFunction:
        name = getattr(function, "__name__", "feature")
        function.feature = Feature(name, function, warmup_bars, version, level)  # type: ignore[attr-defined]
        return function

    return mark


def average_true_range(high: FloatArray, low: FloatArray, close: FloatArray, period: int = 14) -> FloatArray:
    """Return Wilder's average true range in index points, shape (n,).

    True range: max(high, previous close) − min(low, previous close), nights and rolls included. Smoothing
    1 / ``period``, over the window of :func:`ml.rolling.wilder_weights` (276 bars for 14), so NaN on as many
    bars at the start. Differs from the endless recursion (Wilder 1978) by less than 1e-9 of itself per unit
    of relative range.

    Parameters
    ----------
    high, low, close : numpy.ndarray, shape (n,)
        Prices, index points, oldest first.
    period : int
        Bars.
    """
    previous = close[:-1]
    true_range = np.maximum(high[1:], previous) - np.minimum(low[1:], previous)
    result = np.full(len(close), np.nan)
    result[1:] = weighted_mean(true_range, wilder_weights(period))
    return result


def _ema(bars: BarArrays, period: int) -> FloatArray:
    return weighted_mean(bars.close, ema_weights(period))


_EMA_5_BARS = len(ema_weights(5))
_EMA_10_BARS = len(ema_weights(10))
_WILDER_14_BARS = len(wilder_weights(14)) + 1


@feature(_EMA_5_BARS)
def ema_5(bars: BarArrays) -> FloatArray:
    """(EMA5 − c) / c: how far the five-bar exponential mean lies above the close."""
    return (_ema(bars, 5) - bars.close) / bars.close


@feature(_EMA_10_BARS)
def ema_10(bars: BarArrays) -> FloatArray:
    """(EMA10 − c) / c: how far the ten-bar exponential mean lies above the close."""
    return (_ema(bars, 10) - bars.close) / bars.close


@feature(_EMA_10_BARS)
def ema_cross(bars: BarArrays) -> FloatArray:
    """(EMA5 − EMA10) / c: positive while the fast mean is above the slow one."""
    return (_ema(bars, 5) - _ema(bars, 10)) / bars.close


@feature(_EMA_10_BARS + _EMA_SLOPE_BARS)
def ema_slope(bars: BarArrays) -> FloatArray:
    """(EMA10[t] − EMA10[t−3]) / c: three bars of drift of the slow mean.

    Over one bar it would be a linear function of ``ema_10`` and tell the model nothing new.
    """
    mean = _ema(bars, 10)
    result = np.full(bars.bars, np.nan)
    result[_EMA_SLOPE_BARS:] = mean[_EMA_SLOPE_BARS:] - mean[:-_EMA_SLOPE_BARS]
    return result / bars.close


@feature(LONGEST_SESSION_BARS, level=True)
def vwap(bars: BarArrays) -> FloatArray:
    """Return the session's volume-weighted mean of (high + low + close) / 3, index points.

    Starts anew each session; NaN until something was traded.
    """
    firsts, ends = bars.session_bounds()
    longest = int((ends - firsts).max(initial=0))
    if longest > LONGEST_SESSION_BARS:
        raise DataError(
            f"found a session of {longest} bars, expected at most {LONGEST_SESSION_BARS} for the session "
            "VWAP; use bars of one minute or longer"
        )
    value = (bars.high + bars.low + bars.close) / 3.0 * bars.volume
    result = np.empty(bars.bars)
    for first, end in zip(firsts, ends, strict=True):
        volume = np.cumsum(bars.volume[first:end])
        total = np.cumsum(value[first:end])
        result[first:end] = np.divide(total, volume, out=np.full(end - first, np.nan), where=volume > 0)
    return result


@feature(LONGEST_SESSION_BARS)
def vwap_distance(bars: BarArrays) -> FloatArray:
    """(c − VWAP) / c: how far the close lies above the session's VWAP."""
    return (bars.close - vwap(bars)) / bars.close


@feature(_WILDER_14_BARS, level=True)
def atr_14(bars: BarArrays) -> FloatArray:
    """Return the 14-bar average true range, index points. For stops and sizes."""
    return average_true_range(bars.high, bars.low, bars.close)


@feature(_WILDER_14_BARS)
def atr_14_percent(bars: BarArrays) -> FloatArray:
    """100 × ATR14 / c: the average true range in percent of the price."""
    return 100.0 * atr_14(bars) / bars.close


@feature(_WILDER_14_BARS)
def rsi_14(bars: BarArrays) -> FloatArray:
    """100 × gain / (gain + loss), Wilder's 14-bar means of rises and falls; 50 where nothing moved."""
    change = np.diff(bars.close)
    gain = weighted_mean(np.maximum(change, 0.0), wilder_weights(14))
    moved = gain + weighted_mean(np.maximum(-change, 0.0), wilder_weights(14))
    result = np.full(bars.bars, np.nan)
    # "not equal zero" rather than "above", so that NaN stays NaN
    result[1:] = 100.0 * np.divide(gain, moved, out=np.full(len(change), 0.5), where=moved != 0)
    return result


@feature(21)
def return_zscore(bars: BarArrays) -> FloatArray:
    """(r − mean) / deviation of the bar's return r over its last 20 bars, its own included.

    r is c[t] / c[t−1] − 1; for the first bar of a session c / open − 1, so that nights and rolls stay out.
    """
    base = np.append(np.nan, bars.close[:-1])[: bars.bars]
    returns = bars.close / np.where(bars.opens_session(), bars.open, base) - 1.0
    deviation = rolling_standard_deviation(returns, 20)
    distance = returns - rolling_mean(returns, 20)
    return np.divide(distance, deviation, out=np.full(bars.bars, np.nan), where=deviation > 0)


@feature(21)
def volume_ratio_20(bars: BarArrays) -> FloatArray:
    """Volume over the mean volume of the 20 bars before it; NaN where those traded nothing."""
    mean = np.append(np.nan, rolling_mean(bars.volume, 20)[:-1])[: bars.bars]
    return np.divide(bars.volume, mean, out=np.full(bars.bars, np.nan), where=mean > 0)


@feature(1)
def hour_sin(bars: BarArrays) -> FloatArray:
    """sin(2π × minutes since midnight / 1440) of the bar's START, exchange's wall clock."""
    return _MINUTE_SIN[bars.minute_of_day()]


@feature(1)
def hour_cos(bars: BarArrays) -> FloatArray:
    """cos(2π × minutes since midnight / 1440) of the bar's START, exchange's wall clock."""
    return _MINUTE_COS[bars.minute_of_day()]


@feature(1)
def weekday_sin(bars: BarArrays) -> FloatArray:
    """sin(2π × weekday / 7), Monday 0."""
    return _DAY_SIN[bars.weekday()]


@feature(1)
def weekday_cos(bars: BarArrays) -> FloatArray:
    """cos(2π × weekday / 7), Monday 0."""
    return _DAY_COS[bars.weekday()]


_SHIPPED = (
    ema_5,
    ema_10,
    ema_cross,
    ema_slope,
    vwap,
    vwap_distance,
    atr_14,
    atr_14_percent,
    rsi_14,
    return_zscore,
    volume_ratio_20,
    hour_sin,
    hour_cos,
    weekday_sin,
    weekday_cos,
)

CATALOGUE: dict[str, Feature] = {
    shipped.name: shipped
    for shipped in (
        *(function.feature for function in _SHIPPED),  # type: ignore[attr-defined]
        *(Feature(function.__name__, function, bars, 1, False) for function, bars in TIME_FRAME_FEATURES),
    )
}
"""Every shipped feature by name."""
