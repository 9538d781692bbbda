"""The only place that may ask what time it is.

Everything else is handed a :class:`Clock`, so that a replayed day and a live one take the same path.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Protocol
from zoneinfo import ZoneInfo

from feeds.errors import DataError

__all__ = ["IST", "Clock", "ReplayClock", "SteadyClock", "WallClock", "seconds_since_boot"]

IST = ZoneInfo("Asia/Kolkata")
"""The time zone of the exchange: UTC+05:30, no daylight saving."""


class Clock(Protocol):
    """Something that knows the time at the exchange."""

    def now(self) -> dt.datetime:
        """Return the time, aware, in Asia/Kolkata."""


class WallClock:
    """The clock of this machine."""

    def now(self) -> dt.datetime:
        """Return the machine's time, aware, in Asia/Kolkata."""
        return dt.datetime.now(tz=IST)


def seconds_since_boot() -> float:
    """Return a count of seconds that nobody can set, and that goes on while the machine sleeps.

    Where the system has no such counter, one that stands still meanwhile.
    """
    counter = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if counter is None else time.clock_gettime(counter)


class SteadyClock:
    """A clock that takes the wall's time once, and from then on goes by a counter.

    Whoever sets the machine's clock moves neither bars nor the square-off. The small corrections by which a
    time service keeps the machine right reach the counter too, so that it stays right for weeks; a clock that
    was wrong when this one was made stays as wrong until a new one is made.

    Parameters
    ----------
    wall : Clock, optional
        What is read once. Default: the clock of this machine.
    counter : callable, optional
        Returns seconds from any beginning. Default: :func:`seconds_since_boot`.
    """

    def __init__(self, wall: Clock | None = None, counter: Callable[[], float] = seconds_since_boot) -> None:
        self._wall = WallClock() if wall is None else wall
        self._counter = counter
        self._counted = counter()
        self._start = _in_ist(self._wall.now())

    def now(self) -> dt.datetime:
        """Return the time, aware, in Asia/Kolkata."""
        return self._start + dt.timedelta(seconds=self._counter() - self._counted)

    def stepped_seconds(self) -> float:
        """Return how far the wall clock has moved against this one, seconds; negative: it was set back."""
        return (_in_ist(self._wall.now()) - self.now()).total_seconds()


class ReplayClock:
    """A clock that stands still until it is told the time, and never goes back.

    Parameters
    ----------
    start : datetime
        Aware time the clock shows first.
    """

    def __init__(self, start: dt.datetime) -> None:
        self._now = _in_ist(start)

    def now(self) -> dt.datetime:
        """Return the latest time the clock was told, aware, in Asia/Kolkata."""
        return self._now

    def set(self, time: dt.datetime) -> None:
        """Move the clock to ``time``; an earlier time than it shows leaves it where it is.

        Ticks of different instruments may arrive out of order by a second; time must not.
        """
        self._now = max(self._now, _in_ist(time))


def _in_ist(time: dt.datetime) -> dt.datetime:
    if time.tzinfo is None:
        raise DataError(
            f"found the time {time} without a time zone, expected an aware one; attach Asia/Kolkata"
        )
    return time.astimezone(IST)
