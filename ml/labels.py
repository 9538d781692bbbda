"""What a model is taught about each bar: buy, hold or sell, decided by bars that come after it.

A label looks into the future by definition; ``end_index`` says how far, and the splits use it to keep
training rows from looking into a test window. No label reaches into another session.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.errors import DataError, SettingsError
from ml.arrays import BarArrays, BoolArray, IntArray
from ml.catalogue import average_true_range

__all__ = ["Labels", "check_labels", "horizon_labels", "triple_barrier_labels"]


class Labels(NamedTuple):
    """One label per bar, each of shape (n,).

    Attributes
    ----------
    values : numpy.ndarray of int8
        −1 sell, 0 hold, +1 buy; 0 where not valid.
    end_index : numpy.ndarray of int64
        Position of the bar whose close decided; the bar's own position where not valid.
    valid : numpy.ndarray of bool
        False where the label is unknown (too near the end of its session or of the data) or where no
        trade may be decided on the bar, because it is incomplete.
    """

    values: npt.NDArray[np.int8]
    end_index: IntArray
    valid: BoolArray


def horizon_labels(frame: pd.DataFrame, horizon_bars: int = 3, threshold_percent: float = 0.1) -> Labels:
    """Label by the return from the bar's close to the close ``horizon_bars`` later.

    +1 where it is above ``threshold_percent``, −1 where it is below minus that, else 0. Unknown for the last
    ``horizon_bars`` bars of each session.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`).
    horizon_bars : int
        Bars ahead; missing bars are not counted, so it may take longer than as many bars' time.
    threshold_percent : float
        Percent of the bar's close.
    """
    if horizon_bars < 1:
        raise SettingsError(f"ml.label.horizon_bars is {horizon_bars}, expected 1 or more")
    if threshold_percent < 0:
        raise SettingsError(f"ml.label.threshold_percent is {threshold_percent}, expected 0 or more")
    arrays = BarArrays.from_frame(frame)
    own = np.arange(arrays.bars, dtype=np.int64)
    end = own + horizon_bars
    valid = _decidable(frame) & (end <= _last_of_session(arrays))
    end = np.where(valid, end, own)
    change_percent = 100.0 * (arrays.close[end] / arrays.close - 1.0)
    values = (change_percent > threshold_percent).astype(np.int8)
    values -= (change_percent < -threshold_percent).astype(np.int8)
    values[~valid] = 0
    return Labels(values, end, valid)


def triple_barrier_labels(
    frame: pd.DataFrame, horizon_bars: int = 20, barrier_atr_multiple: float = 2.0
) -> Labels:
    """Label by which of two barriers the price touches first, within a time limit.

    The barriers lie ``barrier_atr_multiple`` × ATR(14) above and below the close. +1 where a later bar's
    high reaches the upper one first, −1 where a low reaches the lower one first, 0 where neither happens
    within ``horizon_bars`` bars or before the session ends, or one bar reaches both. After López de Prado
    (2018), *Advances in Financial Machine Learning*, chapter 3.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`).
    horizon_bars : int
        Time limit, bars; shorter where the session ends earlier. Unknown on a session's last bar and
        during the warm-up of the ATR.
    barrier_atr_multiple : float
        Distance of the barriers, multiples of ATR(14).
    """
    if horizon_bars < 1:
        raise SettingsError(f"ml.label.horizon_bars is {horizon_bars}, expected 1 or more")
    if barrier_atr_multiple <= 0:
        raise SettingsError(f"ml.label.barrier_atr_multiple is {barrier_atr_multiple}, expected above 0")
    arrays = BarArrays.from_frame(frame)
    distance = barrier_atr_multiple * average_true_range(arrays.high, arrays.low, arrays.close)
    upper, lower = arrays.close + distance, arrays.close - distance
    own = np.arange(arrays.bars, dtype=np.int64)
    last = _last_of_session(arrays)
    valid = _decidable(frame) & np.isfinite(distance) & (own < last)
    values = np.zeros(arrays.bars, dtype=np.int8)
    end = np.where(valid, np.minimum(own + horizon_bars, last), own)
    open_rows = np.flatnonzero(valid)
    for ahead in range(1, horizon_bars + 1):
        open_rows = open_rows[open_rows + ahead <= last[open_rows]]
        later = open_rows + ahead
        above = arrays.high[later] >= upper[open_rows]
        below = arrays.low[later] <= lower[open_rows]
        values[open_rows] = above.astype(np.int8) - below.astype(np.int8)
        touched = above | below
        end[open_rows[touched]] = later[touched]
        open_rows = open_rows[~touched]
    return Labels(values, end, valid)


def check_labels(labels: Labels, bars: int) -> Labels:
    """Return ``labels`` if they are well formed for ``bars`` bars; for functions of a user's own.

    Raises
    ------
    DataError
        If lengths, classes or end positions cannot be.
    """
    if not isinstance(labels, Labels) or {len(array) for array in labels} != {bars}:
        raise DataError(
            f"a label function returned {type(labels).__name__}, expected ml.labels.Labels of {bars} entries"
        )
    if not np.isin(labels.values, (-1, 0, 1)).all():
        raise DataError(f"found labels {sorted(set(labels.values.tolist()))}, expected -1, 0 and 1 only")
    own = np.arange(bars)
    if (labels.end_index < own).any() or (labels.end_index >= max(bars, 1)).any():
        raise DataError(
            "found a label that ends before its bar or after the data, expected own <= end < bars"
        )
    return labels


def _decidable(frame: pd.DataFrame) -> BoolArray:
    return frame["complete"].to_numpy(dtype=np.bool_).copy()


def _last_of_session(arrays: BarArrays) -> IntArray:
    # Position of the last bar of each bar's own session.
    firsts, ends = arrays.session_bounds()
    return np.repeat(ends - 1, ends - firsts)
