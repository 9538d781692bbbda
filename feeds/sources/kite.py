"""Candles of Kite's history as bar frames, and how much of it one request may ask for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE, check_frame
from feeds.errors import DataError

__all__ = [
    "MINUTE_SPAN",
    "SPAN_DAYS",
    "KiteMinutes",
    "TokenHistory",
    "frame_from_candles",
    "request_spans",
    "table_from_candles",
]

SPAN_DAYS = {1: 60, 3: 100, 5: 100, 10: 100, 15: 200, 30: 200, 60: 400}
"""What one request may cover, days, by the minutes of a candle."""

MINUTE_SPAN = dt.timedelta(days=SPAN_DAYS[1])
"""What one request for 1-minute candles may cover."""

_COLUMNS = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
            "oi": "open_interest"}  # fmt: skip
_ONE_MINUTE = dt.timedelta(minutes=1)


class TokenHistory(Protocol):
    """Something that knows the 1-minute bars of every instrument, such as the client of the API."""

    def minutes(self, token: int, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """See :meth:`feeds.market_events.MinuteHistory.minutes`."""


class KiteMinutes:
    """The :class:`feeds.market_events.MinuteHistory` of one instrument.

    Parameters
    ----------
    history : TokenHistory
        Where it is asked for.
    token : int
        The instrument.
    """

    def __init__(self, history: TokenHistory, token: int) -> None:
        self._history = history
        self._token = token

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return the bars that START from ``first`` to ``last``, both included, aware."""
        return self._history.minutes(self._token, first, last)


def frame_from_candles(candles: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return candles as a bar frame; see :func:`table_from_candles`.

    Raises
    ------
    DataError
        If a candle lacks a field, or they are no proper bars.
    """
    frame = table_from_candles(candles)
    if len(frame):
        check_frame(frame)
    return frame


def table_from_candles(candles: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return candles in the form of a bar frame, whatever their values and order.

    Parameters
    ----------
    candles : sequence of mapping
        Of the official client's ``historical_data``: ``date`` (aware, START of the candle), ``open``,
        ``high``, ``low``, ``close``, ``volume``, and ``oi`` if it was asked for.

    Returns
    -------
    pandas.DataFrame
        Index and columns of a bar frame, Asia/Kolkata; ``complete`` throughout, also for the candle under way
        if it is among them: only who knows the time can tell. Empty for no candles.

    Raises
    ------
    DataError
        If a candle lacks a field, or has a time without a zone.
    """
    try:
        stamps = [candle["date"] for candle in candles]
        columns = {
            column: np.array(
                [candle.get(name, np.nan) if name == "oi" else candle[name] for candle in candles],
                dtype=np.float64,
            )
            for name, column in _COLUMNS.items()
        }
        index = pd.DatetimeIndex(pd.to_datetime(stamps, utc=True)).tz_convert(TIME_ZONE).as_unit("us")
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"a candle of Kite's history cannot be read ({type(error).__name__}: {error}), expected date, "
            "open, high, low, close and volume; ask again later"
        ) from error
    if any(getattr(stamp, "tzinfo", None) is None for stamp in stamps):
        raise DataError("found a candle of Kite's history without a time zone, expected one; ask again later")
    frame = pd.DataFrame({**columns, "complete": True}, index=index.rename("datetime"))[list(BAR_COLUMNS)]
    frame["complete"] = frame["complete"].astype(bool)
    return frame


def request_spans(
    first: dt.datetime, last: dt.datetime, span: dt.timedelta = MINUTE_SPAN
) -> list[tuple[dt.datetime, dt.datetime]]:
    """Cut a range of minutes into requests, oldest first; both ends of each are included.

    Parameters
    ----------
    first, last : datetime
        Aware; START of the first and of the last minute wanted. No request when ``last`` is the earlier.
    span : timedelta
        The most that one request may cover.
    """
    spans = []
    while first <= last:
        end = min(first + span - _ONE_MINUTE, last)
        spans.append((first, end))
        first = end + _ONE_MINUTE
    return spans
