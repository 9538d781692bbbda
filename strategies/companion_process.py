"""The companion: a process beside the trading one that serves the status page and sends alerts.

It reads files and writes commands to its standard output; nothing it does, and nobody who talks to it, can
hold trading up. When it dies it is started anew; when the trading process dies, it is the one to tell.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from feeds.log import Log
from strategies.live_controls import Command, Outcome

__all__ = ["CompanionProcess"]

_ROOT = Path(__file__).resolve().parents[1]
_END_SECONDS = 20.0
_EVENTS = ("alerts_off", "no_status_page")
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


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
            _say_end(process)
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._over.is_set():
            code, heard = self._live_once()
            if self._over.is_set():
                return
            pause = _FIRST_PAUSE_SECONDS if heard else min(_LONGEST_PAUSE_SECONDS, 2 * pause)
            self._log.error("companion_died", code=code, next_try_seconds=pause)
            self._over.wait(pause)

    def _live_once(self) -> tuple[int, bool]:
        """Start it and listen until it ends; return its exit code and whether it said anything."""
        process = subprocess.Popen(
            [sys.executable, "-m", "analyzers", "companion"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            start_new_session=True,  # Ctrl-C is for us: the companion has to tell what comes of it
        )
        with self._lock:
            self._process = process
        heard = False
        with process:
            try:
                if process.stdin is not None:
                    process.stdin.write(f"{self._first_line}\n")
                    process.stdin.flush()
            except OSError:  # it has died already; its exit code tells
                pass
            if self._over.is_set():
                _say_end(process)
            for line in process.stdout or ():
                heard = self._take(line) or heard
        return process.returncode, heard

    def _take(self, line: str) -> bool:
        """Take a line of the companion's; return whether it was one of its own."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            self._log.warning("companion_unreadable", line=line[:200])
            return False
        if "command" in told:
            if told["command"] == "login":  # it asks the broker, and a flatten must not wait behind it
                threading.Thread(target=self._do, args=(told,), name="login", daemon=True).start()
            else:
                self._do(told)
        elif told.get("event") == "status_page":
            self._log.info("status_page", url=told.get("url"), token_file=told.get("token_file"))
        elif told.get("event") in _EVENTS:
            self._log.warning(str(told["event"]), error=str(told.get("error", "")))
        return True

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


def _say_end(process: subprocess.Popen[str]) -> None:
    """Tell the companion that the end is in order; without that it takes us for dead."""
    try:
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.write("end\n")
            process.stdin.flush()
    except (OSError, ValueError):  # it has ended by itself
        return
