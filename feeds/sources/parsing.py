"""Read one CSV or Parquet file of bars, strictly: what is not plainly right is an error, not a guess."""

from __future__ import annotations

import zlib
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from feeds.bars import TIME_ZONE
from feeds.errors import DataError, SettingsError

__all__ = ["SUFFIXES", "parse_bar_file"]

SUFFIXES = (".csv", ".csv.gz", ".parquet")
"""Endings of the files that can be read."""

_REQUIRED = ("open", "high", "low", "close", "volume")
_EXPECTED = "datetime, open, high, low, close, volume[, open_interest]"
_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"
_ISO = "ISO 8601 such as 2015-01-05T09:15:00+05:30"


def parse_bar_file(path: Path, timezone: str | None) -> pd.DataFrame:
    """Read a file of bars and check every value in it.

    Parameters
    ----------
    path : Path
        A file whose name ends in one of :data:`SUFFIXES`, with the columns datetime (START of the
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
    table = _read(path)
    if "datetime" not in table.columns and table.index.name == "datetime":
        table = table.reset_index()
    _check_columns(table, path)
    if table.empty:
        raise DataError(f"{path} has a header but no bars; expected at least two rows; give another file")
    index = _in_exchange_time(_stamps(table["datetime"], path), timezone, path)
    values = {
        name: _numbers(table[name], path) for name in table.columns if name not in ("datetime", "complete")
    }
    _check_order(index, path)
    _check_values(values, index, path)
    frame = pd.DataFrame({name: values.pop(name) for name in _REQUIRED}, index=index)
    frame["open_interest"] = values.pop("open_interest", np.full(len(frame), np.nan))
    frame["complete"] = _flags(table["complete"], path) if "complete" in table.columns else True
    for name, column in values.items():
        frame[name] = column
    return frame


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


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    for name in ("datetime", *_REQUIRED):
        if name in table.columns:
            continue
        other = next((str(column) for column in table.columns if str(column).strip().lower() == name), None)
        found = ", ".join(map(str, table.columns))
        remedy = (
            f"rename {other!r} to {name!r}" if other else f"add the column {name!r}, or give another file"
        )
        raise DataError(f"{path} has no column {name!r}; expected {_EXPECTED}, found {found}; {remedy}")


def _place(path: Path, position: int, stamp: object = None) -> str:
    return f"{path}, row {position + 1}" + ("" if stamp is None else f" ({stamp:%Y-%m-%d %H:%M:%S})")


def _first(mask: npt.ArrayLike) -> int:
    return int(np.flatnonzero(np.asarray(mask))[0])


def _stamps(column: pd.Series, path: Path) -> pd.DatetimeIndex:
    if pd.api.types.is_datetime64_any_dtype(column):
        index = pd.DatetimeIndex(column)
    elif pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column):
        index = _parse_text(column, path)
    else:
        raise DataError(
            f"{path}: column 'datetime' holds {column.dtype}, expected timestamps or text in {_ISO}; "
            "convert it"
        )
    if index.hasnans:
        at = _first(index.isna())
        raise DataError(
            f"{_place(path, at)}: datetime is missing; expected {_ISO}; remove or complete the row"
        )
    return index


def _parse_text(column: pd.Series, path: Path) -> pd.DatetimeIndex:
    missing = column.isna().to_numpy()
    if missing.any():
        raise DataError(
            f"{_place(path, _first(missing))}: datetime is missing; expected {_ISO}; "
            "remove or complete the row"
        )
    text = column.astype("str").str.strip()
    # Few distinct endings, so the slow part runs over those alone.
    endings, kinds = pd.factorize(text.str.slice(-6))
    offsets = pd.Series(kinds).str.extract(_OFFSET, expand=False).fillna("").to_numpy()[endings]
    if (offsets != offsets[0]).any():
        at = _first(offsets != offsets[0])
        raise DataError(
            f"{_place(path, at)}: {text.iloc[at]!r} has {_zone_words(offsets[at])}, the rows before it have "
            f"{_zone_words(offsets[0])}; expected one time zone in the whole file; "
            "convert all stamps to one zone"
        )
    parsed = pd.to_datetime(text, format="ISO8601", errors="coerce")
    if parsed.isna().any():
        at = _first(parsed.isna())
        raise DataError(f"{_place(path, at)}: datetime {text.iloc[at]!r} is not {_ISO}; rewrite the column")
    return pd.DatetimeIndex(parsed)


def _zone_words(offset: str) -> str:
    return f"the offset {offset}" if offset else "no time zone"


def _in_exchange_time(index: pd.DatetimeIndex, timezone: str | None, path: Path) -> pd.DatetimeIndex:
    if index.tz is None:
        if timezone is None:
            raise DataError(
                f"{path} has stamps without a time zone (first {index[0]}); expected one; set data.timezone "
                "to their zone (Asia/Kolkata if 09:15 is the open), or write the offset into the file"
            )
        try:
            index = index.tz_localize(ZoneInfo(timezone))
        except (ZoneInfoNotFoundError, IsADirectoryError) as error:
            raise SettingsError(
                f"data.timezone {timezone!r} is not a time zone; expected an IANA name such as Asia/Kolkata"
            ) from error
        except ValueError as error:
            raise DataError(
                f"{path} has stamps that do not exist or exist twice in {timezone} ({error}); "
                "correct data.timezone"
            ) from error
    index = index.tz_convert(TIME_ZONE).rename("datetime")
    odd = np.asarray((index.second != 0) | (index.microsecond != 0))
    if odd.any():
        at = _first(odd)
        raise DataError(
            f"{_place(path, at, index[at])}: the stamp is inside a minute, expected the START of the bar at "
            "second 0; bring the file in with `python -m feeds import`, which knows other conventions"
        )
    return index


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = pd.to_numeric(column, errors="coerce")
    bad = numbers.isna() & column.notna()
    if bad.any():
        at = _first(bad)
        remedy = (
            "correct the row"
            if column.name in _REQUIRED
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

    for name in _REQUIRED[:4]:
        refuse(name, ~np.isfinite(values[name]), "a number")
        refuse(name, values[name] <= 0, "a price above 0")
    refuse("volume", ~np.isfinite(values["volume"]), "a number")
    refuse("volume", values["volume"] < 0, "0 or more")
    if "open_interest" in values:
        refuse("open_interest", values["open_interest"] < 0, "0 or more, or nothing where it is not known")
    refuse("high", values["high"] < np.maximum(values["open"], values["close"]), "at least open and close")
    refuse("low", values["low"] > np.minimum(values["open"], values["close"]), "at most open and close")
