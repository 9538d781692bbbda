"""A file that only one process at a time may hold, for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from feeds.errors import BrokerError

__all__ = ["InstanceLock"]


class InstanceLock:
    """The right to be the only writer of a file. The operating system takes it back when a process dies.

    Parameters
    ----------
    path : pathlib.Path
        What is protected; the lock is a file beside it with the suffix ``.lock``.
    what : str
        What it is, for the message.

    Raises
    ------
    BrokerError
        Another process holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        self._file = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise BrokerError(
                f"{what} {path} is in use by another process, expected to be its only writer; "
                "stop the other instance, or give this one a file of its own"
            ) from error

    def release(self) -> None:
        """Give the lock up; the file stays, because removing it would race with the next holder."""
        os.close(self._file)
