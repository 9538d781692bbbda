"""Upstox' limits on requests: 10 orders a second, 50 reads; 500 of either a minute, 2000 in half an hour.

Source: Upstox' page on rate limits, as read on 2026-09-02; the 10 are the exchange's for an algorithm that is
not registered.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from brokers.limits import Limit, OrderBudget, ReadBudget, ReadKind

__all__ = ["UpstoxOrderBudget", "UpstoxReadBudget"]

_MINUTE, _HALF_HOUR = 60.0, 1800.0
_ORDERS = (Limit(10, 1.0, reserve=2), Limit(500, _MINUTE, reserve=50), Limit(2000, _HALF_HOUR, reserve=400))
_STANDARD = (Limit(50, 1.0), Limit(500, _MINUTE), Limit(2000, _HALF_HOUR))
_READS: dict[ReadKind, tuple[Limit, ...]] = {"history": _STANDARD, "other": _STANDARD}


class UpstoxOrderBudget(OrderBudget):
    """How many orders, changes and cancels Upstox still takes."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__("Upstox", _ORDERS, None, monotonic, sleep)


class UpstoxReadBudget(ReadBudget):
    """How many reads Upstox still answers."""

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(_READS, monotonic, sleep)
