"""The learners behind one estimator contract: scikit-learn's.

Every model scales its features robustly (median and interquartile range of its own training rows), weighs
the three classes equally, and stops growing when the newest part of its own training rows, which it does not
learn from, no longer improves. A fitted model is stored as native files and JSON, nothing executable.

Each model is trained on one thread: sums then have one order, so results do not depend on the machine's
cores. Windows are trained beside each other instead (:mod:`ml.train`).
"""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from feeds.errors import ModelError
from ml.arrays import FloatArray
from ml.boosted import BoostedModel, Part
from ml.predict import CLASSES

__all__ = ["LightGBMModel", "Model", "SoftVotingModel", "XGBoostModel"]


class Model(Protocol):
    """What training, registry and prediction need of a model.

    Attributes
    ----------
    kind : str
        Name under which :func:`ml.model_files.load_model` finds the class.
    best_iteration_ : int
        Boosting rounds kept by early stopping, of all boosters in it together.
    n_features_in_ : int
        Features it was fitted on.
    notes_ : tuple of str
        What a reader of its card should know of this fit.
    """

    best_iteration_: int
    n_features_in_: int
    notes_: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Name under which the class is found."""

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from rows in time order."""

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3): sell, hold, buy."""

    def importance(self) -> FloatArray:
        """Return each feature's share in the gain, shape (k,), summing to 1 (or to 0 without a split)."""

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return what each feature adds to the log-odds of each class, shape (n, 3, k), without a bias."""

    def save(self, folder: Path) -> None:
        """Write the fitted model into an existing folder."""


class XGBoostModel(BoostedModel):
    """Gradient-boosted trees of XGBoost, histogram method.

    Parameters and attributes are those shared by both learners: ``rounds``, ``learning_rate``, ``depth``,
    ``leaf_rows``, ``row_fraction``, ``column_fraction``, ``stopping_rounds``, ``validation_fraction``,
    ``purge_rows``, ``seed``.
    """

    kind = "xgboost"
    _FILE = "model.ubj"

    def _train(self, fit: Part, validation: Part) -> None:
        import xgboost

        fit_data = xgboost.QuantileDMatrix(fit[0], fit[1], weight=fit[2], max_bin=128, nthread=1)
        validation_data = xgboost.QuantileDMatrix(
            validation[0], validation[1], weight=validation[2], ref=fit_data, max_bin=128, nthread=1
        )
        parameters = {
            "objective": "multi:softprob",
            "num_class": len(CLASSES),
            "tree_method": "hist",
            "max_bin": 128,
            "eta": self.learning_rate,
            "max_depth": self.depth,
            # The curvature of a row is 2p(1−p), 4/9 where all three classes are equally probable.
            "min_child_weight": self.leaf_rows * 4 / 9,
            "subsample": self.row_fraction,
            "colsample_bytree": self.column_fraction,
            "seed": self.seed,
            "nthread": 1,
            "verbosity": 0,
        }
        booster = xgboost.train(
            parameters,
            fit_data,
            num_boost_round=self.rounds,
            evals=[(validation_data, "validation")],
            early_stopping_rounds=self.stopping_rounds,
            verbose_eval=False,
        )
        self.best_iteration_ = int(booster.best_iteration) + 1
        self._booster = booster[: self.best_iteration_]

    def _probabilities(self, scaled: FloatArray) -> FloatArray:
        raw = np.asarray(self._booster.inplace_predict(scaled), dtype=np.float64).reshape(-1, len(CLASSES))
        # XGBoost works in float32; its rows sum to 1 within that only.
        return raw / (raw[:, 0] + raw[:, 1] + raw[:, 2])[:, np.newaxis]

    def _gain(self) -> FloatArray:
        gain = np.zeros(self.n_features_in_)
        for name, value in self._booster.get_score(importance_type="total_gain").items():
            gain[int(name[1:])] = value
        return gain

    def _contributions(self, scaled: FloatArray) -> FloatArray:
        import xgboost

        rows = xgboost.DMatrix(scaled, nthread=1)
        # The last column is the bias.
        return np.asarray(self._booster.predict(rows, pred_contribs=True), dtype=np.float64)[:, :, :-1]

    def _save_native(self, folder: Path) -> None:
        self._booster.save_model(folder / self._FILE)

    def _load_native(self, folder: Path) -> None:
        import xgboost

        try:
            self._booster = xgboost.Booster({"nthread": 1}, model_file=folder / self._FILE)
        except xgboost.core.XGBoostError as error:
            raise ModelError(
                f"cannot read {folder / self._FILE}: {str(error).splitlines()[0]}; train again"
            ) from error


class LightGBMModel(BoostedModel):
    """Gradient-boosted trees of LightGBM.

    Parameters and attributes are those of :class:`XGBoostModel`.
    """

    kind = "lightgbm"
    _FILE = "model.txt"

    def _train(self, fit: Part, validation: Part) -> None:
        import lightgbm

        fit_data = lightgbm.Dataset(fit[0], fit[1], weight=fit[2])
        validation_data = lightgbm.Dataset(
            validation[0], validation[1], weight=validation[2], reference=fit_data
        )
        parameters = {
            "objective": "multiclass",
            "num_class": len(CLASSES),
            "max_bin": 127,
            "learning_rate": self.learning_rate,
            "max_depth": self.depth,
            "num_leaves": 2**self.depth,
            "min_data_in_leaf": self.leaf_rows,
            "bagging_fraction": self.row_fraction,
            "bagging_freq": 1,
            "feature_fraction": self.column_fraction,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        booster = lightgbm.train(
            parameters,
            fit_data,
            num_boost_round=self.rounds,
            valid_sets=[validation_data],
            callbacks=[lightgbm.early_stopping(self.stopping_rounds, verbose=False)],
        )
        self.best_iteration_ = int(booster.best_iteration)
        # Through the text form, so that the model in hand is the one that will be stored.
        self._booster = lightgbm.Booster(
            model_str=booster.model_to_string(num_iteration=self.best_iteration_)
        )

    def _probabilities(self, scaled: FloatArray) -> FloatArray:
        return np.asarray(self._booster.predict(scaled, num_threads=1), dtype=np.float64)

    def _gain(self) -> FloatArray:
        return np.asarray(self._booster.feature_importance(importance_type="gain"), dtype=np.float64)

    def _contributions(self, scaled: FloatArray) -> FloatArray:
        raw = self._booster.predict(scaled, pred_contrib=True, num_threads=1)
        # For each class its features and, last, the bias.
        return np.asarray(raw, dtype=np.float64).reshape(len(scaled), len(CLASSES), -1)[:, :, :-1]

    def _save_native(self, folder: Path) -> None:
        self._booster.save_model(str(folder / self._FILE))

    def _load_native(self, folder: Path) -> None:
        import lightgbm

        try:
            self._booster = lightgbm.Booster(model_file=str(folder / self._FILE))
        except lightgbm.basic.LightGBMError as error:
            raise ModelError(f"cannot read {folder / self._FILE}: {error}; train again") from error


class SoftVotingModel(ClassifierMixin, BaseEstimator):
    """The mean of the probabilities of two models.

    Parameters
    ----------
    xgboost : XGBoostModel, optional
        One voter; the class's defaults without it.
    lightgbm : LightGBMModel, optional
        The other voter; the class's defaults without it.

    Attributes
    ----------
    members_ : tuple
        The fitted voters.
    best_iteration_ : int
        Rounds kept by both together.
    """

    kind = "ensemble"

    def __init__(self, xgboost: XGBoostModel | None = None, lightgbm: LightGBMModel | None = None) -> None:
        self.xgboost = xgboost
        self.lightgbm = lightgbm

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit clones of both voters on the same rows."""
        first = clone(self.xgboost if self.xgboost is not None else XGBoostModel())
        second = clone(self.lightgbm if self.lightgbm is not None else LightGBMModel())
        self._take((first.fit(X, y), second.fit(X, y)))
        return self

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3), columns sell, hold, buy."""
        first, second = self.members_
        return (first.predict_proba(X) + second.predict_proba(X)) / 2.0

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def importance(self) -> FloatArray:
        """Return the mean of the voters' shares, shape (k,)."""
        first, second = self.members_
        return (first.importance() + second.importance()) / 2.0

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return the mean of the voters' contributions, shape (n, 3, k).

        They sum to the mean of the voters' margins, which is close to the log-odds of their mean
        probabilities while the voters agree, and not equal to it.
        """
        first, second = self.members_
        return (first.contributions(X) + second.contributions(X)) / 2.0

    def save(self, folder: Path) -> None:
        """Write both voters into subfolders of an existing folder."""
        for member in self.members_:
            (folder / member.kind).mkdir()
            member.save(folder / member.kind)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        model = cls()
        model._take((XGBoostModel.load(folder / "xgboost"), LightGBMModel.load(folder / "lightgbm")))
        return model

    def _take(self, members: tuple[XGBoostModel, LightGBMModel]) -> None:
        self.members_ = members
        self.classes_ = np.array(CLASSES)
        self.n_features_in_ = members[0].n_features_in_
        self.best_iteration_ = members[0].best_iteration_ + members[1].best_iteration_
        self.notes_: tuple[str, ...] = ()
