"""What the order desk needs of a broker: send, cancel, and read the book. One small protocol, any broker.

Reads return a value or raise; "could not ask" is never an empty answer. A write is sent once, and its failure
says whether the broker refused it or nobody knows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from feeds.errors import BrokerError

__all__ = [
    "BookOrder",
    "BookPosition",
    "BookTrade",
    "NotNowError",
    "OrderKind",
    "OrderRefusedError",
    "OrderRequest",
    "OrderState",
    "OrderWire",
    "OutcomeUnknownError",
    "SessionDeadError",
    "UnreachableError",
]

OrderKind = Literal["market", "limit", "stop", "stop_limit"]
"""A ``stop`` becomes active when the market trades at its price or beyond, and a ``stop_limit`` then rests as
a limit order at its own ``limit``."""

OrderState = Literal["pending", "waiting", "open", "complete", "cancelled", "rejected"]
"""``pending``: on its way or being changed; ``waiting``: a stop that is not triggered; ``open``: may fill
now, also partly filled; the other three are final, and each of them may carry fills."""


class OrderRefusedError(BrokerError):
    """The broker said no: the order (or cancel) does not exist. Nothing was executed."""


class NotNowError(OrderRefusedError):
    """The broker said not now (too many requests): nothing reached the exchange, it may be asked again."""


class OutcomeUnknownError(BrokerError):
    """The answer was lost or unreadable: the order may exist. Only the order book can tell."""


class SessionDeadError(NotNowError):
    """The broker no longer accepts our session: refused, and so will be everything until the next login."""


class UnreachableError(BrokerError):
    """The broker could not be asked, or was asked too often: nobody knows; asking again may help."""


class OrderRequest(NamedTuple):
    """One order for the exchange, small enough for its freeze quantity.

    Attributes
    ----------
    tag : str
        Our own mark, up to 20 letters and digits; unique for all time.
    size : int
        Units, positive to buy, negative to sell.
    kind : OrderKind
        See there.
    price : float
        Limit or trigger, index points, on the tick; 0.0 for a market order.
    is_exit : bool
        Exits may use the part of the rate limits that is kept in reserve.
    limit : float
        Of a ``stop_limit`` order, index points, on the tick; 0.0 for all others.
    """

    tag: str
    size: int
    kind: OrderKind
    price: float
    is_exit: bool
    limit: float = 0.0


class BookOrder(NamedTuple):
    """One row of the broker's order book of today, any platform's.

    Attributes
    ----------
    order_id : str
        The broker's number.
    tags : tuple of str
        All marks on it, ours among them if it is ours.
    symbol, product : str
        Contract and product (``MIS``, ``NRML``).
    size : int
        Units asked for, signed.
    filled : int
        Units filled so far, unsigned.
    average_price : float
        Of what was filled, 0.0 while nothing was.
    state : OrderState
        See there.
    message : str
        The broker's words on a refusal, else empty.
    price : float
        The trigger of a stop, the limit of a limit order, index points; 0.0 where the row names none.
    """

    order_id: str
    tags: tuple[str, ...]
    symbol: str
    product: str
    size: int
    filled: int
    average_price: float
    state: OrderState
    message: str = ""
    price: float = 0.0


class BookTrade(NamedTuple):
    """One execution of today: ``size`` in signed units, ``time`` of the exchange, aware."""

    order_id: str
    trade_id: str
    symbol: str
    size: int
    price: float
    time: dt.datetime


class BookPosition(NamedTuple):
    """The account's position in one contract and product, signed units."""

    symbol: str
    product: str
    size: int
    average_price: float


class OrderWire(Protocol):
    """Orders out, book in. Called from several threads; no call is repeated by it, except reads."""

    def place(self, request: OrderRequest) -> str:
        """Send one order once and return the broker's order id.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            See there.
        """
        ...

    def cancel(self, order_id: str) -> None:
        """Ask to cancel; returning means taken for processing, not done. Raises as :meth:`place`."""
        ...

    def modify(self, order_id: str, *, size: int, price: float, resized: bool) -> None:
        """Ask once to change a stop that waits; returning means taken for processing, not done.

        Parameters
        ----------
        order_id : str
            The broker's number.
        size : int
            Signed units of the whole order as it is to be. It only ever shrinks, and only while nothing of
            the order is filled.
        price : float
            Its trigger as it is to be, index points, on the tick.
        resized : bool
            Whether ``size`` differs from the order's. Where it does not, a broker that can leave the quantity
            out of its request should: the order may have begun to fill meanwhile.

        Raises
        ------
        OrderRefusedError, OutcomeUnknownError, SessionDeadError
            As :meth:`place`; refused: the order is as it was, or is no more.
        """
        ...

    def orders(self) -> Sequence[BookOrder]:
        """Return all orders of today. Raises BrokerError where it could not ask."""
        ...

    def trades(self) -> Sequence[BookTrade]:
        """Return all executions of today. Raises BrokerError where it could not ask."""
        ...

    def positions(self) -> Sequence[BookPosition]:
        """Return all positions that are not flat. Raises BrokerError where it could not ask."""
        ...
