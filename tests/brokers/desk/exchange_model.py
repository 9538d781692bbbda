"""A small exchange as a model: orders, fills, and cancels that race them. No clock, no I/O."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from brokers.reconcile import Book
from brokers.wire import BookOrder, BookPosition, BookTrade, OrderRequest
from feeds.clock import IST

SYMBOL, PRODUCT = "NIFTY26NOVFUT", "MIS"
TIME = dt.datetime(2026, 11, 20, 10, 0, tzinfo=IST)


@dataclass
class ModelOrder:
    order_id: str
    request: OrderRequest
    state: str
    filled: int = 0
    size: int = field(init=False)
    price: float = field(init=False)

    def __post_init__(self) -> None:
        self.size, self.price = self.request.size, self.request.price

    @property
    def remaining(self) -> int:
        return abs(self.size) - self.filled

    @property
    def works(self) -> bool:
        return self.state in ("open", "waiting")


@dataclass
class ModelExchange:
    """What is truly at the exchange, whatever anybody believes."""

    orders: list[ModelOrder] = field(default_factory=list)
    trades: list[BookTrade] = field(default_factory=list)
    foreign: int = 0

    @property
    def position(self) -> int:
        return sum(trade.size for trade in self.trades)

    def place(self, request: OrderRequest) -> str:
        waits = request.kind in ("stop", "stop_limit")
        order = ModelOrder(f"9{len(self.orders):05d}", request, "waiting" if waits else "open")
        self.orders.append(order)
        return order.order_id

    def cancel(self, order_id: str) -> bool:
        order = self.find(order_id)
        if not order.works:
            return False
        order.state = "cancelled"
        return True

    def modify(self, order_id: str, size: int, price: float) -> bool:
        order = self.find(order_id)
        if order.state != "waiting" or order.filled:
            return False
        order.size, order.price = size, price
        return True

    def find(self, order_id: str) -> ModelOrder:
        return next(order for order in self.orders if order.order_id == order_id)

    def fill(self, order: ModelOrder, units: int) -> None:
        units = min(units, order.remaining)
        if not units or not order.works:
            return
        order.filled += units
        order.state = "complete" if not order.remaining else "open"
        sign = 1 if order.request.size > 0 else -1
        self.trades.append(
            BookTrade(order.order_id, f"t{len(self.trades)}", SYMBOL, sign * units, 25_000.0, TIME)
        )

    def rows(self, *, hidden: frozenset[str] = frozenset()) -> list[BookOrder]:
        return [
            BookOrder(
                order.order_id, (order.request.tag,), SYMBOL, PRODUCT, order.size, order.filled,
                25_000.0 if order.filled else 0.0, order.state, "", order.price,
            )
            for order in self.orders
            if order.order_id not in hidden
        ]  # fmt: skip

    def book(self, *, positions: bool = True, hidden: frozenset[str] = frozenset()) -> Book:
        held = self.position + self.foreign
        shown = [BookPosition(SYMBOL, PRODUCT, held, 25_000.0)] if held else []
        trades = [trade for trade in self.trades if trade.order_id not in hidden]
        return Book(self.rows(hidden=hidden), trades, shown if positions else None)

    @property
    def exits_at_work(self) -> int:
        """Units of orders that would reduce the position, and still may fill."""
        return sum(order.remaining for order in self.orders if order.works and order.request.is_exit)
