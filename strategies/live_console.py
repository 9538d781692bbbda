"""What a person sees of a live day: one short line for what matters, and every warning and error."""

from __future__ import annotations

import sys
import threading
from typing import IO

from analyzers.day_words import Fields, has_sentence, words_of

__all__ = ["Console", "make_console"]

_LOUD = {"warning": "WARNING ", "error": "ERROR   "}
_MARGIN = " " * 8

_LAST_LINE = "ended_by_error"
"""What ends the program is its last line on a terminal, told by who prints that."""


class Console:
    """Shows records of :class:`feeds.live_log.LiveLog`; a terminal that goes away does not end the day.

    Parameters
    ----------
    stream : file
        Where lines go.
    is_quiet : bool
        Only errors are shown.

    Notes
    -----
    Shown of events told as ``info`` are those with a sentence of their own in :mod:`analyzers.day_words`;
    the log has all of them.
    Facts of the journal go by their class's name in small letters (``trip_closed``).
    """

    def __init__(self, stream: IO[str], *, is_quiet: bool = False) -> None:
        self._stream = stream
        self._is_quiet = is_quiet
        self._lock = threading.Lock()
        self._is_gone = False

    def __call__(self, record: Fields) -> None:
        """Show a record, or nothing. Callable from any thread."""
        line = self.line(record)
        if line is None:
            return
        with self._lock:
            if self._is_gone:
                return
            try:
                self._stream.write(f"{line}\n")
                self._stream.flush()
            except (OSError, ValueError):  # closed pipe, closed file: the log has it all the same
                self._is_gone = True

    def line(self, record: Fields) -> str | None:
        """Return what is shown of a record, None for nothing."""
        level = record["level"]
        if record["event"] == _LAST_LINE or (self._is_quiet and level != "error"):
            return None
        if level not in _LOUD and not has_sentence(record):
            return None
        words = words_of(record)
        return f"{str(record['time'])[11:19]}  {_LOUD.get(level, _MARGIN)}{words}" if words else None


def make_console(*, quiet: bool) -> Console:
    """Return a console on standard output, or one for errors only on standard error."""
    return Console(sys.stderr if quiet else sys.stdout, is_quiet=quiet)
