"""A live, paper or demo day from its first check to its files."""

from __future__ import annotations

import datetime as dt
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from brokers.kite.session import find_session
from brokers.kite.store import KiteStore
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock, WallClock
from feeds.errors import BrokerError, SettingsError
from feeds.live_log import make_log
from feeds.settings import make_calendar
from strategies.demo import DemoExchange
from strategies.live_console import make_console
from strategies.live_day import LiveDay
from strategies.live_request import LiveRequest
from strategies.plugins import load_strategy, plugin_settings

__all__ = ["run_live"]

_BEFORE_OPEN = dt.timedelta(minutes=1)


def run_live(request: LiveRequest) -> int:
    """Trade a day and write its folder.

    Returns
    -------
    int
        0 when the day is over, or was ended by a signal and everything was left as asked; 1 when something
        is still open that should not be.

    Raises
    ------
    MuhuratError
        Anything the user can mend; nothing was sent then, or the last line of the log says what is open.
    """
    settings = request.settings
    calendar = make_calendar(settings.market)
    section = settings.strategy
    plugin_settings(section.name, load_strategy(section.name), section.parameters)
    if request.mode == "live" and not request.confirmed:
        raise SettingsError("mode live was not confirmed, expected the typed word or --yes; nothing was sent")
    folder = request.out_dir or _default_folder(request)
    demo = None
    if request.mode == "demo":
        demo = DemoExchange(replace(request, out_dir=folder), calendar, WallClock())
        request = demo.request
    clock = _make_clock(request, calendar)
    _make_folder(folder)
    with ExitStack() as stack:
        log = stack.enter_context(
            make_log(
                folder / "live.log",
                clock,
                request.secrets,
                make_console(quiet=request.quiet),
                megabytes=settings.live.log_megabytes,
                files=settings.live.log_files,
                level="debug" if request.debug else "info",
            )
        )
        if demo is not None:
            demo.prepare(log)
            request = stack.enter_context(demo).request
        kite = request.settings.broker.kite
        session = find_session(kite, request.secrets, WallClock())
        store = KiteStore(kite, session.api_key, session.access_token, log)
        stack.callback(store.close)
        return LiveDay(request, calendar, clock, store, folder, log).run()


def _make_clock(request: LiveRequest, calendar: TradingCalendar) -> Clock:
    """Return the clock of the day.

    By the feed, time begins just before the session of the day; where the day is not known it begins in the
    past, and the first tick sets it.
    """
    if request.clock == "feed":
        day = request.day or calendar.first_date
        session = calendar.session(day)
        opens = session.open if session else dt.datetime.combine(day, dt.time(9), IST)
        return ReplayClock(opens - _BEFORE_OPEN)
    clock = WallClock()
    today = clock.now().date()
    session = calendar.session(today)
    if session is None:
        raise BrokerError(
            f"the exchange is closed today, {today:%A %Y-%m-%d}: no session in the calendar; start on a "
            "trading day, or give today's hours in market.extra_sessions"
        )
    if clock.now() >= session.close:
        raise BrokerError(
            f"today's session closed at {session.close:%H:%M}, it is {clock.now():%H:%M}, expected a start "
            "before the close; start on the next trading day"
        )
    return clock


def _make_folder(folder: Path) -> None:
    """Make the folder of the day, and refuse one that cannot be written or is a backtest's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(
            f"--out {folder} cannot be written ({error.strerror}), expected a folder or a place to make one; "
            "choose another, or mend its permissions"
        ) from error
    if (folder / "summary.json").exists() and not (folder / "live.log").exists():
        raise SettingsError(
            f"--out {folder} holds another kind of run, expected a new folder or that of a live day; choose "
            "another name"
        )


def _default_folder(request: LiveRequest) -> Path:
    """Return the folder of the day: the same after a restart, a new one for each demo."""
    settings = request.settings
    name = f"{request.mode}-{settings.market.instrument}-{settings.strategy.name.replace(':', '-')}"
    now = WallClock().now()
    return Path("runs") / (
        f"{now:%Y%m%d-%H%M%S}-{name}" if request.mode == "demo" else f"{now:%Y%m%d}-{name}"
    )
