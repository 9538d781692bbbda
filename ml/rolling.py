"""Means over trailing windows whose value at a bar never depends on older history.

Running sums and recursions carry rounding from the first bar of the data to the last, so the same bar gets
other bits when the history before it is longer. Here every value is a sum over a fixed number of bars, added
in a fixed order (newest first). One bar computed alone therefore equals, bit for bit, the same bar computed
with a whole history, and this is what lets live trading repeat a backtest exactly.

Exponential means are cut off where the weight of everything older is at most
:data:`RESIDUAL_WEIGHT`; they differ from the endless recursion by that fraction of a price move.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from ml.arrays import FloatArray

__all__ = [
    "RESIDUAL_WEIGHT",
    "ema_weights",
    "rolling_mean",
    "rolling_standard_deviation",
    "weighted_mean",
    "wilder_weights",
]

RESIDUAL_WEIGHT = 1e-9
"""Weight of what an exponential mean leaves out, as a fraction of the whole."""

_BLOCK = 16_384  # values per block: two blocks of float64 stay in a core's own cache
_FEW = 48  # fewer results than this are cheaper one row at a time


@cache
def ema_weights(period: int) -> FloatArray:
    """Return the weights, newest first, of an exponential mean with smoothing 2 / (period + 1)."""
    return _exponential_weights(2.0 / (period + 1))


@cache
def wilder_weights(period: int) -> FloatArray:
    """Return the weights, newest first, of Wilder's mean, an exponential one with smoothing 1 / period."""
    return _exponential_weights(1.0 / period)


def weighted_mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum of each trailing window.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        One value per bar, oldest first.
    weights : numpy.ndarray, shape (k,)
        Weight of the bar itself, of the one before it, and so on; they sum to 1 for a mean.

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN on the first k - 1 bars. Each result depends on its own k values only, bit for bit.
    """
    count, size = len(values), len(weights)
    result = np.full(count, np.nan)
    if count < size:
        return result
    if count - size < _FEW:
        windows = np.lib.stride_tricks.sliding_window_view(values, size)[:, ::-1]
        # accumulate() adds strictly from left to right, in the order of the loop below.
        result[size - 1 :] = np.add.accumulate(windows * weights, axis=1)[:, -1]
        return result
    product = np.empty(_BLOCK)
    for first in range(size - 1, count, _BLOCK):
        last = min(first + _BLOCK, count)
        total, term = result[first:last], product[: last - first]
        np.multiply(values[first:last], weights[0], out=total)
        for lag in range(1, size):
            np.multiply(values[first - lag : last - lag], weights[lag], out=term)
            np.add(total, term, out=total)
    return result


def rolling_mean(values: FloatArray, bars: int) -> FloatArray:
    """Return the plain mean of each trailing window of ``bars`` values; NaN before the first full one."""
    return weighted_mean(values, np.ones(bars)) / bars


def rolling_standard_deviation(values: FloatArray, bars: int) -> FloatArray:
    """Return the population standard deviation of each trailing window; NaN before the first full one.

    Two passes (the mean, then the squared distances from it), so that no precision is lost to the
    difference of two large sums.
    """
    if len(values) < bars:
        return np.full(len(values), np.nan)
    mean = rolling_mean(values, bars)
    total = np.zeros(len(values))
    for lag in range(bars):
        distance = values[: len(values) - lag] - mean[lag:]
        total[lag:] += distance * distance
    total[: bars - 1] = np.nan
    return np.asarray(np.sqrt(total / bars), dtype=np.float64)


def _exponential_weights(smoothing: float) -> FloatArray:
    keep = 1.0 - smoothing
    if keep <= 0:
        return np.ones(1)
    bars = math.ceil(math.log(RESIDUAL_WEIGHT) / math.log(keep))
    weights: FloatArray = np.power(keep, np.arange(bars, dtype=np.float64))
    weights /= weights.sum()
    weights.flags.writeable = False
    return weights
