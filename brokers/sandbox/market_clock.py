"""The market's time at the sandbox: stands still, then runs at a multiple of real time, or moves by hand."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from feeds.clock import IST
from feeds.errors import SettingsError

__all__ = ["MarketClock"]


class MarketClock:
    """A clock of one day, with a start and a speed.

    Parameters
    ----------
    start : datetime.datetime
        Aware time shown until the clock is started.
    speed : float
        Market seconds in one real second.
    monotonic : callable
        Real seconds.

    Notes
    -----
    It never goes back, and stops one second before midnight: an exchange lives for one day.
    """

    def __init__(
        self, start: dt.datetime, speed: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 < speed < float("inf"):
            raise SettingsError(f"sandbox: speed is {speed}, expected a number above 0; change --speed")
        self._shown = start.astimezone(IST)
        self._end = self._shown.replace(hour=23, minute=59, second=59, microsecond=0)
        self._speed = speed
        self._monotonic = monotonic
        self._anchor: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether time goes on by itself."""
        return self._anchor is not None

    def now(self) -> dt.datetime:
        """Return the market's time, aware, Asia/Kolkata."""
        if self._anchor is None:
            return self._shown
        passed = dt.timedelta(seconds=(self._monotonic() - self._anchor) * self._speed)
        return min(self._shown + passed, self._end)

    def run(self) -> None:
        """Let time go on from where it stands; nothing changes if it does already."""
        if self._anchor is None:
            self._anchor = self._monotonic()

    def set(self, time: dt.datetime) -> None:
        """Move time forward to ``time``; an earlier one changes nothing."""
        shown = min(max(self.now(), time.astimezone(IST)), self._end)
        if self._anchor is not None:
            self._anchor = self._monotonic()
        self._shown = shown

    def seconds_until(self, time: dt.datetime) -> float | None:
        """Return the real seconds until the market's ``time``; None if it does not come by itself."""
        if self._anchor is None or time > self._end:
            return None
        return max(0.0, (time - self.now()).total_seconds() / self._speed)
