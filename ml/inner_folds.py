"""Answers of models to rows of a training window that they have not learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ml.arrays import FloatArray
from ml.predict import CLASSES, ProbabilityModel
from ml.purged import PurgedKFold

__all__ = ["INNER_FOLDS", "Learner", "answers_out_of_fold"]

INNER_FOLDS = 4
"""Each model learns three quarters of the rows, nearly as many as the final one."""


class Learner(Protocol):
    """What is trained on each fold."""

    def fit(self, X: FloatArray, y: npt.NDArray[np.int8]) -> ProbabilityModel:  # noqa: N803 # scikit-learn's
        """Learn from rows in time order."""


def answers_out_of_fold(
    make_learner: Callable[[], Learner],
    matrix: FloatArray,
    values: npt.NDArray[np.int8],
    purge_rows: int,
) -> FloatArray:
    """Return probabilities of shape (n, 3), each row's by a model that has not learned it.

    Folds are :data:`INNER_FOLDS` stretches of time; between what is learned and what is answered lie, on both
    sides, ``purge_rows`` for the labels and as many of embargo. The folds lie within the rows given, so
    nothing after them is looked at.

    Parameters
    ----------
    make_learner : callable
        Makes an unfitted model.
    matrix : numpy.ndarray, shape (n, k)
        Finite features, rows in time order.
    values : numpy.ndarray of int, shape (n,)
        Labels −1, 0, 1.
    purge_rows : int
        At least the bars a label looks ahead.

    Raises
    ------
    DataError
        A fold leaves too few rows to learn from.
    """
    ends = np.minimum(np.arange(len(values)) + purge_rows, max(len(values) - 1, 0))
    answers = np.full((len(values), len(CLASSES)), np.nan)
    for train, test in PurgedKFold(INNER_FOLDS, embargo_bars=purge_rows).split(matrix, groups=ends):
        answers[test] = make_learner().fit(matrix[train], values[train]).predict_proba(matrix[test])
    return answers
