"""The companion: a process beside the trading one that serves the status page and sends alerts.

It reads files and writes commands to its standard output; nothing it does, and nobody who talks to it, can
hold trading up. When it dies it is started anew; when the trading process dies, it is the one to tell.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from feeds.log import Log
from feeds.secrets import without_secrets
from strategies.kept_process import KeptProcess
from strategies.live_controls import Command, Outcome

__all__ = ["CompanionProcess"]

_ROOT = Path(__file__).resolve().parents[1]
_EVENTS = ("alerts_off", "no_status_page")


class CompanionProcess:
    """A companion that lives as long as the block it is used in.

    Parameters
    ----------
    configuration : mapping
        Its first line; holds secrets, so it goes through a pipe and is in no list of processes.
    carry_out : callable
        Does a command of the page or the chat.
    log : Log
        Told each command with its outcome, and how the companion fares.
    """

    def __init__(
        self, configuration: Mapping[str, Any], carry_out: Callable[[Command], Outcome], log: Log
    ) -> None:
        self._carry_out = carry_out
        self._log = log
        self._commands = ThreadPoolExecutor(1, "command")
        self._logins = ThreadPoolExecutor(1, "login")
        self._child = KeptProcess(
            [sys.executable, "-m", "analyzers", "companion"],
            json.dumps(configuration),
            name="companion",
            on_line=self._take,
            on_death=lambda code, pause: log.error("companion_died", code=code, next_try_seconds=pause),
            environment=without_secrets(os.environ),  # it serves a page, and needs none that can trade
            folder=_ROOT,
        )

    def __enter__(self) -> Self:
        self._child.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it send what waits, and end it."""
        self._child.__exit__(kind, error, trace)
        for pool in (self._commands, self._logins):
            pool.shutdown()

    # -- the thread that listens -----------------------------------------------------------------

    def _take(self, line: str) -> None:
        """Take a line of the companion's."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            self._log.warning("companion_unreadable", line=line[:200])
            return
        if "command" in told:
            # A login asks the broker, and a flatten must not wait behind it
            pool = self._logins if told["command"] == "login" else self._commands
            pool.submit(self._do, told).add_done_callback(lambda done: self._tell_failure(told, done))
        elif told.get("event") == "status_page":
            self._log.info("status_page", url=told.get("url"), token_file=told.get("token_file"))
        elif told.get("event") in _EVENTS:
            self._log.warning(str(told["event"]), error=str(told.get("error", "")))

    def _tell_failure(self, told: Mapping[str, Any], done: Future[None]) -> None:
        """Tell of a command that ended in a bug; the next one is heard all the same."""
        error = None if done.cancelled() else done.exception()
        if error is not None:
            words = f"this is a bug: {type(error).__name__}: {error}; look at position and entries"
            self._log.error(
                "control",
                id=str(told.get("id", "")),
                command=str(told["command"])[:40],
                by=str(told.get("by", "")),
                outcome="refused",
                words=words,
            )

    def _do(self, told: Mapping[str, Any]) -> None:
        command = Command(
            name=str(told["command"]),
            by=str(told.get("by", "")),
            reason=str(told.get("reason", "")),
            word=str(told.get("word", "")),
            request_token=str(told.get("request_token", "")),
        )
        outcome = self._carry_out(command)
        self._log.warning(
            "control",
            id=str(told.get("id", "")),
            command=command.name[:40],
            by=command.by,
            outcome=outcome.outcome,
            words=outcome.words,
        )
