"""What Upstox has of the past: listed and expired contracts, and the indices; minutes since 2022."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from brokers.upstox.client import UpstoxClient
from brokers.upstox.instruments import expired_future, futures_of
from brokers.upstox.keys import INDEX_KEYS, key_of
from brokers.upstox.session import find_session
from brokers.upstox.settings import UpstoxSettings
from feeds.clock import IST, Clock
from feeds.errors import BrokerError, DataError
from feeds.log import NullLog
from feeds.secrets import Secrets
from feeds.sources.candles import frame_from_candles, request_spans, table_from_candles
from feeds.sources.history import FutureKey, HistoryKey, choose_span

__all__ = ["UpstoxHistory", "UpstoxMinutes", "opened_history"]

_MONTH_DAYS, _QUARTER_DAYS = 28, 89  # of the shortest ones: the limits are calendar months and quarters
_SPAN_DAYS = {
    **dict.fromkeys((1, 3, 5, 10, 15), _MONTH_DAYS),
    **dict.fromkeys((30, 60), _QUARTER_DAYS),
}
_EXPIRED_MINUTES = (1, 3, 5, 15, 30)
_FIELDS = ("date", "open", "high", "low", "close", "volume", "oi")
_EXPIRED_PARTS = 3


class UpstoxHistory:
    """A :class:`feeds.sources.history.HistorySource`.

    Parameters
    ----------
    client : UpstoxClient
        Asks, and keeps the limits.
    """

    name = "upstox"
    advice = (
        "take later dates, the index itself (--index), or bring a vendor's files in with `python -m feeds "
        "import`: Upstox has minutes since January 2022, and contracts that expired in the last six months "
        "where the account has its Plus plan"
    )

    def __init__(self, client: UpstoxClient) -> None:
        self._client = client
        self._listed: list[Mapping[str, Any]] | None = None

    def server_time(self) -> dt.datetime | None:
        """Return Upstox' time. Raises BrokerError."""
        return self._client.server_time()

    def longest_span(self, bar_minutes: int) -> dt.timedelta:
        """Return what one request may cover. Raises SettingsError for a length that Upstox has not."""
        return choose_span(_SPAN_DAYS, bar_minutes, "Upstox")

    def candles(
        self, key: HistoryKey, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> pd.DataFrame:
        """Return candles; see :meth:`feeds.sources.history.CandleHistory.candles`.

        The day that runs has an address of its own, which is asked where the last day is missing.
        """
        self.longest_span(bar_minutes)
        if is_expired(key) and bar_minutes not in _EXPIRED_MINUTES:
            lengths = ", ".join(map(str, _EXPIRED_MINUTES))
            raise BrokerError(
                f"Upstox has no candles of {bar_minutes} minutes of expired contracts, expected "
                f"{lengths}; fetch 1-minute bars, longer ones are built from them"
            )
        return table_from_candles(_candles(self._client, str(key), bar_minutes, first, last), "Upstox")

    def futures(self, underlying: str, first: dt.date, last: dt.date) -> Sequence[FutureKey]:
        """Return the futures that are listed and, where one is needed, those that have expired.

        See :meth:`feeds.sources.history.HistorySource.futures`. An account without the Plus plan is refused
        as soon as an expired one is needed, and only then. Raises BrokerError.
        """
        listed = [
            FutureKey(key_of(one), one.symbol, one.expiry) for one in futures_of(self._rows(), underlying)
        ]
        oldest = min((one.expiry for one in listed), default=dt.date.max)
        if first >= oldest:
            return listed
        index_key = str(self.index_key(underlying))
        expired = [
            expired_future(row)
            for expiry in self._client.expiries(index_key)  # of options too: weekly ones have no future
            if first.replace(day=1) <= expiry < oldest
            for row in self._client.expired_futures(index_key, expiry)
        ]
        return sorted([*expired, *listed], key=lambda one: one.expiry)

    def index_key(self, underlying: str) -> HistoryKey:
        """Return the key of the index. Raises BrokerError if it is none of Upstox'."""
        if underlying not in INDEX_KEYS:
            raise BrokerError(
                f"found no index for {underlying}, expected one of {', '.join(INDEX_KEYS)}; correct "
                "--instrument"
            )
        return INDEX_KEYS[underlying]

    def _rows(self) -> list[Mapping[str, Any]]:
        # Some ten megabytes: asked for once.
        if self._listed is None:
            self._listed = self._client.instruments()
        return self._listed


class UpstoxMinutes:
    """The :class:`feeds.market_events.MinuteHistory` of one instrument.

    Parameters
    ----------
    client : UpstoxClient
        Where it is asked for.
    key : str
        The instrument.
    """

    def __init__(self, client: UpstoxClient, key: str) -> None:
        self._client = client
        self._key = key

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return the bars that START from ``first`` to ``last``, both included, aware."""
        rows: list[Mapping[str, Any]] = []
        span = dt.timedelta(days=_SPAN_DAYS[1])
        for start, end in request_spans(first.astimezone(IST), last.astimezone(IST), span):
            rows += _candles(self._client, self._key, 1, start, end)
        return frame_from_candles(rows, "Upstox")


@contextmanager
def opened_history(settings: UpstoxSettings, secrets: Secrets, clock: Clock) -> Iterator[UpstoxHistory]:
    """Give the history for the length of a block. Raises BrokerError if there is no login of today."""
    session = find_session(settings, secrets, clock)
    client = UpstoxClient(settings, session.access_token, NullLog())
    try:
        yield UpstoxHistory(client)
    finally:
        client.close()


def is_expired(key: HistoryKey) -> bool:
    """Whether a key is of an expired contract: those carry their expiry."""
    return str(key).count("|") + 1 == _EXPIRED_PARTS


def _candles(
    client: UpstoxClient, key: str, bar_minutes: int, first: dt.datetime, last: dt.datetime
) -> list[Mapping[str, Any]]:
    """Return the candles that START from ``first`` to ``last``, oldest first."""
    first, last = first.astimezone(IST), last.astimezone(IST)
    days = first.date(), last.date()
    if is_expired(key):
        found = client.candles(key, bar_minutes, *days, is_expired=True)
    else:
        found = client.candles(key, bar_minutes, *days)
        if not any(_start(row).date() == last.date() for row in found):
            today = client.candles_of_today(key, bar_minutes)
            # Before the day has begun it may still hold the session before, which is among the past ones
            found = [*(row for row in today if _start(row).date() == last.date()), *found]
    rows = [dict(zip(_FIELDS, row, strict=False)) | {"date": _start(row)} for row in found]
    return sorted((row for row in rows if first <= row["date"] <= last), key=lambda row: row["date"])


def _start(row: Sequence[Any]) -> dt.datetime:
    try:
        start = dt.datetime.fromisoformat(str(row[0]))
    except (ValueError, IndexError) as error:
        raise DataError(
            f"a candle of Upstox' history begins with {str(row[:1])[:40]}, expected a time; ask again later"
        ) from error
    if start.tzinfo is None:
        raise DataError(
            f"found the candle {row[0]} of Upstox' history without a time zone, expected one; ask again later"
        )
    return start.astimezone(IST)
