"""From bars to class probabilities, the same numbers for a whole history and for one live bar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from feeds.errors import ModelError
from ml.arrays import BarArrays, FloatArray, IntArray
from ml.features import FeatureSet
from ml.thresholds import Thresholds

__all__ = ["CLASSES", "ModelWindow", "Predictor", "ProbabilityModel"]

CLASSES = (-1, 0, 1)
"""Classes in the order of the probability columns: sell, hold, buy."""


class ProbabilityModel(Protocol):
    """What a predictor needs of a model."""

    def predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803 # scikit-learn's name
        """Return probabilities of shape (n, 3), columns in the order of :data:`CLASSES`."""


@runtime_checkable
class _ExplainedModel(Protocol):
    """A model that can say what its answers rest on."""

    def contributions(self, X: FloatArray) -> FloatArray:  # noqa: N803 # scikit-learn's name
        """Return contributions of shape (n, 3, k); see :class:`ml.models.Model`."""


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
    thresholds : Thresholds or None
        Chosen within its training window; None where none were.
    """

    model: ProbabilityModel
    valid_from: dt.datetime | None
    valid_to: dt.datetime | None
    trained_until: dt.datetime
    thresholds: Thresholds | None = None


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

    @property
    def has_thresholds(self) -> bool:
        """Whether thresholds were stored with every model; False without a model."""
        return bool(self.windows) and all(window.thresholds is not None for window in self.windows)

    def thresholds_frame(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Return the thresholds at every bar, shape (n, 2): buy, sell; NaN where none are known."""
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        found = np.full((arrays.bars, 2), np.nan)
        for window, first, last in zip(self.windows, self._from, self._to, strict=True):
            if window.thresholds is not None:
                found[(arrays.start_seconds >= first) & (arrays.start_seconds < last)] = window.thresholds
        return found

    def thresholds_at(self, time: dt.datetime) -> Thresholds | None:
        """Return the thresholds stored with the model that is valid at ``time``, or None.

        Parameters
        ----------
        time : datetime
            START of a bar, aware.
        """
        window = self._window_at(_seconds(time, 0))
        return None if window is None else window.thresholds

    def contributions(self, bars: pd.DataFrame | BarArrays, rows: IntArray) -> FloatArray:
        """Return what each feature adds to the log-odds of each class on some bars.

        Parameters
        ----------
        bars : pandas.DataFrame or BarArrays
            A bar frame, or its arrays.
        rows : numpy.ndarray of int, shape (m,)
            Positions of the bars to explain.

        Returns
        -------
        numpy.ndarray, shape (m, 3, k)
            Sell, hold, buy by feature, see :meth:`ml.models.Model.contributions`. NaN where no prediction is
            made, and where the model cannot explain itself.
        """
        arrays = bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)
        asked = self.features.compute(arrays)[rows]
        starts, known = arrays.start_seconds[rows], np.isfinite(asked).all(axis=1)
        found = np.full((len(rows), len(CLASSES), len(self.features.names)), np.nan)
        for window, first, last in zip(self.windows, self._from, self._to, strict=True):
            judged = known & (starts >= first) & (starts < last)
            if judged.any() and isinstance(window.model, _ExplainedModel):
                found[judged] = window.model.contributions(asked[judged])
        return found

    def contributions_to(self, row: FloatArray, time: dt.datetime) -> FloatArray:
        """Return what each feature adds to the log-odds of each class, where the features are known already.

        Parameters
        ----------
        row : numpy.ndarray, shape (k,)
            Features of one bar.
        time : datetime
            START of the bar, aware.

        Returns
        -------
        numpy.ndarray, shape (3, k)
            As a row of :meth:`contributions`.
        """
        window = self._window_at(_seconds(time, 0))
        if window is None or not np.isfinite(row).all() or not isinstance(window.model, _ExplainedModel):
            return np.full((len(CLASSES), len(row)), np.nan)
        return window.model.contributions(row.reshape(1, -1))[0]

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
