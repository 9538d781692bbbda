"""Bars to and from PostgreSQL as whole columns in binary, so that no value goes through text.

In they go as binary COPY, described in PostgreSQL's manual ("COPY", "Binary Format"): a header, then for
each row the number of its fields, and each field as its length and its bytes, big-endian; -1 as the number
of fields ends it. No column of a bar may be NULL, so that all rows are of one length. Out they come as one
value for each column, in which the server has put all its numbers together: COPY, which comes row by row,
takes four times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE
from feeds.errors import DataError

__all__ = ["copied_bars", "packed_columns", "unpacked_bars"]

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


def packed_columns(columns: Sequence[str]) -> str:
    """Return what a query selects so that :func:`unpacked_bars` can read ``start`` and these columns."""
    sent = {"start": "timestamptz_send", "complete": "boolsend"}
    return ", ".join(
        f"string_agg({sent.get(name, 'float8send')}({name}), ''::bytea)" for name in ("start", *columns)
    )


def unpacked_bars(packed: Sequence[bytes | None], columns: Sequence[str]) -> pd.DataFrame:
    """Return what a query of :func:`packed_columns` gave as a bar frame; an empty one for NULL.

    Raises
    ------
    DataError
        If the columns are not of one length, or of another type.
    """
    stamps, *values = (value or b"" for value in packed)
    rows = len(stamps) // 8
    lengths = [len(value) for value in values]
    if len(stamps) % 8 or lengths != [rows * _type_of(name).itemsize for name in columns]:
        raise DataError(
            f"the database gave {len(stamps):,} bytes of stamps with columns of {lengths}, expected {rows} "
            "bars of 8 bytes a number; its table is not of this version: `python -m feeds database status`"
        )
    since_1970 = np.frombuffer(stamps, ">i8").astype(np.int64) + _EPOCH_MICROSECONDS
    index = pd.DatetimeIndex(since_1970.view("datetime64[us]"), name="datetime")
    return pd.DataFrame(
        {
            name: np.frombuffer(value, _type_of(name)).astype(bool if name == "complete" else np.float64)
            for name, value in zip(columns, values, strict=True)
        },
        index=index.tz_localize("UTC").tz_convert(TIME_ZONE),
    )


def _type_of(column: str) -> np.dtype[np.generic]:
    return np.dtype("u1" if column == "complete" else ">f8")


def _row_type(columns: Sequence[str]) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2"), ("length of start", ">i4"), ("start", ">i8")]
    for name in columns:
        fields += [(f"length of {name}", ">i4"), (name, _type_of(name).str)]
    return np.dtype(fields)
