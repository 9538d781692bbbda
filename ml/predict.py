"""From bars to class probabilities, the same numbers for a whole history and for one live bar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from feeds.errors import ModelError
from ml.arrays import BarArrays, FloatArray
from ml.features import FeatureSet

__all__ = ["CLASSES", "ModelWindow", "Predictor", "ProbabilityModel"]

CLASSES = (-1, 0, 1)
"""Classes in the order of the probability columns: sell, hold, buy."""


class ProbabilityModel(Protocol):
    """What a predictor needs of a model."""

    def predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803 # scikit-learn's name
        """Return probabilities of shape (n, 3), columns in the order of :data:`CLASSES`."""


class ModelWindow(NamedTuple):
    """A model and the time in which it speaks.

    Attributes
    ----------
    model : ProbabilityModel
        A fitted model.
    valid_from : datetime or None
        First bar START it may judge, aware; None for no limit.
    valid_to : datetime or None
        First bar START it may no longer judge, aware; None for no limit.
    trained_until : datetime
        START of the newest bar it was trained on, aware.
    """

    model: ProbabilityModel
    valid_from: dt.datetime | None
    valid_to: dt.datetime | None
    trained_until: dt.datetime


class Predictor:
    """Features and one or several models, each with its window of time.

    Parameters
    ----------
    features : FeatureSet
        What the models were trained on.
    windows : sequence of ModelWindow
        Oldest first, not overlapping.

    Raises
    ------
    ModelError
        Two windows overlap or are out of order.
    """

    def __init__(self, features: FeatureSet, windows: Sequence[ModelWindow]) -> None:
        self.features = features
        self.windows = tuple(windows)
        self.warmup_bars = features.warmup_bars
        starts = [_seconds(window.valid_from, -_FOREVER) for window in self.windows]
        ends = [_seconds(window.valid_to, _FOREVER) for window in self.windows]
        self._from = np.array(starts, dtype=np.int64)
        self._to = np.array(ends, dtype=np.int64)
        if (self._from >= self._to).any() or (self._to[:-1] > self._from[1:]).any():
            raise ModelError(
                f"found model windows that overlap or run backwards ({self._describe()}), expected each to "
                "end before the next begins; give one model per period"
            )

    def predict_frame(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Judge every bar.

        Parameters
        ----------
        bars : pandas.DataFrame or BarArrays
            A bar frame, or its arrays.

        Returns
        -------
        numpy.ndarray, shape (n, 3)
            Probabilities of sell, hold, buy as known at the bar's close. NaN where no model is valid, a
            feature is in its warm-up, or a feature is undefined.
        """
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        matrix = self.features.compute(arrays)
        known = np.isfinite(matrix).all(axis=1)
        probabilities = np.full((arrays.bars, len(CLASSES)), np.nan)
        for window, first, last in zip(self.windows, self._from, self._to, strict=True):
            judged = known & (arrays.start_seconds >= first) & (arrays.start_seconds < last)
            if judged.any():
                probabilities[judged] = window.model.predict_proba(matrix[judged])
        return probabilities

    def predict_last(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Judge the newest bar only.

        Parameters
        ----------
        bars : pandas.DataFrame or BarArrays
            The bars up to and with the one to judge; ``warmup_bars`` of them suffice.

        Returns
        -------
        numpy.ndarray, shape (3,)
            Bit for bit the last row of :meth:`predict_frame`.
        """
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        nothing = np.full(len(CLASSES), np.nan)
        if arrays.bars == 0:
            return nothing
        window = self._window_at(int(arrays.start_seconds[-1]))
        if window is None:
            return nothing
        row = self.features.compute_last(arrays)
        if not np.isfinite(row).all():
            return nothing
        return window.model.predict_proba(row.reshape(1, -1))[0]

    def model_trained_until(self, time: dt.datetime) -> dt.datetime | None:
        """Return the START of the newest bar known to the model that is valid at ``time``, or None.

        Parameters
        ----------
        time : datetime
            START of a bar, aware.
        """
        window = self._window_at(_seconds(time, 0))
        return None if window is None else window.trained_until

    def _window_at(self, start_seconds: int) -> ModelWindow | None:
        place = int(np.searchsorted(self._from, start_seconds, side="right")) - 1
        if place < 0 or start_seconds >= self._to[place]:
            return None
        return self.windows[place]

    def _describe(self) -> str:
        return "; ".join(f"{window.valid_from} to {window.valid_to}" for window in self.windows)


_FOREVER = 2**62


def _seconds(time: dt.datetime | None, otherwise: int) -> int:
    if time is None:
        return otherwise
    if time.tzinfo is None:
        raise ModelError(f"found the naive time {time} in a model window, expected one with a time zone")
    return int(time.timestamp())
