"""What the kill switch and the pause have in common: no entry while a file is there."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
from pathlib import Path

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, entry_at, why_denied
from feeds.errors import BrokerError

__all__ = ["FileSwitch"]

_MOST_READ_BYTES = 400
_MOST_SHOWN = 200


class FileSwitch:
    """No entry while a file exists.

    The open position keeps its stop, its target and its square-off. The file is looked for at each entry, in
    a backtest too; where the file system cannot say whether it is there, entries are denied.

    Parameters
    ----------
    path : Path
        The file. Its first line, if it has one, is the reason that is shown. A relative path is taken from
        the working directory.
    """

    name = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = os.fspath(path)

    def describe(self) -> str:
        """Return the limit in words."""
        return f"{self.name.replace('_', ' ')}: no entry while {self._path} exists"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny while the file is there, or while that cannot be told."""
        del request, state
        reason = self.why_on()
        return Verdict("deny", 0.0, self.name, reason) if reason else ALLOWED

    def why_on(self) -> str:
        """Return why entries are denied, empty while they are not. Any thread."""
        try:
            # os.stat and not Path.stat: a quarter of the time, and this runs at every entry
            found = os.stat(self._text)  # noqa: PTH116
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"cannot tell whether {self._path} exists ({error.strerror}); make it readable"
        remedy = f"{self._path} exists; remove it to allow entries"
        # A pipe of that name would let the reader wait for ever
        words = self._first_line() if stat.S_ISREG(found.st_mode) else ""
        return f"{words} ({remedy})" if words else remedy

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return whether it is on; there is nothing to measure."""
        return LimitUse(blocks=why_denied(self, entry_at(now), state))

    def turn_on(self, reason: str) -> None:
        """Make the file, or give the one that is there this reason; it outlives this process.

        Raises
        ------
        BrokerError
            The file cannot be made. A full disk is no such case: an empty file is a switch too.
        """
        try:
            file = os.open(self._text, os.O_WRONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._cannot_be("made", error, "create it by hand to deny entries") from error
        try:
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)
                os.write(file, (" ".join(reason.split()) + "\n").encode(errors="replace"))
                os.fsync(file)
        finally:
            os.close(file)

    def turn_off(self) -> None:
        """Remove the file; nothing happens when there is none.

        Raises
        ------
        BrokerError
            The file cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_be("removed", error, "remove it by hand to allow entries") from error

    def _cannot_be(self, done: str, error: OSError, remedy: str) -> BrokerError:
        return BrokerError(
            f"{self.name}: {self._path} cannot be {done} ({error.strerror}), expected a file in a folder "
            f"that can be written; {remedy}"
        )

    def _first_line(self) -> str:
        try:
            with self._path.open("rb") as file:
                start = file.read(_MOST_READ_BYTES).decode("utf-8", errors="replace")
        except OSError:  # gone again, or not readable: that it was there is what counts
            return ""
        words = "".join(sign for sign in start.partition("\n")[0] if sign.isprintable())
        return words.strip()[:_MOST_SHOWN]
