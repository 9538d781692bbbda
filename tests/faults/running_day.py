"""A live day that runs in a thread, so that a test can do things to it meanwhile."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.live_market import WAIT, wait_until

__all__ = ["RunningDay"]


class RunningDay:
    """Runs ``work``, which trades a day into ``folder`` and returns an exit code, as long as its block lasts.

    Attributes
    ----------
    exit_code : int or None
        None while it runs.
    """

    def __init__(self, folder: Path, work: Callable[[], int]) -> None:
        self.exit_code: int | None = None
        self._folder = folder
        self._work = work
        self._thread = threading.Thread(target=self._run, name="running-day", daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join(WAIT if error is None else 1.0)
        if error is None:
            assert not self._thread.is_alive(), "the day does not end"
            if self._error is not None:
                raise self._error

    def _run(self) -> None:
        try:
            self.exit_code = self._work()
        except BaseException as error:
            self._error = error
            raise

    def finish(self) -> int:
        """Wait for the end of the day, and return its exit code."""
        self._thread.join(WAIT)
        assert self.exit_code is not None, "the day does not end"
        return self.exit_code

    @property
    def log(self) -> list[dict[str, Any]]:
        """What was logged so far; a line under way is left out."""
        path = self._folder / "live.log"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the log's records of an event, those that have these fields."""
        return [row for row in self.log if row["event"] == event and fields.items() <= row.items()]

    def wait_for(self, event: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """Wait until an event was logged so often, and return the newest."""
        wait_until(
            lambda: len(self.told(event, **fields)) >= count or self._error is not None,
            f"{event} was logged {count} times",
        )
        return self.told(event, **fields)[count - 1]

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file of the day."""
        with (self._folder / name).open(newline="") as file:
            return list(csv.DictReader(file))
