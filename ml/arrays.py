"""Bars as plain arrays, the form in which features read them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.errors import DataError

__all__ = ["BarArrays", "BoolArray", "FloatArray", "IntArray"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# India has had no daylight saving since 1945, so a fixed offset gives the exchange's wall clock.
_IST_OFFSET_SECONDS = 19_800
_SECONDS_PER_DAY = 86_400


class BarArrays(NamedTuple):
    """Columns of a bar frame, oldest bar first, each of shape (n,).

    Attributes
    ----------
    start_seconds : numpy.ndarray of int64
        START of the bar, seconds since 1970-01-01 UTC.
    open, high, low, close : numpy.ndarray of float64
        Prices, index points.
    volume, open_interest : numpy.ndarray of float64
        Units.
    """

    start_seconds: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    open_interest: FloatArray

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> BarArrays:
        """Take the columns out of a bar frame (see :mod:`feeds.bars`) without changing a value.

        Raises
        ------
        DataError
            If the index is not a time-zone-aware DatetimeIndex.
        """
        index = frame.index
        if not isinstance(index, pd.DatetimeIndex) or index.tz is None:
            raise DataError(
                f"found an index of type {type(index).__name__} with time zone "
                f"{getattr(index, 'tz', None)}, expected an aware DatetimeIndex; "
                "localise the bars to Asia/Kolkata"
            )
        return cls(
            start_seconds=index.as_unit("s").asi8,
            open=frame["open"].to_numpy(dtype=np.float64),
            high=frame["high"].to_numpy(dtype=np.float64),
            low=frame["low"].to_numpy(dtype=np.float64),
            close=frame["close"].to_numpy(dtype=np.float64),
            volume=frame["volume"].to_numpy(dtype=np.float64),
            open_interest=frame["open_interest"].to_numpy(dtype=np.float64),
        )

    @property
    def bars(self) -> int:
        """Number of bars (``len`` of a named tuple is its number of fields)."""
        return len(self.start_seconds)

    def tail(self, bars: int) -> BarArrays:
        """Return the newest ``bars`` bars as views."""
        if bars >= self.bars:
            return self
        first = self.bars - bars
        return BarArrays(
            self.start_seconds[first:],
            self.open[first:],
            self.high[first:],
            self.low[first:],
            self.close[first:],
            self.volume[first:],
            self.open_interest[first:],
        )

    def head(self, bars: int) -> BarArrays:
        """Return the oldest ``bars`` bars as views."""
        return BarArrays(
            self.start_seconds[:bars],
            self.open[:bars],
            self.high[:bars],
            self.low[:bars],
            self.close[:bars],
            self.volume[:bars],
            self.open_interest[:bars],
        )

    def session_day(self) -> IntArray:
        """Return the exchange's date of each bar, days since 1970-01-01. One date is one session."""
        return (self.start_seconds + _IST_OFFSET_SECONDS) // _SECONDS_PER_DAY

    def minute_of_day(self) -> IntArray:
        """Return the exchange's wall clock at each START, minutes since midnight, 0 to 1439."""
        return (self.start_seconds + _IST_OFFSET_SECONDS) % _SECONDS_PER_DAY // 60

    def weekday(self) -> IntArray:
        """Return the exchange's weekday of each bar, Monday 0 to Sunday 6."""
        # 1970-01-01 was a Thursday.
        return (self.session_day() + 3) % 7

    def opens_session(self) -> BoolArray:
        """Return whether each bar is the first one seen of its session; the first of all always is."""
        day = self.session_day()
        return np.append(True, day[1:] != day[:-1])[: len(day)]

    def session_bounds(self) -> tuple[IntArray, IntArray]:
        """Return the position of each session's first bar, and the one after its last, oldest first."""
        firsts = np.flatnonzero(self.opens_session())
        return firsts, np.append(firsts, self.bars)[1:]
