"""Bars in Parquet files: ``<root>/<instrument>/<n>minute/<year>.parquet``, and ``fetched.json`` beside them.

A year is replaced as a whole: the new file is written beside the old one, forced to the disk, and
renamed over it, so that a reader opens either the old file or the new one. One writer at a time per
series, across processes; a second one waits. What was fetched whole is recorded after its bars, in the
same way, so that a writer that is killed in between loses the record and no bar.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from feeds.errors import DataError
from feeds.store.base import Appended, Coverage, DateSpan, FetchedSpan, Series
from feeds.store.rules import (
    check_columns,
    check_dates,
    check_series,
    no_bars_between,
    no_such_series,
    other_values,
    storable,
)
from feeds.store.spans import merged, read_spans, spans_text, within_years
from feeds.store.year_file import TEMPORARY, read_year, replace_file, write_year

__all__ = ["ParquetStore"]

_YEAR_FILES = "[0-9][0-9][0-9][0-9].parquet"
_SPANS_FILE = "fetched.json"


class ParquetStore:
    """A :class:`feeds.store.base.BarStore` in a folder.

    Parameters
    ----------
    root : Path
        The folder; made at the first append.
    """

    def __init__(self, root: Path) -> None:
        self._root = Path(root)

    def __repr__(self) -> str:
        return f"ParquetStore({str(self._root)!r})"

    def append(
        self,
        instrument: str,
        bar_minutes: int,
        frame: pd.DataFrame,
        *,
        fetched: FetchedSpan | None = None,
    ) -> Appended:
        """Add the bars of a frame; see :meth:`feeds.store.base.BarStore.append`."""
        folder = self._folder(instrument, bar_minutes)
        frame = storable(frame, fetched)
        if frame.empty:
            return Appended(0, 0)
        with _faults_told(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _one_writer(folder):
                # Whatever is half written belongs to a writer that died: nobody else holds the lock.
                for leftover in folder.glob(f"{TEMPORARY}*"):
                    leftover.unlink()
                added = _add_bars(folder, frame)
                if fetched is not None:
                    _record(folder, fetched)
        return Appended(added, len(frame) - added)

    def load(
        self,
        instrument: str,
        bar_minutes: int,
        first: dt.date | None = None,
        last: dt.date | None = None,
        *,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the stored bars of a range of dates; see :meth:`feeds.store.base.BarStore.load`."""
        check_dates(first, last)
        wanted = check_columns(columns)
        files = _year_files(self._folder(instrument, bar_minutes))
        if not files:
            raise no_such_series(instrument, bar_minutes, self._root, self.instruments())
        parts = [read_year(file, first, last, wanted) for file in files if _touches(file, first, last)]
        if not any(len(part) for part in parts):
            held = read_year(files[0], columns=()).index[0], read_year(files[-1], columns=()).index[-1]
            raise no_bars_between(Series(instrument, bar_minutes), self._root, (first, last), held)
        return pd.concat(parts)

    def coverage(self, instrument: str, bar_minutes: int) -> Coverage | None:
        """Return what a series holds, or None if there is no such series."""
        files = _year_files(self._folder(instrument, bar_minutes))
        if not files:
            return None
        indexes = [pd.DatetimeIndex(read_year(file, columns=()).index) for file in files]
        days = sum(len(index.normalize().unique()) for index in indexes)
        return Coverage(indexes[0][0], indexes[-1][-1], sum(map(len, indexes)), days)

    def instruments(self) -> list[Series]:
        """Return the stored series, sorted by name and bar length."""
        found = []
        for folder in self._root.glob("*/*minute"):
            minutes = folder.name.removesuffix("minute")
            if minutes.isdecimal() and _year_files(folder):
                found.append(Series(folder.parent.name, int(minutes)))
        return sorted(found)

    def fetched(self, instrument: str, bar_minutes: int, source: str) -> list[DateSpan]:
        """Return the dates that were fetched whole; a year whose file was deleted is not among them."""
        folder = self._folder(instrument, bar_minutes)
        return within_years(read_spans(folder / _SPANS_FILE).get(source, []), _years(folder))

    def _folder(self, instrument: str, bar_minutes: int) -> Path:
        check_series(instrument, bar_minutes)
        return self._root / instrument / f"{bar_minutes}minute"


def _year_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(_YEAR_FILES))


def _years(folder: Path) -> set[int]:
    return {int(file.stem) for file in _year_files(folder)}


def _touches(file: Path, first: dt.date | None, last: dt.date | None) -> bool:
    year = int(file.stem)
    return (first is None or year >= first.year) and (last is None or year <= last.year)


def _add_bars(folder: Path, frame: pd.DataFrame) -> int:
    years = {int(year): part for year, part in frame.groupby(pd.DatetimeIndex(frame.index).year)}
    # Nothing is written before every year is known to agree.
    whole = {year: _merge(folder / f"{year:04d}.parquet", part) for year, part in years.items()}
    _forget_deleted_years(folder)
    added = 0
    for year, (bars, new_bars) in whole.items():
        if new_bars:
            write_year(folder / f"{year:04d}.parquet", bars)
        added += new_bars
    if added:
        _force_names(folder)
    return added


def _merge(file: Path, new: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    if not file.exists():
        return new, len(new)
    stored = read_year(file)
    known = new.index.isin(stored.index)
    overlap = new[known]
    before = stored.loc[overlap.index]
    differs = ~(before.eq(overlap) | (before.isna() & overlap.isna()))
    other = differs.any(axis=1).to_numpy()
    if other.any():
        where = int(np.flatnonzero(other)[0])
        column = str(differs.iloc[where].idxmax())
        raise other_values(
            int(other.sum()),
            file.parent,
            overlap.index[other][:3],
            column,
            (before[column].iloc[where], overlap[column].iloc[where]),
            "delete the year's file if it is the new one",
        )
    return pd.concat([stored, new[~known]]).sort_index(), int((~known).sum())


def _record(folder: Path, fetched: FetchedSpan) -> None:
    file = folder / _SPANS_FILE
    spans = read_spans(file)
    before = spans.get(fetched.source, [])
    after = merged([*before, DateSpan(fetched.first, fetched.last)])
    if after != before:
        _write_spans(file, spans | {fetched.source: after})


def _forget_deleted_years(folder: Path) -> None:
    """Take spans of years without a file out, before a new file of such a year would vouch for them."""
    file = folder / _SPANS_FILE
    spans, years = read_spans(file), _years(folder)
    left = {source: within_years(found, years) for source, found in spans.items()}
    if left != spans:
        _write_spans(file, left)


def _write_spans(file: Path, spans: dict[str, list[DateSpan]]) -> None:
    replace_file(file, lambda stream: stream.write(spans_text(spans).encode()))


def _force_names(folder: Path) -> None:
    # The new names, too, before a record says that the bars are there; Windows has no such call.
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _faults_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{error.filename or folder} cannot be written ({error.strerror or error}); the bars that were "
            "stored before are unharmed, make room or mend the permissions and give the same command again"
        ) from error


@contextlib.contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    # The operating system frees the lock when its process dies, so a lock never outlives its writer.
    with (folder / ".lock").open("a+b") as stream:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK, 1)
            try:
                yield
            finally:
                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
