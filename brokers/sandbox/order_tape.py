"""What becomes known about orders: their states, their executions, and the updates sent of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from brokers.sandbox.order import Order
from brokers.sandbox.rows import event_row, history_row, trade_row

__all__ = ["OrderTape"]


class OrderTape:
    """Writes down every change of an order.

    Parameters
    ----------
    app_id : int
        Number of the app, in the updates.
    api_secret : str
        Signs the updates.

    Attributes
    ----------
    trades : list of dict
        Executions the account knows of, oldest first.
    """

    def __init__(self, *, app_id: int, api_secret: str) -> None:
        self.trades: list[dict[str, Any]] = []
        self._app_id, self._api_secret = app_id, api_secret
        self._events: list[dict[str, Any]] = []

    def move(self, order: Order, status: str, time: dt.datetime, *, from_exchange: bool = False) -> None:
        """Enter a state and write it into the order's history; see :meth:`Order.move_to`."""
        order.move_to(status, time, from_exchange=from_exchange)
        order.history.append(history_row(order))

    def trade(self, order: Order, trade_id: str, units: int, price: float, time: dt.datetime) -> None:
        """Write down an execution: units, index points, time of the exchange."""
        self.trades.append(trade_row(order, trade_id=trade_id, units=units, price=price, time=time))

    def tell(self, order: Order, status: str | None = None) -> None:
        """Send an order update, under the order's state or ``status``."""
        status = status or order.status
        row = event_row(order, status, app_id=self._app_id, api_secret=self._api_secret)
        self._events.append(row)

    def take_events(self) -> list[dict[str, Any]]:
        """Return the updates since the last call, oldest first."""
        events, self._events = self._events, []
        return events
