"""What each of several arms on one account earned, and whether one is better than another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from analyzers.figures import rupees
from analyzers.settings import ReportSettings

__all__ = ["ArmComparison", "ArmResult", "ArmsResult", "judge_arms"]

Array = np.ndarray[Any, np.dtype[np.float64]]


class ArmResult(NamedTuple):
    """One arm.

    Attributes
    ----------
    name : str
        As in the settings.
    trades, sessions : int
        Closed round trips, and sessions with any.
    win_rate : float or None
        Share of trades that won after costs, 0 to 1.
    gross_pnl, net_pnl : float
        Rupees, before and after slippage and charges.
    net_per_trade, net_low, net_high : float or None
        Mean net profit per trade and its interval, rupees.
    """

    name: str
    trades: int
    sessions: int
    win_rate: float | None
    gross_pnl: float
    net_pnl: float
    net_per_trade: float | None = None
    net_low: float | None = None
    net_high: float | None = None


class ArmComparison(NamedTuple):
    """Whether ``first`` is better than ``second``.

    Attributes
    ----------
    label : {'better', 'not shown to be better', 'too few trades'}
        The answer.
    words : str
        A sentence with the figures behind it.
    difference_bps, low_bps, high_bps : float or None
        Mean net profit per trade of the first less that of the second, in basis points of what was bought or
        sold at entry, and its interval.
    p_value : float or None
        One-sided: how often chance alone would show such a lead, or a greater one.
    """

    first: str
    second: str
    label: Literal["better", "not shown to be better", "too few trades"]
    words: str
    difference_bps: float | None = None
    low_bps: float | None = None
    high_bps: float | None = None
    p_value: float | None = None


class ArmsResult(NamedTuple):
    """All arms in the order of the settings, and each against each of those behind it."""

    arms: tuple[ArmResult, ...]
    comparisons: tuple[ArmComparison, ...]
    confidence_percent: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain mappings and lists, for ``summary.json``."""
        return {
            "confidence_percent": self.confidence_percent,
            "arms": [arm._asdict() for arm in self.arms],
            "comparisons": [comparison._asdict() for comparison in self.comparisons],
        }


def judge_arms(
    trades: pd.DataFrame, names: Sequence[str], settings: ReportSettings, *, seed: int = 0
) -> ArmsResult | None:
    """Judge the arms of a run; None where there are none.

    Parameters
    ----------
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    names : sequence of str
        The arms of the settings, those without a trade included.
    settings : ReportSettings
        Confidence, minima (of each of two arms that are compared) and samples.
    seed : int
        Of the bootstrap; the same trades get the same answer.

    Notes
    -----
    Intervals and tests are a percentile bootstrap over whole sessions (Efron and Tibshirani 1993, chapters 13
    and 15): the same draw of sessions serves every arm, so that a comparison is paired by session. Arms may
    trade different lots, so the comparison is in basis points of the entry's value. With more than two arms
    the level of a comparison is divided by their number (Bonferroni).
    """
    if not names:
        return None
    found = [name for name in dict.fromkeys(trades["arm"]) if name]
    ordered = list(dict.fromkeys([*names, *found]))
    draws = _Draws(trades, settings.bootstrap_samples, seed)
    pairs = list(itertools.combinations(ordered, 2))
    return ArmsResult(
        tuple(_arm(trades[trades["arm"] == name], name, draws, settings) for name in ordered),
        tuple(_compare(trades, pair, draws, settings, comparisons=len(pairs)) for pair in pairs),
        settings.confidence_percent,
    )


class _Draws:
    """Whole sessions, drawn with replacement among those in which any arm traded."""

    def __init__(self, trades: pd.DataFrame, samples: int, seed: int) -> None:
        self._sessions = pd.DatetimeIndex(_session(trades).unique())
        number = max(1, len(self._sessions))  # without any there is nothing to draw, and nobody asks
        chances = np.full(number, 1.0 / number)
        drawn = np.random.default_rng(seed).multinomial(number, chances, size=samples)
        self._times = drawn.astype(np.float64)

    def means(self, trades: pd.DataFrame, values: Array) -> Array:
        """Return the mean over the trades of each sample, NaN for one without any; shape (samples,)."""
        codes = self._sessions.get_indexer(pd.DatetimeIndex(_session(trades)))
        totals = np.bincount(codes, weights=values, minlength=len(self._sessions))
        counts = self._times @ np.bincount(codes, minlength=len(self._sessions))
        return np.divide(self._times @ totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def _arm(trades: pd.DataFrame, name: str, draws: _Draws, settings: ReportSettings) -> ArmResult:
    net = trades["net_pnl"].to_numpy(np.float64)
    sessions = int(_session(trades).nunique())
    share = float((net > 0.0).mean()) if len(net) else None
    plain = ArmResult(name, len(net), sessions, share, float(trades["gross_pnl"].sum()), float(net.sum()))
    if not _is_enough(trades, settings):
        return plain
    low, high = _interval(draws.means(trades, net), settings.confidence_percent)
    return plain._replace(net_per_trade=float(net.mean()), net_low=low, net_high=high)


def _compare(
    trades: pd.DataFrame,
    pair: tuple[str, str],
    draws: _Draws,
    settings: ReportSettings,
    *,
    comparisons: int,
) -> ArmComparison:
    first, second = pair
    own = [trades[trades["arm"] == name] for name in pair]
    if not all(_is_enough(part, settings) for part in own):
        return ArmComparison(first, second, "too few trades", _too_few(pair, own, settings))
    values = [_net_bps(part) for part in own]
    difference = float(values[0].mean() - values[1].mean())
    drawn = draws.means(own[0], values[0]) - draws.means(own[1], values[1])
    low, high = _interval(drawn, settings.confidence_percent)
    # A sample in which an arm has no trade shows no lead
    p_value = float((1 + np.count_nonzero(~(drawn > 0.0))) / (1 + len(drawn)))
    level = (1.0 - settings.confidence_percent / 100.0) / comparisons
    is_better = p_value <= level
    verb = "is better than" if is_better else "is not shown to be better than"
    words = (
        f"{first} {verb} {second}: {difference:+.2f} basis points net per trade "
        f"({settings.confidence_percent:g} % interval {low:+.2f} to {high:+.2f}), p = {p_value:.3f}, "
        f"asked for at most {level:.3g}."
    ).replace("-", "\N{MINUS SIGN}")
    return ArmComparison(
        first,
        second,
        "better" if is_better else "not shown to be better",
        words,
        difference,
        low,
        high,
        p_value,
    )


def _too_few(pair: tuple[str, str], own: Sequence[pd.DataFrame], settings: ReportSettings) -> str:
    counts = " and ".join(
        f"{name} {len(part)} in {_session(part).nunique()} sessions"
        for name, part in zip(pair, own, strict=True)
    )
    return (
        f"Too few trades to compare {pair[0]} and {pair[1]} (net {rupees(own[0]['net_pnl'].sum())} and "
        f"{rupees(own[1]['net_pnl'].sum())}): {counts}; each needs {settings.minimum_trades} in "
        f"{settings.minimum_sessions}."
    )


def _is_enough(trades: pd.DataFrame, settings: ReportSettings) -> bool:
    sessions = int(_session(trades).nunique())
    return len(trades) >= settings.minimum_trades and sessions >= settings.minimum_sessions


def _session(trades: pd.DataFrame) -> pd.Series:
    return trades["entry_time"].dt.tz_localize(None).dt.normalize()


def _net_bps(trades: pd.DataFrame) -> Array:
    value = trades["size"].abs() * trades["entry_price"]
    bps: Array = (1e4 * trades["net_pnl"] / value).to_numpy(np.float64)
    return bps


def _interval(means: Array, confidence_percent: float) -> tuple[float, float]:
    tail = (1.0 - confidence_percent / 100.0) / 2.0
    known = means[np.isfinite(means)]
    low, high = np.quantile(known, [tail, 1.0 - tail]) if len(known) else (math.nan, math.nan)
    return float(low), float(high)
