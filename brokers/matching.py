"""When a resting order is reached by a bar, and at which price. Pure, one rule per function.

The rules (they are printed in every report):

* a market order fills at the open of the first bar after it was sent;
* a stop fills when its trigger is touched; a gap through it fills at the open;
* a limit fills at its price when touched; opened through, it fills at the better open; it is never slipped;
* a stop-limit is triggered when touched and is a limit from then on. In the bar that triggers it the way the
  price took is not known: it fills there only where the close shows that the price was at its limit or better
  after the trigger, and then at the worst price that the limit and the bar's range allow;
* a stop that is moved is where it was moved to from the next bar on;
* a target never fills in a bar inside which its entry filled: which came first is not known;
* stop and target inside one bar: the stop, unless finer bars settle the order. Of several targets the nearest
  goes first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["filled_after_trigger", "first_bar_reaching", "reached_at_open", "reached_in_range"]

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


def filled_after_trigger(is_buy: bool, limit: float, high: float, low: float, close: float) -> float | None:
    """Return where a stop-limit order fills in the bar inside which it was triggered, None where it may not.

    The close comes after the trigger; nothing else of the bar is known to. A close beyond the limit may mean
    that the price jumped over it and ran away.

    Parameters
    ----------
    is_buy : bool
        True for a buy.
    limit, high, low, close : float
        Limit of the order and prices of the bar, index points.
    """
    if is_buy:
        return min(limit, high) if close <= limit else None
    return max(limit, low) if close >= limit else None


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
