"""Returns of sessions from open to close: what a position that is flat overnight is exposed to."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping

import pandas as pd

__all__ = ["RollingCorrelation", "session_returns"]


def session_returns(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the last close over the first open of each session, minus 1.

    The night is not in them, and so neither is the gap at which the near-month contract changes.

    Parameters
    ----------
    frames : mapping
        A bar frame (see :mod:`feeds.bars`) by instrument.

    Returns
    -------
    pandas.DataFrame
        One column for each instrument, fractions; NaN on sessions that it lacks. Index: naive IST dates,
        ascending.
    """
    columns: dict[str, pd.Series] = {}
    for name, frame in frames.items():
        days = pd.DatetimeIndex(frame.index).tz_localize(None).normalize()
        sessions = frame[["open", "close"]].groupby(days).agg({"open": "first", "close": "last"})
        columns[name] = sessions["close"] / sessions["open"] - 1.0
    return pd.DataFrame(columns).sort_index()


class RollingCorrelation:
    """Correlation of two instruments over the sessions before a day that both of them had.

    Parameters
    ----------
    returns : pandas.DataFrame
        As from :func:`session_returns`.
    sessions : int
        How many; with fewer the correlation is not known.
    """

    def __init__(self, returns: pd.DataFrame, sessions: int) -> None:
        self._returns = returns
        self._sessions = sessions
        self._known: dict[tuple[str, str, dt.date], float] = {}

    def __call__(self, one: str, other: str, day: dt.date) -> float:
        """Return the correlation from −1 to 1; NaN where it is not known, or one of them did not move."""
        first, second = sorted((one, other))
        key = (first, second, day)
        if key not in self._known:
            self._known[key] = self._look_up(first, second, day)
        return self._known[key]

    def _look_up(self, one: str, other: str, day: dt.date) -> float:
        if one not in self._returns or other not in self._returns:
            return math.nan
        both = self._returns.loc[self._returns.index < pd.Timestamp(day), [one, other]].dropna()
        last = both.iloc[-self._sessions :]
        if len(last) < self._sessions or not (last.std() > 0.0).all():
            return math.nan
        return float(last[one].corr(last[other]))
