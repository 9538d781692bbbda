"""From contributions of features to the words that say why a side was taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.arrays import FloatArray, IntArray
from ml.predict import CLASSES

__all__ = ["reason_words", "toward_side"]

_SHOWN = 3


def toward_side(contributions: FloatArray, sides: IntArray) -> FloatArray:
    """Return how much each feature speaks for the side taken, against the two other answers.

    The contribution to the side's log-odds less the mean of those to the other two classes. Over the features
    it sums, but for a bias that is the model's, to ``ln p(side) − (ln p(other) + ln p(another)) / 2``.

    Parameters
    ----------
    contributions : numpy.ndarray, shape (n, 3, k)
        Of sell, hold, buy, as from :meth:`ml.models.Model.contributions`.
    sides : numpy.ndarray of int, shape (n,)
        +1 bought, −1 sold.

    Returns
    -------
    numpy.ndarray, shape (n, k)
        Log-odds; positive speaks for the side.
    """
    taken = contributions[np.arange(len(sides)), np.searchsorted(CLASSES, sides)]
    others = (contributions.sum(axis=1) - taken) / (len(CLASSES) - 1)
    return np.asarray(taken - others, dtype=np.float64)


def reason_words(names: Sequence[str], toward: FloatArray) -> str:
    """Return the three features that weigh most, as ``rsi_14 +0.31, ema_5 -0.12, hour_sin +0.05``.

    Parameters
    ----------
    names : sequence of str
        Of the k features.
    toward : numpy.ndarray, shape (k,)
        One row of :func:`toward_side`. Features that weigh nothing are left out; empty where one is NaN.
    """
    if np.isnan(toward).any():
        return ""
    # Stable, so that of equal ones the first named comes first on every machine.
    heaviest = np.argsort(-np.abs(toward), kind="stable")[:_SHOWN]
    return ", ".join(f"{names[place]} {toward[place]:+.2f}" for place in heaviest if toward[place])
