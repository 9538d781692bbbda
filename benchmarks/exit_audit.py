"""A look over the sandbox exchange's shoulder: when orders come, and whether exits exceed the position."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from brokers.sandbox.exchange import Exchange
from brokers.sandbox.order import Order
from brokers.sandbox.order_tape import OrderTape

__all__ = ["ExitAudit"]

_STOPS = ("SL", "SL-M")


class ExitAudit:
    """Checks every change of every order of the sandboxes in this process, as long as its block lasts.

    Attributes
    ----------
    arrivals : dict
        ``time.perf_counter`` at which an order had been read, by tag, seconds.
    changes : int
        Changes looked at.
    most_exits : int
        Most exits that worked at the same time.
    violations : list of str
        What was wrong, and when.

    Notes
    -----
    Units count from the moment the exchange has matched them, not when the account is told. An order counts
    from the moment the broker has taken it until nothing of it can be matched any more. Against a position,
    everything on the other side is an exit; with none, every stop is one too many.
    """

    def __init__(self) -> None:
        self.arrivals: dict[str, float] = {}
        self.changes = 0
        self.most_exits = 0
        self.violations: list[str] = []
        self._orders: dict[str, Order] = {}
        self._originals: Any = None

    def __enter__(self) -> Self:
        self._originals = move, place = OrderTape.move, Exchange.place

        def watched_move(
            tape: OrderTape, order: Order, status: str, moment: dt.datetime, *, from_exchange: bool = False
        ) -> None:
            move(tape, order, status, moment, from_exchange=from_exchange)
            self._look(order, moment)

        def watched_place(exchange: Exchange, variety: str, form: Mapping[str, str]) -> str:
            self.arrivals[form.get("tag", "")] = time.perf_counter()
            return place(exchange, variety, form)

        OrderTape.move = watched_move  # type: ignore[method-assign]
        Exchange.place = watched_place  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        OrderTape.move, Exchange.place = self._originals  # type: ignore[method-assign]

    def _look(self, changed: Order, moment: dt.datetime) -> None:
        self._orders[changed.order_id] = changed
        self.changes += 1
        orders = self._orders.values()
        position = sum(order.side * order.matched for order in orders)
        exits = [order for order in orders if _is_at_work(order) and _is_exit(order, position)]
        units = sum(order.unmatched for order in exits)
        self.most_exits = max(self.most_exits, len(exits))
        if units > abs(position):
            listed = ", ".join(f"{order.order_id} {order.status} over {order.unmatched}" for order in exits)
            self.violations.append(f"{moment:%H:%M:%S.%f}: position {position:+d}, exits {listed}")


def _is_at_work(order: Order) -> bool:
    return not order.is_final and not order.is_ending and order.unmatched > 0


def _is_exit(order: Order, position: int) -> bool:
    return order.side * position < 0 if position else order.terms.order_type in _STOPS
