"""What every store holds to: names of series, frames that can be kept, and what is said where it cannot be.

Each back end asks here, so that the same mistake is told in the same words wherever bars are kept.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from feeds.bars import BAR_COLUMNS, check_frame
from feeds.errors import DataError, SettingsError
from feeds.store.base import FetchedSpan, Series

__all__ = [
    "check_columns",
    "check_dates",
    "check_series",
    "no_bars_between",
    "no_such_series",
    "other_values",
    "storable",
]

_NAME = re.compile(r"[A-Z0-9][A-Z0-9&_-]{0,31}")


def check_series(instrument: str, bar_minutes: int) -> None:
    """Raise SettingsError unless these can name a series."""
    # A name becomes a folder, so nothing that could leave the root or differ by case is a name.
    if not _NAME.fullmatch(instrument):
        raise SettingsError(
            f"instrument {instrument!r} cannot name a stored series; expected up to 32 upper-case "
            "letters, digits, '&', '-' and '_', such as NIFTY"
        )
    if bar_minutes < 1:
        raise SettingsError(f"a bar of {bar_minutes} minutes cannot be stored; expected at least 1 minute")


def check_dates(first: dt.date | None, last: dt.date | None) -> None:
    """Raise SettingsError if a range of dates ends before it starts."""
    if first is not None and last is not None and first > last:
        raise SettingsError(f"the first date {first} is after the last date {last}; swap them")


def check_columns(columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns to read, all of a bar's where none are named.

    Raises
    ------
    SettingsError
        If one of them is none of :data:`feeds.bars.BAR_COLUMNS`.
    """
    if columns is None:
        return BAR_COLUMNS
    unknown = [name for name in columns if name not in BAR_COLUMNS]
    if unknown:
        raise SettingsError(
            f"column {unknown[0]!r} is not stored; expected some of {', '.join(BAR_COLUMNS)}; correct it"
        )
    return tuple(columns)


def storable(frame: pd.DataFrame, fetched: FetchedSpan | None) -> pd.DataFrame:
    """Return a frame as it is kept: the columns of a bar in their order, stamps in microseconds.

    Parameters
    ----------
    frame : pandas.DataFrame
        What is to be kept.
    fetched : FetchedSpan or None
        The dates it answers to.

    Raises
    ------
    DataError
        If it is not a bar frame, has further columns, or does not lie within ``fetched``.
    SettingsError
        If ``fetched`` ends before it starts.
    """
    extra = [str(column) for column in frame.columns if column not in BAR_COLUMNS]
    if extra:
        raise DataError(
            f"column {extra[0]!r} cannot be stored; expected only {', '.join(BAR_COLUMNS)}; "
            "drop it first, features and signals are computed from bars"
        )
    check_frame(frame)
    index = pd.DatetimeIndex(frame.index)
    finer = index.nanosecond != 0
    if finer.any():
        raise DataError(
            f"found the bar start {index[finer][0]}, expected whole microseconds; round the stamps to minutes"
        )
    kept = frame[list(BAR_COLUMNS)].set_axis(index.as_unit("us"), axis=0)
    if fetched is not None:
        _check_span(kept, fetched)
    return kept


def _check_span(frame: pd.DataFrame, fetched: FetchedSpan) -> None:
    check_dates(fetched.first, fetched.last)
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", fetched.source):
        raise SettingsError(
            f"source {fetched.source!r} cannot name whose answer bars are; expected lower-case letters and "
            "digits, such as kite"
        )
    where = f"the answer of {fetched.source} from {fetched.first} to {fetched.last}"
    if frame.empty:
        raise DataError(f"{where} holds no bar, which proves nothing; record only dates that have some")
    oldest, newest = frame.index[0], frame.index[-1]
    if oldest.date() < fetched.first or newest.date() > fetched.last:
        raise DataError(
            f"{where} holds bars from {oldest:%Y-%m-%d} to {newest:%Y-%m-%d}; nothing was stored, "
            "cut the bars to the dates asked for"
        )


def no_such_series(instrument: str, bar_minutes: int, place: object, known: Iterable[Series]) -> DataError:
    """Return what is said where a series is not stored."""
    named = ", ".join(f"{name} {minutes}minute" for name, minutes in known) or "nothing"
    return DataError(
        f"no {bar_minutes}-minute bars of {instrument} are stored in {place}, which holds {named}; "
        "bring them in with `python -m feeds fetch` or `python -m feeds import`"
    )


def no_bars_between(
    series: Series,
    place: object,
    asked: tuple[dt.date | None, dt.date | None],
    held: tuple[pd.Timestamp, pd.Timestamp],
) -> DataError:
    """Return what is said where a series holds no bar of the dates asked for."""
    return DataError(
        f"no {series.bar_minutes}-minute bar of {series.instrument} from {asked[0] or 'the start'} to "
        f"{asked[1] or 'the end'} in {place}, which holds {held[0]:%Y-%m-%d} to {held[1]:%Y-%m-%d}; "
        "ask for dates inside that"
    )


def other_values(
    count: int,
    place: object,
    stamps: Iterable[pd.Timestamp],
    column: str,
    values: tuple[object, object],
    remedy: str,
) -> DataError:
    """Return what is said where bars are stored with other values.

    Parameters
    ----------
    count : int
        How many bars differ.
    place : object
        Where they are stored.
    stamps : iterable of pandas.Timestamp
        The first few of them.
    column : str
        The first column that differs in the first of them.
    values : tuple
        What is stored there, and what is new.
    remedy : str
        What to do if the stored one is wrong.
    """
    named = ", ".join(f"{stamp:%Y-%m-%d %H:%M}" for stamp in stamps)
    return DataError(
        f"{count} bars are stored in {place} with other values, first {named} ({column} {values[0]} stored, "
        f"{values[1]} new); nothing was stored; find out which is right, and {remedy}"
    )
