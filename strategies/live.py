"""A live, paper or demo day that begins now, from its first check to its files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from analyzers.status.now import StepNow
from brokers.broker_store import BrokerStore
from brokers.choice import chosen_broker
from brokers.login_lock import LoginLock
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock, SteadyClock, WallClock
from feeds.errors import BrokerError, SettingsError
from feeds.live_log import LiveLog, make_log
from feeds.log import Log
from feeds.settings import make_calendar
from strategies.day import plan_day
from strategies.demo import DemoExchange
from strategies.drift_standing import with_drift
from strategies.live_console import make_console
from strategies.live_day import LiveDay
from strategies.live_folders import check_same_instruments, day_folder, make_folder, state_folder
from strategies.live_process import LiveProcess
from strategies.live_request import LiveRequest
from strategies.plugins import plugin_of

__all__ = ["check_request", "connected", "day_log", "run_live", "with_own_switches"]

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
    check_request(request)
    calendar = make_calendar(request.settings.market)
    folder = request.out_dir or _default_folder(request)
    demo = None
    if request.mode == "demo":
        demo = DemoExchange(
            with_own_switches(replace(request, out_dir=folder), folder), calendar, WallClock()
        )
        request = demo.request
    clock = _make_clock(request, calendar)
    make_folder(folder)
    check_same_instruments(folder, request)
    with ExitStack() as stack:
        if request.mode == "live":
            tokens = chosen_broker(request.settings.broker).tokens
            for instrument in request.settings.market.traded:
                stack.callback(LoginLock(tokens, instrument).release)
        log = stack.enter_context(day_log(request, folder, clock))
        if demo is not None:
            demo.prepare(log)
            request = stack.enter_context(demo).request
        request = with_drift(request, state_folder(request), log)
        store = stack.enter_context(connected(request, log))
        process = LiveProcess(request, folder, clock, log)
        day = LiveDay(request, calendar, clock, store, folder, log)
        process.attach(day, folder, clock)
        process.show("session", "one day, begun with --now")
        _show_marks(process, calendar, clock, request)
        stack.enter_context(process)
        return day.run()


def check_request(request: LiveRequest) -> None:
    """Refuse a strategy with settings that it does not know, and real orders that nobody agreed to.

    Raises
    ------
    SettingsError
        With the remedy.
    """
    plugin_of(request.settings.strategy)
    _check_several(request)
    if request.mode == "live" and not request.confirmed:
        raise SettingsError("mode live was not confirmed, expected the typed word or --yes; nothing was sent")


def day_log(request: LiveRequest, folder: Path, clock: Clock, name: str = "live.log") -> LiveLog:
    """Open a log in a folder, shown on the console as the request says."""
    live = request.settings.live
    return make_log(
        folder / name,
        clock,
        request.secrets,
        make_console(quiet=request.quiet),
        megabytes=live.log_megabytes,
        files=live.log_files,
        level="debug" if request.debug else "info",
    )


def _check_several(request: LiveRequest) -> None:
    settings = request.settings
    traded = ", ".join(settings.market.traded)
    if len(settings.market.traded) == 1:
        return
    if request.mode == "demo":
        raise SettingsError(
            f"market.instruments are {traded}, expected one in a demo: its exchange replays one; leave it "
            "empty, or trade several on paper"
        )
    if settings.live.challengers:
        raise SettingsError(
            f"live.challengers with {traded}, expected one instrument: they are judged on its bars; leave "
            "either empty"
        )


@contextmanager
def connected(request: LiveRequest, log: Log) -> Iterator[BrokerStore]:
    """Open the connection to the broker with today's login.

    Raises
    ------
    BrokerError
        There is no login that may still be alive.
    """
    broker = chosen_broker(request.settings.broker)
    store = broker.open_store(broker.find_session(request.secrets, WallClock()), log)
    try:
        yield store
    finally:
        store.close()


def with_own_switches(request: LiveRequest, folder: Path) -> LiveRequest:
    """Return a demo's request with pause and kill switch in its own folder: they must not stop a real run."""
    risk = request.settings.risk
    names = {"pause_file": risk.pause_file, "kill_switch_file": risk.kill_switch_file}
    own = {name: str(folder / Path(file).name) for name, file in names.items() if file is not None}
    settings = request.settings.model_copy(update={"risk": risk.model_copy(update=own)})
    return replace(request, settings=settings)


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
    clock = SteadyClock()
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


def _show_marks(process: LiveProcess, calendar: TradingCalendar, clock: Clock, request: LiveRequest) -> None:
    """Show when the day is squared off and closes; a replay that does not know its day has no plan."""
    if request.clock == "feed" and request.day is None:
        return
    plan = plan_day(calendar, clock.now().date(), request.settings)
    if plan is not None:
        marks = [step for step in plan.steps if step.name in ("square_off", "close")]
        process.show_plan([StepNow(name=step.name, at=step.at, outcome="next") for step in marks])


def _default_folder(request: LiveRequest) -> Path:
    """Return the folder of the day: the same after a restart, a new one for each demo."""
    now = WallClock().now()
    folder = day_folder(request, now.date())
    return folder.with_name(f"{now:%Y%m%d-%H%M%S}{folder.name[8:]}") if request.mode == "demo" else folder
