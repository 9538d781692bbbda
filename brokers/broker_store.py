"""What a trading day needs of a broker: session, contract, money, history, orders, stream. Any broker.

One login serves all of it, and a new one reaches all of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from brokers.instrument import Instrument
from brokers.wire import BookOrder, OrderWire
from feeds.clock import Clock
from feeds.errors import BrokerError
from feeds.market_events import MinuteHistory
from feeds.tick_bars import Tick

__all__ = ["BrokerStore", "StreamState", "TickStream"]


class StreamState(NamedTuple):
    """What became of the stream.

    Attributes
    ----------
    state : {"up", "down", "refused"}
        ``up``: connected and subscribed; ``down``: lost, it is connected anew; ``refused``: the broker no
        longer accepts the login, or a callback failed; nothing follows without a new token, or at all.
    reason : str
        In words; empty for ``up``.
    """

    state: Literal["up", "down", "refused"]
    reason: str = ""


class TickStream(Protocol):
    """A stream that runs in threads of its own."""

    def stop(self) -> None:
        """End it and wait for its threads."""


class BrokerStore(Protocol):
    """A day at a broker."""

    @property
    def name(self) -> str:
        """The broker's name as a person writes it."""

    @property
    def stream_setting(self) -> str:
        """The setting that holds the stream's address, for messages."""

    @property
    def access_token(self) -> str:
        """The token in use, alive or not."""

    def check_session(self) -> str:
        """Return the user's id.

        Raises
        ------
        SessionDeadError, BrokerError
            The token is dead, or the broker cannot be asked; then perhaps nobody or somebody else is there.
        """

    def check_clock(self, clock: Clock, most_seconds: float) -> float | None:
        """Return how far ``clock`` is ahead of the broker's, seconds; None if its answers carry no time.

        Raises
        ------
        BrokerError
            They differ by more than ``most_seconds`` (and the second to which the server rounds).
        """

    def futures(self, underlying: str) -> list[Instrument]:
        """Return the listed futures of an underlying, nearest expiry first. Raises BrokerError."""

    def find_contract(self, underlying: str, day: dt.date | None) -> Instrument:
        """Return the near-month future of a day; of the nearest expiry listed where the day is not known.

        Raises
        ------
        BrokerError
            It cannot be asked, or lists none.
        """

    def free_margin(self) -> float:
        """Return the rupees available for new positions. Raises BrokerError."""

    def lot_margin(self, instrument: Instrument) -> float:
        """Return the rupees of margin one lot needs. Raises BrokerError where the broker does not say."""

    def history(self, instrument: Instrument) -> MinuteHistory:
        """Return the source of the contract's 1-minute bars."""

    def wire(self, instrument: Instrument) -> OrderWire:
        """Return the way of orders in the contract."""

    def wire_of(self, symbol: str) -> OrderWire:
        """Return the wire of a contract of which only our symbol is known: for reading the book.

        Raises
        ------
        BrokerError
            It cannot be told which contract that is.
        """

    def open_stream(
        self,
        instruments: Sequence[Instrument],
        *,
        on_tick: Callable[[Instrument, Tick], None],
        on_order_update: Callable[[BookOrder], None],
        on_unreadable_update: Callable[[BrokerError], None],
        on_state: Callable[[StreamState], None],
        on_error: Callable[[BaseException], None] | None = None,
    ) -> TickStream:
        """Start the stream of the contracts' ticks and the account's order updates.

        Callbacks run in the stream's threads and must only hand on what they are given.

        Parameters
        ----------
        instruments : sequence of Instrument
            Contracts whose ticks are wanted.
        on_tick : callable
            Given the contract and its tick.
        on_order_update : callable
            Given a pushed row of the order book: a hint, never the whole truth.
        on_unreadable_update : callable
            Told that an update could not be read; it must not end the stream, for the book says the same.
        on_state : callable
            Given every :class:`StreamState`.
        on_error : callable, optional
            Told what a callback raised, before the stream ends with it.
        """

    def renew(self, access_token: str) -> None:
        """Go on with the token of a new login."""

    def close(self) -> None:
        """End the stream and the connections."""
