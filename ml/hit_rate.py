"""How often live trades win, against how often they won out of sample before the model went live.

The band is that of the number of wins among as many trades, were they drawn from the same market: a
beta-binomial distribution, whose beta is what the backtest leaves open about the rate itself (Jeffreys'
prior; Gelman et al., Bayesian Data Analysis, chapter 2). Trades of one day are taken for independent, which
makes the band a little too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LEAST_TRADES", "HitRate", "HitRateReference", "check_hit_rate", "hit_band"]

LEAST_TRADES = 20
"""Live trades below which nothing is said: the band is then wider than any rate worth knowing."""

_BAND_PERCENT = 95.0
_LEAST_REFERENCE = 30
_JEFFREYS = 0.5


class HitRateReference(BaseModel):
    """Trades of a backtest on bars that the model had not learned.

    Attributes
    ----------
    trades, wins : int
        Closed round trips, and those of them that earned something after costs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trades: int = Field(ge=0)
    wins: int = Field(ge=0)


class HitRate(NamedTuple):
    """What a check found.

    Attributes
    ----------
    level : {'ok', 'low', 'high', 'unknown'}
        Within the band, below it, above it; ``unknown`` where either side has too few trades.
    words : str
        The same in a sentence.
    trades, wins : int
        Live ones that were looked at.
    low, high : float or None
        The band, as rates 0 to 1; None where unknown.
    """

    level: Literal["ok", "low", "high", "unknown"]
    words: str
    trades: int = 0
    wins: int = 0
    low: float | None = None
    high: float | None = None


def hit_band(reference: HitRateReference, trades: int) -> tuple[int, int]:
    """Return the least and the most wins among so many trades that are no surprise (95 %, two-sided).

    Parameters
    ----------
    reference : HitRateReference
        Of the backtest.
    trades : int
        1 or more.
    """
    from scipy.stats import betabinom

    losses = reference.trades - reference.wins
    wins = betabinom(trades, reference.wins + _JEFFREYS, losses + _JEFFREYS)
    tail = (1.0 - _BAND_PERCENT / 100.0) / 2.0
    return int(wins.ppf(tail)), int(wins.ppf(1.0 - tail))


def check_hit_rate(reference: HitRateReference | None, won: Sequence[bool]) -> HitRate:
    """Hold the newest live trades against the band.

    Parameters
    ----------
    reference : HitRateReference or None
        From the model's card; None for a card that has none.
    won : sequence of bool
        The live trades that count, whether each earned something after costs.
    """
    trades, wins = len(won), sum(won)
    if reference is None:
        return HitRate("unknown", "not known: the model's card holds no backtest; retrain it", trades, wins)
    if reference.trades < _LEAST_REFERENCE:
        words = (
            f"not known: the model's backtest has {reference.trades} trades, {_LEAST_REFERENCE} are needed"
        )
        return HitRate("unknown", words, trades, wins)
    if trades < LEAST_TRADES:
        words = f"not known: {trades} live trades with this model, {LEAST_TRADES} are needed"
        return HitRate("unknown", words, trades, wins)
    least, most = hit_band(reference, trades)
    level: Literal["ok", "low", "high"] = "low" if wins < least else "high" if wins > most else "ok"
    place = {"ok": "within", "low": "below", "high": "above"}[level]
    words = (
        f"{wins} of the last {trades} trades won ({wins / trades:.0%}), {place} the band of its backtest, "
        f"{least / trades:.0%} to {most / trades:.0%}"
    )
    return HitRate(level, words, trades, wins, least / trades, most / trades)
