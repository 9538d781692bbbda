"""Keeps the bars of a day: each in a file when it closes, and the day as a whole when it is over.

Bars that ticks were lost for are asked for once more from history at the end; what is still missing then is
named. Nothing is filled.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from feeds.appended_csv import AppendedCsv
from feeds.bar_sequence import LiveBar
from feeds.bars import BAR_COLUMNS, VALUE_COLUMNS
from feeds.calendar import Session
from feeds.clock import IST
from feeds.errors import DataError
from feeds.past_bars import PastBars
from feeds.tick_bars import Bar, frame_from_bars

__all__ = ["BARS_FILE", "COLUMNS", "DayRecord", "RecordedDay"]

BARS_FILE = "bars.csv"
COLUMNS = ("datetime", *BAR_COLUMNS, "from_ticks")
"""Columns of the file: those that `python -m feeds import` takes, and 1 for a bar built from ticks, 0 for one
of history."""


class RecordedDay(NamedTuple):
    """A day that is over.

    Attributes
    ----------
    frame : DataFrame
        A bar frame.
    from_history : int
        Bars that history gave in place of those that ticks were lost for.
    missing : list of datetime
        START of the bars that nobody has.
    incomplete : int
        Bars of which ticks were lost, and that history does not have.
    """

    frame: pd.DataFrame
    from_history: int
    missing: list[dt.datetime]
    incomplete: int

    @property
    def is_whole(self) -> bool:
        """Whether every bar of the session is there and complete."""
        return not self.missing and not self.incomplete


class DayRecord:
    """The bars of one session, kept. For one thread.

    Parameters
    ----------
    folder : Path
        Of the day; holds ``bars.csv``, which goes on behind its last row after a restart.
    session : Session
        The day; bars of other days are not kept.
    """

    def __init__(self, folder: Path, session: Session) -> None:
        self._path = folder / BARS_FILE
        self._session = session
        self._file = AppendedCsv(self._path)

    def keep(self, live_bar: LiveBar) -> bool:
        """Write a bar down and return True; False for one of another day, or where one as new is there."""
        bar = live_bar.bar
        start = bar.start.astimezone(IST)
        if start.date() != self._session.date:
            return False
        values = [getattr(bar, name) for name in VALUE_COLUMNS]
        from_ticks = int(live_bar.origin == "ticks")
        return self._file.write(COLUMNS, start, [*values, bar.complete, from_ticks])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def finish(self, past: PastBars, *, asks: bool = True) -> RecordedDay:
        """Close the file, ask history for what ticks were lost for, and return the day.

        Parameters
        ----------
        past : PastBars
            History, in bars of the length recorded.
        asks : bool
            Whether history is asked; without, the day is what ticks made of it.

        Raises
        ------
        BrokerError, DataError
            If history is needed and cannot be read, or the file holds other bars than these.
        """
        self.close()
        opened, closed = self._session.open, self._session.close
        ends = {one.start: one.end for one in past.bins(opened, closed)}
        kept = self._read(ends)
        doubtful = [start for start in ends if start not in kept or not kept[start].complete]
        found = {bar.start: bar for bar in past.between(opened, closed)} if doubtful and asks else {}
        mended = {start: found[start] for start in doubtful if start in found and found[start].complete}
        kept |= mended
        bars = [kept[start] for start in sorted(kept)]
        missing = [start for start in ends if start not in kept]
        return RecordedDay(frame_from_bars(bars), len(mended), missing, sum(not bar.complete for bar in bars))

    def _read(self, ends: dict[dt.datetime, dt.datetime]) -> dict[dt.datetime, Bar]:
        kept = {}
        with self._path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                start = dt.datetime.fromisoformat(row["datetime"]).astimezone(IST)
                if start not in ends:
                    raise DataError(
                        f"{self._path} holds a bar that starts at {start}, expected bars of the length that "
                        "is recorded now; it was begun with another --interval: use a new --out folder"
                    )
                values = (float(row[name]) for name in VALUE_COLUMNS)
                kept[start] = Bar._make((start, ends[start], *values, row["complete"] == "True"))
        return kept
