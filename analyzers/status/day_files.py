"""The files of a live process and of its day, read as they grow."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from analyzers.log_tail import CsvTail, LogTail
from analyzers.parity.files import BARS_FILE, DECISIONS_FILE
from analyzers.status.counts import LogCounts
from analyzers.status.day_fold import DayFold, number
from analyzers.status.now import NOW_FILE, Now, read_now
from feeds.errors import DataError

__all__ = [
    "DAYS_FILE", "LIVE_LOG", "UNREADABLE", "WATCH_LOG", "DayFiles", "DaysFile", "NowFile", "day_folder",
    "hand_out",
]  # fmt: skip

LIVE_LOG, WATCH_LOG, DAYS_FILE = "live.log", "watch.log", "days.csv"

UNREADABLE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What is raised by content that is of another shape than what is written here."""

_DAYS_SHOWN = 20


class DayFiles:
    """The log, bars and decisions of one day, folded. For one thread.

    Parameters
    ----------
    folder : pathlib.Path
        The day's; its files need not exist yet.
    counts : LogCounts
        Counts the records of the log.
    mask : callable
        Hides secrets in what is shown.
    on_record : callable
        Given every record of the log.

    Attributes
    ----------
    unread : int
        How many records of the log made no sense.
    """

    def __init__(
        self,
        folder: Path,
        counts: LogCounts,
        mask: Callable[[str], str],
        on_record: Callable[[dict[str, Any]], None],
    ) -> None:
        self.folder = folder
        self.fold = DayFold(mask)
        self.unread = 0
        self._counts = counts
        self._on_record = on_record
        self._log = LogTail(folder / LIVE_LOG)
        self._bars = CsvTail(folder / BARS_FILE)
        self._decisions = CsvTail(folder / DECISIONS_FILE)

    def read(self) -> None:
        """Take in what is new. Raises OSError."""
        self.unread += hand_out(self._log.read(), self._on_record, self._counts.take, self.fold.take_record)
        self.fold.take_bars(self._bars.read())
        self.fold.take_decisions(self._decisions.read())


class NowFile:
    """``now.json``, read when it has changed. For one thread.

    Parameters
    ----------
    folder : pathlib.Path
        Of the process.

    Attributes
    ----------
    now : Now or None
        The last one that could be read.
    problem : str
        Why it could not be read the last time; empty when it could.
    has_changed : bool
        Whether the last :meth:`read` found another one than that before it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, ...] = ()
        self.now: Now | None = None
        self.problem = ""
        self.has_changed = False

    def read(self) -> None:
        """Read it if it is another one than before."""
        seen = _seen(self._folder / NOW_FILE)
        self.has_changed = False
        if seen and seen == self._seen:
            return
        try:
            now = read_now(self._folder)
        except DataError as error:
            self.problem = str(error)
        else:
            self.has_changed, self.now, self.problem = now != self.now, now, ""
        self._seen = seen


class DaysFile:
    """``days.csv``: the days that are over, read when it has changed, and masked. For one thread."""

    def __init__(self, folder: Path, mask: Callable[[str], str]) -> None:
        self._path = folder / DAYS_FILE
        self._mask = mask
        self._seen: tuple[int, ...] = ()
        self._days: list[dict[str, Any]] = []

    def read(self) -> list[dict[str, Any]]:
        """Return the last 20 days, newest first; none where there is no file. Raises OSError."""
        seen = _seen(self._path)
        if seen != self._seen:
            self._days = self._read() if seen else []
            self._seen = seen
        return self._days

    def _read(self) -> list[dict[str, Any]]:
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            try:
                rows = [row for row in csv.DictReader(file) if row.get("day")]
            except csv.Error:
                return []
        rows.sort(key=lambda row: str(row["day"]), reverse=True)
        return [
            {
                "day": self._mask(row["day"]),
                "mode": self._mask(row.get("mode") or ""),
                "trades": int(number(row.get("trades")) or 0),
                "net_pnl": number(row.get("net_pnl")),
                "outcome": self._mask(row.get("outcome") or ""),
            }
            for row in rows[:_DAYS_SHOWN]
        ]


def hand_out(records: Iterable[dict[str, Any]], *takers: Callable[[dict[str, Any]], None]) -> int:
    """Give each record to each taker in turn; return how many made no sense to one of them."""
    unread = 0
    for record in records:
        try:
            for take in takers:
                take(record)
        except UNREADABLE:
            unread += 1
    return unread


def day_folder(state_folder: Path, now: Now | None) -> Path:
    """Return the folder of the day that is on, or was last.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process; it is the day's own where nothing names another one.
    now : Now or None
        Names the day's folder as the process sees it; a run that was moved has it beside ``now.json``.
    """
    if now is None or not now.folder:
        return state_folder
    named = Path(now.folder)
    if named.is_dir():
        return named
    moved = state_folder / named.name
    return moved if moved.is_dir() else state_folder


def _seen(path: Path) -> tuple[int, ...]:
    """Return what tells one version of a file from the next, nothing where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns
