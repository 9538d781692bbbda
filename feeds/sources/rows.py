"""The rows of a bar file as they are found, for the validator, which names everything that is wrong.

:mod:`feeds.sources.parsing` stops at the first wrong thing instead, because a backtest must not start.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE, VALUE_COLUMNS
from feeds.readers import RawRows
from feeds.sources.table import read_table
from feeds.sources.zones import in_exchange_time

__all__ = ["read_rows"]


def read_rows(path: Path, *, timezone: str | None, instrument: str) -> RawRows:
    """Read a CSV or Parquet file of bars without judging its rows.

    Parameters
    ----------
    path : Path
        A file with a header, as :func:`feeds.sources.parsing.parse_bar_file` takes it.
    timezone : str, optional
        Zone of stamps without one.
    instrument : str
        Underlying of the bars, whose tick their prices are held against.

    Returns
    -------
    RawRows
        One row per bar. ``line`` counts the header as line 1. A stamp that is no time or not on a
        whole minute, or a value that is no number, makes its row unreadable.

    Raises
    ------
    DataError
        If the file as a whole cannot be read: a column is missing, stamps have no zone or several.
    """
    table = read_table(path)
    cells = [_written(table[name]) for name in table.columns]
    stamps = in_exchange_time(table["datetime"], timezone, path)
    values = {
        name: pd.to_numeric(table[name], errors="coerce").astype("float64")
        for name in VALUE_COLUMNS
        if name in table.columns
    }
    readable = pd.Series(stamps.notna() & (stamps == stamps.floor("min")), index=table.index)
    for name, column in values.items():
        readable &= column.notna() | table[name].isna()
    interest = values.pop("open_interest", pd.Series(float("nan"), index=table.index))
    rows = pd.DataFrame(
        {
            "line": range(2, len(table) + 2),
            "text": [",".join(row) for row in zip(*cells, strict=True)],
            "ticker": instrument,
            "stamp": stamps.tz_localize(None),
            **values,
            "open_interest": interest,
            "readable": readable,
        }
    )
    return RawRows(str(path), "header", has_seconds=False, rows=rows)


def _written(column: pd.Series) -> list[str]:
    # As a CSV file would hold it; pandas' own conversion of times takes seconds for four years of minutes.
    if not pd.api.types.is_datetime64_any_dtype(column):
        return ["" if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    stamps = pd.DatetimeIndex(column)
    if stamps.tz is None:
        return np.datetime_as_string(stamps.to_numpy(), unit="s").tolist()
    local = stamps.tz_convert(TIME_ZONE).tz_localize(None)
    return [f"{text}+05:30" for text in np.datetime_as_string(local.to_numpy(), unit="s").tolist()]
