"""How often Upstox may be asked: 50 times a second, 500 a minute, 2000 in half an hour."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from brokers.sandbox.exchange_error import too_many_requests

__all__ = ["UpstoxReadLimits"]

_LIMITS = ((50, 1.0), (500, 60.0), (2000, 1800.0))


class UpstoxReadLimits:
    """Counts reads in sliding windows of real time.

    Parameters
    ----------
    monotonic : callable
        Real seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._times: deque[float] = deque(maxlen=max(most for most, _ in _LIMITS) + 1)

    def take(self) -> None:
        """Count one request. Raises ExchangeError (429) if it is one too many."""
        now = self._monotonic()
        self._times.append(now)
        for most, seconds in _LIMITS:
            if len(self._times) > most and now - self._times[-most - 1] < seconds:
                raise too_many_requests("Too Many Request Sent")
