"""Bars as PostgreSQL's binary COPY: whole columns at a time, and no value goes through text.

The format is described in PostgreSQL's manual, "COPY", "Binary Format": a header, then for each row the
number of its fields, and each field as its length and its bytes, big-endian; -1 as the number of fields ends
it. No column of a bar may be NULL, so that all rows are of one length and can be laid over memory as they
are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE
from feeds.errors import DataError

__all__ = ["copied_bars", "frame_of_copy"]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_ROWS_AT_ONCE = 65_536
_EPOCH_MICROSECONDS = 946_684_800_000_000
"""2000-01-01 UTC, from which PostgreSQL counts, since 1970."""


def copied_bars(frame: pd.DataFrame) -> Iterator[bytes]:
    """Yield a bar frame as ``COPY (start, open, ..., complete) FROM STDIN (FORMAT binary)`` takes it."""
    stamps = pd.DatetimeIndex(frame.index).as_unit("us").asi8 - _EPOCH_MICROSECONDS
    values = {name: frame[name].to_numpy() for name in BAR_COLUMNS}
    yield _HEADER
    for first in range(0, len(frame), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        packed = np.empty(len(stamps[rows]), dtype=_row_type(BAR_COLUMNS))
        packed["fields"] = 1 + len(BAR_COLUMNS)
        packed["length of start"], packed["start"] = 8, stamps[rows]
        for name in BAR_COLUMNS:
            packed[f"length of {name}"], packed[name] = packed.dtype[name].itemsize, values[name][rows]
        yield packed.tobytes()
    yield _TRAILER


def frame_of_copy(data: bytes, columns: Sequence[str]) -> pd.DataFrame:
    """Return what ``COPY (SELECT start, ...) TO STDOUT (FORMAT binary)`` gave as a bar frame.

    Parameters
    ----------
    data : bytes
        All of it.
    columns : sequence of str
        Names of the columns that follow ``start``.

    Raises
    ------
    DataError
        If it is cut short, or the columns are of another type.
    """
    row = _row_type(columns)
    body = data[len(_HEADER) : -len(_TRAILER)]
    is_whole = data.startswith(_HEADER) and data.endswith(_TRAILER) and len(body) % row.itemsize == 0
    rows: npt.NDArray[np.void] = np.frombuffer(body if is_whole else b"", dtype=row)
    lengths_agree = all(
        (rows[f"length of {name}"] == row[name].itemsize).all() for name in ("start", *columns)
    )
    if not is_whole or not lengths_agree:
        raise DataError(
            f"the database gave {len(data):,} bytes that are no bars of {1 + len(columns)} columns; its "
            "table is not of this version, see `python -m feeds database status`"
        )
    stamps = (rows["start"].astype(np.int64) + _EPOCH_MICROSECONDS).view("datetime64[us]")
    index = pd.DatetimeIndex(stamps, name="datetime").tz_localize("UTC").tz_convert(TIME_ZONE)
    return pd.DataFrame(
        {name: rows[name].astype(bool if name == "complete" else np.float64) for name in columns},
        index=index,
    )


def _row_type(columns: Sequence[str]) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2"), ("length of start", ">i4"), ("start", ">i8")]
    for name in columns:
        fields += [(f"length of {name}", ">i4"), (name, "u1" if name == "complete" else ">f8")]
    return np.dtype(fields)
