"""Bars of the past out of 1-minute history, in the bins of the calendar."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import pandas as pd

from feeds.bars import VALUE_COLUMNS, aggregate, close_times
from feeds.calendar import Session, TradingCalendar
from feeds.clock import IST
from feeds.market_events import MinuteHistory
from feeds.tick_bars import Bar

__all__ = ["Bin", "PastBars"]

_MINUTE = dt.timedelta(minutes=1)
_LONGEST = dt.timedelta(days=60)  # what brokers give of minutes in one request


class Bin(NamedTuple):
    """Where a bar lies: START (inclusive) and end (exclusive), aware, Asia/Kolkata."""

    start: dt.datetime
    end: dt.datetime


class PastBars:
    """Reads bars of the past.

    Parameters
    ----------
    calendar : TradingCalendar
        The sessions; bins are anchored at the start of each segment.
    bar_minutes : int
        Length of a bar in minutes.
    history : MinuteHistory
        Where the minutes come from.
    """

    def __init__(self, calendar: TradingCalendar, bar_minutes: int, history: MinuteHistory) -> None:
        self._calendar = calendar
        self._bar_minutes = bar_minutes
        self._length = dt.timedelta(minutes=bar_minutes)
        self._history = history

    def bin_of(self, time: dt.datetime) -> Bin | None:
        """Return the bin that ``time`` falls into, None outside the sessions."""
        session = self._calendar.session(time.astimezone(IST).date())
        for start, end in session.segments if session else ():
            if start <= time < end:
                begun = start + (time - start) // self._length * self._length
                return Bin(begun, min(begun + self._length, end))
        return None

    def frontier(self, time: dt.datetime) -> dt.datetime:
        """Return the latest moment by which every earlier bar has closed at ``time``.

        The start of its bin; between and after segments the end of the last one; before them midnight.
        """
        lies = self.bin_of(time)
        if lies is not None:
            return lies.start
        day = time.astimezone(IST).date()
        session = self._calendar.session(day)
        ended = [end for _, end in session.segments if end <= time] if session else []
        return ended[-1] if ended else dt.datetime.combine(day, dt.time(), tzinfo=IST)

    def bins(self, after: dt.datetime, before: dt.datetime) -> list[Bin]:
        """Return the bins that start at or after ``after`` and have ended by ``before``."""
        if before <= after:
            return []
        days = (after.astimezone(IST).date(), before.astimezone(IST).date())
        found = [one for session in self._calendar.sessions(*days) for one in self._bins_of(session)]
        return [one for one in found if one.start >= after and one.end <= before]

    def is_trading_time(self, first: dt.datetime, last: dt.datetime) -> bool:
        """Whether some moment from ``first`` to ``last``, both included, lies in a session."""
        sessions = self._calendar.sessions(first.astimezone(IST).date(), last.astimezone(IST).date())
        return any(start <= last and first < end for session in sessions for start, end in session.segments)

    def between(self, after: dt.datetime, before: dt.datetime) -> list[Bar]:
        """Return the bars of :meth:`bins`; a bin without a trade has none.

        Raises
        ------
        BrokerError, DataError
            The history cannot be read.
        """
        minutes = self._history.minutes(after, before - _MINUTE)
        # Brokers answer with the minute under way, and some with minutes outside the session
        whole = minutes[(minutes.index >= after) & (minutes.index <= before - _MINUTE)]
        inside = whole[self._calendar.locate(pd.DatetimeIndex(whole.index)).in_session]
        bars = aggregate(inside, self._bar_minutes, self._calendar)
        starts = pd.DatetimeIndex(bars.index)
        rows = zip(
            _datetimes(starts),
            _datetimes(close_times(starts, self._bar_minutes, self._calendar)),
            bars[list(VALUE_COLUMNS)].to_numpy(dtype="float64").tolist(),
            bars["complete"].tolist(),
            strict=True,
        )
        return [
            Bar._make((start, end, *values, complete))
            for start, end, values, complete in rows
            if end <= before
        ]

    def last(self, count: int, before: dt.datetime) -> list[Bar]:
        """Return the last ``count`` bars that had ended by ``before``, more if its day has more.

        Asks for more days until there are enough, or 60 days are reached: then there are fewer.

        Raises
        ------
        BrokerError, DataError
            The history cannot be read.
        """
        today = before.astimezone(IST).date()
        earliest = max((before - _LONGEST).date() + dt.timedelta(days=1), self._calendar.first_date)
        sessions = [one for one in self._calendar.sessions(earliest, today) if one.open < before]
        days = self._days_holding(count, sessions, before)
        while days:
            bars = self.between(sessions[-days].open, before)
            if len(bars) >= count or days == len(sessions):
                of_today = sum(bar.start.date() == today for bar in bars)
                return bars[-max(count, of_today) :] if max(count, of_today) else []
            days = min(2 * days, len(sessions))
        return []

    def _days_holding(self, count: int, sessions: list[Session], before: dt.datetime) -> int:
        held = days = 0
        while days < len(sessions) and (held < count or days == 0):
            days += 1
            held += sum(one.end <= before for one in self._bins_of(sessions[-days]))
        return days

    def _bins_of(self, session: Session) -> list[Bin]:
        found = []
        for start, end in session.segments:
            while start < end:
                found.append(Bin(start, min(start + self._length, end)))
                start += self._length  # noqa: PLW2901 # the segment is walked through
        return found


def _datetimes(index: pd.DatetimeIndex) -> list[dt.datetime]:
    return [stamp.to_pydatetime().astimezone(IST) for stamp in index]
