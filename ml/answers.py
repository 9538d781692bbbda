"""Probabilities that were computed before, in the place of the models that gave them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from feeds.errors import DataError
from ml.arrays import BarArrays, FloatArray
from ml.features import FeatureSet
from ml.predict import CLASSES, Predictor

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

    Raises
    ------
    DataError
        The two differ in length, or the times do not ascend.
    """

    def __init__(self, features: FeatureSet, index: pd.DatetimeIndex, probabilities: FloatArray) -> None:
        super().__init__(features, [])
        self.warmup_bars = 1
        if probabilities.shape != (len(index), len(CLASSES)):
            raise DataError(
                f"found answers of shape {probabilities.shape} for {len(index)} bars, expected "
                f"({len(index)}, {len(CLASSES)}); give one row for each bar"
            )
        self._starts = index.as_unit("s").asi8
        if (np.diff(self._starts) <= 0).any():
            raise DataError("found bars that are out of order or repeated, expected ascending times")
        self._answers = probabilities

    def predict_frame(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the answers to these bars, shape (n, 3); NaN for a bar that was not judged."""
        starts = (bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)).start_seconds
        found = np.full((len(starts), len(CLASSES)), np.nan)
        if len(self._starts):
            place = np.minimum(np.searchsorted(self._starts, starts), len(self._starts) - 1)
            known = self._starts[place] == starts
            found[known] = self._answers[place[known]]
        return found

    def predict_last(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the answer to the newest bar, shape (3,)."""
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        return np.full(len(CLASSES), np.nan) if arrays.bars == 0 else self.predict_frame(arrays.tail(1))[0]

    def model_trained_until(self, time: dt.datetime) -> dt.datetime | None:
        """Return ``time`` itself: the age of models that are not there limits nothing."""
        return time
