"""Two models joined by what each of them is good for."""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from ml.arrays import FloatArray
from ml.boosted import BoostedModel, balanced_weights, checked_rows
from ml.inner_folds import answers_out_of_fold
from ml.models import LightGBMModel, XGBoostModel
from ml.multinomial import MultinomialLogistic, log_probabilities
from ml.predict import CLASSES

__all__ = ["StackingModel"]

_FILE = "stacking.json"


class StackingModel(ClassifierMixin, BaseEstimator):
    """XGBoost and LightGBM under a multinomial logistic regression on their log-probabilities.

    The regression learns from answers of inner folds, purged on both sides, so that no member answers a row
    it has learned; then both members learn all rows. (Wolpert 1992.) The regression weighs the classes
    equally, as the members do, so that a probability means the same as theirs.

    Parameters
    ----------
    xgboost : XGBoostModel, optional
        One member; the class's defaults without it.
    lightgbm : LightGBMModel, optional
        The other member; the class's defaults without it.
    purge_rows : int
        Rows left out between folds; at least the bars a label looks ahead.

    Attributes
    ----------
    members_ : tuple
        The fitted members.
    meta_ : MultinomialLogistic
        Inputs: three of the first member, three of the second.
    shares_ : tuple of float
        Each member's part in the absolute weights, summing to 1.
    classes_, n_features_in_, best_iteration_, notes_
        As of every :class:`ml.models.Model`.
    """

    kind = "stacking"

    def __init__(
        self,
        xgboost: XGBoostModel | None = None,
        lightgbm: LightGBMModel | None = None,
        purge_rows: int = 3,
    ) -> None:
        self.xgboost = xgboost
        self.lightgbm = lightgbm
        self.purge_rows = purge_rows

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from rows in time order, features of shape (n, k) and labels −1, 0, 1.

        Raises
        ------
        DataError
            There are too few rows for the inner folds.
        """
        features, target = checked_rows(X, y)
        values = np.array(CLASSES, dtype=np.int8)[target]
        unfitted: tuple[BoostedModel, BoostedModel] = (
            self.xgboost if self.xgboost is not None else XGBoostModel(),
            self.lightgbm if self.lightgbm is not None else LightGBMModel(),
        )
        answers = [
            answers_out_of_fold(partial(clone, one), features, values, self.purge_rows) for one in unfitted
        ]
        meta = MultinomialLogistic().fit(
            log_probabilities(np.hstack(answers)), target, balanced_weights(target)[target]
        )
        first, second = (clone(one).fit(features, values) for one in unfitted)
        self._take((first, second), meta)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3): sell, hold, buy."""
        first, second = self.members_
        answers = np.hstack([first.predict_proba(X), second.predict_proba(X)])
        return self.meta_.predict(log_probabilities(answers))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def importance(self) -> FloatArray:
        """Return the members' shares, weighted by what the regression gives to each, shape (k,)."""
        first, second = self.members_
        return self.shares_[0] * first.importance() + self.shares_[1] * second.importance()

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return the members' contributions as the regression weighs them, shape (n, 3, k).

        Close to additive, see :meth:`ml.multinomial.MultinomialLogistic.contributions`.
        """
        return self.meta_.contributions(np.hstack([member.contributions(X) for member in self.members_]))

    def save(self, folder: Path) -> None:
        """Write both members into subfolders of an existing folder, and the regression as JSON."""
        for member in self.members_:
            (folder / member.kind).mkdir()
            member.save(folder / member.kind)
        text = json.dumps(self.meta_.as_plain(), indent=1) + "\n"
        (folder / _FILE).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; constructor parameters are the defaults."""
        members = (
            XGBoostModel.load(folder / XGBoostModel.kind),
            LightGBMModel.load(folder / LightGBMModel.kind),
        )
        plain = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        model = cls()
        model._take(members, MultinomialLogistic.from_plain(plain))
        return model

    def _take(self, members: tuple[BoostedModel, BoostedModel], meta: MultinomialLogistic) -> None:
        self.members_ = members
        self.meta_ = meta
        size = len(CLASSES)
        strength = np.abs(meta.weights_[:, :size]).sum(), np.abs(meta.weights_[:, size:]).sum()
        self.shares_ = tuple(float(one / sum(strength)) for one in strength)
        self.classes_ = np.array(CLASSES)
        self.n_features_in_ = members[0].n_features_in_
        self.best_iteration_ = members[0].best_iteration_ + members[1].best_iteration_
        parts = ", ".join(
            f"{member.kind} {share:.0%}" for member, share in zip(members, self.shares_, strict=True)
        )
        self.notes_: tuple[str, ...] = (f"weights of the members: {parts}",)
