"""Prints made up from minute bars: a path through open, high, low and close, with volume in whole lots."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brokers.sandbox.market import MarketTrade
from feeds.bars import VALUE_COLUMNS

__all__ = ["prints_of"]

_FEWEST, _MOST = 8, 20
_SECONDS = 60


def prints_of(bars: pd.DataFrame, *, lot: int, tick: float, seed: int) -> list[MarketTrade]:
    """Make prints whose 1-minute bars are ``bars``.

    Parameters
    ----------
    bars : DataFrame
        A 1-minute bar frame; prices on the tick, volumes in whole lots. A minute of fewer than four lots
        loses its extremes.
    lot : int
        Units in a lot; each print has one at least.
    tick : float
        Price step, index points.
    seed : int
        Of what is made up: how many prints (8 to 20 a minute), when, how large, and the way between the
        extremes.

    Returns
    -------
    list of MarketTrade
        In order of time, at most one each second.
    """
    generator = np.random.default_rng(seed)
    prints: list[MarketTrade] = []
    values = bars[list(VALUE_COLUMNS)].to_numpy(dtype=np.float64)
    interest = float(values[0, -1]) if len(bars) else 0.0
    for start, (open_, high, low, close, volume, interest_then) in zip(bars.index, values, strict=True):
        lots = max(1, round(volume / lot))
        count = min(int(generator.integers(_FEWEST, _MOST + 1)), lots)
        seconds = np.sort(generator.choice(_SECONDS, size=count, replace=False))
        sizes = 1 + generator.multinomial(lots - count, np.full(count, 1.0 / count))
        path = _path(generator, (open_, high, low, close), count)
        prices = np.round(np.clip(np.rint(path / tick) * tick, low, high), 2)
        minute = start.to_pydatetime()
        for number in range(count):
            if number == count - 1:
                interest = float(interest_then)
            prints.append(
                MarketTrade(
                    minute + dt.timedelta(seconds=int(seconds[number])), float(prices[number]),
                    int(sizes[number]) * lot, interest,
                )
            )  # fmt: skip
    return prints


def _path(
    generator: np.random.Generator, bar: tuple[float, float, float, float], count: int
) -> NDArray[np.float64]:
    """Return prices from open to close by way of both extremes, that against the bar's direction first."""
    open_, high, low, close = bar
    if count < 4:
        return np.linspace(open_, close, count) if count > 1 else np.array([close])
    first, second = (low, high) if close >= open_ else (high, low)
    turns = np.sort(generator.choice(np.arange(1, count - 1), size=2, replace=False))
    way = np.interp(np.arange(count), [0, *turns, count - 1], [open_, first, second, close])
    noise = generator.normal(0.0, 0.15 * (high - low), count)
    noise[[0, turns[0], turns[1], count - 1]] = 0.0
    return way + noise
