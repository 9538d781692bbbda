"""Every change of an order's state: into the journal, and to the strategy as a notification."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from brokers.journal import Journal, OrderEvent
from brokers.market import Market
from brokers.order import SimulatedOrder
from brokers.risk.rule import ALLOWED, Verdict

__all__ = ["OrderLog"]


class OrderLog:
    """Writes state changes down and queues them.

    Parameters
    ----------
    journal_of : callable
        ``journal_of(market)`` receives an :class:`OrderEvent` for each change of an order of that market.

    Attributes
    ----------
    notifications : collections.deque of SimulatedOrder
        Clones that the strategy has not been told of yet, oldest first.
    """

    def __init__(self, journal_of: Callable[[Market], Journal]) -> None:
        self._journal_of = journal_of
        self.notifications: deque[SimulatedOrder] = deque()

    def change(
        self, market: Market, order: SimulatedOrder, status: int, state: str, verdict: Verdict = ALLOWED
    ) -> None:
        """Give an order a new status (backtrader's) and state (the journal's name for it)."""
        order.status = status
        executed = order.executed
        self._journal_of(market).events.append(
            OrderEvent(
                market.closed_at(), order.ref, order.round_trip, order.role, order.kind, state,
                order.size, order.created.price, executed.size, executed.price, verdict.rule, verdict.reason,
            )
        )  # fmt: skip
        self.notifications.append(order.clone())

    def accept(self, market: Market, order: SimulatedOrder, verdict: Verdict = ALLOWED) -> None:
        """Take an order to the exchange: submitted, accepted, working."""
        order.plen = len(order.data)
        self.change(market, order, order.Submitted, "submitted", verdict)
        self.change(market, order, order.Accepted, "accepted")
        market.working.append(order)

    def refuse(
        self, market: Market, orders: Iterable[SimulatedOrder], state: str, reason: str, rule: str = ""
    ) -> None:
        """Turn orders down: ``rejected``, ``denied`` by the gate, or ``margin``."""
        verdict = Verdict("deny", rule=rule, reason=reason)
        for order in orders:
            self.change(market, order, order.Margin if state == "margin" else order.Rejected, state, verdict)

    def cancel(self, market: Market, order: SimulatedOrder) -> None:
        """Take a working order back."""
        market.working.remove(order)
        self.change(market, order, order.Canceled, "canceled")

    def expire(self, market: Market, order: SimulatedOrder) -> None:
        """End a working order whose day is over."""
        market.working.remove(order)
        self.change(market, order, order.Expired, "expired")
