"""A feature that tells the label too well alone is one that knows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from ml.arrays import BoolArray, FloatArray
from ml.labels import Labels
from ml.leakage.finding import Finding

__all__ = ["check_target", "direction_score"]

GREATEST_HONEST_SCORE = 0.75
"""Area under the curve of buy against sell by one feature; docs/leakage.md says what honest ones reach."""

_FEWEST_ROWS = 200


def check_target(names: Sequence[str], matrix: FloatArray, labels: Labels) -> list[Finding]:
    """Find features that tell buy from sell better than any honest one does.

    Parameters
    ----------
    names : sequence of str
        Of the features.
    matrix : numpy.ndarray, shape (n, k)
        Features of all bars.
    labels : Labels
        Of the same bars.
    """
    findings = []
    for column, name in enumerate(names):
        known = labels.valid & np.isfinite(matrix[:, column])
        score = direction_score(matrix[known, column], labels.values[known] > 0, labels.values[known] < 0)
        if score is not None and max(score, 1.0 - score) > GREATEST_HONEST_SCORE:
            findings.append(
                Finding(
                    "target", name, None, score,
                    f"alone it tells buy from sell with an area under the curve of {score:.3f}, expected "
                    f"{1 - GREATEST_HONEST_SCORE:.2f} to {GREATEST_HONEST_SCORE:.2f}; it knows the label",
                )
            )  # fmt: skip
    return findings


def direction_score(values: FloatArray, is_buy: BoolArray, is_sell: BoolArray) -> float | None:
    """Return the chance that a buy has a greater value than a sell (ties count half), 0 to 1.

    None with fewer than 200 of either. (Mann and Whitney 1947.)

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        Of one feature; no NaN.
    is_buy, is_sell : numpy.ndarray of bool, shape (n,)
        Labels.
    """
    buys, sells = values[is_buy], values[is_sell]
    if min(len(buys), len(sells)) < _FEWEST_ROWS:
        return None
    ranks = rankdata(np.concatenate([buys, sells]))
    return float((ranks[: len(buys)].sum() - len(buys) * (len(buys) + 1) / 2) / (len(buys) * len(sells)))
