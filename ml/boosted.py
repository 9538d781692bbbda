"""What both boosting libraries share: scaling, class weights, early stopping, storing the scaler."""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin

from feeds.errors import DataError, ModelError
from ml.arrays import FloatArray, IntArray
from ml.predict import CLASSES

__all__ = ["BoostedModel", "Part", "balanced_weights", "checked_rows"]

_FEWEST_ROWS = 100
_SCALER_FILE = "scaler.json"
Part = tuple[FloatArray, IntArray, FloatArray]
"""Scaled features, class positions 0 to 2, and weights of some rows."""


class BoostedModel(ClassifierMixin, BaseEstimator):
    """What both boosting libraries share.

    Parameters
    ----------
    rounds : int
        Trees per class, at most.
    learning_rate : float
        Weight of each tree.
    depth : int
        Levels of a tree.
    leaf_rows : int
        Rows that a leaf must hold, about (XGBoost counts curvature, which is 4/9 per row at the start).
    row_fraction, column_fraction : float
        Rows and features drawn for each tree, fractions.
    stopping_rounds : int
        Stop after so many rounds without a better log-loss on the validation part.
    validation_fraction : float
        Newest part of the rows that decides when to stop, fraction.
    purge_rows : int
        Rows left out before the validation part; at least the bars a label looks ahead.
    seed : int
        Of the row and column sampling.

    Attributes
    ----------
    classes_ : numpy.ndarray
        Always −1, 0, 1, also where a window lacks one of them.
    n_features_in_ : int
    best_iteration_ : int
        Rounds kept.
    notes_ : tuple of str
        Empty.
    """

    kind = ""
    notes_: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        rounds: int = 300,
        learning_rate: float = 0.05,
        depth: int = 4,
        leaf_rows: int = 200,
        row_fraction: float = 0.8,
        column_fraction: float = 0.8,
        stopping_rounds: int = 30,
        validation_fraction: float = 0.15,
        purge_rows: int = 3,
        seed: int = 7,
    ) -> None:
        self.rounds = rounds
        self.learning_rate = learning_rate
        self.depth = depth
        self.leaf_rows = leaf_rows
        self.row_fraction = row_fraction
        self.column_fraction = column_fraction
        self.stopping_rounds = stopping_rounds
        self.validation_fraction = validation_fraction
        self.purge_rows = purge_rows
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn.

        Parameters
        ----------
        X : array-like, shape (n, k)
            Finite features, rows in time order.
        y : array-like of int, shape (n,)
            Labels −1, 0, 1.
        """
        from sklearn.preprocessing import RobustScaler

        features, target = checked_rows(X, y)
        validation_first = len(target) - round(len(target) * self.validation_fraction)
        fit_last = validation_first - self.purge_rows
        if fit_last < _FEWEST_ROWS // 2 or validation_first >= len(target):
            raise DataError(
                f"found {len(target)} training rows, too few to leave some for early stopping and "
                f"{self.purge_rows} between; give more data"
            )
        # The validation part is unseen future to the fit, so it must not move the scale either.
        scaler = RobustScaler().fit(features[:fit_last])
        self.center_ = np.asarray(scaler.center_, dtype=np.float64)
        self.scale_ = np.asarray(scaler.scale_, dtype=np.float64)
        self.classes_ = np.array(CLASSES)
        self.n_features_in_ = features.shape[1]
        scaled = self._scaled(features)
        weight_of_class = balanced_weights(target[:fit_last])
        weight = weight_of_class[target]
        self._train(
            (scaled[:fit_last], target[:fit_last], weight[:fit_last]),
            (scaled[validation_first:], target[validation_first:], weight[validation_first:]),
        )
        return self

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3), columns sell, hold, buy.

        They are those of a world in which the three classes are equally frequent, because training weighs
        them so. A row's result does not depend on the other rows, bit for bit.
        """
        return self._probabilities(self._scaled(self._checked(X)))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def importance(self) -> FloatArray:
        """Return each feature's share in the gain of all splits, shape (k,)."""
        gain = self._gain()
        return gain / total if (total := gain.sum()) > 0 else gain

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return how much each feature adds to the log-odds of each class, shape (n, 3, k).

        Exact SHAP values of the trees (Lundberg and others 2018, arXiv 1802.03888), as both libraries compute
        them: over the features they sum to the class's margin less a bias that is the same for every row. A
        difference of two classes is therefore, but for the bias, the logarithm of the ratio of their
        probabilities.
        """
        return self._contributions(self._scaled(self._checked(X)))

    def save(self, folder: Path) -> None:
        """Write the native model and the scaler into an existing folder."""
        scaler = {
            "center": self.center_.tolist(),
            "scale": self.scale_.tolist(),
            "best_iteration": self.best_iteration_,
        }
        (folder / _SCALER_FILE).write_text(json.dumps(scaler, indent=1) + "\n", encoding="utf-8")
        self._save_native(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; constructor parameters are the defaults."""
        model = cls()
        scaler = json.loads((folder / _SCALER_FILE).read_text(encoding="utf-8"))
        model.center_ = np.array(scaler["center"], dtype=np.float64)
        model.scale_ = np.array(scaler["scale"], dtype=np.float64)
        model.best_iteration_ = int(scaler["best_iteration"])
        model.classes_ = np.array(CLASSES)
        model.n_features_in_ = len(model.center_)
        model._load_native(folder)
        return model

    def _checked(self, features: npt.ArrayLike) -> FloatArray:
        matrix = np.asarray(features, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features_in_:
            raise ModelError(
                f"found features of shape {matrix.shape}, expected (n, {self.n_features_in_}) as trained"
            )
        return matrix

    def _scaled(self, features: FloatArray) -> FloatArray:
        return (features - self.center_) / self.scale_

    def _train(self, fit: Part, validation: Part) -> None:
        raise NotImplementedError

    def _probabilities(self, scaled: FloatArray) -> FloatArray:
        raise NotImplementedError

    def _gain(self) -> FloatArray:
        raise NotImplementedError

    def _contributions(self, scaled: FloatArray) -> FloatArray:
        raise NotImplementedError

    def _save_native(self, folder: Path) -> None:
        raise NotImplementedError

    def _load_native(self, folder: Path) -> None:
        raise NotImplementedError


def checked_rows(features: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[FloatArray, IntArray]:
    """Return features as float64 and labels as class positions 0 to 2; raise DataError where wrong."""
    matrix, target = np.asarray(features, dtype=np.float64), np.asarray(labels)
    if matrix.ndim != 2 or target.shape != (len(matrix),):
        raise DataError(f"found features {matrix.shape} and labels {target.shape}, expected (n, k) and (n,)")
    if len(target) < _FEWEST_ROWS:
        raise DataError(f"found {len(target)} training rows, expected {_FEWEST_ROWS} or more; give more data")
    if not np.isfinite(matrix).all():
        raise DataError(
            "found NaN or infinity among the training features, expected finite rows; drop the warm-up"
        )
    if not np.isin(target, CLASSES).all():
        raise DataError(f"found labels {np.unique(target).tolist()}, expected -1, 0 and 1 only")
    return matrix, target.astype(np.int64) + 1


def balanced_weights(target: IntArray) -> FloatArray:
    """Return the weight of a row of each class, shape (3,): n / (classes present × rows of the class)."""
    counts = np.bincount(target, minlength=len(CLASSES))
    present = counts > 0
    weights = np.ones(len(CLASSES))  # 1 for a class that is absent here, but may be in the validation part
    weights[present] = len(target) / (present.sum() * counts[present])
    return weights
