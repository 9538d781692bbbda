"""Do live bars still look like those the model learned from? Population stability index, by series.

The index of one series compares the shares of its values that fall between the deciles of the reference:
sum over bins of (live share − reference share) × ln(live share / reference share). Credit scoring calls less
than 0.1 stable and 0.25 or more shifted. That convention is for samples that are independent of each other.
Bars are not: a calm week lies in two deciles of the ATR, and no market has changed. So the index of a series
counts only where it passes the convention AND the greatest index that as many sessions in a row ever had
within the reference itself. How often that is wrong was measured; ``docs/ml.md`` has the figures.

A model's answers are compared with those to all the bars it was made from, learned ones and later. It is
surer about bars it has learned, but the later ones alone are too few to tell what is usual: measured, they
raised one week in four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ml.arrays import FloatArray

__all__ = [
    "DRIFT_SESSIONS", "PROBABILITY_SERIES", "Drift", "DriftLevel", "DriftReference", "SeriesReference",
    "check_drift", "drift_reference", "reference_of",
]  # fmt: skip

DriftLevel = Literal["ok", "warning", "alarm", "unknown"]

DRIFT_SESSIONS = 5
"""Sessions that are compared together: one of each weekday, as a rule."""

PROBABILITY_SERIES = ("p_sell", "p_buy")
"""The model's answers; with P(hold) they sum to 1, so that one would be said twice."""

WARNING_INDEX, ALARM_INDEX = 0.1, 0.25
ALARM_MARGIN = 1.5
"""Times the usual index that a series must reach to count for an alarm."""
ALARM_SHARE = 0.25
"""Share of the series that it takes for an alarm. Fewer are a warning: one may be a broken feature."""

# They tell of the calendar, which drifts with every holiday and says nothing about the market
CALENDAR_FEATURES = frozenset({"hour_sin", "hour_cos", "weekday_sin", "weekday_cos"})

_BINS = 10
_LEAST_REFERENCE_SESSIONS = 4 * DRIFT_SESSIONS
_LEAST_ROWS_A_SESSION = 10  # a Muhurat session of 3-minute bars has 20
_NAMED_SERIES = 3

CountArray = npt.NDArray[np.int64]


class SeriesReference(BaseModel):
    """One series in the reference.

    Attributes
    ----------
    edges : tuple of float
        Between the bins, ascending; up to nine, fewer where values repeat. A value on an edge is below it.
    shares : tuple of float
        Of each bin, then of values that are not known; they sum to 1.
    usual_index : float
        Greatest index of any :data:`DRIFT_SESSIONS` consecutive sessions of the reference.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    usual_index: float


class DriftReference(BaseModel):
    """What a model's card keeps of the bars it was trained on, by name of the series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: dict[str, SeriesReference]


class Drift(NamedTuple):
    """What a check found.

    Attributes
    ----------
    level : {'ok', 'warning', 'alarm', 'unknown'}
        ``alarm``: a quarter of the series has moved far; ``warning``: one has, or a quarter begins to.
    words : str
        The same in a sentence.
    psi : dict of str to float
        Population stability index by series; empty where nothing could be compared.
    """

    level: DriftLevel
    words: str
    psi: dict[str, float]


def drift_reference(
    names: Sequence[str],
    matrix: FloatArray,
    probabilities: FloatArray,
    sessions: npt.NDArray[np.int64],
    learned: npt.NDArray[np.bool_],
) -> DriftReference:
    """Return the reference of a trained model.

    Parameters
    ----------
    names : sequence of str
        Of the features, in the order of the columns.
    matrix : numpy.ndarray, shape (n, k)
        Features of all bars.
    probabilities : numpy.ndarray, shape (n, 3)
        The model's answers (sell, hold, buy) to all bars; NaN where it gave none.
    sessions : numpy.ndarray of int, shape (n,)
        Number of each bar's session; ascending.
    learned : numpy.ndarray of bool, shape (n,)
        Bars of the training part.
    """
    rows = learned & (np.cumsum(np.isfinite(matrix).all(axis=1)) > 0)  # from the end of the warm-up
    found = {
        name: reference_of(matrix[rows, column], sessions[rows])
        for column, name in enumerate(names)
        if name not in CALENDAR_FEATURES
    }
    answered = np.isfinite(probabilities).all(axis=1)
    for name, column in zip(PROBABILITY_SERIES, (0, 2), strict=True):
        found[name] = reference_of(probabilities[answered, column], sessions[answered])
    return DriftReference(series={name: one for name, one in found.items() if one is not None})


def reference_of(values: FloatArray, sessions: npt.NDArray[np.int64]) -> SeriesReference | None:
    """Return the reference of one series, None where it has too few sessions to tell what is usual.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        NaN where not known.
    sessions : numpy.ndarray of int, shape (n,)
        Number of each value's session; ascending.
    """
    known = values[np.isfinite(values)]
    _, session = np.unique(sessions, return_inverse=True)
    count = int(session[-1]) + 1 if len(session) else 0
    if count < _LEAST_REFERENCE_SESSIONS or not len(known):
        return None
    deciles = np.quantile(known, np.arange(1, _BINS) / _BINS, method="inverted_cdf")
    edges = np.unique(deciles)
    bins = _bins(values, edges)
    by_session = np.zeros((count, len(edges) + 2), dtype=np.int64)
    np.add.at(by_session, (session, bins), 1)
    shares = by_session.sum(axis=0) / len(values)
    windows = np.lib.stride_tricks.sliding_window_view(by_session, DRIFT_SESSIONS, axis=0).sum(axis=-1)
    usual = max(_index(window, shares) for window in windows)
    return SeriesReference(edges=tuple(edges.tolist()), shares=tuple(shares.tolist()), usual_index=usual)


def check_drift(
    reference: DriftReference | None, sessions: Sequence[Mapping[str, Sequence[float] | FloatArray]]
) -> Drift:
    """Compare recorded sessions with a reference.

    Parameters
    ----------
    reference : DriftReference or None
        From the model's card; None for a card that has none.
    sessions : sequence of mapping
        One for each recorded session, oldest first: values of its bars by series, NaN where not known. The
        last :data:`DRIFT_SESSIONS` count. A series that one of them lacks is not compared.
    """
    if reference is None:
        return _unknown("the model's card holds no statistics of its training bars; train it again")
    if not reference.series:
        return _unknown(f"the model was trained on fewer than {_LEAST_REFERENCE_SESSIONS} sessions")
    recent = sessions[-DRIFT_SESSIONS:]
    if len(recent) < DRIFT_SESSIONS:
        return _unknown(f"{len(recent)} of {DRIFT_SESSIONS} sessions are recorded")
    shared = [name for name in reference.series if all(name in session for session in recent)]
    if not shared:
        return _unknown("the recorded sessions hold none of the model's features")
    short = min(len(session[name]) for session in recent for name in shared)
    if short < _LEAST_ROWS_A_SESSION:
        return _unknown(f"a recorded session holds {short} bars, expected at least {_LEAST_ROWS_A_SESSION}")
    index: dict[str, float] = {}
    for name in shared:
        one = reference.series[name]
        values = np.concatenate([np.asarray(session[name], dtype=np.float64) for session in recent])
        counts = np.bincount(_bins(values, np.array(one.edges)), minlength=len(one.shares))
        index[name] = _index(counts, np.array(one.shares))
    return _judge(index, reference)


def _judge(index: dict[str, float], reference: DriftReference) -> Drift:
    usual = {name: reference.series[name].usual_index for name in index}
    moving = [name for name, value in index.items() if value >= max(WARNING_INDEX, usual[name])]
    moved = [name for name in moving if index[name] >= max(ALARM_INDEX, ALARM_MARGIN * usual[name])]
    enough = math.ceil(ALARM_SHARE * len(index))
    level: DriftLevel = "ok"
    if len(moved) >= enough:
        level = "alarm"
    elif moved or len(moving) >= enough:
        level = "warning"
    farthest = sorted(moving, key=lambda name: -index[name])
    named = ", ".join(f"{name} {index[name]:.2f}" for name in farthest[:_NAMED_SERIES])
    more = f" and {len(farthest) - _NAMED_SERIES} more" if len(farthest) > _NAMED_SERIES else ""
    words = f"{len(moving)} of {len(index)} series beyond what is usual"
    return Drift(level, f"{words}: {named}{more}" if named else words, index)


def _unknown(words: str) -> Drift:
    return Drift("unknown", f"not known: {words}", {})


def _bins(values: FloatArray, edges: FloatArray) -> npt.NDArray[np.intp]:
    """Return the bin of each value; the one after the last is that of values that are not known."""
    return np.where(np.isfinite(values), np.searchsorted(edges, values), len(edges) + 1)


def _index(counts: CountArray, shares: FloatArray) -> float:
    """Return the population stability index; an empty bin counts as half a row on either side."""
    rows = int(counts.sum())
    least = 0.5 / rows
    live, expected = np.maximum(counts / rows, least), np.maximum(shares, least)
    return float(np.sum((live - expected) * np.log(live / expected)))
