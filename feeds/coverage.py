"""What a stored series holds of each session, held against the calendar."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.calendar import Session, TradingCalendar
from feeds.errors import DataError

__all__ = ["SessionCoverage", "cover_sessions", "expected_bars", "yearly"]


class SessionCoverage(NamedTuple):
    """How whole a series is.

    Attributes
    ----------
    sessions : DataFrame
        One row per session, by ``date``: ``expected`` bars by the calendar, ``found`` ones, ``incomplete``
        ones among those (built from too few minutes), and ``kind`` of the session.
    outside : int
        Bars that lie in no session of the calendar.
    """

    sessions: pd.DataFrame
    outside: int

    @property
    def absent(self) -> list[dt.date]:
        """Sessions without a bar."""
        return list(self.sessions.index[self.sessions["found"] == 0])

    @property
    def short(self) -> pd.DataFrame:
        """The rows of sessions with some of their bars but not all, the emptiest first."""
        rows = self.sessions[self.sessions["found"].between(1, self.sessions["expected"] - 1)]
        return rows.assign(missing=rows["expected"] - rows["found"]).sort_values(
            "missing", ascending=False, kind="stable"
        )


def cover_sessions(
    frame: pd.DataFrame,
    bar_minutes: int,
    calendar: TradingCalendar,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> SessionCoverage:
    """Count the bars of every session.

    Parameters
    ----------
    frame : DataFrame
        A bar frame with at least one row; only its index and ``complete`` are looked at.
    bar_minutes : int
        Length of its bars, minutes.
    calendar : TradingCalendar
        The sessions.
    first, last : datetime.date, optional
        The days looked at, both included; from the first to the last bar if not given.

    Raises
    ------
    DataError
        If the days reach beyond the calendar, or there is no session in them.
    """
    index = pd.DatetimeIndex(frame.index)
    sessions = calendar.sessions(first or index[0].date(), last or index[-1].date())
    if not sessions:
        raise DataError(f"no session lies from {first} to {last}, expected some; choose other days")
    located = calendar.locate(index)
    days = np.asarray(index.date)[located.in_session]
    complete = frame["complete"].to_numpy(dtype=np.bool_)[located.in_session]
    found = pd.Series(1, index=days).groupby(level=0).sum()
    broken = pd.Series(~complete, index=days).groupby(level=0).sum()
    dates = pd.Index([session.date for session in sessions], name="date")
    table = pd.DataFrame(
        {
            "expected": [expected_bars(session, bar_minutes) for session in sessions],
            "found": found.reindex(dates, fill_value=0).to_numpy(dtype=np.int64),
            "incomplete": broken.reindex(dates, fill_value=0).to_numpy(dtype=np.int64),
            "kind": [session.kind for session in sessions],
        },
        index=dates,
    )
    return SessionCoverage(table, int((~located.in_session).sum()))


def expected_bars(session: Session, bar_minutes: int) -> int:
    """Return how many bars a session makes; the last one of a part of it may be shorter."""
    lengths = (int((end - start).total_seconds()) // 60 for start, end in session.segments)
    return sum(-(-minutes // bar_minutes) for minutes in lengths)


def yearly(coverage: SessionCoverage) -> pd.DataFrame:
    """Return a row per year.

    Returns
    -------
    DataFrame
        By year: counts of ``sessions``, of ``whole``, ``short`` and ``absent`` ones, of bars ``expected``,
        ``found``, ``incomplete`` and ``missing``; ``percent`` of the bars, rounded down: a hundred is all.
    """
    rows = coverage.sessions
    year = pd.Index([day.year for day in rows.index], name="year")
    counts = pd.DataFrame(
        {
            "sessions": 1,
            "whole": rows["found"] == rows["expected"],
            "short": rows["found"].between(1, rows["expected"] - 1),
            "absent": rows["found"] == 0,
            "expected": rows["expected"],
            "found": rows["found"],
            "incomplete": rows["incomplete"],
        }
    )
    table = counts.groupby(year.to_numpy()).sum()
    table["missing"] = table["expected"] - table["found"]
    table["percent"] = np.floor(10_000 * table["found"] / table["expected"]) / 100
    return table
