"""What a vendor's time stamp means: the start of the bar, its end, or its last trade.

A bar taken for the minute after itself shows a model the future, so a convention is never guessed:
it is read off the first and the last bars of the sessions, or asked for.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError

__all__ = ["StampConvention", "StampedBars", "bar_starts"]

_CLEAR_MAJORITY = 10  # a convention must speak from this many times as many days as the opposite one


class StampConvention(enum.StrEnum):
    """What the stamp of a 1-minute bar is."""

    START = "start"
    END = "end"
    LAST_TRADE = "last_trade"


class StampedBars(NamedTuple):
    """Bar starts and how they were found.

    Attributes
    ----------
    starts : DatetimeIndex
        START of each bar, Asia/Kolkata, in the order given.
    days : dict
        Number of days that were read by each convention.
    contrary_days : int
        Days whose stamps look as if they followed the opposite of the convention applied.
    """

    starts: pd.DatetimeIndex
    days: dict[StampConvention, int]
    contrary_days: int


def bar_starts(
    stamps: pd.DatetimeIndex,
    calendar: TradingCalendar,
    *,
    has_seconds: bool,
    convention: StampConvention | None = None,
    where: str = "the data",
) -> StampedBars:
    """Turn the stamps of 1-minute bars into their starts.

    Parameters
    ----------
    stamps : DatetimeIndex
        Naive stamps on the exchange's wall clock, in any order, without NaT.
    calendar : TradingCalendar
        Says when sessions open and close.
    has_seconds : bool
        Whether the form stamps to the second. A day on which it does so lies inside its minutes.
    convention : StampConvention, optional
        The convention of days stamped with whole minutes. Without it, it is found: a session that has a
        bar stamped with its close but none with its open is stamped by END, the reverse by START.
    where : str
        Name of the source for messages.

    Raises
    ------
    DataError
        If no convention was given and the stamps do not decide it.
    """
    minute = stamps.floor("min")
    day_number, days = pd.factorize(stamps.normalize(), sort=True)
    to_the_second = np.zeros(len(days), dtype=np.bool_)
    if has_seconds:
        np.logical_or.at(to_the_second, day_number, np.asarray(minute != stamps))
    evidence = _evidence(minute, day_number, pd.DatetimeIndex(days), calendar)
    evidence[to_the_second] = 0
    whole = ~to_the_second
    applied = convention or _decided(evidence[whole], per_day=has_seconds, where=where)
    is_end = np.full(len(days), applied == StampConvention.END)
    if has_seconds and convention is None:
        # Days of such a form are odd one by one; each must speak for itself.
        is_end = evidence > 0
    is_end &= whole
    starts = minute - pd.to_timedelta(is_end[day_number].astype(np.int64), unit="min")
    found = {
        StampConvention.LAST_TRADE: int(to_the_second.sum()),
        StampConvention.END: int(is_end.sum()),
        StampConvention.START: int((whole & ~is_end).sum()),
    }
    contrary = whole & (evidence == np.where(is_end, -1, 1))
    return StampedBars(
        starts.tz_localize(TIME_ZONE),
        {name: count for name, count in found.items() if count},
        int(contrary.sum()),
    )


def _evidence(
    minute: pd.DatetimeIndex,
    day_number: npt.NDArray[np.intp],
    days: pd.DatetimeIndex,
    calendar: TradingCalendar,
) -> npt.NDArray[np.int64]:
    # +1: the day looks END-stamped, -1: START-stamped, 0: it says nothing.
    result = np.zeros(len(days), dtype=np.int64)
    for number, day in enumerate(days):
        session = calendar.session(day.date())
        if session is None:
            continue
        found = minute[day_number == number].tz_localize(IST)
        result[number] = int((found == session.close).any()) - int((found == session.open).any())
    return result


def _decided(evidence: npt.NDArray[np.int64], *, per_day: bool, where: str) -> StampConvention:
    ends, starts = int((evidence > 0).sum()), int((evidence < 0).sum())
    if per_day and ends + starts == len(evidence):
        return StampConvention.END
    for name, count, opposite in ((StampConvention.END, ends, starts), (StampConvention.START, starts, ends)):
        if not per_day and count * 2 >= len(evidence) and count >= _CLEAR_MAJORITY * opposite:
            return name
    raise DataError(
        f"cannot tell from {where} whether stamps are the start or the end of the minute: of {len(evidence)} days "
        f"{ends} look end-stamped and {starts} start-stamped; say which with the stamp convention (start or end)"
    )
