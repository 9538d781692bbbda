"""A process beside the trading one: started, listened to, started anew when it dies, ended with us."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from feeds.secrets import without_secrets

__all__ = ["KeptProcess", "environment_beside"]

_ROOT = Path(__file__).resolve().parents[1]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_END_SECONDS = 20.0
_END = "end"
"""Without that word the end of our pipe means to the other process that we have died."""

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_LIVED_SECONDS = 60.0
"""One that dies sooner is started anew ever more rarely: each start takes a second of a processor."""


class KeptProcess:
    """A process that lives as long as the block it is used in.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    first_line : str
        Its first line of input; may hold secrets, as it is in no list of processes.
    name : str
        Of the thread that listens.
    on_line : callable
        Given each line that it says, in that thread.
    on_death : callable
        Given its exit code (None where it could not be started) and the seconds until the next try.
    environment : mapping
        All of its environment.
    folder : pathlib.Path or None
        It works in; ours where left out.
    hears_errors : bool
        Whether what it says on its standard error is a line like any other; ours otherwise.
    """

    def __init__(
        self,
        command: Sequence[str],
        first_line: str,
        *,
        name: str,
        on_line: Callable[[str], None],
        on_death: Callable[[int | None, float], None],
        environment: Mapping[str, str],
        folder: Path | None = None,
        hears_errors: bool = False,
    ) -> None:
        self._command = command
        self._first_line = first_line
        self._on_line = on_line
        self._on_death = on_death
        self._environment = environment
        self._folder = folder
        self._hears_errors = hears_errors
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it finish what it is at, and end it."""
        self._over.set()
        with self._lock:
            process = self._process
        if process is not None:
            _say(process, _END)
        self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            with self._lock:  # the one that was told, or one that was just being started
                process = self._process
            if process is not None:
                process.kill()
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS / 2.0
        while not self._over.is_set():
            begun = time.monotonic()
            code = self._live_once()
            if self._over.is_set():
                return
            has_lived = time.monotonic() - begun >= _LIVED_SECONDS
            pause = _FIRST_PAUSE_SECONDS if has_lived else min(_LONGEST_PAUSE_SECONDS, 2.0 * pause)
            self._on_death(code, pause)
            self._over.wait(pause)

    def _live_once(self) -> int | None:
        """Start it and listen until it ends; return its exit code, None where it could not be started."""
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if self._hears_errors else None,
                text=True,
                errors="replace",
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for us, who end it
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
                self._on_line(line)
        finally:
            _close(process)
        return process.returncode


def environment_beside(*needed: str) -> dict[str, str]:
    """Return ours without secrets: one thread for each library, and our packages from any folder.

    Parameters
    ----------
    needed : str
        Names of secrets that the process cannot do without; taken over where they are set.
    """
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    own = without_secrets(os.environ) | kept | dict.fromkeys(_THREADS, "1")
    paths = [str(_ROOT), own.get("PYTHONPATH", "")]
    return own | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def _say(process: subprocess.Popen[str], line: str) -> None:
    """Tell it something; one that has ended by itself hears nothing, and its exit code tells."""
    with contextlib.suppress(OSError, ValueError):
        if process.stdin is not None:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()


def _close(process: subprocess.Popen[str]) -> None:
    """Close the pipes, which flushes what a dead process did not take, and wait for its end."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
