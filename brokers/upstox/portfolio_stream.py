"""Upstox' stream of order updates, a connection of its own.

Updates have gone missing on it (upstox/upstox-python, issue 57): as with Kite they are a reason to look, and
the order book is the judge.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from websockets.sync.client import ClientConnection

from brokers.stream import ReconnectingStream, StreamAddress

__all__ = ["UpstoxPortfolioStream"]

_AUTHORIZE = "/v2/feed/portfolio-stream-feed/authorize?update_types=order"
_ORDER = "order"


class UpstoxPortfolioStream(ReconnectingStream):
    """Order updates of the account.

    Parameters
    ----------
    ask_address : callable
        Given the path of an authorize endpoint, returns an address that is good once.
    on_order_update : callable
        Called with Upstox' payload of an order update.
    **how
        Of :class:`ReconnectingStream`.
    """

    asks_for_signs_of_life = True

    def __init__(
        self,
        ask_address: Callable[[str], str],
        on_order_update: Callable[[Mapping[str, Any]], None],
        **how: Any,  # noqa: ANN401 # passed on
    ) -> None:
        super().__init__("Upstox", **how)
        self._ask_address = ask_address
        self._on_order_update = on_order_update
        self._url = ""
        self._malformed = 0

    def address(self, access_token: str) -> StreamAddress:  # the client's own is in the call
        """Ask for an address. Raises SessionDeadError, BrokerError."""
        self._url = self._ask_address(_AUTHORIZE)
        return StreamAddress(self._url, {})

    def greet(self, connection: ClientConnection) -> None:
        """Ask for nothing: what is wanted stands in the address."""

    def take(self, frame: str | bytes) -> None:
        """Take an order update; other kinds are left alone."""
        try:
            message = json.loads(frame)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._malformed += 1
            self._log.warning("stream_malformed", error="no JSON object came", count=self._malformed)
        elif message.get("update_type") == _ORDER:
            self._on_order_update(message)

    def secrets(self) -> Sequence[str]:
        """Return the address in use, which is good for one connection."""
        return (self._url,)
