"""When a near-month series goes over from one contract to the next: by rule, and by what the bars show.

A roll is known by its **first day**: the first session whose bars are of the new contract.
"""

from __future__ import annotations

import datetime as dt
import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for
from feeds.errors import DataError

__all__ = [
    "Roll", "check_rolls", "held_months", "rolls_by_expiry", "rolls_by_open_interest",
    "rolls_seen_in_open_interest",
]  # fmt: skip

_DAMAGED_RATIO = 5.0
"""A next contract opens with at most some three times the open interest of the one that expires; ten times is
an extra digit (NSE index futures 2013-2016)."""


class Roll(NamedTuple):
    """One change of contract.

    Attributes
    ----------
    last_day : datetime.date
        Last session with bars of the old contract.
    first_day : datetime.date
        First session with bars of the new one.
    """

    last_day: dt.date
    first_day: dt.date


def held_months(index: pd.DatetimeIndex, underlying: str, calendar: TradingCalendar) -> pd.Series:
    """Return the near-month contract of each session of a series, as live trading chooses it.

    Parameters
    ----------
    index : pandas.DatetimeIndex
        STARTs of the bars, Asia/Kolkata.
    underlying : str
        Index, such as ``NIFTY``.
    calendar : TradingCalendar
        Moves expiries off holidays.

    Returns
    -------
    pandas.Series
        Contract month ``YYYY-MM`` by session date, in order.
    """
    days = _days_of(index)
    return pd.Series(
        [contract_for(underlying, day, calendar).month for day in days], index=pd.Index(days, name="day")
    )


def rolls_by_expiry(index: pd.DatetimeIndex, underlying: str, calendar: TradingCalendar) -> list[Roll]:
    """Return the rolls of a near-month series whose contract is held until it expires.

    Parameters
    ----------
    index, underlying, calendar
        As in :func:`held_months`.
    """
    months = held_months(index, underlying, calendar)
    days = list(months.index)
    changes = np.flatnonzero(months.to_numpy()[1:] != months.to_numpy()[:-1])
    return [Roll(days[place], days[place + 1]) for place in changes]


def rolls_by_open_interest(near: pd.DataFrame, following: pd.DataFrame, sessions: int = 1) -> list[Roll]:
    """Return when the next contract of a pair had more open interest than the near one at the close.

    It is known after the close only, so the next session is the first of the new contract.

    Parameters
    ----------
    near, following : pandas.DataFrame
        Bar frames of two contracts, of the one that expires first and the next.
    sessions : int
        So many closes in a row.

    Returns
    -------
    list of Roll
        At most one, the first; none if it never came to that while both were traded.
    """
    closes = pd.DataFrame({"near": _last_interest(near), "next": _last_interest(following)}).dropna()
    ahead = (closes["next"] > closes["near"]).rolling(sessions).sum() == sessions
    days = _days_of(pd.DatetimeIndex(following.index))
    for last_day in closes.index[ahead.to_numpy()]:
        later = [day for day in days if day > last_day]
        if later:
            return [Roll(last_day, later[0])]
    return []


def rolls_seen_in_open_interest(frame: pd.DataFrame) -> list[Roll]:
    """Return the rolls that a near-month series shows by itself, without a calendar or a second contract.

    A contract opens with less open interest than it had at the last trade of the day before: what is squared
    off at the end of a day is counted after the close. An open above it is another contract. A roll into a
    contract with less open interest than the expiring one still had cannot be seen. Of NIFTY's 48 rolls of
    2013 to 2016 this finds 43, and takes one other night for a roll; of BANKNIFTY's 21 with open interest,
    all.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame with open interest; 0 and NaN are unknown.
    """
    known = frame.loc[frame["open_interest"] > 0, "open_interest"]
    by_day = known.groupby(pd.DatetimeIndex(known.index).date)
    first, last = by_day.first(), by_day.last()
    ratio = (first / last.shift(1)).to_numpy()
    days = list(first.index)
    return [
        Roll(days[place - 1], days[place])
        for place in range(1, len(days))
        if 1.0 < ratio[place] < _DAMAGED_RATIO
    ]


def check_rolls(rolls: list[Roll]) -> None:
    """Raise DataError if rolls are not in order, or one begins before the other is over."""
    for roll in rolls:
        if roll.first_day <= roll.last_day:
            raise DataError(
                f"{roll}: the new contract begins before the old one ends, expected after; swap the days"
            )
    for earlier, later in itertools.pairwise(rolls):
        if later.last_day < earlier.first_day:
            raise DataError(
                f"roll of {later.first_day} comes after that of {earlier.first_day}, expected the order of "
                "time; sort them"
            )


def _last_interest(frame: pd.DataFrame) -> pd.Series:
    known = frame.loc[frame["open_interest"] > 0, "open_interest"]
    return known.groupby(pd.DatetimeIndex(known.index).date).last()


def _days_of(index: pd.DatetimeIndex) -> list[dt.date]:
    return list(dict.fromkeys(index.tz_convert(TIME_ZONE).date))
