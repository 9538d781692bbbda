"""What Kite has of the past: the contracts of its list of today, and the indices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd
from kiteconnect import exceptions as kite

from brokers.kite.client import KiteClient
from brokers.kite.instruments import InstrumentRow, find_future, find_index, futures_of
from feeds.errors import BrokerError
from feeds.sources.history import FutureKey, HistoryKey

__all__ = ["KiteHistory"]

_FUTURES = "NFO"
_INDICES = "NSE"


class KiteHistory:
    """A :class:`feeds.sources.history.HistorySource`.

    Parameters
    ----------
    client : KiteClient
        Asks, and keeps the limits.
    """

    name = "kite"
    advice = (
        "fetch what expired in the last six months from Upstox (--source upstox), take the index itself "
        "(--index), bring a vendor's files in with `python -m feeds import`, or keep what comes from now on "
        "with `python -m feeds record`: Kite keeps bars of listed contracts only, and of expired ones no "
        "more than days"
    )

    def __init__(self, client: KiteClient) -> None:
        self._client = client
        self._listed: dict[str, list[InstrumentRow]] = {}

    def server_time(self) -> dt.datetime | None:
        """Return Kite's time. Raises BrokerError."""
        return self._client.server_time()

    def longest_span(self, bar_minutes: int) -> dt.timedelta:
        """Return what one request may cover. Raises SettingsError for a length that Kite has not."""
        return self._client.longest_span(bar_minutes)

    def candles(
        self, key: HistoryKey, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> pd.DataFrame:
        """Return candles; see :meth:`feeds.sources.history.CandleHistory.candles`."""
        try:
            return self._client.candles(key, bar_minutes, first, last)
        except BrokerError as error:
            if not isinstance(error.__cause__, kite.PermissionException):
                raise
            raise BrokerError(
                f"{error}; history belongs to the paid Connect plan of the app, expected that it is "
                "subscribed: see https://developers.kite.trade"
            ) from error

    def futures(self, underlying: str, first: dt.date, last: dt.date) -> Sequence[FutureKey]:
        """Return the listed futures; those that have expired are not in Kite's list. Raises BrokerError."""
        rows = self._rows(_FUTURES)
        find_future(rows, underlying, None)
        return [FutureKey(one.token, one.symbol, one.expiry) for one in futures_of(rows, underlying)]

    def index_key(self, underlying: str) -> HistoryKey:
        """Return the token of the index. Raises BrokerError if the list has none."""
        return find_index(self._rows(_INDICES), underlying).token

    def _rows(self, exchange: str) -> list[InstrumentRow]:
        # Some megabytes: asked for once.
        if exchange not in self._listed:
            self._listed[exchange] = self._client.instruments(exchange)
        return self._listed[exchange]
