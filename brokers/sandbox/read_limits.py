"""How often the sandbox may be asked: quotes once a second, history three times, anything else ten times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from brokers.sandbox.exchange_error import too_many_requests

__all__ = ["ReadKind", "ReadLimits"]

ReadKind = Literal["quote", "historical", "other"]
"""What is asked for."""

_PER_SECOND: dict[ReadKind, int] = {"quote": 1, "historical": 3, "other": 10}


class ReadLimits:
    """Counts requests by kind in whole seconds of real time.

    Orders are counted by the exchange, in market time; reads cannot be: market time stands still before
    the start, and may fly.

    Parameters
    ----------
    monotonic : callable
        Real seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counted: dict[ReadKind, tuple[int, int]] = {}

    def take(self, kind: ReadKind) -> None:
        """Count one request. Raises ExchangeError (429) if it is one too many in this second."""
        second = int(self._monotonic())
        before, count = self._counted.get(kind, (second, 0))
        count = count + 1 if before == second else 1
        self._counted[kind] = second, count
        if count > _PER_SECOND[kind]:
            raise too_many_requests()
