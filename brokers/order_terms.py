"""What brokers' orders have in common: the limit that a stop turns into, and readings of their rows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

from feeds.clock import IST
from feeds.errors import BrokerError

__all__ = ["SIDES", "exchange_time", "points", "stop_limit", "unreadable_row", "whole_units"]

SIDES = {"BUY": 1, "SELL": -1}
_DIGITS = 10


def stop_limit(size: int, price: float, tick: float, percent: float) -> float:
    """Return the limit of a stop, on the tick that lies no nearer to the trigger than ``percent``.

    Parameters
    ----------
    size : int
        Signed units; only the side counts.
    price, tick, percent : float
        Trigger and price step, index points; distance in percent of the trigger.
    """
    side = 1 if size > 0 else -1
    steps = price * (1 + side * percent / 100) / tick
    # Rounding outward, but not over a step for the sake of the last bit.
    whole = math.ceil(steps - 1e-6) if side > 0 else math.floor(steps + 1e-6)
    return round(whole * tick, _DIGITS)


def whole_units(value: object) -> int:
    """Return units. Raises ValueError for a fraction of one, or for what is no quantity at all."""
    number = float(str(value))
    if not number.is_integer():
        raise ValueError(f"quantity {value!r} is not whole")
    return int(number)


def points(value: object) -> float:
    """Return a price in index points. Raises ValueError for what is no finite number."""
    price = float(str(value))
    if not math.isfinite(price):
        raise ValueError(f"price {value!r} is not finite")
    return price


def exchange_time(value: object) -> dt.datetime:
    """Return a time of a broker's rows, which are the exchange's wall clock where they have no zone."""
    time = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    return time.replace(tzinfo=IST) if time.tzinfo is None else time.astimezone(IST)


def unreadable_row(broker: str, what: str, row: Mapping[str, object], error: Exception) -> BrokerError:
    """Return the error for a row of another form."""
    number = row.get("order_id") or row.get("tradingsymbol") if isinstance(row, Mapping) else None
    return BrokerError(
        f"{broker}'s row of {what} {number or '?'} cannot be read ({type(error).__name__}: {error}), "
        "expected the fields of its order book; nothing is concluded from it"
    )
