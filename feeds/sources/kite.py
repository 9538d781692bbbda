"""The 1-minute bars of one instrument at Kite, and how much of its history one request may ask for."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

import pandas as pd

__all__ = ["MINUTE_SPAN", "SPAN_DAYS", "KiteMinutes", "TokenHistory"]

SPAN_DAYS = {1: 60, 3: 100, 5: 100, 10: 100, 15: 200, 30: 200, 60: 400}
"""What one request may cover, days, by the minutes of a candle."""

MINUTE_SPAN = dt.timedelta(days=SPAN_DAYS[1])
"""What one request for 1-minute candles may cover."""


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
