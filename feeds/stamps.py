"""What a vendor's time stamp means: the start of the bar, its end, or its last trade.

A bar taken for the minute after itself shows a model the future, so a convention is never guessed:
it is read off the first and the last bars of the sessions, or asked for.

A day speaks for END when a whole minute of trading is stamped with the session's close and none with
its open. It speaks for START when none is stamped with the close, or only a lone print that came after
it, and there is such a print or a bar stamped with the open.
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

_ENOUGH_DAYS = 3  # of a longer file must speak at all
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
        Days that speak against the rest of the file: read their own way if the convention was found,
        against their looks if it was given.
    """

    starts: pd.DatetimeIndex
    days: dict[StampConvention, int]
    contrary_days: int


def bar_starts(
    stamps: pd.DatetimeIndex,
    calendar: TradingCalendar,
    *,
    has_seconds: bool,
    lone_print: npt.NDArray[np.bool_],
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
    lone_print : ndarray of bool
        Rows of one price and hardly any volume: trades after the close, not minutes of trading.
    convention : StampConvention, optional
        The convention of days stamped with whole minutes; found if not given.
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
    evidence, traded = _evidence(minute, day_number, pd.DatetimeIndex(days), lone_print, calendar)
    evidence[to_the_second] = 0
    whole = ~to_the_second
    if convention is not None:
        usual = 1 if convention == StampConvention.END else -1
        is_end = np.full(len(days), usual > 0)
    elif has_seconds:
        # Days of such a form are odd one by one, so each must speak for itself.
        if (whole & traded & (evidence == 0)).any():
            raise _undecided(evidence[whole & traded], where)
        usual, is_end = 0, evidence > 0
    else:
        usual = _majority(evidence[traded], where)
        is_end = np.where(evidence == 0, usual, evidence) > 0
    is_end &= whole
    starts = minute - pd.to_timedelta(is_end[day_number].astype(np.int64), unit="min")
    found = {
        StampConvention.LAST_TRADE: int(to_the_second.sum()),
        StampConvention.END: int(is_end.sum()),
        StampConvention.START: int((whole & ~is_end).sum()),
    }
    return StampedBars(
        starts.tz_localize(TIME_ZONE),
        {name: count for name, count in found.items() if count},
        int((evidence * usual < 0).sum()),
    )


def _evidence(
    minute: pd.DatetimeIndex,
    day_number: npt.NDArray[np.intp],
    days: pd.DatetimeIndex,
    lone_print: npt.NDArray[np.bool_],
    calendar: TradingCalendar,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    # +1: the day speaks for END, -1: for START, 0: it says nothing. And whether it is a day of trading.
    result = np.zeros(len(days), dtype=np.int64)
    traded = np.zeros(len(days), dtype=np.bool_)
    for number, day in enumerate(days):
        session = calendar.session(day.date())
        if session is None:
            continue
        traded[number] = True
        rows = day_number == number
        found = minute[rows].tz_localize(IST)
        at_open, at_close = found == session.open, found == session.close
        minute_at_close = (at_close & ~lone_print[rows]).any()
        if minute_at_close:
            result[number] = 0 if at_open.any() else 1
        elif at_open.any() or at_close.any():
            result[number] = -1
    return result, traded


def _majority(evidence: npt.NDArray[np.int64], where: str) -> int:
    ends, starts = int((evidence > 0).sum()), int((evidence < 0).sum())
    few = ends + starts < min(_ENOUGH_DAYS, len(evidence))
    if few or max(ends, starts) < _CLEAR_MAJORITY * min(ends, starts) or ends == starts:
        raise _undecided(evidence, where)
    return 1 if ends > starts else -1


def _undecided(evidence: npt.NDArray[np.int64], where: str) -> DataError:
    return DataError(
        f"cannot tell from {where} whether stamps are the start or the end of the minute: of "
        f"{len(evidence)} days {int((evidence > 0).sum())} look end-stamped and {int((evidence < 0).sum())} "
        "start-stamped; say which with the stamp convention (start or end)"
    )
