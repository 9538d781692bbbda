"""The only place that may ask what time it is.

Everything else is handed a :class:`Clock`, so that a replayed day and a live one take the same path.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol
from zoneinfo import ZoneInfo

from feeds.errors import DataError

__all__ = ["IST", "Clock", "ReplayClock", "WallClock"]

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
