"""The trading process as its companion knows it: lines to it, and how it ends."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import IO, Literal

__all__ = ["Parent"]

End = Literal["in order", "died"]
_END = "end"


class Parent:
    """The other side of the pipes.

    Parameters
    ----------
    hears : file
        Our standard output, which it reads.
    says : file
        Our standard input, behind the first line.
    """

    def __init__(self, hears: IO[str], says: IO[str]) -> None:
        self._hears = hears
        self._says = says
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def write_line(self, line: str) -> None:
        """Write a line, from any thread. Raises OSError when nobody reads any more."""
        with self._lock:
            self._hears.write(f"{line}\n")
            self._hears.flush()

    def tell(self, event: str, **fields: str) -> None:
        """Have it log an event of ours, once, so that its user sees it; nobody has to be there."""
        line = json.dumps({"event": event, **fields})
        if line in self._told:
            return
        self._told.add(line)
        with contextlib.suppress(OSError):
            self.write_line(line)

    def wait_for_the_end(self) -> End:
        """Return how it ends: it says so, or it dies without a word and the pipe breaks."""
        for line in self._says:
            if line.strip() == _END:
                return "in order"
        return "died"
