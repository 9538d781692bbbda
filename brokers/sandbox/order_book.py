"""The exchange's side of the orders: what works there, what a print does to it, what is matched.

A match is known here at once and to the account ``fill_latency_ms`` later; in between it may ask to cancel
what has been filled already.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import random
from collections.abc import Callable, Mapping

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.market import Market
from brokers.sandbox.matching import executed_units, fill_price, is_reached, is_triggered
from brokers.sandbox.order import Order
from brokers.sandbox.order_tape import OrderTape
from brokers.sandbox.protection import protected
from brokers.sandbox.rules import OrderTerms
from brokers.sandbox.schedule import Schedule

__all__ = ["OrderBook"]

_FIRST_TRADE = 75_000_000


class OrderBook:
    """Orders that have arrived, by contract and in the order of arrival.

    Parameters
    ----------
    config : ExchangeConfig
        Fill latency, partial fills, session.
    schedule : Schedule
        Runs what is due.
    markets : mapping of int to Market
        By token.
    tape : OrderTape
        Writes the states.
    on_fill : callable
        Told of each fill when the news reaches the account: order, units, price.
    """

    def __init__(
        self,
        config: ExchangeConfig,
        schedule: Schedule,
        markets: Mapping[int, Market],
        tape: OrderTape,
        on_fill: Callable[[Order, int, float], None],
    ) -> None:
        session = config.calendar.session(config.day)
        self._segments = session.segments if session is not None else ()
        self._config, self._schedule, self._markets = config, schedule, markets
        self._tape, self._on_fill = tape, on_fill
        self._working: dict[int, list[Order]] = {token: [] for token in markets}
        self._matches = 0
        self._fill_latency = dt.timedelta(milliseconds=config.fill_latency_ms)

    def is_open(self, time: dt.datetime) -> bool:
        """Whether the market trades at ``time``."""
        return any(start <= time < end for start, end in self._segments)

    def arrive(self, order: Order, time: dt.datetime) -> None:
        """Take an order that has come through the broker's checks."""
        order.exchange_order_id = f"13{order.number:014d}"
        self._working[order.instrument.token].append(order)
        order.is_working = True
        order.exchange_time = time
        self._work(order, order.terms, time)
        self._tape.move(order, order.resting_status, time, from_exchange=True)
        self._start(order, time)
        if order.terms.validity == "TTL":
            lifetime = dt.timedelta(minutes=order.terms.validity_ttl)
            self._schedule.add(time + lifetime, functools.partial(self.end, order))

    def change(self, order: Order, terms: OrderTerms, time: dt.datetime) -> bool:
        """Give a working order new terms; False if it is too late for them."""
        becomes_stop = terms.is_stop and not order.terms.is_stop
        if not order.unmatched or terms.quantity <= order.matched or (becomes_stop and order.matched):
            return False
        order.exchange_time = time
        self._tape.move(order, "MODIFIED", time, from_exchange=True)
        self._work(order, terms, time)
        self._tape.move(order, order.resting_status, time, from_exchange=True)
        self._tape.tell(order, "UPDATE")
        self._start(order, time)
        return True

    def match(self, token: int, time: dt.datetime, price: float) -> None:
        """Match the working orders of a contract against a print."""
        for order in list(self._working[token]):
            if order.arrived_at is None or order.arrived_at > time:
                continue
            if order.is_waiting:
                if is_triggered(order.side, order.terms.trigger_price, price):
                    self._trigger(order, time)
            elif is_reached(order.side, order.limit, price):
                self._execute(order, time, price)
            else:
                order.is_aggressive = False

    def end(self, order: Order, time: dt.datetime) -> None:
        """Take what is left of an order off the book, if anything is; fills may still be on their way."""
        if order.is_final or order.is_ending:
            return
        self._stop_working(order)
        if order.filled < order.matched:
            order.is_ending = bool(order.unmatched)
            return
        self._tape.move(order, "CANCELLED", time, from_exchange=order.exchange_order_id is not None)
        self._tape.tell(order)

    def _work(self, order: Order, terms: OrderTerms, time: dt.datetime) -> None:
        """Give the exchange the terms; a protected market order becomes a limit order here."""
        market = self._markets[order.instrument.token]
        order.is_waiting = terms.is_stop and not order.was_triggered
        base = terms.trigger_price if order.is_waiting else market.last_price
        order.terms, tags = protected(terms, order.side, base, order.instrument.tick, market.circuit)
        order.protection_tags = tags or order.protection_tags
        order.limit = order.terms.price or (math.inf if order.side > 0 else 0.0)
        order.arrived_at = time
        order.is_aggressive = is_reached(order.side, order.limit, market.last_price)

    def _start(self, order: Order, time: dt.datetime) -> None:
        """Look at the market an order has come to: it may be past its trigger, or its only chance."""
        market = self._markets[order.instrument.token]
        if order.is_waiting:
            if market.last_time is not None and is_triggered(
                order.side, order.terms.trigger_price, market.last_price
            ):
                self._trigger(order, time)
            return
        if order.terms.validity == "IOC":
            if market.last_time is not None and is_reached(order.side, order.limit, market.last_price):
                self._execute(order, time, market.last_price)
            if order.unmatched:
                self.end(order, time)
            return
        self._wait_for_quiet(order, time)

    def _trigger(self, order: Order, time: dt.datetime) -> None:
        order.is_waiting, order.was_triggered = False, True
        order.arrived_at = time
        order.is_aggressive = True
        if order.status == "TRIGGER PENDING":
            self._tape.move(order, "OPEN PENDING", time, from_exchange=True)
            self._tape.move(order, "OPEN", time, from_exchange=True)
        self._start(order, time)

    def _wait_for_quiet(self, order: Order, time: dt.datetime) -> None:
        if math.isfinite(self._config.idle_fill_ms):
            due = time + dt.timedelta(milliseconds=self._config.idle_fill_ms)
            self._schedule.add(due, functools.partial(self._fill_when_quiet, order, time))

    def _fill_when_quiet(self, order: Order, since: dt.datetime, time: dt.datetime) -> None:
        market = self._markets[order.instrument.token]
        if not order.is_working or order.is_waiting or market.last_time is None:
            return
        was_print = market.last_time > since
        was_changed = order.arrived_at is not None and order.arrived_at > since
        if was_print or was_changed or not self.is_open(time):
            return
        if is_reached(order.side, order.limit, market.last_price):
            self._execute(order, time, market.last_price, is_whole=True)

    def _execute(self, order: Order, time: dt.datetime, price: float, *, is_whole: bool = False) -> None:
        # Seeded by order and execution, so that the draws do not depend on what other orders do.
        draw = random.Random(f"{self._config.seed}:{order.number}:{order.executions}")  # noqa: S311 # no secret
        probability = 0.0 if is_whole else self._config.partial_fill_probability
        units = executed_units(order.unmatched, order.instrument.lot, probability, draw)
        paid = fill_price(order.limit, price, is_aggressive=order.is_aggressive)
        order.executions += 1
        order.matched += units
        self._matches += 1
        trade_id = str(_FIRST_TRADE + self._matches)
        if not order.unmatched:
            self._stop_working(order)
        else:
            self._wait_for_quiet(order, time)
        report = functools.partial(self._report, order, trade_id, units, paid, time)
        self._schedule.add(time + self._fill_latency, report)

    def _report(
        self,
        order: Order,
        trade_id: str,
        units: int,
        price: float,
        matched_at: dt.datetime,
        time: dt.datetime,
    ) -> None:
        order.filled += units
        order.filled_value += units * price
        order.exchange_time = matched_at
        self._tape.trade(order, trade_id, units, price, matched_at)
        self._on_fill(order, units, price)
        if order.filled == order.terms.quantity:
            self._tape.move(order, "COMPLETE", time, from_exchange=True)
            self._tape.tell(order)
        elif order.is_ending and order.filled == order.matched:
            self._tape.move(order, "CANCELLED", time, from_exchange=True)
            self._tape.tell(order)
        else:
            self._tape.move(order, order.status, time, from_exchange=True)
            self._tape.tell(order, "UPDATE")

    def _stop_working(self, order: Order) -> None:
        if order.is_working:
            order.is_working = False
            self._working[order.instrument.token].remove(order)
