"""What a model's card keeps of the bars it was made from, for drift to be measured against.

Of each series: deciles and the shares between them, for the population stability index; a finer grid of
quantiles, for the distance of Kolmogorov and Smirnov; and what is *usual* for one session, and for as many
in a row as are compared together: the greatest index and distance that ever came within the reference
itself, and where centre and scatter lie. Deciles say that values are high, not how high: a session in the
top decile looks the same to both measures whether it is a lively one or three times as wild as any before.

A model's answers are compared with those to all the bars it was made from, learned ones and later. It is
surer about bars it has learned, but the later ones alone are too few to tell what is usual: measured, they
raised one week in four.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from ml.arrays import FloatArray

__all__ = [
    "DRIFT_SESSIONS", "PROBABILITY_SERIES", "DriftReference", "SeriesReference", "Usual", "counts_in",
    "distance", "drift_reference", "index_of", "reference_of",
]  # fmt: skip

DRIFT_SESSIONS = 5
"""Sessions that are compared together: one of each weekday, as a rule."""

PROBABILITY_SERIES = ("p_sell", "p_buy")
"""The model's answers; with P(hold) they sum to 1, so that one would be said twice."""

# They tell of the calendar, which drifts with every holiday and says nothing about the market
CALENDAR_FEATURES = frozenset({"hour_sin", "hour_cos", "weekday_sin", "weekday_cos"})

LEAST_REFERENCE_SESSIONS = 4 * DRIFT_SESSIONS
SHORT_SPAN = 0.5
"""Part of the usual bars that must be there for a judgement; a Muhurat session holds a sixth of them."""

_BINS = 10
_QUANTILES = 50
_DEVIATION = 1.4826  # of the normal distribution, as a multiple of its median absolute deviation

CountArray = npt.NDArray[np.int64]
IndexArray = npt.NDArray[np.intp]


class Usual(BaseModel):
    """What so many sessions together were like in the reference; those much shorter than others left out.

    Attributes
    ----------
    bars : int
        In them, the median.
    index, distance : float
        Greatest population stability index, and greatest distance, from the whole.
    centre, scatter : tuple of (float, float)
        Median of their medians, and of the logarithms of their interquartile ranges; each with its standard
        deviation (1.4826 × the median absolute deviation where that is more), 0 where it cannot be judged.
    values : int
        Fewest different values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    bars: int
    index: float
    distance: float
    centre: tuple[float, float]
    scatter: tuple[float, float]
    values: int

    def outlying(self, values: FloatArray) -> float:
        """Return how many standard deviations centre or scatter of values lies away; 0.0 where unknown."""
        here = centre_and_scatter(values)
        return max(_away(here[0], self.centre), _away(here[1], self.scatter))


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
    grid, below : tuple of float
        Quantiles, ascending, and the share of known values at or below each; empty in older cards.
    together, session : Usual or None
        Of :data:`DRIFT_SESSIONS` consecutive sessions, and of single ones; None in older cards.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    usual_index: float
    grid: tuple[float, ...] = ()
    below: tuple[float, ...] = ()
    together: Usual | None = None
    session: Usual | None = None


class DriftReference(BaseModel):
    """What a model's card keeps of the bars it was trained on, by name of the series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    series: dict[str, SeriesReference]


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
    if count < LEAST_REFERENCE_SESSIONS or not len(known):
        return None
    edges, grid = _quantiles(known, _BINS), _quantiles(known, _QUANTILES)
    coarse, fine = _by_session(values, edges, session, count), _by_session(values, grid, session, count)
    shares = coarse.sum(axis=0) / len(values)
    below = np.cumsum(fine.sum(axis=0)[:-1])[:-1] / len(known)
    days = np.split(values, np.flatnonzero(np.diff(session)) + 1)
    return SeriesReference(
        edges=tuple(edges.tolist()),
        shares=tuple(shares.tolist()),
        usual_index=max(index_of(window, shares) for window in _in_a_row(coarse, DRIFT_SESSIONS)),
        grid=tuple(grid.tolist()),
        below=tuple(below.tolist()),
        together=_usual(days, coarse, fine, shares, below, DRIFT_SESSIONS),
        session=_usual(days, coarse, fine, shares, below, 1),
    )


def index_of(counts: CountArray, shares: FloatArray) -> float:
    """Return the population stability index; an empty bin counts as half a row on either side."""
    rows = int(counts.sum())
    least = 0.5 / rows
    live, expected = np.maximum(counts / rows, least), np.maximum(shares, least)
    return float(np.sum((live - expected) * np.log(live / expected)))


def distance(counts: CountArray, below: FloatArray) -> float:
    """Return the greatest difference of two distribution functions on the grid (Kolmogorov, Smirnov).

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (g + 2,)
        Values between the points of the grid, and last those that are not known, which do not count.
    below : numpy.ndarray, shape (g,)
        The reference's share at or below each point.
    """
    known = int(counts[:-1].sum())
    if not known:
        return 1.0
    return float(np.max(np.abs(np.cumsum(counts[:-1])[:-1] / known - below), initial=0.0))


def counts_in(values: FloatArray, edges: FloatArray) -> CountArray:
    """Count the values between edges; the last count is of values that are not known."""
    return np.bincount(_bins(values, edges), minlength=len(edges) + 2)


def centre_and_scatter(values: FloatArray) -> tuple[float, float]:
    """Return the median, and the logarithm of the interquartile range; NaN where there is none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return math.nan, math.nan
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    return float(middle), math.log(high - low) if high > low else math.nan


def _usual(
    days: list[FloatArray],
    coarse: CountArray,
    fine: CountArray,
    shares: FloatArray,
    below: FloatArray,
    sessions: int,
) -> Usual:
    coarse, fine = _in_a_row(coarse, sessions), _in_a_row(fine, sessions)
    bars = coarse.sum(axis=1)
    usual = int(np.median(bars))
    whole = np.flatnonzero(bars >= SHORT_SPAN * usual)
    spans = [np.concatenate(days[first : first + sessions]) for first in whole]
    places = np.array([centre_and_scatter(span) for span in spans])
    return Usual(
        bars=usual,
        index=max(index_of(coarse[one], shares) for one in whole),
        distance=max(distance(fine[one], below) for one in whole),
        centre=_middle(places[:, 0]),
        scatter=_middle(places[:, 1]),
        values=min(len(np.unique(span)) for span in spans),
    )


def _middle(places: FloatArray) -> tuple[float, float]:
    known = places[np.isfinite(places)]
    if not len(known):
        return 0.0, 0.0
    middle = float(np.median(known))
    robust = _DEVIATION * float(np.median(np.abs(known - middle)))
    return middle, max(robust, float(np.std(known)))  # of skewed series either may be the smaller


def _away(place: float, usual: tuple[float, float]) -> float:
    middle, deviation = usual
    if not deviation or not math.isfinite(place):
        return 0.0
    return abs(place - middle) / deviation


def _quantiles(known: FloatArray, parts: int) -> FloatArray:
    return np.unique(np.quantile(known, np.arange(1, parts) / parts, method="inverted_cdf"))


def _by_session(values: FloatArray, edges: FloatArray, session: IndexArray, count: int) -> CountArray:
    counts = np.zeros((count, len(edges) + 2), dtype=np.int64)
    np.add.at(counts, (session, _bins(values, edges)), 1)
    return counts


def _in_a_row(counts: CountArray, sessions: int) -> CountArray:
    return np.lib.stride_tricks.sliding_window_view(counts, sessions, axis=0).sum(axis=-1)


def _bins(values: FloatArray, edges: FloatArray) -> IndexArray:
    """Return the bin of each value; the one after the last is that of values that are not known."""
    return np.where(np.isfinite(values), np.searchsorted(edges, values), len(edges) + 1)
