"""The store: one day's connection to Upstox, and everything of it that a trading day needs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brokers.broker_store import StreamState
from brokers.clock_check import checked_skew
from brokers.instrument import Instrument
from brokers.upstox.client import UpstoxClient
from brokers.upstox.history import UpstoxMinutes
from brokers.upstox.instruments import find_future, future_named, futures_of
from brokers.upstox.keys import key_of
from brokers.upstox.settings import UpstoxSettings
from brokers.upstox.stream import UpstoxStream
from brokers.upstox.wire import UpstoxWire, book_order
from brokers.wire import BookOrder, SessionDeadError
from feeds.clock import Clock
from feeds.errors import BrokerError
from feeds.log import Log
from feeds.market_events import MinuteHistory
from feeds.tick_bars import Tick

__all__ = ["UpstoxStore"]


class UpstoxStore:
    """A day at Upstox; see :class:`brokers.broker_store.BrokerStore`.

    Parameters
    ----------
    settings : UpstoxSettings
        Where the API is, and how orders are put to it.
    access_token : str
        Of today's login.
    log : Log
        Told of retries and faults.
    """

    def __init__(self, settings: UpstoxSettings, access_token: str, log: Log) -> None:
        self._settings = settings
        self._access_token = access_token
        self._log = log
        self._stream: UpstoxStream | None = None
        self._listed: list[Mapping[str, Any]] | None = None
        self.client = UpstoxClient(settings, access_token, log)

    @property
    def name(self) -> str:
        """The broker's name as a person writes it."""
        return "Upstox"

    @property
    def stream_setting(self) -> str:
        """The setting that leads to the stream's address, for messages."""
        return "broker.upstox.api_root"

    @property
    def access_token(self) -> str:
        """The token in use, alive or not."""
        return self._access_token

    def check_session(self) -> str:
        """Return the user's id.

        Raises
        ------
        SessionDeadError, BrokerError
            The token is dead, or Upstox cannot be asked; then perhaps nobody or somebody else is there.
        """
        try:
            return str(self.client.profile()["user_id"])
        except SessionDeadError:
            raise
        except BrokerError as error:
            raise BrokerError(
                f"{error} (found at {self._settings.api_root}, expected Upstox' API); check "
                "broker.upstox.api_root and the network"
            ) from error

    def check_clock(self, clock: Clock, most_seconds: float) -> float | None:
        """Return how far ``clock`` is ahead of the server's, seconds; None if its answers carry no time.

        Raises
        ------
        BrokerError
            They differ by more than ``most_seconds`` (and the second to which the server rounds).
        """
        return checked_skew(self.name, self.client.server_time(), clock, most_seconds, self._log)

    def futures(self, underlying: str) -> list[Instrument]:
        """Return the listed futures of an underlying, nearest expiry first. Raises BrokerError."""
        return futures_of(self._listing(), underlying)

    def find_contract(self, underlying: str, day: dt.date | None) -> Instrument:
        """Return the near-month future of a day; of the nearest expiry listed where the day is not known."""
        return find_future(self._listing(), underlying, day)

    def _listing(self) -> list[Mapping[str, Any]]:
        """Return the list of the day: some ten megabytes, so it is asked for once."""
        if self._listed is None:
            self._listed = self.client.instruments()
        return self._listed

    def free_margin(self) -> float:
        """Return the rupees available for new positions. Raises BrokerError."""
        return self.client.funds().available

    def lot_margin(self, instrument: Instrument) -> float:
        """Return the rupees of margin that one lot needs. Raises BrokerError where Upstox does not say."""
        return self.client.order_margin(
            [
                {
                    "instrument_key": key_of(instrument),
                    "quantity": instrument.lot,
                    "product": self._settings.product,
                    "transaction_type": "BUY",
                }
            ]
        )

    def history(self, instrument: Instrument) -> MinuteHistory:
        """Return the source of the contract's 1-minute bars."""
        return UpstoxMinutes(self.client, key_of(instrument))

    def wire(self, instrument: Instrument) -> UpstoxWire:
        """Return the way of orders in the contract."""
        return UpstoxWire(self.client, instrument, self._settings)

    def wire_of(self, symbol: str) -> UpstoxWire:
        """Return the wire for reading the book, whose rows tell contracts apart by their keys only.

        Raises
        ------
        BrokerError
            The list cannot be had, or holds no such contract.
        """
        return self.wire(future_named(self._listing(), symbol))

    def open_stream(
        self,
        instruments: Sequence[Instrument],
        *,
        on_tick: Callable[[Instrument, Tick], None],
        on_order_update: Callable[[BookOrder], None],
        on_unreadable_update: Callable[[BrokerError], None],
        on_state: Callable[[StreamState], None],
        on_error: Callable[[BaseException], None] | None = None,
    ) -> UpstoxStream:
        """Start the streams; see :meth:`brokers.broker_store.BrokerStore.open_stream`."""
        symbols = {key_of(instrument): instrument.symbol for instrument in instruments}

        def read_update(payload: Mapping[str, Any]) -> None:
            try:
                row = book_order(payload, symbols)
            except BrokerError as error:
                on_unreadable_update(error)
            else:
                on_order_update(row)

        self._stream = UpstoxStream(
            self.client.stream_address,
            self._access_token,
            list(instruments),
            on_tick=on_tick,
            on_order_update=read_update,
            on_state=on_state,
            on_error=on_error,
            watchdog_seconds=self._settings.watchdog_seconds,
            log=self._log,
        )
        self._stream.start()
        return self._stream

    def renew(self, access_token: str) -> None:
        """Go on with the token of a new login."""
        self._access_token = access_token
        self.client.set_token(access_token)
        if self._stream is not None:
            self._stream.set_token(access_token)

    def close(self) -> None:
        """End the streams and the connections."""
        if self._stream is not None:
            self._stream.stop()
        self.client.close()
