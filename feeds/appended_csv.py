"""A CSV file that rows are appended to, one by one, each flushed: a crash loses none.

After a restart it goes on behind its last row.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from feeds.errors import DataError

__all__ = ["AppendedCsv", "cut_torn_line"]


class AppendedCsv:
    """A CSV file with a header, whose first column is a time that only grows. For one thread.

    Parameters
    ----------
    path : pathlib.Path
        What is in it stays; half a line that a crash left behind is removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: list[str] = []
        self._newest: dt.datetime | None = None
        cut_torn_line(path)
        self._file: IO[str] = path.open("a+", encoding="utf-8", newline="")
        self._file.seek(0)
        for row in csv.reader(self._file):
            if self._header:
                self._newest = dt.datetime.fromisoformat(row[0])
            else:
                self._header = row
        self._writer = csv.writer(self._file, lineterminator="\n")

    def write(self, header: Sequence[str], time: dt.datetime, values: Sequence[Any]) -> bool:
        """Append a row and return True; False, and nothing is done, where one as new is there already.

        Raises
        ------
        DataError
            The file has other columns.
        """
        if self._newest is not None and time <= self._newest:
            return False
        if not self._header:
            self._header = list(header)
            self._writer.writerow(header)
        elif self._header != list(header):
            raise DataError(
                f"{self._path} has the columns {', '.join(self._header)}, this run records "
                f"{', '.join(header)}: it was begun with another strategy or model; use a new --out folder"
            )
        self._writer.writerow([time, *values])
        self._file.flush()
        self._newest = time
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut_torn_line(path: Path) -> None:
    """Remove what a crash left of a last line of a file, if there is one."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)
        file.flush()
        os.fsync(file.fileno())
