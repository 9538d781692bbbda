"""The broker's book against our journal: what it adds, and what in it is none of ours. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from brokers.desk.facts import Acknowledged, Fact, Filled, Intent, NeverSent, OrderSeen
from brokers.desk.state import DeskOrder, DeskState
from brokers.wire import BookOrder, BookPosition, BookTrade

__all__ = [
    "Book",
    "ChargesOf",
    "account_size",
    "facts_of_rows",
    "foreign_orders",
    "never_sent",
    "reconcile",
]

_FINAL = ("complete", "cancelled", "rejected")
_AS_BEFORE = (0, 0.0)

ChargesOf = Callable[[Intent, Sequence[tuple[int, float, float]], int, float], float]
"""``charges_of(intent, earlier, size, price)``: rupees that an execution adds to its order's charges;
``earlier`` are the executions before it: signed units, price, charges."""


class Book(NamedTuple):
    """What the broker shows: orders and trades of today, open positions.

    ``positions`` is None where they were not asked for.
    """

    orders: Sequence[BookOrder]
    trades: Sequence[BookTrade]
    positions: Sequence[BookPosition] | None = None


def reconcile(state: DeskState, book: Book, charges_of: ChargesOf) -> list[Fact]:
    """Return the facts that the book adds to the journal.

    Parameters
    ----------
    state : DeskState
        Of the journal; not changed.
    book : Book
        Read from the broker; orders before trades, so that the trades explain what the orders show.
    charges_of : callable
        See :data:`ChargesOf`.

    Returns
    -------
    list of Fact
        Once they are applied, asking again gives none.
    """
    facts = facts_of_rows(state, book.orders, from_book=True)
    owners = {row.order_id: _owner(state, row) for row in book.orders}
    known = {tag: dict(order.trades) for tag, order in state.orders.items()}
    for trade in book.trades:
        order = owners.get(trade.order_id) or state.order_of(trade.order_id)
        if order is None or trade.trade_id in known[order.tag]:
            continue
        earlier = known[order.tag]
        charges = charges_of(order.intent, list(earlier.values()), trade.size, trade.price)
        earlier[trade.trade_id] = (trade.size, trade.price, charges)
        facts.append(Filled(order.tag, trade.trade_id, trade.size, trade.price, trade.time, charges))
    return facts


def facts_of_rows(state: DeskState, rows: Sequence[BookOrder], *, from_book: bool = False) -> list[Fact]:
    """Return what rows of the order book, or updates in their form, say of our orders that is new.

    Updates come late and out of order: what a stop was changed to is believed of the book only.
    """
    facts: list[Fact] = []
    for row in rows:
        order = _owner(state, row)
        if order is None:
            continue
        if not order.order_id:
            facts.append(Acknowledged(order.tag, row.order_id))
        terms = _changed_terms(order, row) if from_book else _AS_BEFORE
        if _is_news(order, row) or terms != _AS_BEFORE:
            facts.append(OrderSeen(order.tag, row.state, row.filled, row.average_price, row.message, *terms))
    return facts


def never_sent(state: DeskState) -> list[Fact]:
    """Return the intents that a crash kept from being sent; only for the start, when none is on its way."""
    return [NeverSent(order.tag) for order in state.orders.values() if order.stage == "intended"]


def foreign_orders(state: DeskState, orders: Sequence[BookOrder], symbol: str) -> list[BookOrder]:
    """Return the working orders in our contract that are none of ours and that the user has not accepted."""
    return [
        row
        for row in orders
        if row.symbol == symbol
        and row.state not in _FINAL
        and row.order_id not in state.foreign_orders
        and _owner(state, row) is None
    ]


def account_size(positions: Sequence[BookPosition], symbol: str, product: str) -> int:
    """Return the signed units that the account holds in our contract and product."""
    return sum(row.size for row in positions if row.symbol == symbol and row.product == product)


def _owner(state: DeskState, row: BookOrder) -> DeskOrder | None:
    for tag in row.tags:
        if tag in state.orders:
            return state.orders[tag]
    return state.order_of(row.order_id)


def _changed_terms(order: DeskOrder, row: BookOrder) -> tuple[int, float]:
    """Return units and price of a stop that are not those known of it; 0 for what is as before.

    While a change is on its way a row may show either, so that only one at rest is believed.
    """
    is_at_rest = row.state in ("waiting", "open") and order.book_state not in _FINAL
    if order.intent.kind != "stop" or not is_at_rest:
        return _AS_BEFORE
    units = 0 if abs(row.size) == order.units else abs(row.size)
    price = row.price if row.state == "waiting" and row.price not in (0.0, order.price) else 0.0
    return units, price


def _is_news(order: DeskOrder, row: BookOrder) -> bool:
    if not order.remaining or (row.filled < order.reported and row.state not in _FINAL):
        return False  # all of it is known; or the row is older than what is known
    if row.filled > order.reported:
        return True
    return order.book_state not in _FINAL and row.state != order.book_state
