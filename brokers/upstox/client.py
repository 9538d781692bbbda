"""Upstox' HTTP API through the official client: paced, typed, and with errors that say what is known.

Reads are tried again with growing pauses. A write is sent once, whatever becomes of it.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import gzip
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from brokers.funds import Funds
from brokers.limits import ReadKind
from brokers.patient_reads import PatientReads
from brokers.upstox.connection import Connection
from brokers.upstox.errors import CALL_ERRORS, UnexpectedAnswerError, classify
from brokers.upstox.limits import UpstoxOrderBudget, UpstoxReadBudget
from brokers.upstox.settings import UpstoxSettings
from brokers.websocket import checked_address
from brokers.wire import NotNowError, SessionDeadError, UnreachableError
from feeds.clock import IST
from feeds.errors import BrokerError
from feeds.log import Log

__all__ = ["UpstoxClient"]

_Result = TypeVar("_Result")

_ALGO_NAME = "X-Algo-Name"


class UpstoxClient:
    """One account, one login. Thread-safe.

    Parameters
    ----------
    settings : UpstoxSettings
        Addresses and patience.
    access_token : str
        Of today's login.
    log : Log
        Told of every read that is tried again.
    orders, reads : UpstoxOrderBudget, UpstoxReadBudget, optional
        Upstox' limits; made here if not given.
    sleep : callable
        How to wait between attempts, seconds.
    """

    def __init__(
        self,
        settings: UpstoxSettings,
        access_token: str,
        log: Log,
        *,
        orders: UpstoxOrderBudget | None = None,
        reads: UpstoxReadBudget | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._orders = orders or UpstoxOrderBudget()
        self._reads = reads or UpstoxReadBudget()
        self._patiently = PatientReads(settings.read_attempts, "upstox_read_again", log, sleep)
        self._connection = Connection(settings, access_token)
        self._order_headers = {_ALGO_NAME: settings.algo_name} if settings.algo_name else {}

    def set_token(self, access_token: str) -> None:
        """Use another access token from the next call on."""
        self._connection.token = access_token

    def close(self) -> None:
        """Close the connections; no thread may be in a call."""
        self._connection.close()

    # -- account and market ----------------------------------------------------------------------

    def profile(self) -> dict[str, Any]:
        """Return who is logged in, as Upstox writes it; ``user_id`` is among it. Raises BrokerError."""
        found = self._get("/v2/user/profile")
        return self._checked("profile", found, lambda data: {**data, "user_id": str(data["user_id"])})

    def funds(self) -> Funds:
        """Return the rupees that futures can be traded with. Raises BrokerError."""

        def read(data: Mapping[str, Any]) -> Funds:
            equity = data["equity"]
            return Funds(_rupees(equity["available_margin"]), _rupees(equity["used_margin"]))

        return self._checked("funds", self._get("/v2/user/get-funds-and-margin", {"segment": "SEC"}), read)

    def order_margin(self, rows: Sequence[Mapping[str, Any]]) -> float:
        """Return the rupees that orders together would block. Raises BrokerError.

        Parameters
        ----------
        rows : sequence of mapping
            Each with instrument_key, quantity, product, transaction_type.
        """
        found = self._read(
            "margin", lambda: self._data("POST", "/v2/charges/margin", body={"instruments": list(rows)})
        )
        return self._checked("margin", found, lambda data: _rupees(data["final_margin"]))

    def instruments(self) -> list[Mapping[str, Any]]:
        """Return the broker's list of today, some ten megabytes. Raises BrokerError."""

        def ask() -> list[Mapping[str, Any]]:
            try:
                rows = json.loads(gzip.decompress(self._connection.download(self._settings.instruments_url)))
            except (OSError, EOFError, ValueError) as error:
                raise UnexpectedAnswerError(f"the list of instruments cannot be read ({error})") from error
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise UnexpectedAnswerError("the list of instruments is no list of rows")
            return rows

        return self._read("instruments", ask)

    def server_time(self) -> dt.datetime | None:
        """Return the server's time of its answer to a small request, Asia/Kolkata, whole seconds.

        None if the answer had none. Raises BrokerError.
        """
        answer = self._read("profile", lambda: self._connection.call("GET", "/v2/user/profile"))
        try:
            return (
                None
                if answer.date is None
                else email.utils.parsedate_to_datetime(answer.date).astimezone(IST)
            )
        except ValueError:
            return None

    # -- history ---------------------------------------------------------------------------------

    def candles(
        self, key: str, bar_minutes: int, first: dt.date, last: dt.date, *, is_expired: bool = False
    ) -> list[list[Any]]:
        """Return candles of days, both included, newest first as Upstox has them. Raises BrokerError.

        Parameters
        ----------
        key : str
            Instrument key; of an expired contract with its expiry, ``NSE_FO|53001|28-11-2024``.
        bar_minutes : int
            Of a candle.
        first, last : datetime.date
            No more than one request may cover.
        is_expired : bool
            Whether the contract has expired.

        Returns
        -------
        list of list
            Time (ISO, with zone), open, high, low, close, volume, open interest.
        """
        days = {"to_date": f"{last}", "from_date": f"{first}"}
        if is_expired:
            path = "/v2/expired-instruments/historical-candle/{key}/{interval}/{to_date}/{from_date}"
            names = {"key": key, "interval": f"{bar_minutes}minute", **days}
        else:
            path = "/v3/historical-candle/{key}/{unit}/{interval}/{to_date}/{from_date}"
            names = {"key": key, "unit": "minutes", "interval": str(bar_minutes), **days}
        return self._candle_rows(path, names)

    def candles_of_today(self, key: str, bar_minutes: int) -> list[list[Any]]:
        """Return candles of the day that runs, the forming one too; see :meth:`candles`."""
        path = "/v3/historical-candle/intraday/{key}/{unit}/{interval}"
        return self._candle_rows(path, {"key": key, "unit": "minutes", "interval": str(bar_minutes)})

    def expiries(self, index_key: str) -> list[dt.date]:
        """Return the expiries of contracts that have expired, oldest first. Raises BrokerError."""
        found = self._get("/v2/expired-instruments/expiries", {"instrument_key": index_key}, kind="history")
        return self._checked(
            "expiries", found, lambda days: sorted(dt.date.fromisoformat(str(day)[:10]) for day in days)
        )

    def expired_futures(self, index_key: str, expiry: dt.date) -> list[dict[str, Any]]:
        """Return the futures that expired on a day. Raises BrokerError."""
        query = {"instrument_key": index_key, "expiry_date": f"{expiry}"}
        return self._rows("/v2/expired-instruments/future/contract", query, kind="history")

    # -- the book --------------------------------------------------------------------------------

    def orders(self) -> list[dict[str, Any]]:
        """Return the orders of today, of every platform, as Upstox writes them. Raises BrokerError."""
        rows = self._rows("/v2/order/retrieve-all")
        self._orders.saw_orders(len(rows))
        return rows

    def trades(self) -> list[dict[str, Any]]:
        """Return the executions of today, as Upstox writes them. Raises BrokerError."""
        return self._rows("/v2/order/trades/get-trades-for-day")

    def positions(self) -> list[dict[str, Any]]:
        """Return the positions, as Upstox writes them. Raises BrokerError."""
        return self._rows("/v2/portfolio/short-term-positions")

    # -- orders ----------------------------------------------------------------------------------

    def place(self, order: Mapping[str, Any], *, is_exit: bool) -> str:
        """Send one order once and return its id.

        Parameters
        ----------
        order : mapping
            Fields of ``/v3/order/place``.
        is_exit : bool
            Whether it may use what is held back for exits.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            See :mod:`brokers.wire`.
        """
        self._orders.take(is_exit=is_exit, places=True)

        def ask() -> str:
            data = self._data("POST", "/v3/order/place", body=order, headers=self._order_headers)
            ids = data.get("order_ids") if isinstance(data, dict) else None
            if not isinstance(ids, list) or len(ids) != 1 or not str(ids[0]):
                # One order that fits the freeze quantity is one order: anything else is for the book to tell
                raise UnexpectedAnswerError(f"the order was taken with the ids {ids!r}, expected one")
            return str(ids[0])

        return self._write(ask)

    def cancel(self, order_id: str) -> None:
        """Ask once to cancel an order. Raises as :meth:`place`."""
        self._orders.take(is_exit=True, places=False)
        self._write(
            lambda: self._data(
                "DELETE", "/v3/order/cancel", query={"order_id": order_id}, headers=self._order_headers
            )
        )

    def modify(self, order_id: str, changes: Mapping[str, Any]) -> None:
        """Ask once to change an order.

        Parameters
        ----------
        order_id : str
            Upstox' number.
        changes : mapping
            Fields of ``/v3/order/modify``.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            See :mod:`brokers.wire`.
        """
        self._orders.take(is_exit=True, places=False)
        body = {"order_id": order_id, **changes}
        self._write(lambda: self._data("PUT", "/v3/order/modify", body=body, headers=self._order_headers))

    # -- calls -----------------------------------------------------------------------------------

    def stream_address(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return the address, good once, of a stream, asked for once: the stream itself tries again.

        Parameters
        ----------
        path : str
            Ends in ``/authorize``.
        query : mapping, optional
            Of the request.

        Raises
        ------
        SessionDeadError, BrokerError
            The login is no longer accepted; or there is no address, or one without TLS though the API has it.
        """
        found = self._once(lambda: self._data("GET", path, query=query), "other")

        def address(data: Mapping[str, Any]) -> str:
            # Both spellings have been seen
            url = data.get("authorized_redirect_uri") or data["authorizedRedirectUri"]
            return checked_address(url, given_by=self._settings.api_root)

        return self._checked(path, found, address)

    def _candle_rows(self, path: str, names: Mapping[str, str]) -> list[list[Any]]:
        found = self._read("history", lambda: self._data("GET", path, names=names), "history")
        return self._checked("history", found, lambda data: [list(row) for row in data["candles"]])

    def _rows(
        self, path: str, query: Mapping[str, str] | None = None, kind: ReadKind = "other"
    ) -> list[dict[str, Any]]:
        rows = self._get(path, query, kind)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UnreachableError(
                f"Upstox' answer to {path} is {type(rows).__name__}, expected a list of rows; ask again"
            )
        return rows

    def _get(self, path: str, query: Mapping[str, str] | None = None, kind: ReadKind = "other") -> Any:  # noqa: ANN401 # JSON
        return self._read(path, lambda: self._data("GET", path, query=query), kind)

    def _data(self, method: str, path: str, **how: Any) -> Any:  # noqa: ANN401 # passed on, and JSON
        """Ask once; return the ``data`` of an answer that says success."""
        content = self._connection.call(method, path, **how).content
        if not isinstance(content, dict) or content.get("status") != "success" or "data" not in content:
            shown = repr(content)[:80]
            raise UnexpectedAnswerError(f"{path} answered {shown}, expected status success and data")
        return content["data"]

    def _checked(self, name: str, data: Any, read: Callable[[Any], _Result]) -> _Result:  # noqa: ANN401 # JSON
        try:
            return read(data)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BrokerError(
                f"Upstox' answer to {name} has another form than expected ({type(error).__name__}: {error}); "
                "check broker.upstox.api_root, or update the project"
            ) from error

    def _read(self, name: str, ask: Callable[[], _Result], kind: ReadKind = "other") -> _Result:
        return self._patiently(name, lambda: self._once(ask, kind))

    def _once(self, ask: Callable[[], _Result], kind: ReadKind) -> _Result:
        self._reads.take(kind)
        token = self._connection.token
        try:
            return ask()
        except CALL_ERRORS as error:
            raise self._understand(error, token, is_write=False) from error

    def _write(self, ask: Callable[[], _Result]) -> _Result:
        token = self._connection.token
        try:
            return ask()
        except CALL_ERRORS as error:
            raise self._understand(error, token, is_write=True) from error

    def _understand(self, error: Exception, token: str, *, is_write: bool) -> BrokerError:
        """Return what an error means; that of an older login says nothing of today's."""
        known = classify(error, is_write=is_write)
        if not isinstance(known, SessionDeadError) or token == self._connection.token:
            return known
        kind = NotNowError if is_write else UnreachableError
        return kind(f"asked with a login that has been replaced meanwhile ({known}); ask again")


def _rupees(value: object) -> float:
    rupees = float(str(value))
    if not math.isfinite(rupees):
        raise ValueError(f"{rupees} rupees")
    return rupees
