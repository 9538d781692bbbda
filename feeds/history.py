"""Bars of the past as a backtrader feed, copied as arrays straight into the line buffers.

Stock feeds push one value at a time through Python; a bar frame is already columnar, so each column
becomes one line's buffer in a single copy. The lines hold exactly what the stock feed would hold.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Sequence
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["HistoryFeed", "backtrader_times", "make_history_feed"]

_PRICE_LINES = ("open", "high", "low", "close", "volume")
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 # the wall clock of the exchange is kept naive inside backtrader
_UNIX_EPOCH_ORDINAL = 719_163
_MINUTES_PER_DAY = 1440
_SECONDS_PER_DAY = 86_400


def backtrader_times(index: pd.DatetimeIndex) -> npt.NDArray[np.float64]:
    """Return backtrader's day numbers for naive wall-clock times, bit for bit as ``date2num`` does.

    Parameters
    ----------
    index : pandas.DatetimeIndex, shape (n,)
        Naive exchange wall-clock times with whole seconds.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Proleptic Gregorian ordinal plus the fraction of the day.

    Notes
    -----
    ``backtrader.date2num`` adds day, hours, minutes and seconds with ``math.fsum``, which rounds once.
    Error-free two-sums (Knuth 1969) give the same rounding without a Python loop.
    """
    seconds = index.as_unit("s").asi8
    days, second_of_day = np.divmod(seconds, _SECONDS_PER_DAY)
    hour, rest = np.divmod(second_of_day, 3600)
    minute, second = np.divmod(rest, 60)
    total = (days + _UNIX_EPOCH_ORDINAL).astype(np.float64)
    lost = np.zeros_like(total)
    for part in (hour / 24.0, minute / float(_MINUTES_PER_DAY), second / float(_SECONDS_PER_DAY)):
        summed = total + part
        from_part = summed - total
        lost += (total - (summed - from_part)) + (part - from_part)
        total = summed
    return total + lost


class HistoryFeed(bt.feed.DataBase):
    """A bar frame as a backtrader feed.

    The ``datetime`` line is the CLOSE of the bar on the exchange's wall clock: what ``next()`` sees is
    what was known at that moment. ``openinterest`` and ``complete`` (1.0 or 0.0) are lines too, as is
    every extra numeric column of the frame. Use :func:`make_history_feed` to create one.
    """

    lines: ClassVar[Any] = ("complete",)
    params: ClassVar[Any] = (("columns", None), ("opened_us", None), ("closed_us", None))

    def start(self) -> None:
        """Begin at the first bar."""
        super().start()
        self._next_bar = 0

    def opened_at(self) -> dt.datetime:
        """Return the START of the current bar, naive exchange wall clock."""
        return _EPOCH + dt.timedelta(microseconds=int(self.p.opened_us[self.lines.datetime.lencount - 1]))

    def opened(self, start: int, end: int) -> npt.NDArray[np.int64]:
        """Return the STARTs of bars ``start`` to ``end - 1``, microseconds of naive exchange wall clock."""
        return self.p.opened_us[start:end]

    def closed_at(self) -> dt.datetime:
        """Return the CLOSE of the current bar, naive exchange wall clock."""
        return _EPOCH + dt.timedelta(microseconds=int(self.p.closed_us[self.lines.datetime.lencount - 1]))

    def preload(self) -> None:
        """Fill every line buffer with one copy of its column."""
        for name, values in self.p.columns.items():
            line = getattr(self.lines, name)
            line.array = array("d", values.tobytes())
        self._next_bar = len(self.p.closed_us)
        self.home()

    def _load(self) -> bool:
        columns = self.p.columns
        bar = self._next_bar
        if bar >= len(self.p.closed_us):
            return False
        for name, values in columns.items():
            getattr(self.lines, name)[0] = values[bar]
        self._next_bar = bar + 1
        return True


def make_history_feed(
    frame: pd.DataFrame, closes: pd.DatetimeIndex, *, name: str, bar_minutes: int
) -> HistoryFeed:
    """Wrap a bar frame.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, >= 7)
        A bar frame (see :mod:`feeds.bars`), stamped with the START of each bar, Asia/Kolkata.
    closes : pandas.DatetimeIndex, shape (n,)
        CLOSE of each bar, Asia/Kolkata (see :func:`feeds.bars.close_times`).
    name : str
        The instrument, by which the broker knows the feed.
    bar_minutes : int
        Minutes in a bar.

    Returns
    -------
    HistoryFeed
    """
    wall_closes = closes.tz_localize(None)
    columns = {"datetime": backtrader_times(wall_closes)}
    for column in _PRICE_LINES:
        columns[column] = _as_floats(frame[column])
    columns["openinterest"] = _as_floats(frame["open_interest"])
    columns["complete"] = _as_floats(frame["complete"])
    extra = tuple(
        column
        for column in frame.columns
        if column not in (*_PRICE_LINES, "open_interest", "complete")
        and pd.api.types.is_numeric_dtype(frame[column])
    )
    for column in extra:
        columns[column] = _as_floats(frame[column])
    feed_class = _with_lines(extra) if extra else HistoryFeed
    return feed_class(
        columns=columns,
        opened_us=_microseconds(pd.DatetimeIndex(frame.index).tz_localize(None)),
        closed_us=_microseconds(wall_closes),
        name=name,
        timeframe=bt.TimeFrame.Minutes,
        compression=bar_minutes,
    )


def _microseconds(index: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    return index.as_unit("us").asi8


def _as_floats(series: pd.Series[Any]) -> npt.NDArray[np.float64]:
    return np.ascontiguousarray(series.to_numpy(dtype=np.float64))


def _with_lines(names: Sequence[str]) -> type[HistoryFeed]:
    """Return a feed class with extra lines; backtrader fixes lines when a class is made."""
    return type("HistoryFeedWithColumns", (HistoryFeed,), {"lines": tuple(names)})
