"""Features of 15- and 60-minute bars, from completed ones only.

Bins are anchored at 09:15, the open of an ordinary session, and end with the session. A bin counts as
complete once a bar of a later bin is there. The bin's own last bar therefore does not see it yet, which is up
to one bar late: features do not know how long a bar is, and too late is the side on which nothing leaks.

Every feature looks at a fixed number of completed bins, so that one bar computed from its warm-up alone
equals the same bar computed with a whole history, bit for bit. The warm-ups hold for bars of one minute or
longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ml.arrays import BarArrays, FloatArray, IntArray

__all__ = ["TIME_FRAME_FEATURES", "mean_distance_60", "position_60", "range_15", "range_60", "return_15",
           "trend_15", "trend_60"]  # fmt: skip

_ANCHOR_MINUTE = 9 * 60 + 15
_MINUTES_PER_DAY = 1440
_TREND_BINS = 8
_MEAN_BINS = 5


class _Bins(NamedTuple):
    """Longer bars: high, low and close of each, and the bin of every bar; the newest may be incomplete."""

    high: FloatArray
    low: FloatArray
    close: FloatArray
    of_bar: IntArray

    def before(self, values: FloatArray) -> FloatArray:
        """Return for each bar the value of the newest bin that was complete; NaN before the first."""
        return np.append(np.nan, values)[self.of_bar]


def return_15(bars: BarArrays) -> FloatArray:
    """Return of the last completed 15-minute bar: its close over the close of the one before, minus 1."""
    bins = _bins(bars, 15)
    return bins.before(bins.close / _lagged(bins.close, 1) - 1.0)


def range_15(bars: BarArrays) -> FloatArray:
    """(high − low) / close of the last completed 15-minute bar."""
    bins = _bins(bars, 15)
    return bins.before((bins.high - bins.low) / bins.close)


def trend_15(bars: BarArrays) -> FloatArray:
    """Net move over the sum of moves of the last eight completed 15-minute closes, −1 to 1; NaN at rest.

    The efficiency ratio of Kaufman (1995), with its sign.
    """
    bins = _bins(bars, 15)
    return bins.before(_trend(bins.close))


def range_60(bars: BarArrays) -> FloatArray:
    """(high − low) / close of the last completed 60-minute bar."""
    bins = _bins(bars, 60)
    return bins.before((bins.high - bins.low) / bins.close)


def position_60(bars: BarArrays) -> FloatArray:
    """(c − low) / (high − low) − 0.5 of the last completed 60-minute bar; 0 in its middle, NaN at rest."""
    bins = _bins(bars, 60)
    low, span = bins.before(bins.low), bins.before(bins.high - bins.low)
    share = np.divide(bars.close - low, span, out=np.full(bars.bars, np.nan), where=span > 0)
    return share - 0.5


def mean_distance_60(bars: BarArrays) -> FloatArray:
    """(mean of the last five completed 60-minute closes − c) / c."""
    bins = _bins(bars, 60)
    total = bins.close.copy()
    for lag in range(1, _MEAN_BINS):
        total += _lagged(bins.close, lag)
    return (bins.before(total / _MEAN_BINS) - bars.close) / bars.close


def trend_60(bars: BarArrays) -> FloatArray:
    """As :func:`trend_15`, of 60-minute closes: about a session and a quarter."""
    bins = _bins(bars, 60)
    return bins.before(_trend(bins.close))


def _warmup(minutes: int, bins: int) -> int:
    """Bars of one minute that hold as many completed bins and the one that is not complete yet."""
    return minutes * (bins + 1)


TIME_FRAME_FEATURES: tuple[tuple[Callable[[BarArrays], FloatArray], int], ...] = (
    (return_15, _warmup(15, 2)),
    (range_15, _warmup(15, 1)),
    (trend_15, _warmup(15, _TREND_BINS + 1)),
    (range_60, _warmup(60, 1)),
    (position_60, _warmup(60, 1)),
    (mean_distance_60, _warmup(60, _MEAN_BINS)),
    (trend_60, _warmup(60, _TREND_BINS + 1)),
)
"""Each with the bars that it needs."""


def _bins(bars: BarArrays, minutes: int) -> _Bins:
    slot = (bars.minute_of_day() - _ANCHOR_MINUTE) // minutes
    number = bars.session_day() * _MINUTES_PER_DAY + slot
    begins = np.flatnonzero(np.append(True, number[1:] != number[:-1])[: bars.bars])
    if not len(begins):
        nothing = np.empty(0)
        return _Bins(nothing, nothing, nothing, np.empty(0, dtype=np.int64))
    last = np.append(begins[1:], bars.bars) - 1
    return _Bins(
        high=np.maximum.reduceat(bars.high, begins),
        low=np.minimum.reduceat(bars.low, begins),
        close=bars.close[last],
        of_bar=np.repeat(np.arange(len(begins)), np.diff(np.append(begins, bars.bars))).astype(np.int64),
    )


def _trend(close: FloatArray) -> FloatArray:
    moves = np.abs(close - _lagged(close, 1))
    total = moves.copy()
    for lag in range(1, _TREND_BINS):
        total += _lagged(moves, lag)
    net = close - _lagged(close, _TREND_BINS)
    return np.divide(net, total, out=np.full(len(close), np.nan), where=total > 0)


def _lagged(values: FloatArray, bins: int) -> FloatArray:
    return np.append(np.full(bins, np.nan), values)[: len(values)]
