"""One calendar year of a series as a Parquet file: only what is asked for is read, and it is replaced whole.

Rows lie in groups of about a month of minutes, each with its oldest and newest stamp in the file's footer, so
that a few days of a year cost a few groups and a column that nobody wants is not touched.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from feeds.bars import BAR_COLUMNS, TIME_ZONE, check_frame, check_index
from feeds.errors import DataError

__all__ = ["TEMPORARY", "day_after", "day_start", "read_year", "replace_file", "write_year"]

TEMPORARY = ".writing-"
"""How the name of a file begins that is not whole yet."""

_ROWS_OF_A_GROUP = 8_192
_INDEX = "datetime"


def read_year(
    file: Path,
    first: dt.date | None = None,
    last: dt.date | None = None,
    columns: Sequence[str] = BAR_COLUMNS,
) -> pd.DataFrame:
    """Return the bars of some dates, both included, from a year's file.

    Parameters
    ----------
    file : Path
        Written by :func:`write_year`.
    first, last : datetime.date, optional
        Dates in Asia/Kolkata.
    columns : sequence of str
        Which columns; the index always comes with them.

    Raises
    ------
    DataError
        If the file is damaged or none of ours.
    """
    start = None if first is None else day_start(first)
    end = None if last is None else day_after(last)
    try:
        with pq.ParquetFile(file) as parquet:
            groups = [n for n in range(parquet.num_row_groups) if _touches(parquet, n, start, end)]
            table = parquet.read_row_groups(groups, columns=[*columns, _INDEX])
        frame = table.to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{file} cannot be read as Parquet ({str(error).splitlines()[0]}); "
            "restore it from a backup, or delete it and import its bars again"
        ) from error
    try:
        index = check_index(frame)
        if set(columns) == set(BAR_COLUMNS):
            check_frame(frame)
        frame = frame[list(columns)].set_axis(index.as_unit("us"), axis=0)
    except (DataError, KeyError) as error:
        raise DataError(f"{file} does not hold bars of this store: {error}") from error
    return frame.iloc[slice(*(None if at is None else int(index.searchsorted(at)) for at in (start, end)))]


def write_year(file: Path, frame: pd.DataFrame) -> None:
    """Write the bars of a year over its file; see :func:`replace_file`."""
    replace_file(
        file, lambda stream: frame.to_parquet(stream, compression="zstd", row_group_size=_ROWS_OF_A_GROUP)
    )


def replace_file(file: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place, force it to the disk and rename it, so that none is ever half there.

    Raises
    ------
    OSError
        If the disk is full or refuses; then the file is as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY, dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def day_start(day: dt.date) -> pd.Timestamp:
    """Return the first moment of a date in Asia/Kolkata."""
    return pd.Timestamp(day, tz=TIME_ZONE)


def day_after(day: dt.date) -> pd.Timestamp:
    """Return the first moment after a date in Asia/Kolkata."""
    return pd.Timestamp(day + dt.timedelta(days=1), tz=TIME_ZONE)


def _touches(
    parquet: pq.ParquetFile, group: int, start: pd.Timestamp | None, end: pd.Timestamp | None
) -> bool:
    if start is None and end is None:
        return True
    described = parquet.metadata.row_group(group)
    for number in range(described.num_columns):
        column = described.column(number)
        if column.path_in_schema == _INDEX:
            held = column.statistics
            if held is None or not held.has_min_max:
                return True
            return (start is None or held.max >= start) and (end is None or held.min < end)
    return True
