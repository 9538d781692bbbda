"""Frames of Upstox' portfolio stream: order updates as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brokers.sandbox.market import MarketSnapshot
from brokers.sandbox.stream import Asked

__all__ = ["UpstoxPortfolioDialect"]


class UpstoxPortfolioDialect:
    """Order updates, which nobody has to ask for.

    Parameters
    ----------
    order_row : callable
        Returns the row of an order, as Upstox lists it, by its id.
    tells_orders : bool
        Whether the client has asked for orders; of holdings and positions the sandbox says nothing.
    """

    name = "portfolio"
    default_mode = "order"
    heartbeat: bytes | None = None
    truncated = b"{"

    def __init__(self, order_row: Callable[[str], dict[str, Any]], *, tells_orders: bool) -> None:
        self._order_row = order_row
        self._tells_orders = tells_orders

    def greetings(self) -> Sequence[bytes]:
        """Return nothing."""
        return ()

    def read(self, data: str | bytes) -> Asked:  # whatever it is
        """Refuse what is said: this stream only tells."""
        raise ValueError("nothing can be asked for")

    def market(self, snapshot: MarketSnapshot, mode: str, *, is_first: bool) -> bytes | None:  # not here
        """Return nothing."""
        return None

    def event(self, payload: Mapping[str, Any]) -> str | None:
        """Return the whole order as it is now: parts of it from then and now would contradict each other."""
        if not self._tells_orders:
            return None
        return json.dumps({"update_type": "order", **self._order_row(str(payload["order_id"]))})

    def error(self, words: str) -> str | None:  # Upstox says nothing
        """Return nothing."""
        return None
