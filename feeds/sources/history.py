"""What fetching needs of a broker: candles of the past, what it lists, and the time.

The clients of the brokers implement :class:`CandleHistory`, within their own limits; whoever also knows the
instruments is a :class:`HistorySource`. This package imports no broker: it is handed one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import pandas as pd

from feeds.errors import SettingsError

__all__ = ["CandleHistory", "FutureKey", "HistoryKey", "HistorySource", "choose_span"]

HistoryKey = int | str
"""What a broker calls an instrument in its history: Kite's token, Upstox's instrument key."""


class FutureKey(NamedTuple):
    """A future whose candles a broker has.

    Attributes
    ----------
    key : int or str
        Its name in the history.
    symbol : str
        Its name for a person.
    expiry : datetime.date
        Its last trading day.
    """

    key: HistoryKey
    symbol: str
    expiry: dt.date


class CandleHistory(Protocol):
    """Something that gives intraday candles of the past, one request at a time."""

    def longest_span(self, bar_minutes: int) -> dt.timedelta:
        """Return what one request for candles of this length may cover, whole days.

        Raises
        ------
        SettingsError
            Naming the lengths there are, if this one is not among them.
        """

    def candles(
        self, key: HistoryKey, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> pd.DataFrame:
        """Return the candles that START from ``first`` to ``last``, both included, in one request.

        Parameters
        ----------
        key : int or str
            The instrument.
        bar_minutes : int
            Length of a candle, minutes.
        first, last : datetime
            Aware; no more apart than :meth:`longest_span`.

        Returns
        -------
        pandas.DataFrame
            In the form of a bar frame (:mod:`feeds.bars`: index, columns, types), but as it was answered:
            rows may be twice, out of order, outside the session or no proper bars, and the candle under way
            may be among them. Whoever keeps them checks them first. Empty when there is nothing.

        Raises
        ------
        BrokerError
            If it cannot be asked, or refuses; asked again and paced inside, so that this is final.
        DataError
            If the answer cannot be read.
        SettingsError
            As :meth:`longest_span`.
        """


class HistorySource(CandleHistory, Protocol):
    """A broker's history as a whole."""

    @property
    def name(self) -> str:
        """What its spans are recorded under, and what the command line calls it: ``kite``."""

    @property
    def advice(self) -> str:
        """What to do where :meth:`futures` has no contract for a day, as the end of a message."""

    def server_time(self) -> dt.datetime | None:
        """Return the broker's time, aware; None if its answers carry none. Raises BrokerError."""

    def futures(self, underlying: str, first: dt.date, last: dt.date) -> Sequence[FutureKey]:
        """Return the futures of which candles can be asked, nearest expiry first.

        Parameters
        ----------
        underlying : str
            Index, such as ``NIFTY``.
        first : datetime.date
            Expiry of the first one that is needed, as the calendar has it; those of earlier months may be
            left out.
        last : datetime.date
            Last day that is needed.

        Raises
        ------
        BrokerError
            If it cannot be asked.
        """

    def index_key(self, underlying: str) -> HistoryKey:
        """Return the key of the index itself. Raises BrokerError if it has none."""


def choose_span(spans: Mapping[int, int], bar_minutes: int, broker: str) -> dt.timedelta:
    """Return the span of one request from a table of days by bar minutes.

    Raises
    ------
    SettingsError
        If the table has no such length.
    """
    if bar_minutes not in spans:
        lengths = ", ".join(map(str, sorted(spans)))
        raise SettingsError(
            f"{broker} has no candles of {bar_minutes} minutes, expected one of {lengths}; "
            "fetch 1-minute bars, longer ones are built from them"
        )
    return dt.timedelta(days=spans[bar_minutes])
