"""When a day's entries end and its position is squared off, on the exchange's wall clock."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from feeds.calendar import Session

__all__ = ["DayWindow", "DayWindows", "SessionSource", "split_times"]

_MINUTES_PER_DAY = 1440


class SessionSource(Protocol):
    """Whatever knows the session of a date."""

    def session(self, date: dt.date) -> Session | None:
        """Return the session of a date, None on a holiday."""
        ...


class DayWindow(NamedTuple):
    """Limits of one day, in minutes after midnight, exchange wall clock.

    Attributes
    ----------
    last_entry : int
        No entry is decided on a bar that closes at or after this minute.
    square_off : int
        The square-off is decided on the first bar that closes at or after this minute.
    """

    last_entry: int
    square_off: int


class DayWindows:
    """The windows of every day: fixed times, or earlier where the session closes earlier.

    Parameters
    ----------
    calendar : SessionSource
        Gives the close of each session.
    last_entry, square_off : datetime.time
        Times of an ordinary day.
    last_entry_before_close_minutes, square_off_before_close_minutes : int
        Minutes before the session's close that hold on every day, so that a one-hour Muhurat session
        ends flat too.
    bar_minutes : int
        Length of the bars. What is decided on a session's last bar fills on the next morning, so the
        square-off is decided on the last but one at the latest, and no entry after it.
    """

    def __init__(
        self,
        calendar: SessionSource,
        *,
        last_entry: dt.time,
        square_off: dt.time,
        last_entry_before_close_minutes: int,
        square_off_before_close_minutes: int,
        bar_minutes: int,
    ) -> None:
        self._calendar = calendar
        self._last_entry = _minute_of_day(last_entry)
        self._square_off = _minute_of_day(square_off)
        self._last_entry_before_close = last_entry_before_close_minutes
        self._square_off_before_close = square_off_before_close_minutes
        self._bar_minutes = bar_minutes
        self._known: dict[int, DayWindow] = {}

    def of(self, day: int) -> DayWindow:
        """Return the window of a day given as its proleptic Gregorian ordinal."""
        window = self._known.get(day)
        if window is None:
            window = self._known[day] = self._make(dt.date.fromordinal(day))
        return window

    def _make(self, date: dt.date) -> DayWindow:
        session = self._calendar.session(date)
        if session is None:
            return DayWindow(0, 0)
        open_minute, close_minute = (
            _minute_of_day(moment.time()) for moment in (session.open, session.close)
        )
        last_entry = close_minute - self._last_entry_before_close
        square_off = min(close_minute - self._square_off_before_close, self._last_decision(session))
        if self._last_entry > open_minute:  # an evening session has only its own close
            last_entry = min(last_entry, self._last_entry)
            square_off = min(square_off, self._square_off)
        return DayWindow(min(last_entry, square_off), square_off)

    def _last_decision(self, session: Session) -> int:
        """Return the close of the session's last bar but one; the open where there is but one."""
        *earlier, (start, end) = session.segments
        first, last = _minute_of_day(start.time()), _minute_of_day(end.time())
        boundary = first + (last - first - 1) // self._bar_minutes * self._bar_minutes
        return _minute_of_day(earlier[-1][1].time()) if boundary == first and earlier else boundary

    def flags(self, times: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Return on which bars an entry may be decided, and on which a square-off is due.

        Parameters
        ----------
        times : numpy.ndarray, shape (n,)
            Closes of the bars as backtrader's day numbers.

        Returns
        -------
        entry_allowed, square_off : numpy.ndarray of bool, shape (n,)
        """
        days, minutes = split_times(times)
        unique_days, position = np.unique(days, return_inverse=True)
        windows = np.array([self.of(int(day)) for day in unique_days]).reshape(-1, 2)
        return minutes < windows[position, 0], minutes >= windows[position, 1]


def split_times(
    times: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Split backtrader's day numbers into day ordinals and minutes after midnight (to the second)."""
    days = np.floor(times).astype(np.int64)
    minutes = np.round((times - days) * _MINUTES_PER_DAY * 60) / 60
    return days, minutes


def _minute_of_day(time: dt.time) -> int:
    return time.hour * 60 + time.minute
