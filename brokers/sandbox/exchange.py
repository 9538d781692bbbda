"""The sandbox exchange: orders and prints in, rows and order updates out. No I/O, no threads, no clock.

Whoever drives it says what time it is (:meth:`Exchange.advance`, :meth:`Exchange.on_trade`); a request
happens at the time reached. Rows have the fields, types and texts of Kite Connect v3, refusals are
:class:`ExchangeError`. One exchange lives for one trading day and one account.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from brokers.sandbox.account import Account
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.counter import OrderCounter
from brokers.sandbox.engine import OrderEngine
from brokers.sandbox.exchange_error import ExchangeError, input_error
from brokers.sandbox.instruments import SandboxInstrument, near_next_far
from brokers.sandbox.margin_quotes import (
    basket_row,
    charges_row,
    compact_row,
    contract_note_row,
    margin_row,
    read_asked,
)
from brokers.sandbox.market import DepthLevel, MarketSnapshot, MarketTrade
from brokers.sandbox.market_board import MarketBoard
from brokers.sandbox.portfolio_rows import margins_row, position_row, profile_row
from brokers.sandbox.risk_check import open_units
from brokers.sandbox.rows import order_row
from brokers.sandbox.rules import PRODUCTS, read_side, required
from feeds.clock import IST

__all__ = [
    "DepthLevel",
    "Exchange",
    "ExchangeConfig",
    "ExchangeError",
    "MarketSnapshot",
    "MarketTrade",
    "SandboxInstrument",
    "near_next_far",
]

Row = dict[str, Any]


class Exchange(MarketBoard):
    """One trading day at the sandbox.

    Parameters
    ----------
    config : ExchangeConfig
        The day, its contracts and rules.
    now : datetime.datetime
        Aware time it starts at.
    """

    def __init__(self, config: ExchangeConfig, now: dt.datetime) -> None:
        super().__init__(config, now)
        self._account = Account(
            cash=config.cash, margin_percent=config.margin_percent, charges=config.charges, day=config.day
        )
        self._engine = OrderEngine(config, self._schedule, self._markets, self._account)
        self._counter = OrderCounter(config, self._schedule, self._markets, self._engine)
        session = config.calendar.session(config.day)
        if session is not None:
            self._schedule.add(session.close, self._engine.end_day)

    # -- time and market -------------------------------------------------------------------------

    def advance(self, now: dt.datetime) -> None:
        """Let time pass up to ``now`` and do what is due; an earlier time changes nothing."""
        self._schedule.run(now.astimezone(IST))

    def next_due(self) -> dt.datetime | None:
        """Return when something happens next without a print or request; None if nothing does."""
        return self._schedule.next_due()

    def on_trade(self, token: int, trade: MarketTrade) -> None:
        """Take a print: time goes on to it, orders are matched against it.

        A print older than the time reached still counts as one, for orders that had arrived by then. One
        outside the session moves price and volume only.

        Raises
        ------
        ExchangeError
            If the token is not listed.
        """
        market = self._market(token)
        trade = trade._replace(time=trade.time.astimezone(IST))
        self._schedule.run(trade.time)
        market.take(trade)
        self._candles[token].take(trade)
        if self._engine.book.is_open(trade.time):
            self._engine.book.match(token, trade.time, trade.price)
        self._schedule.run(self.now)

    # -- orders ----------------------------------------------------------------------------------

    def place(self, variety: str, form: Mapping[str, str]) -> str:
        """Take an order and return its id.

        Raises
        ------
        ExchangeError
            If it is refused at once. What risk check or exchange refuse becomes REJECTED later.
        """
        order_id = self._counter.place(variety, form)
        self._schedule.run(self.now)
        return order_id

    def place_sliced(self, variety: str, form: Mapping[str, str]) -> Row:
        """Take an ``autoslice`` order; return its id and those of its slices. Raises as :meth:`place`."""
        answer = self._counter.place_sliced(variety, form)
        self._schedule.run(self.now)
        return answer

    def modify(self, variety: str, order_id: str, form: Mapping[str, str]) -> str:
        """Take a modification (``quantity`` is the new total) and return the order id. Raises as place."""
        self._counter.modify(variety, order_id, form)
        self._schedule.run(self.now)
        return order_id

    def cancel(self, variety: str, order_id: str) -> str:
        """Take a cancel and return the order id: taken, not done. Raises as :meth:`place`."""
        self._counter.cancel(variety, order_id)
        self._schedule.run(self.now)
        return order_id

    def orders(self) -> list[Row]:
        """Return the latest state of each order, oldest order first."""
        return [order_row(order) for order in self._engine.orders.values()]

    def order_history(self, order_id: str) -> list[Row]:
        """Return all states of an order, oldest first. Raises ExchangeError for an unknown id."""
        return [dict(row) for row in self._counter.find(order_id).history]

    def order_trades(self, order_id: str) -> list[Row]:
        """Return the executions of an order. Raises ExchangeError for an unknown id."""
        self._counter.find(order_id)
        return [dict(row) for row in self._engine.tape.trades if row["order_id"] == order_id]

    def trades(self) -> list[Row]:
        """Return all executions, oldest first."""
        return [dict(row) for row in self._engine.tape.trades]

    def take_events(self) -> list[Row]:
        """Return the order updates since the last call, in order."""
        return self._engine.tape.take_events()

    # -- account ---------------------------------------------------------------------------------

    @property
    def charges(self) -> float:
        """Rupees of all executed orders so far."""
        return self._account.charges

    def profile(self) -> Row:
        """Return the account's profile."""
        return profile_row(self.config.user_id)

    def positions(self) -> Row:
        """Return ``net`` and ``day`` positions; flat ones stay in the list."""
        rows = [
            position_row(position, self._markets[token].last_price, self._markets[token].previous_close)
            for (token, _), position in self._account.positions.items()
        ]
        return {"net": rows, "day": [dict(row) for row in rows]}

    def convert(self, form: Mapping[str, str]) -> bool:
        """Move an open position to another product and return True.

        Raises
        ------
        ExchangeError
            If the position does not exist in this quantity, or a field is wrong.
        """
        instrument = self._counter.instrument_of(form)
        products = required(form, "old_product"), required(form, "new_product")
        if not set(products) <= set(PRODUCTS):
            raise input_error("Invalid `product`.")
        try:
            units = int(required(form, "quantity"))
        except ValueError:
            raise input_error("Invalid `quantity`.") from None
        self._account.convert(instrument, read_side(form), units, *products)
        return True

    def margins(self, segment: str | None = None) -> Row:
        """Return the funds of both segments, or of one; an unknown one raises ExchangeError."""
        waiting = [open_units(order) for order in self._engine.blocking_orders]
        empty = Account(cash=0.0, margin_percent=0.0, charges=self.config.charges, day=self.config.day)
        both = {
            "equity": margins_row(self._account, waiting, self._engine.prices()),
            "commodity": margins_row(empty, [], {}),
        }
        if segment is None:
            return both
        if segment not in both:
            raise input_error("Invalid segment.")
        return both[segment]

    def order_margins(self, orders: Sequence[Mapping[str, Any]], *, compact: bool = False) -> list[Row]:
        """Return the margin of each order by itself. Raises ExchangeError for one that cannot be read."""
        rows = []
        for asked in self._asked(orders):
            charges = charges_row(self.config.charges, self.config.day, asked)
            rows.append(margin_row(asked, self._account.margin_fraction, charges))
        return [compact_row(row) for row in rows] if compact else rows

    def basket_margins(
        self, orders: Sequence[Mapping[str, Any]], *, consider_positions: bool = True, compact: bool = False
    ) -> Row:
        """Return the margin of orders together. Raises as :meth:`order_margins`."""
        row = basket_row(
            self._asked(orders), self.order_margins(orders), self._account, self._engine.prices(),
            consider_positions=consider_positions,
        )  # fmt: skip
        if not compact:
            return row
        short: Row = {name: compact_row(row[name]) for name in ("initial", "final")}
        return {**short, "orders": [compact_row(one) for one in row["orders"]]}

    def virtual_contract_note(self, orders: Sequence[Mapping[str, Any]]) -> list[Row]:
        """Return the charges of each order, real or imagined. Raises as :meth:`order_margins`."""
        plan, day = self.config.charges, self.config.day
        return [contract_note_row(asked, charges_row(plan, day, asked)) for asked in self._asked(orders)]

    def _asked(self, orders: Sequence[Mapping[str, Any]]) -> list[Any]:
        found = []
        for order in orders:
            instrument = self._counter.instrument_of(order)
            found.append(read_asked(order, instrument, self._markets[instrument.token].last_price))
        return found
