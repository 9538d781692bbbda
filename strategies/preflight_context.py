"""What the checks before the open are given, and what becomes of an error in one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from analyzers.status.now import CheckNow
from brokers.wire import UnreachableError
from feeds.calendar import TradingCalendar
from feeds.clock import Clock, WallClock
from feeds.errors import MuhuratError
from feeds.log import Log
from strategies.day import DayPlan
from strategies.live_request import LiveRequest
from strategies.settings import Settings

__all__ = ["Checking", "PreflightContext", "attempt", "go", "no_go", "warning"]

_ASK_AGAIN = "check the network and the address of the API in the settings; it is asked again"


@dataclass(frozen=True, kw_only=True)
class PreflightContext:
    """Everything that a preflight looks at.

    Attributes
    ----------
    request : LiveRequest
        Settings, mode, model and secrets of the day.
    plan : DayPlan
        Of the day.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        The market's time.
    folder : pathlib.Path
        Of the day; it may not exist yet.
    state_folder : pathlib.Path
        Of the process.
    previous_folder : pathlib.Path or None
        Of the last day that was traded; None for the first one.
    log : Log
        Told of reads that are tried again.
    machine_clock : Clock
        Of this machine: a login ends by it, and it is what Kite's clock is compared with.
    """

    request: LiveRequest
    plan: DayPlan
    calendar: TradingCalendar
    clock: Clock
    folder: Path
    state_folder: Path
    previous_folder: Path | None
    log: Log
    machine_clock: Clock = field(default_factory=WallClock)

    @property
    def settings(self) -> Settings:
        """Of the request."""
        return self.request.settings

    @property
    def day(self) -> dt.date:
        """The trading day."""
        return self.plan.day

    @property
    def is_paper(self) -> bool:
        """Whether the account at the broker is of no concern."""
        return self.request.mode == "paper"


Checking = Callable[[PreflightContext], CheckNow]
"""A check; it may raise :class:`MuhuratError`, which is a no."""


def go(name: str, words: str) -> CheckNow:
    """Return that all is well."""
    return CheckNow(name=name, outcome="go", words=words)


def warning(name: str, words: str, remedy: str) -> CheckNow:
    """Return that a person should look at it, and that the day goes on."""
    return CheckNow(name=name, outcome="warning", words=words, remedy=remedy)


def no_go(name: str, words: str, remedy: str) -> CheckNow:
    """Return that the day does not begin like this."""
    return CheckNow(name=name, outcome="no_go", words=words, remedy=remedy)


def attempt(context: PreflightContext, name: str, check: Callable[[], CheckNow]) -> CheckNow:
    """Return what a check finds, without secrets; an error of ours is a no, any other one is a bug.

    What could not be asked is never taken for fine.
    """
    try:
        found = check()
    except UnreachableError as error:
        found = no_go(name, f"could not ask: {error}", _ASK_AGAIN)
    except MuhuratError as error:
        # The messages of this project end in their remedy
        words, _, remedy = str(error).rpartition("; ")
        found = no_go(name, words or remedy, remedy if words else "")
    mask = context.request.secrets.mask
    return found.model_copy(update={"words": mask(found.words), "remedy": mask(found.remedy)})
