"""Read one CSV or Parquet file of bars, strictly: what is not plainly right is an error, not a guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.errors import DataError
from feeds.sources.table import REQUIRED_COLUMNS, read_table
from feeds.sources.zones import in_exchange_time

__all__ = ["parse_bar_file"]

_ISO = "ISO 8601 such as 2015-01-05T09:15:00+05:30"


def parse_bar_file(path: Path, timezone: str | None) -> pd.DataFrame:
    """Read a file of bars and check every value in it.

    Parameters
    ----------
    path : Path
        A file as :func:`feeds.sources.table.read_table` reads it, with the columns datetime (START of the
        bar), open, high, low, close, volume, and optionally open_interest, complete and further
        numeric ones.
    timezone : str, optional
        Zone of stamps without one.

    Returns
    -------
    pandas.DataFrame
        A bar frame with the further columns as float64 behind it. Where the file has no
        ``open_interest`` it is NaN, where it has no ``complete`` it is True.

    Raises
    ------
    DataError
        At the first thing that is wrong, with the file, the row (1 is the first below the header) and
        the remedy.
    SettingsError
        If ``timezone`` is not a zone.
    """
    table = read_table(path)
    index = in_exchange_time(table["datetime"], timezone, path)
    _check_stamps(index, table["datetime"], path)
    values = {
        name: _numbers(table[name], path) for name in table.columns if name not in ("datetime", "complete")
    }
    _check_order(index, path)
    _check_values(values, index, path)
    frame = pd.DataFrame({name: values.pop(name) for name in REQUIRED_COLUMNS}, index=index)
    frame["open_interest"] = values.pop("open_interest", np.full(len(frame), np.nan))
    frame["complete"] = _flags(table["complete"], path) if "complete" in table.columns else True
    for name, column in values.items():
        frame[name] = column
    return frame


def _place(path: Path, position: int, stamp: object = None) -> str:
    return f"{path}, row {position + 1}" + ("" if stamp is None else f" ({stamp:%Y-%m-%d %H:%M:%S})")


def _first(mask: npt.ArrayLike) -> int:
    return int(np.flatnonzero(np.asarray(mask))[0])


def _check_stamps(index: pd.DatetimeIndex, written: pd.Series, path: Path) -> None:
    if index.hasnans:
        at = _first(index.isna())
        found = (
            "datetime is missing"
            if pd.isna(written.iloc[at])
            else f"datetime {written.iloc[at]!r} is no time"
        )
        remedy = "write every stamp of the file so" if index.isna().all() else "correct or remove the row"
        raise DataError(f"{_place(path, at)}: {found}; expected {_ISO}; {remedy}")
    inside = (index.second != 0) | (index.microsecond != 0)
    if inside.any():
        at = _first(inside)
        raise DataError(
            f"{_place(path, at, index[at])}: the stamp is inside a minute, expected the START of the bar at "
            "second 0; bring the file in with `python -m feeds import`, which knows other conventions"
        )


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = numbers.isna() & column.notna()
    if bad.any():
        at = _first(bad)
        remedy = (
            "correct the row"
            if column.name in REQUIRED_COLUMNS
            else "remove the column; further columns must be numeric"
        )
        raise DataError(
            f"{_place(path, at)}: {column.name} is {column.iloc[at]!r}, expected a number; {remedy}"
        )
    return numbers.to_numpy(dtype=np.float64)


def _flags(column: pd.Series, path: Path) -> np.ndarray:
    bad = ~column.isin([True, False])
    if bad.any():
        at = _first(bad)
        raise DataError(
            f"{_place(path, at)}: complete is {column.iloc[at]!r}, expected True or False; "
            "correct the row, or drop the column if every bar is whole"
        )
    return column.to_numpy(dtype=bool)


def _check_order(index: pd.DatetimeIndex, path: Path) -> None:
    steps = np.diff(index.asi8)
    if (steps > 0).all():
        return
    at = _first(steps <= 0) + 1
    place = _place(path, at, index[at])
    if index.is_monotonic_increasing:
        count = int((steps == 0).sum())
        raise DataError(
            f"{place}: the stamp is there twice ({count} duplicate rows in the file), expected each bar "
            "once; see which rows with `python -m feeds check`, and remove them"
        )
    raise DataError(
        f"{place}: the stamp is not after the one before it ({index[at - 1]:%Y-%m-%d %H:%M:%S}), expected "
        "increasing times; sort the file by datetime"
    )


def _check_values(values: dict[str, np.ndarray], index: pd.DatetimeIndex, path: Path) -> None:
    def refuse(name: str, bad: np.ndarray, expected: str) -> None:
        if bad.any():
            at = _first(bad)
            raise DataError(
                f"{_place(path, at, index[at])}: {name} is {values[name][at]:g}, expected {expected} "
                f"({int(bad.sum())} such rows); correct or remove them, `python -m feeds check` lists them"
            )

    for name in REQUIRED_COLUMNS[:4]:
        refuse(name, ~np.isfinite(values[name]), "a number")
        refuse(name, values[name] <= 0, "a price above 0")
    refuse("volume", ~np.isfinite(values["volume"]), "a number")
    refuse("volume", values["volume"] < 0, "0 or more")
    if "open_interest" in values:
        refuse("open_interest", values["open_interest"] < 0, "0 or more, or nothing where it is not known")
    refuse("high", values["high"] < np.maximum(values["open"], values["close"]), "at least open and close")
    refuse("low", values["low"] > np.minimum(values["open"], values["close"]), "at most open and close")
