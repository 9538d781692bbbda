"""When a day's position is squared off by us, and when the broker does it himself."""

from __future__ import annotations

import datetime as dt

from feeds.calendar import Session, TradingCalendar
from feeds.clock import IST
from feeds.errors import SettingsError
from strategies.assembly import make_windows
from strategies.settings import Settings

__all__ = ["BROKERS_SQUARE_OFF", "is_square_off_late", "square_off_time"]

BROKERS_SQUARE_OFF = dt.time(15, 25)
"""From then on the broker may close intraday (MIS) positions itself, for a fee; exchange wall clock."""


def square_off_time(calendar: TradingCalendar, session: Session, settings: Settings) -> dt.datetime:
    """Return the close of the bar on which the strategy squares off, aware, Asia/Kolkata.

    Raises
    ------
    SettingsError
        The session is a single bar long.
    """
    minute = make_windows(settings, calendar).of(session.date.toordinal()).square_off
    due = dt.datetime.combine(session.date, dt.time(), IST) + dt.timedelta(minutes=minute)
    bar = dt.timedelta(minutes=settings.data.bar_minutes)
    for start, end in session.segments:
        bars = max(1, -((start - due) // bar))
        closes = min(start + bars * bar, end)
        if due <= closes < session.close:
            return closes
    raise SettingsError(
        f"the session of {session.date} has a single bar of {settings.data.bar_minutes} "
        "minutes, expected at least two, to be flat before the close; shorten data.bar_minutes"
    )


def is_square_off_late(session: Session, square_off: dt.datetime, settings: Settings) -> bool:
    """Return whether the broker may square off before we do.

    A session that opens after the broker's usual time has a time of its own, which nobody announces here.
    """
    if not settings.broker.is_closed_in_the_afternoon or session.open.time() >= BROKERS_SQUARE_OFF:
        return False
    return square_off.time() > BROKERS_SQUARE_OFF
