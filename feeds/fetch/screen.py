"""Which candles of an answer are believed: the rest is set aside with its reason, nothing is mended."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, PRICE_COLUMNS, VALUE_COLUMNS, check_frame
from feeds.calendar import TradingCalendar, epoch_seconds
from feeds.fetch.plan import Request
from feeds.fetch.wanted import Wanted
from feeds.validate import Reason, bar_reasons

__all__ = ["NOT_ASKED", "OFF_GRID", "Screened", "screen"]

NOT_ASKED = "not_asked"
"""Reason: the candle lies on a day that was not asked for."""

OFF_GRID = "off_grid"
"""Reason: the candle does not start where a bar of its length starts."""

_MINUTE = 60


class Screened(NamedTuple):
    """The good candles of an answer, and the others.

    Attributes
    ----------
    frame : DataFrame
        A bar frame; that of an index has no open interest, whatever the answer says.
    rejects : DataFrame
        ``datetime``, ``reason`` and the values of what was set aside, in the order of the answer.
    """

    frame: pd.DataFrame
    rejects: pd.DataFrame


def screen(answer: pd.DataFrame, request: Request, wanted: Wanted, calendar: TradingCalendar) -> Screened:
    """Check every candle of an answer.

    Parameters
    ----------
    answer : DataFrame
        Candles as :meth:`feeds.sources.history.CandleHistory.candles` gives them.
    request : Request
        What was asked.
    wanted : Wanted
        Which series it is for.
    calendar : TradingCalendar
        The sessions.
    """
    index = pd.DatetimeIndex(answer.index)
    reasons = pd.Series(pd.NA, index=pd.RangeIndex(len(answer)), dtype="object")
    days = np.asarray(index.date)
    reasons[(days < request.first) | (days > request.last)] = NOT_ASKED
    missing = answer[[*PRICE_COLUMNS, "volume"]].isna().any(axis=1).to_numpy()
    reasons[missing & reasons.isna().to_numpy()] = Reason.MISSING_VALUE
    left = np.flatnonzero(reasons.isna())
    good = answer.iloc[left][list(VALUE_COLUMNS)]
    found = bar_reasons(good, wanted.underlying, calendar, has_ticks=not wanted.is_index)
    reasons.iloc[left] = found
    left = np.flatnonzero(reasons.isna())
    located = calendar.locate(index[left])
    steps = (epoch_seconds(index[left]) - located.segment_start) % (wanted.bar_minutes * _MINUTE)
    reasons.iloc[left[steps != 0]] = OFF_GRID
    kept = reasons.isna().to_numpy()
    frame = answer.loc[kept, list(BAR_COLUMNS)].sort_index()
    if wanted.is_index:
        # It has none; brokers write 0, which would be a number of contracts.
        frame["open_interest"] = np.nan
    check_frame(frame)
    rejects = answer.loc[~kept, list(VALUE_COLUMNS)].reset_index()
    rejects.insert(1, "reason", reasons[~kept].map(str).to_numpy())
    return Screened(frame, rejects)
