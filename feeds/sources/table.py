"""A CSV or Parquet file as a table, with the columns that bars must have; its values are not judged."""

from __future__ import annotations

import zlib
from pathlib import Path

import pandas as pd
import pyarrow as pa

from feeds.errors import DataError

__all__ = ["REQUIRED_COLUMNS", "SUFFIXES", "read_table"]

SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""Endings of the files that can be read."""

REQUIRED_COLUMNS = ("open", "high", "low", "close", "volume")
"""Columns of numbers that every file of bars has beside ``datetime``."""

_EXPECTED = "datetime, open, high, low, close, volume[, open_interest]"


def read_table(path: Path) -> pd.DataFrame:
    """Read a file with a header.

    Parameters
    ----------
    path : Path
        A file whose name ends in one of :data:`SUFFIXES`.

    Returns
    -------
    pandas.DataFrame
        At least one row, with a plain index, ``datetime`` as a column (text if the file is CSV), and
        the columns as the file has them.

    Raises
    ------
    DataError
        If the file is not there, empty or unreadable, or a column is missing.
    """
    table = _read(path)
    if "datetime" not in table.columns and table.index.name == "datetime":
        table = table.reset_index()
    _check_columns(table, path)
    if table.empty:
        raise DataError(f"{path} has a header but no bars; expected at least two rows; give another file")
    return table.reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(
            f"{path} has the unknown ending {path.suffix!r}; expected {', '.join(SUFFIXES)}; "
            "bring vendor files into one of these forms with `python -m feeds import` or `export`"
        )
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; expected a header and bars ({_EXPECTED}); give another file")
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype={"datetime": "str"}, low_memory=False)
    except FileNotFoundError as error:
        raise DataError(f"there is no file or folder {path}; check the path") from error
    except pd.errors.EmptyDataError as error:
        raise DataError(
            f"{path} is empty; expected a header and bars ({_EXPECTED}); give another file"
        ) from error
    except (OSError, EOFError, ValueError, zlib.error, pa.ArrowException, pd.errors.ParserError) as error:
        kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path} cannot be read as {kind} ({reason}); get the file again") from error


_OTHER_NAMES = {"datetime": ("datetime", "date", "time", "timestamp", "date time", "date_time")}


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    for name in ("datetime", *REQUIRED_COLUMNS):
        if name in table.columns:
            continue
        found = ", ".join(map(str, table.columns))
        remedy = _remedy(name, [str(column) for column in table.columns])
        raise DataError(f"{path} has no column {name!r}; expected {_EXPECTED}, found {found}; {remedy}")


def _remedy(name: str, columns: list[str]) -> str:
    # What most likely stands in the way of a column, from its usual disguises.
    other = next(
        (column for column in columns if column.strip().lower() in _OTHER_NAMES.get(name, (name,))), None
    )
    if other is not None:
        return f"rename {other!r} to {name!r}"
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        return "separate the columns by commas"
    if any(character.isdigit() for column in columns for character in column):
        return "add a header; a vendor's file without one is read by `python -m feeds import`"
    return f"add the column {name!r}, or give another file"
