"""Probabilities that were computed before, in the place of the models that gave them."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd

from feeds.errors import DataError
from ml.arrays import BarArrays, FloatArray
from ml.features import FeatureSet
from ml.predict import CLASSES, Predictor
from ml.thresholds import Thresholds

__all__ = ["RecordedAnswers"]


class RecordedAnswers(Predictor):
    """A predictor that looks its answers up by the START of the bar.

    For answers out of sample that no single row of models gives: folds, paths of combinatorial validation,
    trials of a search.

    Parameters
    ----------
    features : FeatureSet
        What the models saw.
    index : pandas.DatetimeIndex
        START of each judged bar, aware, ascending; shape (n,).
    probabilities : numpy.ndarray, shape (n, 3)
        Sell, hold, buy; NaN where there is no answer.
    thresholds : numpy.ndarray, shape (n, 2), optional
        Buy, sell, as chosen by the models that answered; NaN where none were.

    Raises
    ------
    DataError
        The two differ in length, or the times do not ascend.
    """

    def __init__(
        self,
        features: FeatureSet,
        index: pd.DatetimeIndex,
        probabilities: FloatArray,
        thresholds: FloatArray | None = None,
    ) -> None:
        super().__init__(features, [])
        self.warmup_bars = 1
        if probabilities.shape != (len(index), len(CLASSES)):
            raise DataError(
                f"found answers of shape {probabilities.shape} for {len(index)} bars, expected "
                f"({len(index)}, {len(CLASSES)}); give one row for each bar"
            )
        if thresholds is not None and thresholds.shape != (len(index), 2):
            raise DataError(
                f"found thresholds of shape {thresholds.shape} for {len(index)} bars, expected "
                f"({len(index)}, 2); give one row for each bar"
            )
        self._starts = index.as_unit("s").asi8
        if (np.diff(self._starts) <= 0).any():
            raise DataError("found bars that are out of order or repeated, expected ascending times")
        self._answers = probabilities
        self._thresholds = thresholds

    def predict_frame(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the answers to these bars, shape (n, 3); NaN for a bar that was not judged."""
        return self._looked_up(self._answers, bars)

    def predict_last(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the answer to the newest bar, shape (3,)."""
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        return np.full(len(CLASSES), np.nan) if arrays.bars == 0 else self.predict_frame(arrays.tail(1))[0]

    def model_trained_until(self, time: dt.datetime) -> dt.datetime | None:
        """Return ``time`` itself: the age of models that are not there limits nothing."""
        return time

    @property
    def has_thresholds(self) -> bool:
        """Whether thresholds were given with the answers."""
        return self._thresholds is not None

    def thresholds_frame(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the thresholds at these bars, shape (n, 2); NaN where none are known."""
        nothing = np.full((len(self._starts), 2), np.nan)
        return self._looked_up(nothing if self._thresholds is None else self._thresholds, bars)

    def thresholds_at(self, time: dt.datetime) -> Thresholds | None:
        """Return the thresholds at the bar that starts at ``time``, or None."""
        place = int(np.searchsorted(self._starts, int(time.timestamp())))
        if self._thresholds is None or place == len(self._starts) or self._starts[place] != time.timestamp():
            return None
        buy, sell = self._thresholds[place].tolist()
        return None if math.isnan(buy) else Thresholds(buy, sell)

    def _looked_up(self, values: FloatArray, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the rows of ``values`` that belong to ``bars``; NaN for a bar that has none."""
        starts = (bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)).start_seconds
        found = np.full((len(starts), values.shape[1]), np.nan)
        if len(self._starts):
            place = np.minimum(np.searchsorted(self._starts, starts), len(self._starts) - 1)
            known = self._starts[place] == starts
            found[known] = values[place[known]]
        return found
