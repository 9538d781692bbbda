"""The broker's side of the orders: requests are taken, checked and sent on to the exchange.

A request takes ``latency_ms`` to the exchange and back, past three offices; each leaves a state
in the order's history.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping

from brokers.sandbox.account import Account
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.market import Market
from brokers.sandbox.order import Order
from brokers.sandbox.order_book import OrderBook
from brokers.sandbox.order_tape import OrderTape
from brokers.sandbox.risk_check import risk_refusal
from brokers.sandbox.rules import OrderTerms
from brokers.sandbox.schedule import Schedule

__all__ = ["OrderEngine"]

_STEPS = 3


class OrderEngine:
    """Takes the orders of one day through their lives.

    Parameters
    ----------
    config : ExchangeConfig
        Latencies, partial fills, limits.
    schedule : Schedule
        Runs what is due.
    markets : mapping of int to Market
        By token.
    account : Account
        Margin is asked of it, fills are booked in it.

    Attributes
    ----------
    orders : dict of str to Order
        By order id, oldest first.
    tape : OrderTape
        Executions and order updates.
    book : OrderBook
        What works at the exchange.
    """

    def __init__(
        self,
        config: ExchangeConfig,
        schedule: Schedule,
        markets: Mapping[int, Market],
        account: Account,
    ) -> None:
        self._schedule, self._markets, self._account = schedule, markets, account
        self.orders: dict[str, Order] = {}
        self.tape = OrderTape(app_id=config.app_id, api_secret=config.api_secret)
        self.book = OrderBook(config, schedule, markets, self.tape, account.book)
        self._leg = dt.timedelta(milliseconds=config.latency_ms / _STEPS)
        self._latency = dt.timedelta(milliseconds=config.latency_ms)

    @property
    def open_orders(self) -> list[Order]:
        """Orders that have not ended, oldest first."""
        return [order for order in self.orders.values() if not order.is_final]

    @property
    def blocking_orders(self) -> list[Order]:
        """Open orders that the risk check has passed: they block margin."""
        return [order for order in self.open_orders if order.is_blocking]

    def prices(self) -> dict[int, float]:
        """Return the last price by token, index points; 0.0 where none is known."""
        return {token: market.last_price for token, market in self._markets.items()}

    def place(self, order: Order) -> None:
        """Take an order whose terms have been checked."""
        self.orders[order.order_id] = order
        now = self._schedule.now
        self.tape.move(order, "PUT ORDER REQ RECEIVED", now)
        self._schedule.add(now + self._leg, functools.partial(self._validate, order, now))

    def modify(self, order: Order, terms: OrderTerms) -> None:
        """Take a modification of an order that may be changed; the new terms have been checked."""
        order.modifications += 1
        now = self._schedule.now
        self.tape.move(order, "MODIFY VALIDATION PENDING", now)
        self._schedule.add(now + self._leg, functools.partial(self._validate_change, order, terms, now))

    def cancel(self, order: Order) -> None:
        """Take a cancel of an order that may be changed."""
        now = self._schedule.now
        self.tape.move(order, "CANCEL PENDING", now)
        self._schedule.add(now + self._latency, functools.partial(self.book.end, order))

    def end_day(self, time: dt.datetime) -> None:
        """Cancel whatever has not ended."""
        for order in self.open_orders:
            self.book.end(order, time)

    def _validate(self, order: Order, sent_at: dt.datetime, time: dt.datetime) -> None:
        if order.is_final:
            return
        self.tape.move(order, "VALIDATION PENDING", time)
        self._schedule.add(time + self._leg, functools.partial(self._check_risk, order, sent_at))

    def _check_risk(self, order: Order, sent_at: dt.datetime, time: dt.datetime) -> None:
        if order.is_final:
            return
        refusal = self._refusal(order, order.terms)
        if refusal is not None:
            order.status_message, order.status_message_raw = refusal
            self.tape.move(order, "REJECTED", time)
            self.tape.tell(order)
            return
        order.is_blocking = True
        if not order.terms.is_stop:
            self.tape.move(order, "OPEN PENDING", time)
        self._schedule.add(sent_at + self._latency, functools.partial(self._arrive, order))

    def _arrive(self, order: Order, time: dt.datetime) -> None:
        if not order.is_final:
            self.book.arrive(order, time)

    def _validate_change(
        self, order: Order, terms: OrderTerms, sent_at: dt.datetime, time: dt.datetime
    ) -> None:
        if order.is_final:
            return
        refusal = self._refusal(order, terms)
        if refusal is not None:
            self._refuse_change(order, refusal[0], time)
            return
        self.tape.move(order, "MODIFY PENDING", time)
        self._schedule.add(sent_at + self._latency, functools.partial(self._change, order, terms))

    def _change(self, order: Order, terms: OrderTerms, time: dt.datetime) -> None:
        if order.is_final or order.is_ending:
            return
        if not self.book.change(order, terms, time):
            self._refuse_change(order, "Order cannot be modified: it has been executed meanwhile.", time)

    def _refuse_change(self, order: Order, message: str, time: dt.datetime) -> None:
        order.status_message = message
        self.tape.move(order, "NOT MODIFIED", time)
        order.status_message = None
        self.tape.move(order, order.resting_status, time)

    def _refusal(self, order: Order, terms: OrderTerms) -> tuple[str, str] | None:
        others = [other for other in self.blocking_orders if other is not order]
        return risk_refusal(self._account, order, terms, others, self.prices())
