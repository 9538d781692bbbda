"""The sessions the exchange has held and announced.

Weekday holidays come from ``pandas_market_calendars`` ("NSE"). What it cannot say (weekend sessions,
the 15:40 close of derivatives, halts) and what must not change under us (Muhurat hours) stands in
``feeds/facts/special_sessions.csv`` and ``regular_hours.csv``.

A session belongs to one date; a halt or a two-part Saturday makes one session of several segments.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
from bisect import bisect_right
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from feeds.clock import IST
from feeds.errors import SettingsError
from feeds.tables import FACTS, read_table

__all__ = ["FIRST_DATE", "LAST_DATE", "Segment", "Session", "parse_segments", "published_sessions"]

FIRST_DATE = dt.date(2010, 10, 18)
"""First day of the 09:15 open. Earlier hours differ, and were never checked against bars."""

LAST_DATE = dt.date(2026, 12, 31)
"""Last day for which the exchange has published its holidays and the calendar package holds them."""

Segment = tuple[dt.datetime, dt.datetime]
"""Start (inclusive) and end (exclusive), aware, Asia/Kolkata."""

_MINUTE = 60


class Session(NamedTuple):
    """One day's trading.

    Attributes
    ----------
    date : datetime.date
        The day at the exchange.
    segments : tuple of (datetime, datetime)
        Start (inclusive) and end (exclusive) of each uninterrupted part, aware, Asia/Kolkata.
    kind : str
        ``regular``, ``muhurat``, ``budget``, ``weekend``, ``outage``, ``halt`` or ``extra`` (settings).
    """

    date: dt.date
    segments: tuple[Segment, ...]
    kind: str

    @property
    def open(self) -> dt.datetime:
        """Start of the first segment."""
        return self.segments[0][0]

    @property
    def close(self) -> dt.datetime:
        """End of the last segment."""
        return self.segments[-1][1]

    @property
    def minutes(self) -> int:
        """Trading minutes of the day, breaks left out."""
        return sum(int((end - start).total_seconds()) // _MINUTE for start, end in self.segments)


def parse_segments(day: dt.date, text: str) -> tuple[Segment, ...]:
    """Read hours such as ``"09:15-10:00 11:30-12:30"`` as segments of ``day`` (Asia/Kolkata).

    Raises
    ------
    SettingsError
        If the text is not of this form, or the parts are not in order.
    """
    try:
        parts = [tuple(dt.time.fromisoformat(edge) for edge in part.split("-")) for part in text.split()]
        segments = tuple(
            (dt.datetime.combine(day, start, tzinfo=IST), dt.datetime.combine(day, end, tzinfo=IST))
            for start, end in parts
        )
    except ValueError as error:
        raise _bad_hours(day, text) from error
    edges = [edge for segment in segments for edge in segment]
    whole = all(edge.second == 0 and edge.microsecond == 0 for edge in edges)
    ordered = all(earlier < later for earlier, later in itertools.pairwise(edges))
    if not (edges and whole and ordered):
        raise _bad_hours(day, text)
    return segments


@functools.cache
def published_sessions() -> Mapping[dt.date, Session]:
    """Return the sessions by date: the calendar package's, overlaid by our tables.

    A session that was announced without its hours has no segments.
    """
    hours = read_table(FACTS / "regular_hours.csv", ("effective_from", "segments"))
    starts = [dt.date.fromisoformat(row["effective_from"]) for row in hours]
    result = {}
    for day in _ordinary_weekdays():
        text = hours[bisect_right(starts, day) - 1]["segments"]
        result[day] = Session(day, parse_segments(day, text), "regular")
    for row in read_table(FACTS / "special_sessions.csv", ("date", "kind", "segments")):
        day = dt.date.fromisoformat(row["date"])
        segments = parse_segments(day, row["segments"]) if row["segments"] else ()
        result[day] = Session(day, segments, row["kind"])
    return MappingProxyType(result)


def _ordinary_weekdays() -> list[dt.date]:
    # The import takes a second; whoever needs no calendar does not wait for it.
    import pandas_market_calendars as market_calendars

    days = market_calendars.get_calendar("NSE").valid_days(str(FIRST_DATE), str(LAST_DATE), tz=None)
    return [day.date() for day in days]


def _bad_hours(day: dt.date, text: str) -> SettingsError:
    return SettingsError(
        f"the hours of {day} are {text!r}, expected parts in order such as '09:15-10:00 11:30-12:30' "
        "in whole minutes; correct market.extra_sessions"
    )
