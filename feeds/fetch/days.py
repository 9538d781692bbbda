"""Which days can be fetched: those whose session is over, by the broker's clock."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock
from feeds.errors import SettingsError
from feeds.fetch.wanted import Wanted
from feeds.sources.history import HistorySource

__all__ = ["SETTLE_MINUTES", "ClosedDays", "closed_days", "time_at"]

SETTLE_MINUTES = 15
"""A candle can still change for some seconds after its end, and trades are corrected after the close."""


class ClosedDays(NamedTuple):
    """The sessions that are wanted.

    Attributes
    ----------
    days : list of datetime.date
        Those that are over.
    left_out : list of datetime.date
        Those that are not.
    """

    days: list[dt.date]
    left_out: list[dt.date]


def time_at(source: HistorySource, clock: Clock) -> tuple[dt.datetime, str]:
    """Return the time that decides which days are over, and what is to be said of it.

    Where the broker's answers carry no time, midnight of this machine's date: its clock may be wrong by
    hours, so that nothing of its today is believed to be over.
    """
    told = source.server_time()
    if told is not None:
        return told.astimezone(IST), ""
    midnight = dt.datetime.combine(clock.now().astimezone(IST).date(), dt.time(), tzinfo=IST)
    return midnight, (
        f"{source.name}'s answers carry no time; only days before {midnight:%Y-%m-%d}, today by this "
        "machine's clock, are fetched"
    )


def closed_days(wanted: Wanted, now: dt.datetime, calendar: TradingCalendar) -> ClosedDays:
    """Return the sessions of the wanted days.

    Parameters
    ----------
    wanted : Wanted
        From when to when.
    now : datetime
        Aware; a session is over :data:`SETTLE_MINUTES` after its close.
    calendar : TradingCalendar
        The sessions.

    Raises
    ------
    SettingsError
        If the days reach into the future, or there is no session in them that is over.
    DataError
        If the calendar does not know them.
    """
    today = now.astimezone(IST).date()
    if wanted.last > today:
        raise SettingsError(
            f"--to {wanted.last} is in the future, expected {today} (today at the broker) or earlier; "
            "correct it"
        )
    over = now - dt.timedelta(minutes=SETTLE_MINUTES)
    sessions = calendar.sessions(wanted.first, wanted.last)
    days = [session.date for session in sessions if session.close <= over]
    left_out = [session.date for session in sessions if session.close > over]
    if not days:
        why = "the exchange was closed"
        if left_out:
            why = f"that of {left_out[0]} is open, or closed less than {SETTLE_MINUTES} minutes ago"
        raise SettingsError(
            f"no session that is over lies from {wanted.first} to {wanted.last}: {why}; choose other days"
        )
    return ClosedDays(days, left_out)
