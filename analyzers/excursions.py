"""How far round trips went either way while they were open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brokers.journal import Fill

__all__ = ["excursions", "scaled_excursion"]


def excursions(
    bars: pd.DataFrame,
    entry_bar: np.ndarray,
    exit_bar: np.ndarray,
    units: np.ndarray,
    entry_price: np.ndarray,
    exit_price: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the worst (never positive) and the best (never negative) profit of each round trip, rupees.

    Parameters
    ----------
    bars : pandas.DataFrame
        The bar frame of the run.
    entry_bar, exit_bar : numpy.ndarray of int, shape (n,)
        Rows of ``bars`` in which each was entered and left; both count whole.
    units, entry_price, exit_price : numpy.ndarray, shape (n,)
        Signed units and average prices, index points.
    """
    # reduceat takes pairs start, end; every second result is the stretch between two trades and is dropped.
    # One value that changes nothing is appended, because an end may lie just behind the last bar.
    pairs = np.column_stack([entry_bar, exit_bar + 1]).ravel()
    highs = np.maximum.reduceat(np.append(bars["high"].to_numpy(np.float64), -np.inf), pairs)[::2]
    lows = np.minimum.reduceat(np.append(bars["low"].to_numpy(np.float64), np.inf), pairs)[::2]
    # A slipped fill may lie outside its bar, so the exit price belongs to the range.
    highs, lows = np.maximum(highs, exit_price), np.minimum(lows, exit_price)
    at_high, at_low = units * (highs - entry_price), units * (lows - entry_price)
    mae = np.minimum(np.minimum(at_high, at_low), 0.0)
    mfe = np.maximum(np.maximum(at_high, at_low), 0.0)
    return mae, mfe


def scaled_excursion(
    bars: pd.DataFrame, entry_bar: int, units: float, entry_price: float, exits: Sequence[Fill]
) -> tuple[float, float]:
    """Return the same for one round trip that was left in several bars.

    Parameters
    ----------
    bars : pandas.DataFrame
        The bar frame of the run.
    entry_bar : int
        Row of ``bars`` in which it was entered.
    units, entry_price : float
        Signed units and their average price, index points.
    exits : sequence of Fill
        In the order in which they happened.
    """
    high, low = bars["high"].to_numpy(np.float64), bars["low"].to_numpy(np.float64)
    worst = best = earned = 0.0
    begin, held = entry_bar, units
    for fill in exits:
        stretch = slice(begin, fill.bar + 1)
        for price in (high[stretch].max(), low[stretch].min(), fill.price):
            profit = earned + held * (price - entry_price)
            worst, best = min(worst, profit), max(best, profit)
        earned -= fill.size * (fill.price - entry_price)
        held += fill.size
        begin = fill.bar
    return float(worst), float(best)
