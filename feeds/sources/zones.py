"""One time zone for all stamps of a file: found in them, or given, never assumed."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.errors import DataError, SettingsError

__all__ = ["in_exchange_time"]

_OFFSET = r"(Z|[+-]\d{2}:?\d{2})$"


def in_exchange_time(column: pd.Series, timezone: str | None, path: Path) -> pd.DatetimeIndex:
    """Return a column of stamps in Asia/Kolkata.

    Parameters
    ----------
    column : pandas.Series
        Timestamps, or text in ISO 8601.
    timezone : str, optional
        Zone of stamps without one; stamps that have one keep their own.
    path : Path
        The file, for messages.

    Returns
    -------
    pandas.DatetimeIndex
        As long as the column, called ``datetime``; NaT where a stamp is missing or is no time.

    Raises
    ------
    DataError
        If the column is neither times nor text, or its stamps have no zone or several.
    SettingsError
        If ``timezone`` is not a zone.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        index = pd.DatetimeIndex(column)
    elif pd.api.types.is_object_dtype(column) or pd.api.types.is_string_dtype(column):
        index = _parsed(column, path)
    else:
        raise DataError(
            f"{path}: column 'datetime' holds {column.dtype}, expected timestamps or text in ISO 8601; "
            "convert it"
        )
    if index.tz is None:
        index = _localised(index, timezone, path)
    return index.tz_convert(TIME_ZONE).rename("datetime")


def _parsed(column: pd.Series, path: Path) -> pd.DatetimeIndex:
    text = column.astype("str").str.strip().where(column.notna(), "")
    # Few distinct endings, so the slow part runs over those alone.
    endings, kinds = pd.factorize(text.str.slice(-6))
    offsets = pd.Series(kinds).str.extract(_OFFSET, expand=False).fillna("").to_numpy()[endings]
    parsed = pd.to_datetime(text.where(text != ""), format="ISO8601", errors="coerce", utc=True)
    is_time = parsed.notna().to_numpy()
    if not is_time.any():
        return pd.DatetimeIndex(parsed)
    zone = offsets[int(np.argmax(is_time))]
    other = is_time & (offsets != zone)
    if other.any():
        at = int(np.argmax(other))
        raise DataError(
            f"{path}, row {at + 1}: {text.iloc[at]!r} has {_words(offsets[at])}, the rows before it have "
            f"{_words(zone)}; expected one time zone in the whole file; convert all stamps to one zone"
        )
    index = pd.DatetimeIndex(parsed)
    return index if zone else index.tz_localize(None)


def _words(offset: str) -> str:
    return f"the offset {offset}" if offset else "no time zone"


def _localised(index: pd.DatetimeIndex, timezone: str | None, path: Path) -> pd.DatetimeIndex:
    if timezone is None:
        raise DataError(
            f"{path} has stamps without a time zone (first {index[0]}); expected one; set data.timezone "
            "to their zone (Asia/Kolkata if 09:15 is the open), or write the offset into the file"
        )
    try:
        return index.tz_localize(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, IsADirectoryError) as error:
        raise SettingsError(
            f"data.timezone {timezone!r} is not a time zone; expected an IANA name such as Asia/Kolkata"
        ) from error
    except ValueError as error:
        raise DataError(
            f"{path} has stamps that do not exist or exist twice in {timezone} ({error}); "
            "correct data.timezone"
        ) from error
