"""What ``python -m feeds record`` does: a connection to the broker with today's login, and a day recorded."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from brokers.choice import chosen_broker
from brokers.command_settings import CommandSettings
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock, SteadyClock, WallClock
from feeds.errors import SettingsError
from feeds.live_log import make_log
from feeds.secrets import Secrets
from feeds.store.base import BarStore
from strategies.live_console import make_console
from strategies.record_day import RecordDay, RecordRequest

__all__ = ["record_today"]

_MOST_SKEW_SECONDS = 2.0
_IDLE_END_SECONDS = 60.0
_BEFORE_OPEN = dt.timedelta(minutes=1)


def record_today(
    settings: CommandSettings,
    secrets: Secrets,
    calendar: TradingCalendar,
    *,
    underlying: str,
    bar_minutes: int,
    store: BarStore,
    folder: Path | None,
    day: dt.date | None,
    keeps_partial: bool,
    idle_end_seconds: float = _IDLE_END_SECONDS,
) -> None:
    """Record the session of today, or the one that a replay plays.

    Parameters
    ----------
    settings : CommandSettings
        Addresses and patience.
    secrets : Secrets
        Keys and today's token.
    calendar : TradingCalendar
        The sessions.
    underlying : str
        Index, such as ``NIFTY``.
    bar_minutes : int
        Length of the bars, minutes.
    store : BarStore
        Where the whole day goes.
    folder : pathlib.Path or None
        Of the day; ``recordings/<date>-<underlying>-<n>minute`` if not given.
    day : datetime.date or None
        The day of the ticks, where time is what they say; None for today by this machine's clock.
    keeps_partial : bool
        Store the day even if it is not whole.
    idle_end_seconds : float
        With a ``day``: seconds without a tick after which it is over.

    Raises
    ------
    MuhuratError
        See :class:`strategies.record_day.RecordDay`.
    """
    clock, today = _clock(day, calendar)
    folder = folder or Path("recordings") / f"{today:%Y%m%d}-{underlying}-{bar_minutes}minute"
    folder.mkdir(parents=True, exist_ok=True)
    access = chosen_broker(settings.broker)
    session = access.find_session(secrets, WallClock())
    with make_log(folder / "record.log", clock, secrets, make_console(quiet=False)) as log:
        broker = access.open_store(session, log)
        try:
            if day is None:
                broker.check_clock(clock, _MOST_SKEW_SECONDS)
            request = RecordRequest(
                underlying=underlying,
                bar_minutes=bar_minutes,
                day=today,
                folder=folder,
                store=store,
                keeps_partial=keeps_partial,
                idle_end_seconds=None if day is None else idle_end_seconds,
            )
            RecordDay(request, broker, calendar, clock, log).run()
        finally:
            broker.close()


def _clock(day: dt.date | None, calendar: TradingCalendar) -> tuple[Clock, dt.date]:
    if day is None:
        clock = SteadyClock()
        return clock, clock.now().astimezone(IST).date()
    session = calendar.session(day)
    if session is None:
        raise SettingsError(f"--day {day} has no session in the calendar; choose a trading day")
    return ReplayClock(session.open - _BEFORE_OPEN), day
