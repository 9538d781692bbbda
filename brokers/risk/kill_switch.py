"""Deny every entry while a file is there."""

from __future__ import annotations

import os
from pathlib import Path

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict

__all__ = ["KillSwitch"]


class KillSwitch:
    """No entry while a file exists: ``touch KILL_SWITCH`` stops new trades, removing it allows them again.

    The open position keeps its stop, its target and its square-off. The file is looked for at each entry, in
    a backtest too; where the file system cannot say whether it is there, entries are denied.

    Parameters
    ----------
    path : Path
        The file; its content does not matter. A relative path is taken from the working directory.
    """

    name = "kill_switch"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = os.fspath(path)

    def describe(self) -> str:
        """Return the limit in words."""
        return f"kill switch: no entry while {self._path} exists"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny while the file is there, or while that cannot be told."""
        del request, state
        try:
            # os.stat and not Path.stat: a quarter of the time, and this runs at every entry
            os.stat(self._text)  # noqa: PTH116
        except FileNotFoundError:
            return ALLOWED
        except OSError as error:
            reason = f"cannot tell whether {self._path} exists ({error.strerror}); make it readable"
            return Verdict("deny", 0.0, self.name, reason)
        return Verdict("deny", 0.0, self.name, f"{self._path} exists; remove it to allow entries")
