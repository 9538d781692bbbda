"""A model for quiet, one for ordinary and one for lively markets."""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from feeds.errors import ModelError
from ml.arrays import FloatArray, IntArray
from ml.boosted import checked_rows
from ml.models import XGBoostModel
from ml.predict import CLASSES

__all__ = ["LEAST_REGIME_ROWS", "REGIME_FEATURE", "RegimeModel"]

REGIME_FEATURE = "atr_14_percent"
"""What tells the regimes apart: the average true range in percent of the price."""

LEAST_REGIME_ROWS = 1000
"""Below this a regime has no model of its own: five leaves of the default 200 rows."""

_NAMES = ("low", "middle", "high")
_COMMON = "common"
_FILE = "regimes.json"


class RegimeModel(ClassifierMixin, BaseEstimator):
    """One model for each third of the volatility.

    The thirds are those of the rows it learns from. A regime with too few rows, as where one value of the
    volatility is very frequent, is answered by a model of all rows.

    Parameters
    ----------
    base : XGBoostModel, optional
        Unfitted; the class's defaults without it.
    column : int
        Position of the volatility among the features.
    least_rows : int
        Rows that a regime needs for a model of its own.

    Attributes
    ----------
    edges_ : numpy.ndarray, shape (2,)
        A row belongs to the first regime below the first, to the last from the second on.
    members_ : dict of str to XGBoostModel
        By regime, ``low``, ``middle``, ``high``; and ``common`` where one of these is missing.
    classes_, n_features_in_, best_iteration_, notes_
        As of every :class:`ml.models.Model`.
    """

    kind = "regime"

    def __init__(
        self, base: XGBoostModel | None = None, column: int = 0, least_rows: int = LEAST_REGIME_ROWS
    ) -> None:
        self.base = base
        self.column = column
        self.least_rows = least_rows

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from rows in time order, features of shape (n, k) and labels −1, 0, 1.

        Raises
        ------
        DataError
            There are too few rows.
        """
        features, target = checked_rows(X, y)
        values = np.array(CLASSES)[target]
        base = self.base if self.base is not None else XGBoostModel()
        edges = np.quantile(features[:, self.column], [1 / 3, 2 / 3])
        regimes = _regimes(edges, features[:, self.column])
        rows = np.bincount(regimes, minlength=len(_NAMES))
        members = {
            name: clone(base).fit(features[regimes == place], values[regimes == place])
            for place, name in enumerate(_NAMES)
            if rows[place] >= self.least_rows
        }
        poor = [name for name in _NAMES if name not in members]
        if poor:
            members[_COMMON] = clone(base).fit(features, values)
        notes = [f"regimes by {REGIME_FEATURE}: edges {edges[0]:.4f} and {edges[1]:.4f} %"]
        notes += [
            f"regime {name} is answered by the model of all rows: {rows[_NAMES.index(name)]} rows, "
            f"{self.least_rows} needed"
            for name in poor
        ]
        self._take(edges, members, tuple(notes))
        return self

    def predict_proba(self, X: npt.ArrayLike) -> FloatArray:
        """Return probabilities of shape (n, 3): sell, hold, buy, each row's by the model of its regime."""
        features = np.asarray(X, dtype=np.float64)
        if features.ndim != 2 or features.shape[1] != self.n_features_in_:
            raise ModelError(
                f"found features of shape {features.shape}, expected (n, {self.n_features_in_}) as trained"
            )
        answers = np.empty((len(features), len(CLASSES)))
        for rows, member in self._spoken(features):
            answers[rows] = member.predict_proba(features[rows])
        return answers

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Return the most probable class of each row, shape (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]

    def importance(self) -> FloatArray:
        """Return the mean of the shares over the models that answer the regimes, shape (k,)."""
        shares = [self._member(name).importance() for name in _NAMES]
        return np.asarray(np.mean(shares, axis=0), dtype=np.float64)

    def contributions(self, X: npt.ArrayLike) -> FloatArray:
        """Return what each feature adds to the log-odds, shape (n, 3, k), by the model of the row's regime.

        The bias is that of this model, so rows of two regimes are measured from different starts.
        """
        features = np.asarray(X, dtype=np.float64)
        added = np.empty((len(features), len(CLASSES), self.n_features_in_))
        for rows, member in self._spoken(features):
            added[rows] = member.contributions(features[rows])
        return added

    def save(self, folder: Path) -> None:
        """Write the models into subfolders of an existing folder, and the edges as JSON."""
        for name, member in self.members_.items():
            (folder / name).mkdir()
            member.save(folder / name)
        plain = {
            "column": self.column,
            "edges": self.edges_.tolist(),
            "members": list(self.members_),
            "notes": list(self.notes_),
        }
        (folder / _FILE).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote; constructor parameters but the column are the defaults."""
        plain = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        names = [str(name) for name in plain["members"]]
        if not set(names) <= {*_NAMES, _COMMON} or (_COMMON not in names and len(names) < len(_NAMES)):
            raise ValueError(f"found models of the regimes {', '.join(names)}, expected all or {_COMMON}")
        model = cls(column=int(plain["column"]))
        members = {name: XGBoostModel.load(folder / name) for name in names}
        edges = np.array(plain["edges"], dtype=np.float64)
        model._take(edges, members, tuple(str(note) for note in plain["notes"]))
        return model

    def _take(self, edges: FloatArray, members: dict[str, XGBoostModel], notes: tuple[str, ...]) -> None:
        self.edges_ = edges
        self.members_ = members
        self.notes_ = notes
        self.classes_ = np.array(CLASSES)
        self.n_features_in_ = next(iter(members.values())).n_features_in_
        self.best_iteration_ = sum(member.best_iteration_ for member in members.values())

    def _member(self, name: str) -> XGBoostModel:
        return self.members_[name] if name in self.members_ else self.members_[_COMMON]

    def _spoken(self, features: FloatArray) -> list[tuple[IntArray, XGBoostModel]]:
        """Return which rows each regime's model answers; regimes without a row are left out."""
        regimes = _regimes(self.edges_, features[:, self.column])
        found = [(np.flatnonzero(regimes == place), self._member(name)) for place, name in enumerate(_NAMES)]
        return [(rows, member) for rows, member in found if len(rows)]


def _regimes(edges: FloatArray, volatility: FloatArray) -> IntArray:
    return np.searchsorted(edges, volatility, side="right").astype(np.int64)
