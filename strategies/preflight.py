"""The checks before the open, and what they come to: go or no-go.

A check answers ``go``, ``warning`` or ``no_go`` with a sentence and a remedy. Whatever could not be asked is
a ``no_go``; what could not be looked at because an earlier check failed is left out.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from analyzers.status.now import CheckNow
from strategies import preflight_here as here
from strategies.preflight_broker import BrokerChecks
from strategies.preflight_context import Checking, PreflightContext, attempt

__all__ = ["Preflight", "PreflightContext", "run_preflight"]

_BEFORE: dict[str, Checking] = {"calendar": here.check_calendar, "journal": here.check_journal}
_AFTER: dict[str, Checking] = {
    "model": here.check_model,
    "data_store": here.check_data_store,
    "disk": here.check_disk,
    "square_off": here.check_square_off,
    "entries": here.check_entries,
}


class Preflight(NamedTuple):
    """What the checks came to.

    Attributes
    ----------
    go : bool
        No check says no.
    checks : tuple of CheckNow
        In the order in which they were made.
    login_needed : bool
        A new login would help.
    """

    go: bool
    checks: tuple[CheckNow, ...]
    login_needed: bool


def run_preflight(context: PreflightContext) -> Preflight:
    """Make every check that can be made; no order is sent and nothing of the day is begun.

    It may take some seconds: reads that fail are tried again as ``broker.kite.read_attempts`` says.
    """
    broker = BrokerChecks(context)
    checks = [*_made(context, _BEFORE), *broker.run(), *_made(context, _AFTER)]
    is_go = all(check.outcome != "no_go" for check in checks)
    return Preflight(is_go, tuple(checks), broker.login_needed)


def _made(context: PreflightContext, checks: dict[str, Checking]) -> list[CheckNow]:
    return [attempt(context, name, partial(check, context)) for name, check in checks.items()]
