"""Trade every trading day, or the one that is on: on a sandbox exchange (demo), on paper, or live on Kite.

``python run_live.py --mode demo --now`` needs no account and shows everything. Without ``--now`` it is left
running: every trading morning it prepares, trades, squares off and reports.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import os
import queue
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from feeds.errors import SettingsError
from feeds.secrets import Secrets, load_secrets, mask_patterns
from strategies.entry_point import Parser, day, read_settings, run_entry_point, thread_failures_told

if TYPE_CHECKING:
    from apscheduler.events import JobEvent

    from strategies.day import Step
    from strategies.settings import Settings
    from strategies.step_timer import Arrival

__all__ = ["ScheduledTimer", "main"]

_EXTRA = (
    "aiohttp", "apscheduler", "flask", "kiteconnect", "prometheus_client", "requests", "structlog",
    "waitress", "websockets",
)  # fmt: skip
_DEMO_ONLY = {"ticks": "--ticks", "day": "--day", "speed": "--speed"}
_DEMO_SPEED = 200.0
_WORD = "LIVE"
_LOOK_SECONDS = 20.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None for those of the process.

    Returns
    -------
    int
        0 the day is over, or was ended by Ctrl-C or SIGTERM; 2 bad arguments or settings; 3 bad data;
        4 the broker or the login; 130 interrupted before the day began; 1 anything else.
    """
    known = Secrets()

    def parse() -> argparse.Namespace:
        options = _parser().parse_args(arguments)
        _check(options)
        return options

    with thread_failures_told(known.mask):
        return run_entry_point(
            parse,
            lambda options: _run(options, known),
            interrupted="interrupted; if the day had begun, live.log in its folder says what is open",
            mask=known.mask,
        )


def _run(options: argparse.Namespace, known: Secrets) -> int:
    _check_extra()
    settings = read_settings(options)
    demo = options.mode == "demo"
    if not demo:
        known.adopt(load_secrets())
    elif token := os.environ.get("STATUS_TOKEN"):
        # It needs no account and alerts nobody, but in a container its page is there with a token only
        known.adopt(Secrets({"STATUS_TOKEN": token}))
    if options.mode == "live" and not options.yes:
        _confirm(settings, ask=sys.stdin.readline)

    from strategies.live_request import LiveRequest

    request = LiveRequest(
        settings=settings,
        mode=options.mode,
        clock=options.clock or ("feed" if demo else "wall"),
        model=options.model,
        out_dir=options.out,
        ticks=options.ticks,
        day=options.day,
        until=options.until,
        speed=options.speed or _DEMO_SPEED,
        data_given=options.data is not None,
        confirmed=options.mode == "live",
        accept_foreign=options.accept_foreign,
        quiet=options.quiet,
        debug=options.debug,
        secrets=known,
    )
    if options.now:
        from strategies.live import run_live

        return run_live(request)
    from strategies.live_days import run_days

    grace = dt.timedelta(minutes=settings.live.misfire_grace_minutes)
    return run_days(request, lambda: ScheduledTimer(grace))


class ScheduledTimer:
    """A :class:`strategies.step_timer.StepTimer` that APScheduler keeps.

    Parameters
    ----------
    grace : datetime.timedelta
        A step that is later than that was missed: the machine slept, or its clock was set.
    """

    def __init__(self, grace: dt.timedelta) -> None:
        from apscheduler.events import EVENT_JOB_MISSED
        from apscheduler.schedulers.background import BackgroundScheduler

        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._is_stopped = False
        self._scheduler = BackgroundScheduler(
            timezone="Asia/Kolkata",
            # By default a job that is a second late is skipped without a word
            job_defaults={
                "misfire_grace_time": max(1, int(grace.total_seconds())),
                "coalesce": True,
                "max_instances": 1,
            },
        )
        self._scheduler.add_listener(self._on_missed, EVENT_JOB_MISSED)
        self._scheduler.start()

    @property
    def is_stopped(self) -> bool:
        """Whether no more waiting is wanted."""
        return self._is_stopped

    def wait(self, step: Step) -> Arrival:
        """Return when a step is due, has been missed, or nothing more is wanted."""
        if self._is_stopped:
            return "stopped"
        self._scheduler.add_job(self._arrivals.put, "date", run_date=step.at, args=["due"], id=step.name)
        while True:
            try:
                return self._arrivals.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                # It sleeps by a clock that stands still while the machine does, and sees no clock being set
                self._scheduler.wakeup()

    def stop(self) -> None:
        """End the wait that is on, and refuse every later one."""
        self._is_stopped = True
        self._arrivals.put("stopped")

    def close(self) -> None:
        """End the scheduler's threads."""
        # A job that has just run is still being removed; ended in the midst of that, its thread would fail
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=True)

    def _on_missed(self, event: JobEvent) -> None:
        del event
        self._arrivals.put("missed")


def _check(options: argparse.Namespace) -> None:
    """Refuse arguments that do not go together."""
    if options.mode is None:
        raise SettingsError("--mode is missing, expected demo, paper or live; start with --mode demo")
    if options.now and options.until is not None:
        raise SettingsError("--until is for days that run themselves; leave it out with --now")
    if not options.now:
        _check_unattended(options)
    if options.mode != "demo":
        for name, argument in _DEMO_ONLY.items():
            if getattr(options, name) is not None:
                raise SettingsError(f"{argument} is for --mode demo, which replays a day; leave it out here")
    elif options.clock == "wall":
        raise SettingsError("--clock wall: a demo replays a day and goes by its ticks; leave --clock out")
    if options.ticks is not None and not options.ticks.is_file():
        raise SettingsError(
            f"--ticks: found no file {options.ticks}, expected recorded ticks; give their path"
        )
    for given, argument in ((options.yes, "--yes"), (options.accept_foreign, "--accept-foreign")):
        if given and options.mode != "live":
            raise SettingsError(f"{argument} is for --mode live, which sends real orders; leave it out here")


def _check_unattended(options: argparse.Namespace) -> None:
    """Refuse what belongs to one day only."""
    if options.ticks is not None:
        raise SettingsError("--ticks replays one day; add --now")
    if options.mode != "demo" and options.clock == "feed":
        raise SettingsError("--clock feed replays one day; add --now")
    if options.accept_foreign:
        raise SettingsError("--accept-foreign is for the day that is on; add --now")


def _check_extra() -> None:
    missing = [name for name in _EXTRA if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"{', '.join(missing)} is not installed, expected the extra 'live'; run: make setup, "
            "or pip install 'muhurat[live]'"
        )


def _confirm(settings: Settings, ask: Callable[[], str]) -> None:
    """Have a person type a word before real orders are sent."""
    if not sys.stdin.isatty():
        raise SettingsError(
            f"--mode live sends real orders and asks for the word {_WORD}, but there is no terminal to ask "
            "on; add --yes to agree beforehand"
        )
    print(
        f"{settings.strategy.name} will trade futures on {settings.market.instrument} with real money.\n"
        f"Type {_WORD} to go on: ",
        end="",
        flush=True,
    )
    typed = ask().strip()
    if typed != _WORD:
        raise SettingsError(f"found {mask_patterns(typed)!r}, expected {_WORD}; nothing was sent")


def _parser() -> Parser:
    parser = Parser(
        prog="run_live.py",
        description="Trade every trading day, or with --now the one that is on: on a sandbox exchange "
        "(demo), on paper, or live on Kite.",
        epilog="Exit codes: 0 the day is over or was ended, 2 bad arguments or settings, 3 bad data, "
        "4 broker or login, 1 anything else.",
    )
    parser.add_argument(
        "--mode",
        choices=["demo", "paper", "live"],
        help="demo: everything real but the exchange, no account needed; paper: live ticks, simulated "
        "orders; live: real orders, after a typed confirmation",
    )
    parser.add_argument(
        "--now", action="store_true", help="trade the day that is on, at once (default: every trading day)"
    )
    parser.add_argument(
        "--until", type=day, metavar="DAY", help="without --now: the last day (default: none; demo: a week)"
    )
    parser.add_argument(
        "--clock",
        choices=["wall", "feed"],
        help="what time it is by: this machine (paper, live) or the ticks (demo)",
    )
    parser.add_settings()
    parser.add_strategy()
    parser.add_argument(
        "--model", metavar="VERSION|champion", help="stored model of the strategy (default: the champion)"
    )
    parser.add_argument(
        "--data",
        metavar="FILE|DIR|store|synthetic",
        help="bars of earlier days, for a demo to warm up and train on",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the day, continued where it holds one; without --now: folder of all days",
    )
    parser.add_argument("--ticks", type=Path, metavar="FILE", help="demo: recorded ticks to replay")
    parser.add_argument(
        "--day", type=day, metavar="DAY", help="demo: session to replay, or the first of them, YYYY-MM-DD"
    )
    parser.add_argument(
        "--speed", type=_speed, metavar="N", help=f"demo: times real speed (default: {_DEMO_SPEED:g})"
    )
    parser.add_argument("--yes", action="store_true", help="live: agree to real orders without being asked")
    parser.add_argument(
        "--accept-foreign",
        action="store_true",
        help="live: trade beside positions and orders of the account that are not this program's",
    )
    parser.add_manners()
    return parser


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0.0 < speed <= 100_000.0:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0, such as 120")
    return speed


if __name__ == "__main__":
    sys.exit(main())
