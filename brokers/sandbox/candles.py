"""Historical candles: earlier days from bars, today from prints, the forming one included."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd

from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.market import MarketTrade
from feeds.bars import BAR_COLUMNS, TIME_ZONE, aggregate, check_frame
from feeds.calendar import TradingCalendar

__all__ = ["INTERVALS", "CandleStore", "merge_bars"]

INTERVALS = {
    "minute": (1, 60), "3minute": (3, 100), "5minute": (5, 100), "10minute": (10, 100),
    "15minute": (15, 200), "30minute": (30, 200), "60minute": (60, 400), "day": (0, 2000),
}  # fmt: skip
"""Minutes of a candle (0 for a day), and the longest span of one request, days."""


class CandleStore:
    """The candles of one contract.

    Parameters
    ----------
    calendar : TradingCalendar
        Candles start at the open of each segment; prints outside make none.
    day : datetime.date
        Today.
    """

    def __init__(self, calendar: TradingCalendar, day: dt.date) -> None:
        session = calendar.session(day)
        self._calendar, self._day = calendar, day
        self._segments = session.segments if session is not None else ()
        self._history: pd.DataFrame | None = None
        self._minutes: dict[dt.datetime, list[float]] = {}

    def add_history(self, frame: pd.DataFrame) -> float | None:
        """Take 1-minute bars of earlier days, replacing earlier ones given.

        Parameters
        ----------
        frame : DataFrame
            A bar frame; bars of today and later are left out.

        Returns
        -------
        float or None
            The last close, index points; None if no bar is left.

        Raises
        ------
        DataError
            If it is no bar frame.
        """
        check_frame(frame)
        midnight = pd.Timestamp(self._day, tz=TIME_ZONE)
        past = frame.loc[frame.index < midnight, list(BAR_COLUMNS)]
        self._history = past
        return float(past["close"].iloc[-1]) if len(past) else None

    def take(self, trade: MarketTrade) -> None:
        """Take a print of today; one outside the session makes no candle."""
        if not any(start <= trade.time < end for start, end in self._segments):
            return
        minute = trade.time.replace(second=0, microsecond=0)
        candle = self._minutes.get(minute)
        price, interest = trade.price, trade.open_interest
        if candle is None:
            self._minutes[minute] = [price, price, price, price, float(trade.quantity), interest]
            return
        candle[1], candle[2], candle[3] = max(candle[1], price), min(candle[2], price), price
        candle[4] += trade.quantity
        if math.isfinite(interest):
            candle[5] = interest

    def rows(
        self, interval: str, first: dt.datetime, last: dt.datetime, *, oi: bool = False
    ) -> list[list[Any]]:
        """Return candles whose open lies between ``first`` and ``last``, both included.

        Parameters
        ----------
        interval : str
            One of :data:`INTERVALS`.
        first, last : datetime.datetime
            Aware, Asia/Kolkata.
        oi : bool
            Whether rows carry open interest.

        Raises
        ------
        ExchangeError
            400, for an unknown interval or too long a span.
        """
        if interval not in INTERVALS:
            raise input_error("invalid interval")
        minutes, longest = INTERVALS[interval]
        if last - first > dt.timedelta(days=longest):
            raise input_error(f"interval exceeds max limit: {longest} days")
        whole_days = first.replace(hour=0, minute=0, second=0, microsecond=0)
        frame = self.minutes(whole_days, last)
        if frame.empty:
            return []
        frame = merge_bars(frame, _days(frame)) if minutes == 0 else aggregate(frame, minutes, self._calendar)
        frame = frame[(frame.index >= (whole_days if minutes == 0 else first)) & (frame.index <= last)]
        return [_row(bar, oi=oi) for bar in frame.itertuples()]

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return 1-minute bars from ``first`` to the end of the day of ``last``, the forming one included.

        A bar frame; an empty frame without columns where there are none. Times are aware, Asia/Kolkata.
        """
        parts = []
        if self._history is not None:
            end = last.replace(hour=23, minute=59, second=59)
            parts.append(self._history[(self._history.index >= first) & (self._history.index <= end)])
        if self._minutes and first.date() <= self._day <= last.date():
            parts.append(self._today())
        parts = [part for part in parts if len(part)]
        return pd.concat(parts) if parts else pd.DataFrame()

    def newest_minute(self) -> tuple[dt.datetime, list[float]] | None:
        """Return the start, and open, high, low, close, volume and open interest of today's newest minute."""
        newest = max(self._minutes, default=None)
        return None if newest is None else (newest, self._minutes[newest])

    def _today(self) -> pd.DataFrame:
        starts = sorted(self._minutes)
        index = pd.DatetimeIndex(starts, name="datetime").tz_convert(TIME_ZONE).as_unit("us")
        values = np.array([self._minutes[start] for start in starts], dtype=np.float64)
        frame = pd.DataFrame(values, columns=list(BAR_COLUMNS[:-1]), index=index)
        frame["complete"] = True
        return frame


def merge_bars(frame: pd.DataFrame, starts: pd.DatetimeIndex) -> pd.DataFrame:
    """Return one bar for each of ``starts``, which say to which one each row of a bar frame belongs."""
    return frame.groupby(starts).agg(
        {
            "open": "first",
            "high": "max",
            "low": "min",
            "close": "last",
            "volume": "sum",
            "open_interest": "last",
        }
    )


def _days(frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(frame.index).normalize()


def _row(bar: Any, *, oi: bool) -> list[Any]:  # noqa: ANN401 # a row of itertuples
    interest = 0 if math.isnan(bar.open_interest) else int(bar.open_interest)
    stamp = f"{bar.Index:%Y-%m-%dT%H:%M:%S}+0530"
    row: list[Any] = [stamp, bar.open, bar.high, bar.low, bar.close, int(bar.volume)]
    return [*row, interest] if oi else row
