"""Probabilities that come true as often as they say, learned on rows that the model has not seen."""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from feeds.errors import DataError
from ml.arrays import FloatArray
from ml.boosted import checked_rows
from ml.models import Model
from ml.multinomial import MultinomialLogistic, log_probabilities
from ml.predict import CLASSES

__all__ = ["CALIBRATED", "CalibratedModel"]

CALIBRATED = "+logistic"
"""What a calibrated model's kind ends with."""

_FEWEST_ROWS = 50
_FILE = "calibration.json"
_BASE_FOLDER = "base"


class CalibratedModel(ClassifierMixin, BaseEstimator):
    """A model and a logistic regression on its log-probabilities.

    The model learns the older rows, the regression the newest, with the label's reach left out between. The
    classes count as often as they come there, so the probabilities are those of the market and not those of
    a world with three equally frequent classes.

    Parameters
    ----------
    base : Model
        Unfitted.
    fraction : float
        Newest part of the rows, which the regression learns.
    purge_rows : int
        Rows left out before it; at least the bars a label looks ahead.

    Attributes
    ----------
    base_ : Model
        Fitted.
    calibration_ : MultinomialLogistic
    classes_, n_features_in_, best_iteration_, notes_
        As of every :class:`ml.models.Model`.
    """

    def __init__(self, base: Model, fraction: float = 0.15, purge_rows: int = 3) -> None:
        self.base = base
        self.fraction = fraction
        self.purge_rows = purge_rows

    @property
    def kind(self) -> str:
        """The kind of the base with :data:`CALIBRATED` behind it."""
        return self.base.kind + CALIBRATED

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from rows in time order, features of shape (n, k) and labels −1, 0, 1.

        Raises
        ------
        DataError
            There are too few rows for both parts.
        """
        features, target = checked_rows(X, y)
        first = len(target) - round(len(target) * self.fraction)
        if len(target) - first < _FEWEST_ROWS or first - self.purge_rows < 1:
            raise DataError(
                f"found {len(target)} training rows, of which {len(target) - first} would calibrate, "
                f"expected {_FEWEST_ROWS} or more; give more data or set ml.model.calibration to none"
            )
        older = slice(0, first - self.purge_rows)
        base = clone(self.base).fit(features[older], np.array(CLASSES)[target[older]])
        inputs = log_probabilities(base.predict_proba(features[first:]))
        self._take(base, MultinomialLogistic().fit(inputs, target[first:]))
        return self

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3): sell, hold, buy."""
        return self.calibration_.predict(log_probabilities(self.base_.predict_proba(X)))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def importance(self) -> FloatArray:
        """Return the base's shares, shape (k,)."""
        return self.base_.importance()

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return the base's contributions as the regression weighs them, shape (n, 3, k).

        Close to additive, see :meth:`ml.multinomial.MultinomialLogistic.contributions`.
        """
        return self.calibration_.contributions(self.base_.contributions(X))

    def save(self, folder: Path) -> None:
        """Write the base into a subfolder of an existing folder, and the regression as JSON."""
        (folder / _BASE_FOLDER).mkdir()
        self.base_.save(folder / _BASE_FOLDER)
        text = json.dumps(self.calibration_.as_plain(), indent=1) + "\n"
        (folder / _FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, load_base: Callable[[Path], Model]) -> Self:
        """Read what :meth:`save` wrote; ``load_base`` reads the base from its own folder."""
        base = load_base(folder / _BASE_FOLDER)
        plain = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        model = cls(base)
        model._take(base, MultinomialLogistic.from_plain(plain))
        return model

    def _take(self, base: Model, calibration: MultinomialLogistic) -> None:
        self.base_ = base
        self.calibration_ = calibration
        self.classes_ = np.array(CLASSES)
        self.n_features_in_ = base.n_features_in_
        self.best_iteration_ = base.best_iteration_
        self.notes_ = base.notes_
