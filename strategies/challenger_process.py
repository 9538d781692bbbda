"""Starts the process of the challengers, starts it anew when it dies, and ends it with the day."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from feeds.log import Log
from feeds.secrets import without_secrets
from strategies.settings import Settings

__all__ = ["ChallengerProcess"]

_ROOT = Path(__file__).resolve().parents[1]
_END = "end"
_END_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class ChallengerProcess:
    """A process that judges the challengers as long as the block lasts. Trading never waits for it.

    Parameters
    ----------
    settings : Settings
        ``live.challengers`` says who they are.
    folder : pathlib.Path
        Of the day.
    starting_cash : float
        Rupees of each challenger's own account.
    log : Log
        Told when the process dies.
    """

    def __init__(self, settings: Settings, folder: Path, starting_cash: float, log: Log) -> None:
        self._first_line = json.dumps(
            {
                "folder": str(folder.resolve()),
                "settings": settings.model_dump(mode="json"),
                "starting_cash": starting_cash,
            }
        )
        self._log = log
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="challengers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it judge the last bars, and end it."""
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

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._over.is_set():
            code, words = self._live_once()
            if self._over.is_set():
                return
            self._log.warning("challengers_died", code=code, error=words, next_try_seconds=pause)
            self._over.wait(pause)
            pause = min(_LONGEST_PAUSE_SECONDS, 2.0 * pause)

    def _live_once(self) -> tuple[int | None, str]:
        """Start it and wait for its end; return its exit code and its last words."""
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "strategies", "challengers"],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                cwd=_ROOT,
                env=without_secrets(os.environ),
                start_new_session=True,  # Ctrl-C is for us, who end it
            )
        except OSError as error:  # no memory, or no process left
            return None, str(error.strerror)
        with self._lock:
            self._process = process
        _say(process, self._first_line)
        if self._over.is_set():
            _say(process, _END)
        said = process.stderr.read() if process.stderr is not None else ""
        code = process.wait()
        for pipe in (process.stdin, process.stderr):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return code, lines[-1][:300] if lines else ""


def _say(process: subprocess.Popen[str], line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
