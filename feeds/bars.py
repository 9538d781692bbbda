"""The bar frame: what it looks like, how it is checked, and how minutes become longer bars.

A bar frame is a pandas DataFrame. Its index is called ``datetime``, is strictly increasing, in
Asia/Kolkata, and holds the START of each bar. Its columns are those of :data:`BAR_COLUMNS`: prices in
index points, volume and open interest in units (open interest is NaN where the source has none), and
``complete``, which is False for a bar built from fewer minutes than it should hold or across a gap
of the feed. Further columns are allowed and kept.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.calendar import Located, TradingCalendar, epoch_seconds
from feeds.errors import DataError

__all__ = [
    "BAR_COLUMNS",
    "PRICE_COLUMNS",
    "TIME_ZONE",
    "VALUE_COLUMNS",
    "aggregate",
    "check_frame",
    "check_index",
    "close_times",
    "detect_bar_minutes",
    "index_from_seconds",
]

TIME_ZONE = "Asia/Kolkata"
"""Time zone of every index."""

PRICE_COLUMNS = ("open", "high", "low", "close")
VALUE_COLUMNS = (*PRICE_COLUMNS, "volume", "open_interest")
BAR_COLUMNS = (*VALUE_COLUMNS, "complete")
"""Columns of a bar frame: float64 all, but for ``complete``, which is bool."""

_MINUTE = 60
_FEW = 3  # how many offenders a message names


def check_frame(frame: pd.DataFrame) -> None:
    """Raise unless ``frame`` is a bar frame.

    The calendar is not asked: see :meth:`feeds.calendar.TradingCalendar.locate` for that.

    Raises
    ------
    DataError
        Naming the first offence, the bars it concerns, and what was expected.
    """
    index = check_index(frame)
    _check_columns(frame)
    prices = frame[list(PRICE_COLUMNS)].to_numpy(dtype=np.float64)
    volume = frame["volume"].to_numpy(dtype=np.float64)
    # A comparison with NaN is false, so this also finds what is missing.
    _refuse(index, ~(np.isfinite(prices) & (prices > 0)).all(axis=1), "a missing or non-positive price")
    _refuse(index, ~(np.isfinite(volume) & (volume >= 0)), "a missing or negative volume")
    open_, high, low, close = prices.T
    wrong = (high < np.maximum(open_, close)) | (low > np.minimum(open_, close))
    _refuse(index, wrong, "a high below, or a low above, its open or close")
    _refuse(index, frame["open_interest"].to_numpy(dtype=np.float64) < 0, "a negative open interest")


def check_index(frame: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the index of a frame that may lack columns; raise DataError unless it is a bar frame's."""
    index = frame.index
    if not isinstance(index, pd.DatetimeIndex) or index.name != "datetime":
        raise DataError(
            f"found an index of {type(index).__name__} named {index.name!r}, expected a DatetimeIndex named "
            "'datetime'; load bars through feeds.sources"
        )
    epoch_seconds(index[:1])
    if str(index.tz) != TIME_ZONE or index.hasnans:
        raise DataError(
            f"found bars in time zone {index.tz}{' with missing stamps' if index.hasnans else ''}, expected "
            f"{TIME_ZONE} and a stamp in each row; convert with tz_convert('{TIME_ZONE}')"
        )
    if not (index.is_monotonic_increasing and index.is_unique):
        place = int(np.argmax(np.diff(index.asi8) <= 0)) + 1
        raise DataError(
            f"found the bar {index[place]} after {index[place - 1]}, expected strictly increasing stamps; "
            "sort the bars and remove duplicates"
        )
    return index


def close_times(index: pd.DatetimeIndex, bar_minutes: int, calendar: TradingCalendar) -> pd.DatetimeIndex:
    """Return when each bar closes: its start plus ``bar_minutes``, or the end of its segment if earlier.

    Parameters
    ----------
    index : DatetimeIndex
        Bar starts, aware.
    bar_minutes : int
        Length of a bar in minutes.
    calendar : TradingCalendar
        Says where the segments end.

    Returns
    -------
    DatetimeIndex
        Close times, Asia/Kolkata, as long as ``index``.

    Raises
    ------
    DataError
        If a bar starts outside every session.
    """
    located = _located_inside(index, calendar)
    ends = np.minimum(epoch_seconds(index) + bar_minutes * _MINUTE, located.segment_end)
    return index_from_seconds(ends)


def aggregate(frame: pd.DataFrame, bar_minutes: int, calendar: TradingCalendar) -> pd.DataFrame:
    """Build ``bar_minutes`` bars from 1-minute bars.

    Bins are anchored at the start of each segment of a session, so none crosses a break, and the last
    one of a segment may be shorter. A bin without any minute makes no bar.

    Parameters
    ----------
    frame : DataFrame
        A bar frame of 1-minute bars, all inside sessions.
    bar_minutes : int
        Length of the new bars in minutes, 1 or more.
    calendar : TradingCalendar
        The sessions.

    Returns
    -------
    DataFrame
        A bar frame. ``complete`` is False where a minute of the bin is missing or was itself
        incomplete. Open interest and further columns take the last value of the bin.

    Raises
    ------
    DataError
        If ``frame`` is not a bar frame, or a bar lies outside every session.
    """
    if bar_minutes < 1:
        raise DataError(f"asked for bars of {bar_minutes} minutes, expected 1 or more; set data.bar_minutes")
    check_frame(frame)
    index = pd.DatetimeIndex(frame.index)
    located = _located_inside(index, calendar)
    length = bar_minutes * _MINUTE
    bin_start = located.segment_start + (epoch_seconds(index) - located.segment_start) // length * length
    firsts = np.flatnonzero(np.diff(bin_start, prepend=-1))
    lasts = np.append(firsts[1:], len(index)) - 1 if len(index) else firsts
    columns = {name: _reduced(frame, name, firsts, lasts) for name in frame.columns if name != "complete"}
    start = bin_start[firsts]
    expected = np.minimum(length, located.segment_end[firsts] - start) // _MINUTE
    broken = np.append(0, np.cumsum(~frame["complete"].to_numpy(dtype=np.bool_)))
    columns["complete"] = (lasts - firsts + 1 == expected) & (broken[lasts + 1] == broken[firsts])
    return pd.DataFrame(columns, index=index_from_seconds(start))[list(frame.columns)]


def detect_bar_minutes(index: pd.DatetimeIndex) -> int:
    """Return the length of the bars in minutes, from the steps between them.

    Parameters
    ----------
    index : DatetimeIndex
        Bar starts, aware and increasing.

    Raises
    ------
    DataError
        If there are fewer than two bars in every session, stamps are not on whole minutes, or bars
        of different length are mixed.
    """
    seconds = epoch_seconds(index)
    offset = seconds % _MINUTE
    if offset.any():
        raise DataError(
            f"found the stamp {index[int(np.argmax(offset != 0))]}, expected bar starts on whole minutes; "
            "bring vendor files in with `python -m feeds import`"
        )
    day = _days(index)
    same_day = day[1:] == day[:-1]
    steps = (np.diff(seconds) // _MINUTE)[same_day]
    if len(steps) == 0:
        raise DataError(
            f"found {len(index)} bars and no two of them on one day, expected intraday bars; give more data"
        )
    values, counts = np.unique(steps, return_counts=True)
    usual = int(values[np.argmax(counts)])
    _check_one_size(index[1:][same_day], steps, usual)
    return usual


def index_from_seconds(seconds: npt.NDArray[np.int64]) -> pd.DatetimeIndex:
    """Return seconds since 1970 UTC as the index of a bar frame."""
    index = pd.DatetimeIndex(seconds.astype("datetime64[s]").astype("datetime64[us]"), name="datetime")
    return index.tz_localize("UTC").tz_convert(TIME_ZONE)


def _check_columns(frame: pd.DataFrame) -> None:
    missing = [name for name in BAR_COLUMNS if name not in frame.columns]
    if missing:
        wanted = ", ".join(BAR_COLUMNS)
        raise DataError(f"found no column {', '.join(missing)}, expected {wanted}; add it")
    for name in BAR_COLUMNS:
        expected = "bool" if name == "complete" else "float64"
        if str(frame[name].dtype) != expected:
            raise DataError(
                f"found column {name} of type {frame[name].dtype}, expected {expected}; convert with astype"
            )


def _refuse(index: pd.DatetimeIndex, wrong: npt.NDArray[np.bool_], what: str) -> None:
    count = int(wrong.sum())
    if count:
        named = ", ".join(f"{stamp:%Y-%m-%d %H:%M}" for stamp in index[wrong][:_FEW])
        raise DataError(
            f"found {what} in {count} bar{'s' if count > 1 else ''}, first {named}; "
            "run `python -m feeds check` and mend or remove them"
        )


def _located_inside(index: pd.DatetimeIndex, calendar: TradingCalendar) -> Located:
    located = calendar.locate(index)
    outside = ~located.in_session
    if outside.any():
        named = ", ".join(f"{stamp:%Y-%m-%d %H:%M}" for stamp in index[outside][:_FEW])
        raise DataError(
            f"found {int(outside.sum())} bars outside the exchange's sessions, first {named}; remove them, "
            "or give the true hours in market.extra_sessions"
        )
    return located


def _reduced(
    frame: pd.DataFrame, name: str, firsts: npt.NDArray[np.int64], lasts: npt.NDArray[np.int64]
) -> npt.NDArray[np.generic]:
    values = frame[name].to_numpy()
    if name == "open":
        return np.asarray(values[firsts])
    reducer = {"high": np.maximum, "low": np.minimum, "volume": np.add}.get(name)
    if reducer is None or len(firsts) == 0:
        return np.asarray(values[lasts])
    return np.asarray(reducer.reduceat(values, firsts))


def _days(index: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    # India has no daylight saving: the day of a stamp is its UTC time shifted by 5:30.
    return (epoch_seconds(index) + 19_800) // 86_400


def _check_one_size(ends: pd.DatetimeIndex, steps: npt.NDArray[np.int64], usual: int) -> None:
    finer = steps < usual
    day = _days(ends)
    firsts = np.flatnonzero(np.diff(day, prepend=-1))
    # A day whose every step is longer than usual holds longer bars; one or two bars prove nothing.
    longer = np.minimum.reduceat(steps, firsts) > usual
    longer &= np.diff(np.append(firsts, len(steps))) >= _FEW
    if finer.any() or longer.any():
        place = int(np.argmax(finer)) if finer.any() else int(firsts[np.argmax(longer)])
        raise DataError(
            f"found bars {steps[place]} minutes apart at {ends[place]} where {usual} minutes are usual, "
            "expected bars of one size; give files of different bar sizes one at a time"
        )
