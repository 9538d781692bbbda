"""The bars of one session, counted out one by one."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from feeds.calendar import Session


def bars_of(session: Session, bar_minutes: int) -> pd.DatetimeIndex:
    """Return the STARTs of the session's bars, anchored at each of its parts."""
    starts = []
    for start, end in session.segments:
        moment = start
        while moment < end:
            starts.append(moment)
            moment += dt.timedelta(minutes=bar_minutes)
    return pd.DatetimeIndex(starts)
