"""Kite's limits on requests: 10 orders a second, 400 a minute, 5000 a day; 10 reads a second, 3 of history.

Source: Kite Connect v3, "Exceptions and errors", section on rate limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from brokers.limits import DayLimit, Limit, OrderBudget, ReadBudget, ReadKind

__all__ = ["KiteOrderBudget", "KiteReadBudget"]

_ORDERS = (Limit(10, 1.0, reserve=2), Limit(400, 60.0, reserve=40))
_DAY = DayLimit(5000, reserve=1000)
_READS: dict[ReadKind, tuple[Limit, ...]] = {
    "quote": (Limit(1, 1.0),),
    "history": (Limit(3, 1.0),),
    "other": (Limit(10, 1.0),),
}


class KiteOrderBudget(OrderBudget):
    """How many orders and cancels Kite still takes."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__("Kite", _ORDERS, _DAY, monotonic, sleep)


class KiteReadBudget(ReadBudget):
    """How many reads Kite still answers."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(_READS, monotonic, sleep)
