"""From which probability on a trade is worth its costs, by the training window's own rows.

What is chosen between is how many of the surest rows to trade. For each number, the trades that one position
at a time could have made are counted; the mean of what they earned after costs has a lower bound by bootstrap
over sessions; and the number with the greatest trades x bound is taken, if that is above 0. The bound in
place of the mean keeps a lucky handful from being chosen, and makes the choice steady: where all trades cost
more, the bound of what the chosen ones earn before costs never falls.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import pandas as pd

from feeds.errors import DataError
from ml.arrays import BarArrays, FloatArray, IntArray
from ml.significance import SessionBootstrap

__all__ = [
    "LEAST_SESSIONS", "CostBps", "SideChoice", "ThresholdRows", "ThresholdRule", "Thresholds",
    "choose_thresholds", "thresholds_of",
]  # fmt: skip

CostBps = Callable[[dt.date], float]
"""``cost_bps(day)``: what one lot costs from entry to exit on that date, basis points of its value."""

CONFIDENCE_PERCENT = 90.0
"""One-sided: the lower bound is passed from below once in ten times."""

LEAST_SESSIONS = 10
"""Below it the bound means nothing: sessions are drawn for it, as trades of one day share its weather. One
with most of the trades weighs as one: the count is that of equally busy sessions (Kish 1965)."""

_CANDIDATES = 24
_MOST_TRADED = 0.5  # a side that is wanted on more than half of the bars is no choice
_SAMPLES, _SEED = 500, 7
_EPOCH = dt.date(1970, 1, 1)


class Thresholds(NamedTuple):
    """From which probability on each side is traded.

    Attributes
    ----------
    buy : float
        Enter long when P(buy) is at least this; ``inf`` for never.
    sell : float
        Enter short when P(sell) is at least this; ``inf`` for never.
    """

    buy: float
    sell: float

    def as_plain(self) -> dict[Literal["buy", "sell"], float | None]:
        """Return JSON values; None for never."""
        return {
            "buy": None if math.isinf(self.buy) else self.buy,
            "sell": None if math.isinf(self.sell) else self.sell,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[Literal["buy", "sell"], float | None]) -> Self:
        """Return what :meth:`as_plain` described."""
        buy, sell = plain["buy"], plain["sell"]
        return cls(math.inf if buy is None else buy, math.inf if sell is None else sell)


@dataclass(frozen=True)
class SideChoice:
    """What was chosen for one side, and why.

    Attributes
    ----------
    threshold : float or None
        From which probability on it is traded; None for never.
    trades : int
        That the rows chosen by would have made; of the best number looked at where none was good enough.
    gross_bps, cost_bps : float or None
        Means over these trades, basis points; None where no number of trades could be looked at.
    net_low_bps : float or None
        One-sided lower bound of the mean after costs, 90 %.
    """

    threshold: float | None
    trades: int = 0
    gross_bps: float | None = None
    cost_bps: float | None = None
    net_low_bps: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    def words(self) -> str:
        """Return the choice and its reason, ``from 0.61 (80 trades, ...)``."""
        least = "never" if self.threshold is None else f"from {self.threshold:.3f}"
        if self.net_low_bps is None:
            return f"{least} (too few rows or sessions)"
        return (
            f"{least} ({self.trades} trades, gross {self.gross_bps:.1f} bps, cost {self.cost_bps:.1f} bps, "
            f"net at least {self.net_low_bps:.1f} bps)"
        )


class ThresholdRule(NamedTuple):
    """By what thresholds are chosen.

    Attributes
    ----------
    cost_bps : callable
        See :data:`CostBps`.
    minimum_trades : int
        Fewer trades than this prove nothing.
    """

    cost_bps: CostBps
    minimum_trades: int


class ThresholdRows(NamedTuple):
    """Rows to choose by, oldest first, each of shape (n,).

    Attributes
    ----------
    position : numpy.ndarray of int64
        Of the bar on which an entry would be decided.
    end : numpy.ndarray of int64
        Position of the bar at whose close the trade would end: the one that decides the label.
    session : numpy.ndarray of int64
        Session of the bar.
    move_bps : numpy.ndarray of float64
        From the next bar's open to the close of ``end``, basis points; NaN where a trade would have no bar.
    cost_bps : numpy.ndarray of float64
        Of one lot from entry to exit on that day.
    """

    position: IntArray
    end: IntArray
    session: IntArray
    move_bps: FloatArray
    cost_bps: FloatArray

    @classmethod
    def of_bars(cls, frame: pd.DataFrame, end: IntArray, cost_bps: CostBps) -> Self:
        """Return one row for each bar of a bar frame.

        Parameters
        ----------
        frame : pandas.DataFrame, shape (n, ...)
            A bar frame (see :mod:`feeds.bars`).
        end : numpy.ndarray of int, shape (n,)
            ``end_index`` of the labels.
        cost_bps : callable
            Asked once for each session.
        """
        arrays = BarArrays.from_frame(frame)
        day = arrays.session_day()
        own = np.arange(arrays.bars, dtype=np.int64)
        move = np.full(arrays.bars, np.nan)
        lasts = np.flatnonzero(end > own)
        move[lasts] = 1e4 * (arrays.close[end[lasts]] / arrays.open[lasts + 1] - 1.0)
        costs = {one: cost_bps(_EPOCH + dt.timedelta(days=one)) for one in np.unique(day).tolist()}
        return cls(own, end, day, move, np.array([costs[one] for one in day.tolist()], dtype=np.float64))

    def at(self, rows: IntArray) -> Self:
        """Return some of the rows."""
        return type(self)(
            self.position[rows], self.end[rows], self.session[rows], self.move_bps[rows], self.cost_bps[rows]
        )


def choose_thresholds(
    probabilities: FloatArray, rows: ThresholdRows, minimum_trades: int
) -> dict[str, SideChoice]:
    """Choose for both sides, each for itself.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n, 3)
        Sell, hold, buy, by models that have not learned these rows.
    rows : ThresholdRows
        The same rows.
    minimum_trades : int
        Fewer trades than this prove nothing, nor do trades of fewer than :data:`LEAST_SESSIONS` sessions.

    Raises
    ------
    DataError
        The numbers of rows differ.
    """
    if len(probabilities) != len(rows.position):
        raise DataError(
            f"found {len(probabilities)} answers for {len(rows.position)} rows, expected one for each row"
        )
    return {
        "buy": _choose_side(probabilities[:, 2], 1, rows, minimum_trades),
        "sell": _choose_side(probabilities[:, 0], -1, rows, minimum_trades),
    }


def thresholds_of(choices: dict[str, SideChoice]) -> Thresholds:
    """Return the thresholds of both choices."""
    return Thresholds.from_plain({"buy": choices["buy"].threshold, "sell": choices["sell"].threshold})


def _choose_side(probability: FloatArray, side: int, rows: ThresholdRows, minimum_trades: int) -> SideChoice:
    best, best_total = SideChoice(None), -math.inf
    for threshold in _candidates(probability, minimum_trades):
        taken = _one_at_a_time(np.flatnonzero(probability >= threshold), rows)
        if len(taken) < minimum_trades or _equally_busy(rows.session[taken]) < LEAST_SESSIONS:
            continue
        gross, cost = side * rows.move_bps[taken], rows.cost_bps[taken]
        means = SessionBootstrap(rows.session[taken], _SAMPLES, _SEED).means(gross - cost)
        low = float(np.quantile(means, 1.0 - CONFIDENCE_PERCENT / 100.0))
        if len(taken) * low > best_total:
            best_total = len(taken) * low
            best = SideChoice(threshold, len(taken), float(gross.mean()), float(cost.mean()), low)
    if best_total > 0:
        return best
    return SideChoice(None, best.trades, best.gross_bps, best.cost_bps, best.net_low_bps)


def _equally_busy(sessions: IntArray) -> float:
    """Return how many sessions with as many trades each would tell as much as these, of one trade or more."""
    trades = np.unique(sessions, return_counts=True)[1]
    return float(trades.sum() ** 2 / (trades**2).sum())


def _candidates(probability: FloatArray, minimum_trades: int) -> list[float]:
    """Return probabilities of the rows themselves, highest first, each passed by some more rows."""
    rows = len(probability)
    most = math.floor(rows * _MOST_TRADED)
    if most < minimum_trades:
        return []
    counts = np.unique(np.round(np.geomspace(minimum_trades, most, _CANDIDATES)).astype(np.int64))
    surest_first = np.sort(probability)[::-1]
    return list(dict.fromkeys(surest_first[counts - 1].tolist()))


def _one_at_a_time(wanted: IntArray, rows: ThresholdRows) -> IntArray:
    """Return those of the wanted rows that are free: no trade is open when they are decided."""
    taken = []
    open_until = -1
    for row, position, end in zip(
        wanted.tolist(), rows.position[wanted].tolist(), rows.end[wanted].tolist(), strict=True
    ):
        if position >= open_until:
            taken.append(row)
            open_until = end
    return np.array(taken, dtype=np.int64)
