"""Orders whose rows appear late in the book, as Kite's have been seen to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["LateRows"]


class LateRows:
    """Hides orders for a while.

    Parameters
    ----------
    monotonic : callable
        Real seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._visible_from: dict[str, float] = {}

    def hide(self, order_id: str, seconds: float) -> None:
        """Hide an order and its trades for some real seconds from now."""
        self._visible_from[order_id] = self._monotonic() + seconds

    def seconds_left(self, order_id: str) -> float:
        """Return the real seconds until an order may be seen, 0.0 when it may."""
        return max(0.0, self._visible_from.get(order_id, 0.0) - self._monotonic())

    def seen(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows whose orders may be seen."""
        return [row for row in rows if not self.seconds_left(row["order_id"])]
