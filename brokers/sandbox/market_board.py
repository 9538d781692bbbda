"""Market data of the sandbox: snapshots, quotes, candles and the list of instruments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pandas as pd

from brokers.sandbox.candles import CandleStore
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.instruments import instruments_csv
from brokers.sandbox.market import Market, MarketSnapshot
from brokers.sandbox.quotes import ltp_row, ohlc_row, quote_row
from brokers.sandbox.schedule import Schedule
from feeds.clock import IST

__all__ = ["MarketBoard"]

Row = dict[str, Any]


class MarketBoard:
    """What anybody may look at.

    Parameters
    ----------
    config : ExchangeConfig
        The day and its contracts.
    now : datetime.datetime
        Aware time it starts at.
    """

    def __init__(self, config: ExchangeConfig, now: dt.datetime) -> None:
        self.config = config
        self._schedule = Schedule(now.astimezone(IST))
        closes, band = config.previous_closes, config.circuit_percent
        self._markets = {
            one.token: Market(one, band, closes.get(one.token, 0.0)) for one in config.instruments
        }
        with_history = (*self._markets, *(index.token for index in config.indices))
        self._candles = {token: CandleStore(config.calendar, config.day) for token in with_history}

    @property
    def now(self) -> dt.datetime:
        """Time reached, aware, Asia/Kolkata."""
        return self._schedule.now

    def add_history(self, token: int, frame: pd.DataFrame) -> None:
        """Take 1-minute bars of earlier days; the last close is the previous close unless one is set.

        Raises
        ------
        ExchangeError
            If the token is not listed.
        DataError
            If ``frame`` is no bar frame.
        """
        close = self._candle_store(token).add_history(frame)
        if close is not None and token in self._markets:
            self._market(token).use_previous_close(close)

    def snapshot(self, token: int) -> MarketSnapshot:
        """Return what a full packet says about a contract now; an unknown token raises ExchangeError."""
        return self._market(token).snapshot(self.now)

    def quote(self, keys: Sequence[str]) -> Row:
        """Return full quotes by the keys asked for (``NFO:SYMBOL`` or a token); unknown ones are left out."""
        return {key: quote_row(snapshot) for key, snapshot in self._known(keys).items()}

    def ohlc(self, keys: Sequence[str]) -> Row:
        """Return open, high, low, previous close and last price by key; unknown ones are left out."""
        return {key: ohlc_row(snapshot) for key, snapshot in self._known(keys).items()}

    def ltp(self, keys: Sequence[str]) -> Row:
        """Return last prices by key; unknown ones are left out."""
        return {key: ltp_row(snapshot) for key, snapshot in self._known(keys).items()}

    def instruments_csv(self, exchange: str | None = None) -> str:
        """Return the dump of instruments, of all exchanges or one; the prices are the previous closes."""
        listed = [one for one in self.config.instruments if exchange in (None, one.exchange)]
        indices = [one for one in self.config.indices if exchange in (None, one.exchange)]
        closes = {token: market.previous_close for token, market in self._markets.items()}
        return instruments_csv(listed, closes, indices)

    def candles(
        self, token: int, interval: str, first: dt.datetime, last: dt.datetime, *, oi: bool = False
    ) -> list[list[Any]]:
        """Return candles that open between ``first`` and ``last``, both included; the forming one, too.

        Parameters
        ----------
        token : int
            Of a listed contract or index.
        interval : str
            ``minute``, ``3minute`` … ``60minute`` or ``day``.
        first, last : datetime.datetime
            Asia/Kolkata where naive.
        oi : bool
            Whether rows carry open interest.

        Raises
        ------
        ExchangeError
            For an unknown token or interval, or too long a span.
        """
        return self._candle_store(token).rows(interval, _in_ist(first), _in_ist(last), oi=oi)

    def minutes(self, token: int, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return 1-minute bars; see :meth:`CandleStore.minutes`. An unknown token raises ExchangeError."""
        return self._candle_store(token).minutes(_in_ist(first), _in_ist(last))

    def newest_minute(self, token: int) -> tuple[dt.datetime, list[float]] | None:
        """Return today's newest minute; see :meth:`CandleStore.newest_minute`."""
        return self._candle_store(token).newest_minute()

    def _market(self, token: int) -> Market:
        if token not in self._markets:
            raise input_error("invalid token")
        return self._markets[token]

    def _candle_store(self, token: int) -> CandleStore:
        if token not in self._candles:
            raise input_error("invalid token")
        return self._candles[token]

    def _known(self, keys: Sequence[str]) -> dict[str, MarketSnapshot]:
        names = {str(token): token for token in self._markets}
        names.update({f"{one.exchange}:{one.symbol}": one.token for one in self.config.instruments})
        return {key: self.snapshot(names[key]) for key in keys if key in names}


def _in_ist(time: dt.datetime) -> dt.datetime:
    return time.replace(tzinfo=IST) if time.tzinfo is None else time.astimezone(IST)
