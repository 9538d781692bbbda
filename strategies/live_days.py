"""Live, paper or demo days that run themselves, put together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

from brokers.choice import chosen_broker
from brokers.instance_lock import InstanceLock
from brokers.login_lock import LoginLock
from feeds.clock import IST, Clock, ReplayClock, WallClock
from feeds.errors import SettingsError
from feeds.settings import make_calendar
from strategies.day_runner import DayRunner
from strategies.demo import DEMO_DAY
from strategies.live import check_request, day_log, with_own_switches
from strategies.live_folders import make_folder, state_folder
from strategies.live_process import LiveProcess
from strategies.live_request import LiveRequest
from strategies.retraining_process import RetrainingProcess
from strategies.step_timer import ReplayTimer, StepTimer
from strategies.unattended import Unattended

__all__ = ["run_days"]

_DEMO_WEEK = dt.timedelta(days=7)
_DEMO_BEGINS = dt.time(7, 30)


class ClosableTimer(StepTimer, Protocol):
    """A timer with threads of its own."""

    def close(self) -> None:
        """End them."""


def run_days(request: LiveRequest, make_timer: Callable[[], ClosableTimer]) -> int:
    """Run trading days until the last one, or a signal.

    Parameters
    ----------
    request : LiveRequest
        Its ``out_dir`` holds the folders of all days.
    make_timer : callable
        Makes the timer of real days; those of a demo go by a replayed clock.

    Returns
    -------
    int
        0; 1 where a day has left something open.

    Raises
    ------
    MuhuratError
        What keeps the program from running at all. What keeps a day from being traded is told, and asked
        again.
    """
    check_request(request)
    _check_days(request)
    calendar = make_calendar(request.settings.market)
    if request.mode == "demo" and request.out_dir is None:
        request = replace(
            request, out_dir=state_folder(request).with_name(f"{WallClock().now():%Y%m%d-%H%M%S}-demo")
        )
    folder = state_folder(request)
    make_folder(folder)
    with ExitStack() as stack:
        stack.callback(InstanceLock(folder / "watch.log", "the state folder of").release)
        if request.mode == "live":
            tokens = chosen_broker(request.settings.broker).tokens
            stack.callback(LoginLock(tokens, request.settings.market.instrument).release)
        clock: Clock
        timer: StepTimer
        if request.mode == "demo":
            request = _week(with_own_switches(request, folder))
            begins = dt.datetime.combine(request.day or DEMO_DAY, _DEMO_BEGINS, IST)
            clock = replay = ReplayClock(begins)
            timer = ReplayTimer(replay)
        else:
            clock = WallClock()
            timer = scheduled = make_timer()
            stack.callback(scheduled.close)
        log = stack.enter_context(day_log(request, folder, clock, "watch.log"))
        retraining = stack.enter_context(RetrainingProcess(folder, log))
        process = LiveProcess(request, folder, clock, log)
        runner = DayRunner(
            request, calendar, clock, process, folder, log, is_stopped=lambda: timer.is_stopped,
            retraining=retraining,
        )  # fmt: skip
        unattended = Unattended(
            settings=request.settings,
            calendar=calendar,
            clock=clock,
            timer=timer,
            runner=runner,
            process=process,
            log=log,
            until=request.until,
        )
        stack.enter_context(process)
        return unattended.run()


def _check_days(request: LiveRequest) -> None:
    """Refuse a last day before the first one, and a folder that is that of a single run."""
    if len(request.settings.market.traded) > 1:
        raise SettingsError(
            f"market.instruments are {', '.join(request.settings.market.traded)}, expected one in days that "
            "run themselves; begin each day of several with --now"
        )
    is_demo, until, out = request.mode == "demo", request.until, request.out_dir
    first = (request.day or DEMO_DAY) if is_demo else WallClock().now().date()
    if until is not None and until < first:
        passed = f"lies before the first day, {first}" if is_demo else f"has passed, today is {first}"
        raise SettingsError(f"--until {until} {passed}; choose a later one")
    if out is not None and (out / "summary.json").exists():
        raise SettingsError(
            f"--out {out} holds a run, expected a folder for the folders of many days; choose another, or "
            "add --now to go on with that run"
        )


def _week(request: LiveRequest) -> LiveRequest:
    """Return a demo's request with its first and last day."""
    first = request.day or DEMO_DAY
    return replace(request, day=first, until=request.until or first + _DEMO_WEEK, synthetic=True)
