"""One order at the sandbox, as the account sees it and as the exchange works it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from brokers.sandbox.instruments import SandboxInstrument
from brokers.sandbox.rules import OrderTerms
from feeds.errors import BrokerError

__all__ = ["CHANGEABLE", "FINAL", "Order"]

FINAL = ("COMPLETE", "CANCELLED", "REJECTED")
"""States that never change again."""

CHANGEABLE = ("OPEN", "TRIGGER PENDING")
"""States in which an order may be modified or cancelled."""


class Order:
    """An order and its history.

    Parameters
    ----------
    number : int
        Position among the day's orders, from 1.
    order_id, variety, product : str
        As in the API.
    instrument : SandboxInstrument
        What is traded.
    side : int
        +1 to buy, -1 to sell.
    terms : OrderTerms
        What it asks for.
    tag : str or None
        The client's mark.
    parent_order_id : str or None
        Of a slice.

    Attributes
    ----------
    status : str
        As in the API; '' before the first.
    tags, protection_tags : list of str
        The client's and the server's marks; those that tell of market protection.
    filled, matched : int
        Units the account knows of, and units the exchange has matched; the news travels.
    filled_value : float
        Rupees of what is filled.
    limit : float
        Price the exchange works it at, index points; ``inf`` or 0.0 for none.
    is_blocking : bool
        Whether it has passed the risk check, and blocks margin while it is open.
    is_working : bool
        Whether the exchange may still match it.
    is_waiting, was_triggered : bool
        Whether it waits for its trigger; whether that has been reached.
    is_aggressive : bool
        Whether it takes the market's price rather than its own.
    is_ending : bool
        Whether it will be CANCELLED as soon as its last fill is known.
    arrived_at : datetime.datetime or None
        When the exchange had it in its present form; no earlier print can fill it.
    updated_at, exchange_updated_at, exchange_time : datetime.datetime or None
        Of the newest state; of the exchange's newest answer; of its acceptance, newest change or fill.
    history : list of dict
        A row for each state, oldest first.
    """

    def __init__(
        self,
        *,
        number: int,
        order_id: str,
        variety: str,
        product: str,
        instrument: SandboxInstrument,
        side: int,
        terms: OrderTerms,
        tag: str | None,
        parent_order_id: str | None = None,
        user_id: str,
    ) -> None:
        self.number, self.order_id, self.variety, self.product = number, order_id, variety, product
        self.instrument, self.side, self.terms = instrument, side, terms
        self.tag, self.parent_order_id, self.user_id = tag, parent_order_id, user_id
        self.tags = [tag] if tag else []
        self.protection_tags: list[str] = []
        self.status = ""
        self.status_message: str | None = None
        self.status_message_raw: str | None = None
        self.exchange_order_id: str | None = None
        self.updated_at: dt.datetime | None = None
        self.exchange_updated_at: dt.datetime | None = None
        self.exchange_time: dt.datetime | None = None
        self.modifications = 0
        self.filled = self.matched = self.executions = 0
        self.filled_value = 0.0
        self.limit = 0.0
        self.is_working = self.is_waiting = self.was_triggered = False
        self.is_blocking = self.is_aggressive = self.is_ending = False
        self.arrived_at: dt.datetime | None = None
        self.history: list[dict[str, Any]] = []

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in FINAL

    @property
    def resting_status(self) -> str:
        """State it has at the exchange while nothing is asked of it."""
        return "TRIGGER PENDING" if self.is_waiting else "OPEN"

    @property
    def unmatched(self) -> int:
        """Units the exchange may still match."""
        return self.terms.quantity - self.matched

    @property
    def average_price(self) -> float:
        """Of what is filled, index points; 0.0 while nothing is."""
        return round(self.filled_value / self.filled, 4) if self.filled else 0.0

    def move_to(self, status: str, time: dt.datetime, *, from_exchange: bool = False) -> None:
        """Enter a state.

        Parameters
        ----------
        status : str
            The new one.
        time : datetime.datetime
            Of the exchange.
        from_exchange : bool
            Whether it is the exchange's answer.

        Raises
        ------
        BrokerError
            If the order has already ended.
        """
        if self.is_final:
            raise BrokerError(
                f"sandbox order {self.order_id} is {self.status} and was to become {status}; "
                "this is a bug, please report it"
            )
        self.status = status
        self.updated_at = time if self.updated_at is None else max(time, self.updated_at)
        if from_exchange:
            self.exchange_updated_at = time
