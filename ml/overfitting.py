"""How likely it is that the best of many trials was luck: combinatorially symmetric cross-validation.

Bailey, D. H., Borwein, J. M., López de Prado, M. and Zhu, Q. J. (2017): The Probability of Backtest
Overfitting. Journal of Computational Finance 20 (4), 39-69. History is cut into blocks; for every choice of
half of them the trial that was best there is ranked on the other half. If it is below the middle more often
than not, choosing the best chose noise.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from feeds.errors import DataError, SettingsError
from ml.arrays import FloatArray, IntArray

__all__ = ["Overfitting", "probability_of_overfitting"]

_FEWEST_SESSIONS_A_BLOCK = 2


class Overfitting(NamedTuple):
    """What the combinations say.

    Attributes
    ----------
    probability : float
        Share of combinations in which the best trial of one half lies at or below the middle of the other,
        0 to 1.
    logits : numpy.ndarray, shape (combinations,)
        ln(w / (1 − w)) of its relative rank w there; positive is above the middle.
    loss_probability : float
        Share of combinations in which it loses there, 0 to 1.
    blocks, trials : int
        Compared.
    """

    probability: float
    logits: FloatArray
    loss_probability: float
    blocks: int
    trials: int


def probability_of_overfitting(returns: FloatArray, blocks: int = 16) -> Overfitting:
    """Judge a choice among trials.

    Parameters
    ----------
    returns : numpy.ndarray, shape (sessions, trials)
        Daily returns of every trial over the same sessions, oldest first; no NaN. The Sharpe ratio ranks
        them; one that never varies has a Sharpe ratio of 0.
    blocks : int
        Even, 2 to 20; 16 make 12,870 combinations.

    Raises
    ------
    DataError
        If there are fewer than two trials, fewer than two sessions a block, or a return is not finite.
    SettingsError
        If ``blocks`` is odd or out of range.
    """
    if blocks % 2 or not 2 <= blocks <= 20:
        raise SettingsError(f"blocks is {blocks}, expected an even number from 2 to 20")
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2 or len(matrix) < blocks * _FEWEST_SESSIONS_A_BLOCK:
        raise DataError(
            f"found returns of shape {matrix.shape}, expected {blocks * _FEWEST_SESSIONS_A_BLOCK} sessions "
            "or more of two trials or more; make more trials, or take fewer blocks"
        )
    if not np.isfinite(matrix).all():
        raise DataError("found NaN or infinity among the returns, expected every trial on the same sessions")
    edges = np.arange(blocks + 1) * len(matrix) // blocks
    chosen = _halves(blocks)
    inside = _sharpes(matrix, edges, chosen)
    outside = _sharpes(matrix, edges, 1 - chosen)
    rows = np.arange(len(chosen))
    best = np.argmax(inside, axis=1)
    found = outside[rows, best]
    # Ties share the middle of their ranks
    below = (outside < found[:, np.newaxis]).sum(axis=1)
    equal = (outside == found[:, np.newaxis]).sum(axis=1)
    trials = matrix.shape[1]
    relative_rank = (below + (equal + 1) / 2.0) / (trials + 1)
    logits = np.log(relative_rank / (1.0 - relative_rank))
    return Overfitting(
        probability=float(np.mean(logits <= 0.0)),
        logits=logits,
        loss_probability=float(np.mean(found < 0.0)),
        blocks=blocks,
        trials=trials,
    )


def _halves(blocks: int) -> IntArray:
    """Return every choice of half of the blocks, 1 where chosen; shape (choices, blocks)."""
    choices = list(combinations(range(blocks), blocks // 2))
    chosen = np.zeros((len(choices), blocks), dtype=np.int64)
    chosen[np.arange(len(choices))[:, np.newaxis], np.array(choices)] = 1
    return chosen


def _sharpes(matrix: FloatArray, edges: IntArray, chosen: IntArray) -> FloatArray:
    """Return the Sharpe ratio per session of each trial on each choice of blocks."""
    sums = chosen @ np.add.reduceat(matrix, edges[:-1], axis=0)
    squares = chosen @ np.add.reduceat(matrix**2, edges[:-1], axis=0)
    counts = (chosen @ np.diff(edges))[:, np.newaxis]
    mean = sums / counts
    variance = np.maximum(squares / counts - mean**2, 0.0)
    # Rounding leaves a constant series a variance of about 1e-16 of its square
    varies = variance > 1e-12 * np.maximum(mean**2, np.finfo(np.float64).tiny)
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=varies)
