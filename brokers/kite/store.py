"""The store: one day's connection to Kite, and everything of it that a trading day needs.

It opens the session, finds the day's contract, and hands out the parts: history for the feed, the wire for
the order desk, the stream for both. One access token serves them all; a new one reaches them all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brokers.broker_store import StreamState
from brokers.clock_check import checked_skew
from brokers.instrument import Instrument
from brokers.kite.client import KiteClient
from brokers.kite.instruments import InstrumentRow, find_future, futures_of
from brokers.kite.settings import KiteSettings
from brokers.kite.ticker import KiteStream
from brokers.kite.wire import KiteWire, book_order_from_update
from brokers.wire import BookOrder, SessionDeadError
from feeds.clock import Clock
from feeds.errors import BrokerError
from feeds.log import Log
from feeds.market_events import MinuteHistory
from feeds.sources.kite import KiteMinutes
from feeds.tick_bars import Tick

__all__ = ["KiteStore"]


class KiteStore:
    """A day at Kite.

    Parameters
    ----------
    settings : KiteSettings
        Where the API is, and how orders are put to it.
    api_key, access_token : str
        The session.
    log : Log
        Told of retries and faults.
    """

    def __init__(self, settings: KiteSettings, api_key: str, access_token: str, log: Log) -> None:
        self._settings = settings
        self._api_key = api_key
        self._access_token = access_token
        self._log = log
        self._stream: KiteStream | None = None
        self._listed: list[InstrumentRow] | None = None
        self.client = KiteClient(settings, api_key, access_token, log)

    @property
    def name(self) -> str:
        """The broker's name as a person writes it."""
        return "Kite"

    @property
    def stream_setting(self) -> str:
        """The setting that holds the stream's address, for messages."""
        return "broker.kite.ticker_root"

    @property
    def access_token(self) -> str:
        """The token in use, alive or not."""
        return self._access_token

    def check_session(self) -> str:
        """Return the user's id.

        Raises
        ------
        SessionDeadError, BrokerError
            The token is dead, or Kite cannot be asked; then perhaps nobody or somebody else is there.
        """
        try:
            return self.client.profile().user_id
        except SessionDeadError:
            raise
        except BrokerError as error:
            raise BrokerError(
                f"{error} (found at {self._settings.api_root}, expected Kite's API); check "
                "broker.kite.api_root and the network"
            ) from error

    def check_clock(self, clock: Clock, most_seconds: float) -> float | None:
        """Compare this machine's clock with the server's; return how far it is ahead, seconds.

        None where the server's answers carry no time: then nothing was compared.

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

    def _listing(self) -> list[InstrumentRow]:
        """Return the list of the day: some megabytes, so it is asked for once."""
        if self._listed is None:
            self._listed = self.client.instruments("NFO")
        return self._listed

    def free_margin(self) -> float:
        """Return the rupees available for new positions. Raises BrokerError."""
        return self.client.margins()

    def lot_margin(self, instrument: Instrument) -> float:
        """Return the rupees of margin that one lot needs. Raises BrokerError where Kite does not say."""
        return self.client.order_margin(
            {
                "exchange": instrument.exchange,
                "tradingsymbol": instrument.symbol,
                "transaction_type": "BUY",
                "quantity": instrument.lot,
                "product": self._settings.product,
                "order_type": "MARKET",
            }
        )

    def history(self, instrument: Instrument) -> MinuteHistory:
        """Return the source of the contract's 1-minute bars."""
        return KiteMinutes(self.client, instrument.token)

    def wire(self, instrument: Instrument) -> KiteWire:
        """Return the way of orders in the contract."""
        return KiteWire(self.client, instrument, self._settings)

    def wire_of(self, symbol: str) -> KiteWire:
        """Return the wire for reading the book: Kite's rows name contracts by their symbols."""
        return self.wire(Instrument(0, symbol, "NFO", dt.date.max, 1, 0.05))

    def open_stream(
        self,
        instruments: Sequence[Instrument],
        *,
        on_tick: Callable[[Instrument, Tick], None],
        on_order_update: Callable[[BookOrder], None],
        on_unreadable_update: Callable[[BrokerError], None],
        on_state: Callable[[StreamState], None],
        on_error: Callable[[BaseException], None] | None = None,
    ) -> KiteStream:
        """Start the stream; see :meth:`brokers.broker_store.BrokerStore.open_stream`."""
        by_token = {instrument.token: instrument for instrument in instruments}

        def read_update(payload: Mapping[str, Any]) -> None:
            try:
                row = book_order_from_update(payload)
            except BrokerError as error:
                on_unreadable_update(error)
            else:
                on_order_update(row)

        self._stream = KiteStream(
            self._settings.ticker_root,
            self._api_key,
            self._access_token,
            list(by_token),
            on_tick=lambda token, tick: on_tick(by_token[token], tick),
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
        """End the stream and the connections."""
        if self._stream is not None:
            self._stream.stop()
        self.client.close()
