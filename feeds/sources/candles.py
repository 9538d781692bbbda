"""Candles of a broker's history as bar frames, and ranges cut into requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE, check_frame
from feeds.errors import DataError

__all__ = ["frame_from_candles", "request_spans", "table_from_candles"]

_COLUMNS = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
            "oi": "open_interest"}  # fmt: skip
_ONE_MINUTE = dt.timedelta(minutes=1)


def frame_from_candles(candles: Sequence[Mapping[str, Any]], broker: str) -> pd.DataFrame:
    """Return candles as a bar frame; see :func:`table_from_candles`.

    Raises
    ------
    DataError
        If a candle lacks a field, or they are no proper bars.
    """
    frame = table_from_candles(candles, broker)
    if len(frame):
        check_frame(frame)
    return frame


def table_from_candles(candles: Sequence[Mapping[str, Any]], broker: str) -> pd.DataFrame:
    """Return candles in the form of a bar frame, whatever their values and order.

    Parameters
    ----------
    candles : sequence of mapping
        Each with ``date`` (aware, START of the candle), ``open``, ``high``, ``low``, ``close``, ``volume``,
        and ``oi`` if it was asked for.
    broker : str
        Its name, for messages.

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
            f"a candle of {broker}'s history cannot be read ({type(error).__name__}: {error}), expected "
            "date, open, high, low, close and volume; ask again later"
        ) from error
    if any(getattr(stamp, "tzinfo", None) is None for stamp in stamps):
        raise DataError(
            f"found a candle of {broker}'s history without a time zone, expected one; ask again later"
        )
    frame = pd.DataFrame({**columns, "complete": True}, index=index.rename("datetime"))[list(BAR_COLUMNS)]
    frame["complete"] = frame["complete"].astype(bool)
    return frame


def request_spans(
    first: dt.datetime, last: dt.datetime, span: dt.timedelta
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
