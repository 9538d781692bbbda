"""When a resting order is reached by a bar, and at which price. Pure, one rule per function.

The rules (they are printed in every report):

* a market order fills at the open of the first bar after it was sent;
* a stop fills when its trigger is touched; a gap through it fills at the open;
* a limit fills at its price when touched; opened through, it fills at the better open;
* stop and target inside one bar: the stop, unless finer bars settle the order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["first_bar_reaching", "reached_at_open", "reached_in_range"]

_FIRST_CHUNK_BARS = 32
_LARGEST_CHUNK_BARS = 4096


def reached_at_open(kind: str, is_buy: bool, trigger: float, open_price: float) -> bool:
    """Whether an order fills at the bar's open.

    Parameters
    ----------
    kind : {'market', 'stop', 'limit'}
        Kind of order.
    is_buy : bool
        True for a buy.
    trigger : float
        Stop trigger or limit price; ignored for market orders.
    open_price : float
        Open of the bar, index points.
    """
    if kind == "market":
        return True
    if (kind == "stop") == is_buy:
        return open_price >= trigger
    return open_price <= trigger


def reached_in_range(kind: str, is_buy: bool, trigger: float, high: float, low: float) -> bool:
    """Whether a stop's trigger or a limit's price lies within the bar, its edges included."""
    if kind == "market":
        return False
    if (kind == "stop") == is_buy:
        return high >= trigger
    return low <= trigger


def first_bar_reaching(
    low: npt.NDArray[np.float64],
    high: npt.NDArray[np.float64],
    start: int,
    low_level: float,
    high_level: float,
) -> int:
    """Return the first bar from ``start`` on whose low or high reaches a level.

    Parameters
    ----------
    low, high : numpy.ndarray, shape (n,)
        Lows and highs of all bars.
    start : int
        First bar to look at.
    low_level, high_level : float
        Levels that count when ``low <= low_level`` or ``high >= high_level``; ``-inf`` and ``inf`` for none.

    Returns
    -------
    int
        The bar, or ``n`` when no bar reaches a level.
    """
    bars = len(low)
    size = _FIRST_CHUNK_BARS
    while start < bars:
        end = min(start + size, bars)
        reached = (low[start:end] <= low_level) | (high[start:end] >= high_level)
        offset = int(reached.argmax())
        if reached[offset]:
            return start + offset
        start = end
        size = min(size * 2, _LARGEST_CHUNK_BARS)
    return bars
