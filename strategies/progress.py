"""How far a long run is: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["ProgressReporter", "QuietProgress", "make_progress"]


class ProgressReporter(Protocol):
    """Told what a run is doing."""

    def stage(self, name: str) -> None:
        """Begin a stage."""
        ...

    def advance(self, done: int, total: int) -> None:
        """Say how much of the stage is done."""
        ...


class QuietProgress(AbstractContextManager["QuietProgress"]):
    """Says nothing."""

    def stage(self, name: str) -> None:
        """Say nothing."""

    def advance(self, done: int, total: int) -> None:
        """Say nothing."""

    def __exit__(self, *_: object) -> None:
        return None


class LineProgress(QuietProgress):
    """One line a stage on standard output, for logs and pipes; standard error is left to errors."""

    def stage(self, name: str) -> None:
        """Write the stage's name."""
        with suppress(BrokenPipeError):  # a reader that has left must not end the run
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()


class TerminalProgress:
    """A bar that names the stage."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
            console=console, transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("starting", total=None)

    def stage(self, name: str) -> None:
        """Show the stage's name and an undecided bar."""
        self._progress.reset(self._task, description=name, total=None)

    def advance(self, done: int, total: int) -> None:
        """Fill the bar."""
        self._progress.update(self._task, completed=done, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def make_progress(*, quiet: bool) -> QuietProgress | TerminalProgress:
    """Return what suits the place standard error leads to."""
    if quiet:
        return QuietProgress()
    console = Console(stderr=True)
    return TerminalProgress(console) if console.is_terminal else LineProgress()
