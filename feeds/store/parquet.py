"""Bars in Parquet files: ``<root>/<instrument>/<n>minute/<year>.parquet``.

A year is replaced as a whole: the new file is written beside the old one, forced to the disk, and
renamed over it, so that a reader opens either the old file or the new one. One writer at a time per
series, across processes; a second one waits.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from feeds.bars import BAR_COLUMNS, TIME_ZONE, check_frame
from feeds.errors import DataError, SettingsError
from feeds.store.base import Appended, Coverage, Series

__all__ = ["ParquetStore"]

_YEAR_FILES = "[0-9][0-9][0-9][0-9].parquet"
_TEMPORARY = ".writing-"


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

    def append(self, instrument: str, bar_minutes: int, frame: pd.DataFrame) -> Appended:
        """Add the bars of a frame; see :meth:`feeds.store.base.BarStore.append`."""
        folder = self._folder(instrument, bar_minutes)
        _check_columns(frame)
        check_frame(frame)
        if frame.empty:
            return Appended(0, 0)
        folder.mkdir(parents=True, exist_ok=True)
        with _one_writer(folder):
            # Whatever is half written belongs to a writer that died: nobody else holds the lock.
            for leftover in folder.glob(f"{_TEMPORARY}*"):
                leftover.unlink()
            years = {int(year): part for year, part in frame.groupby(pd.DatetimeIndex(frame.index).year)}
            merged = {year: _merge(_stored_year(folder, year), part, folder) for year, part in years.items()}
            # Nothing is written before every year is known to agree.
            added = 0
            for year, (whole, new_bars) in merged.items():
                if new_bars:
                    _replace(folder / f"{year:04d}.parquet", whole)
                added += new_bars
        return Appended(added, len(frame) - added)

    def load(
        self, instrument: str, bar_minutes: int, first: dt.date | None = None, last: dt.date | None = None
    ) -> pd.DataFrame:
        """Return the stored bars of a range of dates; see :meth:`feeds.store.base.BarStore.load`."""
        if first is not None and last is not None and first > last:
            raise SettingsError(f"the first date {first} is after the last date {last}; swap them")
        folder = self._folder(instrument, bar_minutes)
        files = _year_files(folder)
        if not files:
            known = ", ".join(f"{name} {minutes}minute" for name, minutes in self.instruments()) or "nothing"
            raise DataError(
                f"no {bar_minutes}-minute bars of {instrument} are stored in {self._root}, which holds "
                f"{known}; bring them in with `python -m feeds import`"
            )
        parts = [
            part.loc[_between(pd.DatetimeIndex(part.index), first, last)]
            for part in (_read(file) for file in files if _touches(int(file.stem), first, last))
        ]
        if not any(len(part) for part in parts):
            oldest, newest = _read(files[0]).index[0], _read(files[-1]).index[-1]
            raise DataError(
                f"no {bar_minutes}-minute bar of {instrument} from {first or 'the start'} to "
                f"{last or 'the end'} in {self._root}, which holds {oldest:%Y-%m-%d} to {newest:%Y-%m-%d}; "
                "ask for dates inside that"
            )
        return pd.concat(parts)

    def coverage(self, instrument: str, bar_minutes: int) -> Coverage | None:
        """Return what a series holds, or None if there is no such series."""
        files = _year_files(self._folder(instrument, bar_minutes))
        if not files:
            return None
        indexes = [pd.DatetimeIndex(_read(file).index) for file in files]
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

    def _folder(self, instrument: str, bar_minutes: int) -> Path:
        # A name becomes a folder, so nothing that could leave the root or differ by case is a name.
        if not re.fullmatch(r"[A-Z0-9][A-Z0-9&_-]{0,31}", instrument):
            raise SettingsError(
                f"instrument {instrument!r} cannot name a stored series; expected up to 32 upper-case "
                "letters, digits, '&', '-' and '_', such as NIFTY"
            )
        if bar_minutes < 1:
            raise SettingsError(
                f"a bar of {bar_minutes} minutes cannot be stored; expected at least 1 minute"
            )
        return self._root / instrument / f"{bar_minutes}minute"


def _check_columns(frame: pd.DataFrame) -> None:
    extra = [str(column) for column in frame.columns if column not in BAR_COLUMNS]
    if extra:
        raise DataError(
            f"column {extra[0]!r} cannot be stored; expected only {', '.join(BAR_COLUMNS)}; "
            "drop it first, features and signals are computed from bars"
        )


def _year_files(folder: Path) -> list[Path]:
    return sorted(folder.glob(_YEAR_FILES))


def _touches(year: int, first: dt.date | None, last: dt.date | None) -> bool:
    return (first is None or year >= first.year) and (last is None or year <= last.year)


def _between(index: pd.DatetimeIndex, first: dt.date | None, last: dt.date | None) -> np.ndarray:
    inside = np.ones(len(index), dtype=bool)
    if first is not None:
        inside &= index >= pd.Timestamp(first, tz=TIME_ZONE)
    if last is not None:
        inside &= index < pd.Timestamp(last + dt.timedelta(days=1), tz=TIME_ZONE)
    return inside


def _stored_year(folder: Path, year: int) -> pd.DataFrame | None:
    file = folder / f"{year:04d}.parquet"
    return _read(file) if file.exists() else None


def _merge(stored: pd.DataFrame | None, new: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, int]:
    new = new[list(BAR_COLUMNS)]
    if stored is None:
        return new, len(new)
    known = new.index.isin(stored.index)
    overlap = new[known]
    before = stored.loc[overlap.index]
    differs = ~(before.eq(overlap) | (before.isna() & overlap.isna()))
    other = differs.any(axis=1).to_numpy()
    if other.any():
        stamps = ", ".join(f"{stamp:%Y-%m-%d %H:%M}" for stamp in overlap.index[other][:3])
        where = int(np.flatnonzero(other)[0])
        column = str(differs.iloc[where].idxmax())
        raise DataError(
            f"{int(other.sum())} bars are stored in {folder} with other values, first {stamps} "
            f"({column} {before[column].iloc[where]} stored, {overlap[column].iloc[where]} new); "
            "nothing was stored; find out which is right, and delete the year's file if it is the new one"
        )
    return pd.concat([stored, new[~known]]).sort_index(), int((~known).sum())


def _read(file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}); "
            "restore it from a backup, or delete it and import its bars again"
        ) from error
    try:
        check_frame(frame)
    except DataError as error:
        raise DataError(f"{file} does not hold bars of this store: {error}") from error
    return frame


def _replace(file: Path, frame: pd.DataFrame) -> None:
    descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            frame.to_parquet(stream, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
