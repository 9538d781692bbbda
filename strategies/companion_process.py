"""The companion: a process beside the trading one that serves the status page and sends alerts.

It reads files and writes commands to its standard output; nothing it does, and nobody who talks to it, can
hold trading up. When it dies it is started anew; when the trading process dies, it is the one to tell.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from feeds.log import Log
from feeds.secrets import without_secrets
from strategies.live_controls import Command, Outcome

__all__ = ["CompanionProcess"]

_ROOT = Path(__file__).resolve().parents[1]
_END_SECONDS = 20.0
_END = "end"
"""Without that word the end of our pipe means to the companion that we have died."""

_EVENTS = ("alerts_off", "no_status_page")
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_LIVED_SECONDS = 60.0
"""One that dies sooner is started anew ever more rarely: each start takes a second of a processor."""


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
        self._first_line = json.dumps(configuration)
        self._carry_out = carry_out
        self._log = log
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._commands = ThreadPoolExecutor(1, "command")
        self._logins = ThreadPoolExecutor(1, "login")
        self._thread = threading.Thread(target=self._run, name="companion", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it send what waits, and end it."""
        self._over.set()
        with self._lock:
            process = self._process
        if process is not None:
            _say(process, _END)
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()
        for pool in (self._commands, self._logins):
            pool.shutdown()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS / 2.0
        while not self._over.is_set():
            begun = time.monotonic()
            code = self._live_once()
            if self._over.is_set():
                return
            has_lived = time.monotonic() - begun >= _LIVED_SECONDS
            pause = _FIRST_PAUSE_SECONDS if has_lived else min(_LONGEST_PAUSE_SECONDS, 2.0 * pause)
            self._log.error("companion_died", code=code, next_try_seconds=pause)
            self._over.wait(pause)

    def _live_once(self) -> int | None:
        """Start it and listen until it ends; return its exit code, None where it could not be started."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "analyzers", "companion"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                errors="replace",
                cwd=_ROOT,
                env=without_secrets(os.environ),  # it serves a page, and needs none that can trade
                start_new_session=True,  # Ctrl-C is for us: the companion has to tell what comes of it
            )
        except OSError:  # no memory, or no process left
            return None
        with self._lock:
            self._process = process
        try:
            _say(process, self._first_line)
            if self._over.is_set():
                _say(process, _END)
            for line in process.stdout or ():
                self._take(line)
        finally:
            _close(process)
        return process.returncode

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


def _say(process: subprocess.Popen[str], line: str) -> None:
    """Tell the companion something; one that has ended by itself hears nothing, and its exit code tells."""
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()


def _close(process: subprocess.Popen[str]) -> None:
    """Close the pipes, which flushes what a dead companion did not take, and wait for its end."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
