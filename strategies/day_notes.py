"""What is out of the ordinary about a trading day, in sentences. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from feeds.calendar import Session, TradingCalendar
from feeds.errors import DataError
from strategies.settings import Settings
from strategies.square_off import BROKERS_SQUARE_OFF, is_square_off_late

__all__ = ["day_notes", "walk_days"]

_DAY = dt.timedelta(days=1)
_SATURDAY = 5
_ORDINARY_MINUTES = 375
_CALENDAR_NOTICE = dt.timedelta(days=30)
_KINDS = {
    "muhurat": "Muhurat trading",
    "budget": "budget session",
    "weekend": "weekend session",
    "outage": "session with an outage",
    "halt": "session with a halt",
    "extra": "hours from market.extra_sessions",
}


def day_notes(
    calendar: TradingCalendar,
    session: Session,
    settings: Settings,
    square_off: dt.datetime,
    *,
    is_expiry: bool,
) -> list[str]:
    """Return what is out of the ordinary.

    Parameters
    ----------
    calendar : TradingCalendar
        Sessions before and after.
    session : Session
        Of the day.
    settings : Settings
        Everything.
    square_off : datetime.datetime
        When the position is squared off, aware.
    is_expiry : bool
        The near month expires on this day.
    """
    notes = []
    if session.kind != "regular":
        notes.append(f"{_KINDS.get(session.kind, session.kind)}: {_hours(session)}")
    if session.minutes < _ORDINARY_MINUTES:
        notes.append(f"short session of {session.minutes} minutes, square-off at {square_off:%H:%M}")
    if session.kind == "regular":
        notes.extend(_other_close(calendar, session))
    if is_expiry:
        notes.append(f"the near month of {settings.market.instrument} expires today, traded to its end")
    if is_square_off_late(session, square_off, settings):
        notes.append(
            f"own square-off at {square_off:%H:%M} is after {BROKERS_SQUARE_OFF:%H:%M}, when the broker may "
            "close MIS positions itself"
        )
    return [*notes, *_what_follows(calendar, session.date)]


def walk_days(
    calendar: TradingCalendar, day: dt.date, step: dt.timedelta
) -> Iterator[tuple[dt.date, Session | DataError | None]]:
    """Walk from ``day``, itself left out, to the calendar's end, step by step.

    Yields
    ------
    datetime.date, Session or DataError or None
        None for a day without a session, an error for a session whose hours are not known.
    """
    day += step
    while calendar.first_date <= day <= calendar.last_date:
        try:
            found: Session | DataError | None = calendar.session(day)
        except DataError as error:
            found = error
        yield day, found
        day += step


def _other_close(calendar: TradingCalendar, session: Session) -> list[str]:
    """Tell of regular hours that are other than those of the regular session before."""
    before = next(
        (found for _, found in walk_days(calendar, session.date, -_DAY) if _kind(found) == "regular"), None
    )
    if not isinstance(before, Session) or before.close.time() == session.close.time():
        return []
    return [f"derivatives trade until {session.close:%H:%M}, up to now it was {before.close:%H:%M}"]


def _what_follows(calendar: TradingCalendar, day: dt.date) -> list[str]:
    """Tell of weekdays without a session before the next one, and of the end of what the calendar knows."""
    notes: list[str] = []
    holidays: list[dt.date] = []
    for date, found in walk_days(calendar, day, _DAY):
        if isinstance(found, Session):
            if holidays:
                days = " and ".join(f"{holiday:%A %Y-%m-%d}" for holiday in holidays)
                notes.append(f"closed on {days}; the next session is on {date:%A %Y-%m-%d}")
            break
        if isinstance(found, DataError):
            notes.append(str(found))
        elif date.weekday() < _SATURDAY:
            holidays.append(date)
    if day > calendar.last_date - _CALENDAR_NOTICE:
        notes.append(f"the calendar ends on {calendar.last_date}: update the project before")
    return notes


def _kind(found: Session | DataError | None) -> str:
    return found.kind if isinstance(found, Session) else ""


def _hours(session: Session) -> str:
    return " and ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in session.segments)
