"""Kite's HTTP API through the official client: paced, typed, and with errors that say what is known.

Reads are tried again with growing pauses. A write is sent once, whatever becomes of it.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pandas as pd
from kiteconnect.connect import KiteConnect

from brokers.funds import Funds
from brokers.kite.account import Profile, funds_from, profile_from
from brokers.kite.connection import Connection
from brokers.kite.errors import classify
from brokers.kite.instruments import InstrumentRow, row_from
from brokers.kite.limits import KiteOrderBudget, KiteReadBudget
from brokers.kite.settings import KiteSettings
from brokers.limits import ReadKind
from brokers.patient_reads import PatientReads
from brokers.wire import NotNowError, OutcomeUnknownError, SessionDeadError, UnreachableError
from feeds.clock import IST
from feeds.errors import BrokerError
from feeds.log import Log
from feeds.sources.candles import frame_from_candles, request_spans, table_from_candles
from feeds.sources.history import HistoryKey, choose_span
from feeds.sources.kite import MINUTE_SPAN, SPAN_DAYS

__all__ = ["KiteClient"]

_Answer = TypeVar("_Answer")

_VARIETY = "regular"
_ONE_MINUTE = 1


class KiteClient:
    """One account, one login. Thread-safe: each thread has its own connection.

    Parameters
    ----------
    settings : KiteSettings
        Addresses and patience.
    api_key, access_token : str
        Of the app, and of today's login.
    log : Log
        Told of every read that is tried again.
    orders, reads : KiteOrderBudget, KiteReadBudget, optional
        Kite's limits; made here if not given.
    sleep : callable
        How to wait between attempts, seconds.
    """

    def __init__(
        self,
        settings: KiteSettings,
        api_key: str,
        access_token: str,
        log: Log,
        *,
        orders: KiteOrderBudget | None = None,
        reads: KiteReadBudget | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._api_key = api_key
        self._access_token = access_token
        self._orders = orders or KiteOrderBudget()
        self._reads = reads or KiteReadBudget()
        self._patiently = PatientReads(settings.read_attempts, "kite_read_again", log, sleep)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    def set_token(self, access_token: str) -> None:
        """Use another access token from the next call on."""
        self._access_token = access_token

    def close(self) -> None:
        """Close the connections of all threads; none may be in a call."""
        with self._lock:
            connections, self._connections = self._connections, []
            self._own = threading.local()
        for connection in connections:
            connection.close()

    # -- account and market ----------------------------------------------------------------------

    def profile(self) -> Profile:
        """Return who is logged in. Raises BrokerError."""
        return profile_from(self._read("profile", lambda client: client.profile()))

    def funds(self) -> Funds:
        """Return the rupees that futures can be traded with. Raises BrokerError."""
        return funds_from(self._read("margins", lambda client: client.margins()))

    def margins(self) -> float:
        """Return the rupees available for new positions. Raises BrokerError."""
        return self.funds().available

    def instruments(self, exchange: str) -> list[InstrumentRow]:
        """Return the broker's list of today. Raises BrokerError."""
        rows = self._read("instruments", lambda client: client.instruments(exchange))
        return [row_from(row) for row in rows]

    def minutes(self, token: int, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return the 1-minute bars that START from ``first`` to ``last``, both included.

        Parameters
        ----------
        token : int
            The instrument.
        first, last : datetime
            Aware. Longer ranges are asked for in parts.

        Returns
        -------
        pandas.DataFrame
            A bar frame, Asia/Kolkata. The minute under way may be among the bars.

        Raises
        ------
        BrokerError, DataError
            When it cannot be asked or understood.
        """
        candles: list[Mapping[str, Any]] = []
        for start, end in request_spans(first.astimezone(IST), last.astimezone(IST), MINUTE_SPAN):
            candles += self._candles(token, _ONE_MINUTE, start, end)
        return frame_from_candles(candles, "Kite")

    def longest_span(self, bar_minutes: int) -> dt.timedelta:
        """Return what one request may cover; see :class:`feeds.sources.history.CandleHistory`."""
        return choose_span(SPAN_DAYS, bar_minutes, "Kite")

    def candles(
        self, key: HistoryKey, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> pd.DataFrame:
        """Return candles as answered; see :class:`feeds.sources.history.CandleHistory`."""
        self.longest_span(bar_minutes)
        return table_from_candles(self._candles(int(key), bar_minutes, first, last), "Kite")

    def _candles(
        self, token: int, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> list[Mapping[str, Any]]:
        # The official client writes a time down as it reads, whatever its zone.
        ask = functools.partial(
            KiteConnect.historical_data,
            instrument_token=token,
            from_date=first.astimezone(IST),
            to_date=last.astimezone(IST),
            interval="minute" if bar_minutes == _ONE_MINUTE else f"{bar_minutes}minute",
            oi=True,
        )
        candles: list[Mapping[str, Any]] = self._read("history", ask, kind="history")
        return candles

    def order_margin(self, order: Mapping[str, Any]) -> float:
        """Return the rupees that an order would block. Raises BrokerError.

        Parameters
        ----------
        order : mapping
            Parameters as for :meth:`place`.
        """
        row = {"variety": _VARIETY, "price": 0, "trigger_price": 0, **order}
        answer = self._read("order_margins", lambda client: client.order_margins([row]))
        try:
            total = float(answer[0]["total"])
        except (LookupError, TypeError, ValueError) as error:
            raise BrokerError(
                f"Kite's answer to order_margins has no total ({type(error).__name__}: {error}), expected "
                "one row with it; check broker.kite.api_root"
            ) from error
        if not math.isfinite(total):
            raise BrokerError(f"Kite's margin of an order is {total}, expected rupees; ask again")
        return total

    def server_time(self) -> dt.datetime | None:
        """Return the server's time of its answer to a small request, Asia/Kolkata, whole seconds.

        None if the answer had none. Raises BrokerError.
        """
        self._read("profile", lambda client: client.profile())
        stamp = self._connection().date
        if stamp is None:
            return None
        try:
            return email.utils.parsedate_to_datetime(stamp).astimezone(IST)
        except ValueError:
            return None

    # -- the book --------------------------------------------------------------------------------

    def orders(self) -> list[dict[str, Any]]:
        """Return the orders of today, of every platform, as Kite writes them. Raises BrokerError."""
        rows = self._rows("orders", lambda client: client.orders())
        self._orders.saw_orders(len(rows))
        return rows

    def trades(self) -> list[dict[str, Any]]:
        """Return the executions of today, as Kite writes them. Raises BrokerError."""
        return self._rows("trades", lambda client: client.trades())

    def positions(self) -> list[dict[str, Any]]:
        """Return the net positions, as Kite writes them. Raises BrokerError."""
        return self._rows("positions", lambda client: client.positions()["net"])

    # -- orders ----------------------------------------------------------------------------------

    def place(self, order: Mapping[str, Any], *, is_exit: bool) -> str:
        """Send one order once and return its id.

        Parameters
        ----------
        order : mapping
            Keyword arguments of the official client's ``place_order``, without the variety.
        is_exit : bool
            Whether it may use what is held back for exits.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            See :mod:`brokers.wire`.
        """
        self._orders.take(is_exit=is_exit, places=True)
        order_id = self._write(lambda client: client.place_order(_VARIETY, **order))
        if not isinstance(order_id, (str, int)) or not str(order_id):
            raise OutcomeUnknownError(
                f"Kite took the order but gave {order_id!r} for its id, expected a number; "
                "the order may exist"
            )
        return str(order_id)

    def cancel(self, order_id: str) -> None:
        """Ask once to cancel an order. Raises as :meth:`place`."""
        self._orders.take(is_exit=True, places=False)
        self._write(lambda client: client.cancel_order(_VARIETY, order_id))

    def modify(self, order_id: str, changes: Mapping[str, Any]) -> None:
        """Ask once to change an order.

        Parameters
        ----------
        order_id : str
            Kite's number.
        changes : mapping
            Keyword arguments of the official client's ``modify_order``; what is not named stays as it is.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            See :mod:`brokers.wire`.
        """
        self._orders.take(is_exit=True, places=False)
        self._write(lambda client: client.modify_order(_VARIETY, order_id, **changes))

    # -- calls -----------------------------------------------------------------------------------

    def _rows(self, name: str, ask: Callable[[KiteConnect], Any]) -> list[dict[str, Any]]:
        rows = self._read(name, ask)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreachableError(
                f"Kite's answer to {name} is {type(rows).__name__}, expected a list of rows; ask again"
            )
        return rows

    def _read(self, name: str, ask: Callable[[KiteConnect], _Answer], kind: ReadKind = "other") -> _Answer:
        def once() -> _Answer:
            self._reads.take(kind)
            connection = self._fresh_connection()
            try:
                return ask(connection.client)
            except Exception as error:
                raise self._understand(error, connection, is_write=False) from error

        return self._patiently(name, once)

    def _write(self, ask: Callable[[KiteConnect], _Answer]) -> _Answer:
        connection = self._fresh_connection()
        try:
            return ask(connection.client)
        except Exception as error:
            raise self._understand(error, connection, is_write=True) from error

    def _understand(self, error: Exception, connection: Connection, *, is_write: bool) -> BrokerError:
        """Return what an error means; that of an older login says nothing of today's."""
        known = classify(error, is_write=is_write, status=connection.status)
        if not isinstance(known, SessionDeadError) or connection.client.access_token == self._access_token:
            return known
        kind = NotNowError if is_write else UnreachableError
        return kind(f"asked with a login that has been replaced meanwhile ({known}); ask again")

    def _connection(self) -> Connection:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = Connection(self._settings, self._api_key)
            self._own.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection

    def _fresh_connection(self) -> Connection:
        """Return this thread's connection with today's token and without traces of its last answer."""
        connection = self._connection()
        connection.renew(self._access_token)
        return connection
