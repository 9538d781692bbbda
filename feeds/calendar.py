"""When the exchange trades index futures: sessions by date, with their breaks.

The sessions come from :mod:`feeds.sessions`, and the settings may lay extra ones over them. Whatever
the calendar cannot answer for raises; it never takes a day for closed because it knows nothing of it.

All times are Asia/Kolkata. A segment is half-open: a bar that starts at the close is outside.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.clock import IST
from feeds.errors import DataError, SettingsError
from feeds.sessions import FIRST_DATE, LAST_DATE, Segment, Session, parse_segments, published_sessions

__all__ = [
    "FIRST_DATE",
    "LAST_DATE",
    "Located",
    "Segment",
    "Session",
    "TradingCalendar",
    "epoch_seconds",
    "parse_segments",
]

_MINUTE = 60
_DAY = dt.timedelta(days=1)
_ADVICE = (
    "give the day's hours in market.extra_sessions, or name it in market.extra_holidays "
    "(python -m feeds: --session, --holiday)"
)

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Located(NamedTuple):
    """Where each stamp of an index lies in the calendar; arrays as long as the index.

    Attributes
    ----------
    in_session : ndarray of bool
        Whether the stamp falls into a segment, end excluded.
    minute_of_session : ndarray of int64
        Trading minutes since the session's open, breaks not counted; -1 outside.
    session_number : ndarray of int64
        Position of the session in the calendar, growing with time; -1 outside.
    segment_start, segment_end : ndarray of int64
        Bounds of the segment in seconds since 1970 UTC; -1 outside.
    """

    in_session: BoolArray
    minute_of_session: IntArray
    session_number: IntArray
    segment_start: IntArray
    segment_end: IntArray


class TradingCalendar:
    """The sessions of NSE index futures from :data:`FIRST_DATE` to :data:`LAST_DATE`.

    Parameters
    ----------
    extra_sessions : mapping of date to str, optional
        Hours such as ``"18:15-19:15"`` or ``"09:15-10:00 11:30-12:30"`` for days the tables do not
        know, or know differently. They win over everything else.
    extra_holidays : iterable of date, optional
        Days without a session that the tables call open.

    Raises
    ------
    SettingsError
        If an extra day lies outside the calendar, is named twice, or its hours cannot be read.
    """

    def __init__(
        self, extra_sessions: Mapping[dt.date, str] | None = None, extra_holidays: Iterable[dt.date] = ()
    ) -> None:
        extra, closed = dict(extra_sessions or {}), frozenset(extra_holidays)
        _check_extra_days(extra, closed)
        by_date = dict(published_sessions())
        for day, text in extra.items():
            by_date[day] = Session(day, parse_segments(day, text), "extra")
        for day in closed:
            by_date.pop(day, None)
        self._unknown = sorted(day for day, session in by_date.items() if not session.segments)
        self._unknown_set = frozenset(self._unknown)
        self._sessions = [by_date[day] for day in sorted(by_date) if day not in self._unknown_set]
        self._dates = [session.date for session in self._sessions]
        self._by_date = {session.date: session for session in self._sessions}
        self._build_segment_arrays()

    @property
    def first_date(self) -> dt.date:
        """First day the calendar answers for."""
        return FIRST_DATE

    @property
    def last_date(self) -> dt.date:
        """Last day the calendar answers for."""
        return LAST_DATE

    def session(self, day: dt.date) -> Session | None:
        """Return the session of ``day``, or None when the exchange is closed.

        Raises
        ------
        DataError
            If the day is outside the calendar, or its hours were announced but are not known.
        """
        self._check_range(day, day)
        return self._by_date.get(day)

    def sessions(self, first: dt.date, last: dt.date) -> list[Session]:
        """Return the sessions from ``first`` to ``last``, both included, in order.

        Raises
        ------
        DataError
            If a day of the range is outside the calendar, or its hours are not known.
        """
        self._check_range(first, last)
        return self._sessions[bisect_left(self._dates, first) : bisect_right(self._dates, last)]

    def previous_session(self, day: dt.date) -> Session:
        """Return the last session before ``day``."""
        position = bisect_left(self._dates, day) - 1
        if position < 0:
            raise DataError(f"no session before {day}; the calendar starts on {FIRST_DATE}")
        self._check_range(self._dates[position], day - _DAY)
        return self._sessions[position]

    def next_session(self, day: dt.date) -> Session:
        """Return the first session after ``day``."""
        position = bisect_right(self._dates, day)
        if position == len(self._dates):
            raise DataError(f"no session after {day}: the calendar ends on {LAST_DATE}; update the project")
        self._check_range(day + _DAY, self._dates[position])
        return self._sessions[position]

    def locate(self, index: pd.DatetimeIndex) -> Located:
        """Find session and trading minute of every stamp, in one vectorised pass.

        Parameters
        ----------
        index : DatetimeIndex
            Aware stamps in any order and any time zone; seconds are floored to their minute.

        Raises
        ------
        DataError
            If the index is naive, holds NaT, or reaches a day the calendar cannot answer for.
        """
        seconds = epoch_seconds(index)
        if len(seconds) == 0:
            nothing = np.empty(0, dtype=np.int64)
            return Located(np.empty(0, dtype=np.bool_), nothing, nothing, nothing, nothing)
        self._check_seconds(seconds)
        segment = np.searchsorted(self._segment_starts, seconds, side="right") - 1
        inside = (segment >= 0) & (seconds < self._segment_ends[segment])
        minute = self._minutes_before[segment] + (seconds - self._segment_starts[segment]) // _MINUTE
        return Located(
            inside,
            np.where(inside, minute, -1),
            np.where(inside, self._segment_sessions[segment], -1),
            np.where(inside, self._segment_starts[segment], -1),
            np.where(inside, self._segment_ends[segment], -1),
        )

    def session_at(self, number: int) -> Session:
        """Return the session that :meth:`locate` numbered ``number``."""
        return self._sessions[number]

    def missing_sessions(self, index: pd.DatetimeIndex) -> list[Session]:
        """Return the sessions between the first and the last stamp in which no stamp lies."""
        if len(index) == 0:
            return []
        present = np.unique(self.locate(index).session_number)
        first, last = (stamp.tz_convert(IST).date() for stamp in (index.min(), index.max()))
        found = {int(number) for number in present}
        start, stop = bisect_left(self._dates, first), bisect_right(self._dates, last)
        return [self._sessions[number] for number in range(start, stop) if number not in found]

    def _build_segment_arrays(self) -> None:
        starts, ends, numbers, before = [], [], [], []
        for number, session in enumerate(self._sessions):
            minutes = 0
            for start, end in session.segments:
                starts.append(int(start.timestamp()))
                ends.append(int(end.timestamp()))
                numbers.append(number)
                before.append(minutes)
                minutes += (ends[-1] - starts[-1]) // _MINUTE
        self._segment_starts = np.array(starts, dtype=np.int64)
        self._segment_ends = np.array(ends, dtype=np.int64)
        self._segment_sessions = np.array(numbers, dtype=np.int64)
        self._minutes_before = np.array(before, dtype=np.int64)

    def _check_range(self, first: dt.date, last: dt.date) -> None:
        if first < FIRST_DATE or last > LAST_DATE:
            found = f"{first}" if first == last else f"{first} to {last}"
            raise DataError(
                f"the calendar knows {FIRST_DATE} to {LAST_DATE}, asked for {found}; "
                "choose days inside, or update the project and pandas_market_calendars"
            )
        position = bisect_left(self._unknown, first)
        if position < len(self._unknown) and self._unknown[position] <= last:
            raise _unknown_hours(self._unknown[position])

    def _check_seconds(self, seconds: IntArray) -> None:
        first, last = (
            dt.datetime.fromtimestamp(int(bound), tz=IST).date() for bound in (seconds.min(), seconds.max())
        )
        if first < FIRST_DATE or last > LAST_DATE:
            self._check_range(first, last)
        for day in self._unknown:
            start = int(dt.datetime.combine(day, dt.time(), tzinfo=IST).timestamp())
            if ((seconds >= start) & (seconds < start + 86_400)).any():
                raise _unknown_hours(day)


def epoch_seconds(index: pd.DatetimeIndex) -> IntArray:
    """Return aware stamps as whole seconds since 1970 UTC, fractions cut off."""
    if index.tz is None:
        raise DataError(
            f"found stamps without a time zone (first: {index[0] if len(index) else 'none'}), expected "
            "Asia/Kolkata; localise them, or name their zone in data.timezone"
        )
    if index.hasnans:
        raise DataError("found missing stamps (NaT) among the bars, expected a time in each row; remove them")
    return np.asarray(index.as_unit("us").asi8 // 1_000_000, dtype=np.int64)


def _check_extra_days(extra: Mapping[dt.date, str], closed: frozenset[dt.date]) -> None:
    both = sorted(closed.intersection(extra))
    if both:
        raise SettingsError(f"{both[0]} is in market.extra_sessions and in market.extra_holidays; keep one")
    for day in sorted({*extra, *closed}):
        if not FIRST_DATE <= day <= LAST_DATE:
            raise SettingsError(
                f"market.extra_sessions or market.extra_holidays names {day}, expected a day from "
                f"{FIRST_DATE} to {LAST_DATE}; remove it"
            )


def _unknown_hours(day: dt.date) -> DataError:
    return DataError(f"a session on {day} was announced, but its hours are not known here; {_ADVICE}")
