"""Is it skill or luck? Intervals by bootstrap over sessions, and a test against entries at random.

Trades of one session share its weather, so sessions are drawn, not trades. Everything is seeded: the same
trades get the same answer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from feeds.errors import DataError
from ml.arrays import FloatArray, IntArray

__all__ = [
    "EntryBars", "RandomEntryTest", "SessionBootstrap", "block_draws", "few_blocks_factor",
    "random_entry_test", "sharpe_interval",
]  # fmt: skip

_DRAWS_AT_ONCE = 100  # all of them at once take 1 GB for 15,000 trades


class SessionBootstrap:
    """Whole sessions drawn with replacement; one set of draws serves every series of the same trades.

    Parameters
    ----------
    sessions : numpy.ndarray of int, shape (n,)
        Session of each trade.
    samples, seed : int
        Draws, and the seed of their generator.
    """

    def __init__(self, sessions: IntArray, samples: int, seed: int) -> None:
        names, self._codes = np.unique(sessions, return_inverse=True)
        self.sessions = len(names)
        generator = np.random.default_rng(seed)
        chances = np.full(self.sessions, 1.0 / self.sessions)
        self._times_drawn = generator.multinomial(self.sessions, chances, size=samples).astype(np.float64)

    def means(self, values: FloatArray) -> FloatArray:
        """Return the mean of ``values``, shape (n,), in each draw; shape (samples,)."""
        totals = np.bincount(self._codes, weights=values, minlength=self.sessions)
        counts = np.bincount(self._codes, minlength=self.sessions)
        return (self._times_drawn @ totals) / (self._times_drawn @ counts)

    def interval(self, values: FloatArray, confidence_percent: float) -> tuple[float, float]:
        """Return the two-sided percentile interval of the mean of ``values``, shape (n,)."""
        return _two_sided(self.means(values), confidence_percent)


def block_draws(count: int, block: int, samples: int, generator: np.random.Generator) -> IntArray:
    """Return positions drawn in circular blocks, shape (samples, count).

    Each row strings random stretches of ``block`` neighbours together, the last one cut off; behind the end
    comes the beginning. (Politis and Romano 1992.)
    """
    starts = generator.integers(0, count, size=(samples, -(-count // block)))
    positions = (starts[:, :, np.newaxis] + np.arange(block)) % count
    return positions.reshape(samples, -1)[:, :count].astype(np.int64)


def few_blocks_factor(count: int, block: int, tail: float) -> float:
    """Return by how much a bootstrap over blocks must be stretched around what was found to be honest.

    Drawn blocks vary by a share of block / count too little (Künsch 1989), and a spread known from so few
    blocks calls for Student's t and not for the normal distribution: together 1.65 for twenty sessions in
    blocks of five and a tail of 5 %, 1.03 for 250.

    Parameters
    ----------
    count : int
        Sessions, more than ``block``.
    block : int
        Of them drawn together.
    tail : float
        Beyond the bound, above 0 and below 0.5.
    """
    student = float(stdtrit(count / block - 1.0, tail) / ndtri(tail))
    return student / float(np.sqrt(1.0 - block / count))


def sharpe_interval(
    returns: FloatArray, confidence_percent: float, *, samples: int, seed: int, block_sessions: int = 5
) -> tuple[float, float] | None:
    """Return the interval of the Sharpe ratio per session, by bootstrap over blocks of sessions.

    Stretched by :func:`few_blocks_factor`, so that it does not promise too much where there are few.

    Parameters
    ----------
    returns : numpy.ndarray, shape (n,)
        Daily returns, oldest first.
    confidence_percent : float
        Two-sided.
    samples, seed : int
        Draws, and the seed of their generator.
    block_sessions : int
        Neighbouring sessions drawn together; 5 keep a week's weather in one piece.

    Returns
    -------
    tuple of float or None
        None where there are fewer than two blocks, or the returns do not vary.
    """
    if len(returns) < 2 * block_sessions or np.std(returns) <= 1e-12:
        return None
    drawn = returns[block_draws(len(returns), block_sessions, samples, np.random.default_rng(seed))]
    deviation = drawn.std(axis=1, ddof=1)
    varies = deviation > 1e-12
    low, high = _two_sided(drawn[varies].mean(axis=1) / deviation[varies], confidence_percent)
    found = float(returns.mean() / returns.std(ddof=1))
    factor = few_blocks_factor(len(returns), block_sessions, (1.0 - confidence_percent / 100.0) / 2.0)
    return found + factor * (low - found), found + factor * (high - found)


class EntryBars(NamedTuple):
    """Bars among which entries are drawn, oldest first, each of shape (n,).

    Attributes
    ----------
    open, close : numpy.ndarray of float64
        Prices, index points.
    session : numpy.ndarray of int64
        Session of each bar, ascending.
    minute : numpy.ndarray of int64
        Minute of the day of its START.
    """

    open: FloatArray
    close: FloatArray
    session: IntArray
    minute: IntArray


class RandomEntryTest(NamedTuple):
    """How often entries at random did as well.

    Attributes
    ----------
    probability : float
        The one-sided p-value, (1 + draws at least as good) / (1 + draws); above 0, at most 1.
    mean_bps : float
        Mean gross result of the trades, basis points of the value entered.
    random_mean_bps, random_high_bps : float
        Mean over the draws, and their 95th percentile.
    draws : int
        Made.
    """

    probability: float
    mean_bps: float
    random_mean_bps: float
    random_high_bps: float
    draws: int


def random_entry_test(
    bars: EntryBars,
    entry_bar: IntArray,
    bars_held: IntArray,
    sides: FloatArray,
    gross_bps: FloatArray,
    *,
    draws: int,
    seed: int,
) -> RandomEntryTest:
    """Hold trades against as many at random, at the same hours, as long, and on the same sides.

    Each draw gives every trade another session, in which it enters at the open of the bar of the same minute
    and leaves at the close of the bar as many bars on, and deals the sides out anew. What is compared is the
    mean over its standard error, not the mean: stops and targets make the trades' spread another one than
    that of bars held for a fixed time (Chung and Romano 2013 on permutation of studentised statistics).

    Parameters
    ----------
    bars : EntryBars
        The bars that were traded.
    entry_bar : numpy.ndarray of int, shape (k,)
        Position of the bar of each entry.
    bars_held : numpy.ndarray of int, shape (k,)
        Bars from the entry's bar to that of the exit.
    sides : numpy.ndarray, shape (k,)
        +1 long, −1 short.
    gross_bps : numpy.ndarray, shape (k,)
        Result of each trade before slippage and charges, basis points of the value entered.
    draws, seed : int
        Random portfolios, and the seed of their generator.

    Raises
    ------
    DataError
        If there are fewer than two trades.
    """
    trades = len(entry_bar)
    if trades < 2:
        raise DataError(f"found {trades} trades to hold against random ones, expected 2 or more")
    generator = np.random.default_rng(seed)
    moves = _random_moves(bars, entry_bar, bars_held, draws, generator)
    found = _studentised(gross_bps[np.newaxis, :])[0]
    at_least, means = 0, np.empty(draws)
    for first in range(0, draws, _DRAWS_AT_ONCE):
        some = moves[first : first + _DRAWS_AT_ONCE]
        random_bps = some * generator.permuted(np.broadcast_to(sides, some.shape), axis=1)
        at_least += int(np.count_nonzero(_studentised(random_bps) >= found))
        means[first : first + len(some)] = random_bps.mean(axis=1)
    return RandomEntryTest(
        probability=(1 + at_least) / (1 + draws),
        mean_bps=float(gross_bps.mean()),
        random_mean_bps=float(means.mean()),
        random_high_bps=float(np.quantile(means, 0.95)),
        draws=draws,
    )


def _random_moves(
    bars: EntryBars, entry_bar: IntArray, bars_held: IntArray, draws: int, generator: np.random.Generator
) -> FloatArray:
    """Return the price's move in bps from random bars of the same minutes on; shape (draws, k)."""
    moves = np.empty((draws, len(entry_bar)))
    ends = np.searchsorted(bars.session, bars.session, side="right")  # after the last bar of the session
    by_minute = {
        int(minute): np.flatnonzero(bars.minute == minute) for minute in np.unique(bars.minute[entry_bar])
    }
    for trade, (bar, held) in enumerate(zip(entry_bar, bars_held, strict=True)):
        same_minute = by_minute[int(bars.minute[bar])]
        # Its own bar is among them: nobody knows beforehand that it is not a random one
        fits = same_minute[same_minute + held < ends[same_minute]]
        chosen = fits[generator.integers(0, len(fits), draws)] if len(fits) else np.full(draws, bar)
        last = np.minimum(chosen + held, len(bars.close) - 1)
        moves[:, trade] = 1e4 * (bars.close[last] / bars.open[chosen] - 1.0)
    return moves


def _studentised(values: FloatArray) -> FloatArray:
    """Return mean over standard error of each row; 0 where nothing varies and the mean is 0."""
    error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    mean = values.mean(axis=1)
    infinite = np.where(mean == 0.0, 0.0, np.copysign(np.inf, mean))
    return np.divide(mean, error, out=infinite, where=error > 0)


def _two_sided(values: FloatArray, confidence_percent: float) -> tuple[float, float]:
    tail = (1.0 - confidence_percent / 100.0) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)
