"""How far a fetch is: a bar on a terminal, a line for each request elsewhere."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple, Protocol

from feeds.fetch.plan import Request
from feeds.show import print_line

__all__ = ["FetchProgress", "LineProgress", "Step", "make_progress"]


class Step(NamedTuple):
    """One request that was answered and kept.

    Attributes
    ----------
    request : Request
        What was asked.
    done, requests : int
        Which of how many it was.
    added : int
        Bars that were new to the store.
    """

    request: Request
    done: int
    requests: int
    added: int


class FetchProgress(Protocol):
    """Told of every request when its bars are in the store."""

    def __call__(self, step: Step, /) -> None:
        """Take note of a step."""


class LineProgress:
    """One line a request."""

    def __call__(self, step: Step) -> None:
        """Print the line at once, so that a reader of a pipe sees it."""
        request = step.request
        print_line(
            f"{step.done} of {step.requests}: {request.symbol} {request.first} to {request.last}, "
            f"{step.added:,} bars added"
        )
        sys.stdout.flush()


def make_progress(requests: int) -> AbstractContextManager[FetchProgress]:
    """Return what suits the place standard output leads to."""
    if not sys.stdout.isatty():
        return nullcontext(LineProgress())
    return _Bar(requests)


class _Bar(AbstractContextManager[FetchProgress]):
    def __init__(self, requests: int) -> None:
        # A terminal only; whoever pipes the output does not wait for this import.
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"),
            TimeRemainingColumn(), transient=True,
        )  # fmt: skip
        self._task = self._progress.add_task("fetching", total=requests)

    def __enter__(self) -> FetchProgress:
        self._progress.start()
        return self._step

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _step(self, step: Step) -> None:
        self._progress.update(
            self._task, completed=step.done, description=f"{step.request.symbol} up to {step.request.last}"
        )
