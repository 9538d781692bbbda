"""What a model's answers rest on, measured on rows that it has not learned.

The gain of the trees, which every window reports, comes from the rows that were learned: a feature that was
memorised gains as well. Both measures here ask the test rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ml.arrays import FloatArray
from ml.models import Model

__all__ = ["UnseenImportance", "measure_importance"]

_SHUFFLES = 3
_MOST_ROWS = 5000
_SEED = 20_250_101


class UnseenImportance(NamedTuple):
    """Of each feature, on test rows.

    Attributes
    ----------
    permutation : numpy.ndarray, shape (k,)
        By how much the log-loss rises when the feature's values are shuffled among the rows, nats; the mean
        of three shuffles (Breiman 2001, *Random Forests*, section 10). About 0, of either sign, where the
        model is none the better for the feature. Two features that say the same stand in for each other, and
        both look useless.
    shap : numpy.ndarray, shape (k,)
        Mean absolute contribution to the log-odds, over rows and classes (Lundberg and others 2018, arXiv
        1802.03888). It tells what moves the answers, not whether they were right.
    """

    permutation: FloatArray
    shap: FloatArray


def measure_importance(
    model: Model, rows: FloatArray, values: npt.NDArray[np.int8]
) -> UnseenImportance | None:
    """Measure on test rows; None where there are none.

    Parameters
    ----------
    model : Model
        Fitted on other rows.
    rows : numpy.ndarray, shape (n, k)
        Finite features; of more than 5000 rows, as many at even distances are taken.
    values : numpy.ndarray of int, shape (n,)
        Labels −1, 0, 1.
    """
    if not len(values):
        return None
    chosen = np.linspace(0, len(values) - 1, min(len(values), _MOST_ROWS)).round().astype(np.int64)
    asked, truth = rows[chosen], values[chosen].astype(np.int64) + 1
    known = _log_loss(model, asked, truth)
    permutation = np.array([_loss_without(model, asked, truth, column) for column in range(rows.shape[1])])
    return UnseenImportance(permutation - known, np.abs(model.contributions(asked)).mean(axis=(0, 1)))


def _loss_without(model: Model, rows: FloatArray, truth: npt.NDArray[np.int64], column: int) -> float:
    # By column, so that a feature's figure does not depend on how many there are before it.
    generator = np.random.default_rng([_SEED, column])
    shuffled = rows.copy()
    losses = []
    for _ in range(_SHUFFLES):
        shuffled[:, column] = generator.permutation(rows[:, column])
        losses.append(_log_loss(model, shuffled, truth))
    return float(np.mean(losses))


def _log_loss(model: Model, rows: FloatArray, truth: npt.NDArray[np.int64]) -> float:
    given = model.predict_proba(rows)[np.arange(len(truth)), truth]
    return float(-np.mean(np.log(np.maximum(given, np.finfo(np.float64).tiny))))
