"""What in the account is none of ours, and what follows from it. Pure.

A foreign order or position is left alone and stops entries until the user says otherwise. Where somebody
else has closed our position, or part of it, our own exits are cut down to what is left: the exchange knows no
reduce-only orders, so a stop without its position would open a new one.
"""

from __future__ import annotations

from brokers.desk.facts import Fact, ForeignAccepted, Halted, Resumed, TakenOver
from brokers.desk.state import DeskOrder, DeskState
from brokers.reconcile import Book, account_size, foreign_orders

__all__ = ["accept_strangers", "difference_of", "judge_account"]


def difference_of(state: DeskState, book: Book, symbol: str, product: str) -> int | None:
    """Return the signed units that the account holds where the journal says otherwise.

    None where they agree, or cannot be compared: positions were not read, or something of ours is moving.
    """
    if book.positions is None or not all(_is_quiet(order) for order in state.orders.values()):
        return None
    held = account_size(book.positions, symbol, product)
    return None if held == state.position + state.foreign_size else held


def judge_account(
    state: DeskState, book: Book, *, symbol: str, product: str, differs: int | None
) -> list[Fact]:
    """Return what follows from what is none of ours, after the book's facts were applied.

    Parameters
    ----------
    state : DeskState
        Of the journal; not changed.
    book : Book
        Just read.
    symbol, product : str
        Our contract and product.
    differs : int or None
        What :func:`difference_of` has answered for long enough to be believed, else None: orders, trades and
        positions are not read at one moment, and the verdict takes protection away.
    """
    facts: list[Fact] = []
    reasons = [
        f"order {row.order_id} over {row.size:+d} {symbol} is none of ours"
        for row in foreign_orders(state, book.orders, symbol)
    ]
    if differs is not None:
        expected = state.position + state.foreign_size
        reasons.append(f"the account holds {differs:+d} {symbol} {product}, our journal says {expected:+d}")
        facts.extend(_taken(state, differs))
    new = [reason for reason in reasons if reason not in state.halted]
    if new:
        facts.append(Halted("; ".join([state.halted, *new] if state.halted else new)))
    return facts


def accept_strangers(state: DeskState, book: Book, *, symbol: str, product: str) -> list[Fact]:
    """Return the facts that make what is foreign now known, and end a halt: the user said so."""
    held = difference_of(state, book, symbol, product)
    strangers = foreign_orders(state, book.orders, symbol)
    facts: list[Fact] = []
    if held is not None or strangers:
        size = state.foreign_size if held is None else held - state.position
        facts.append(ForeignAccepted(size, (*state.foreign_orders, *(row.order_id for row in strangers))))
    if state.halted:
        facts.append(Resumed("accepted by the user at the start"))
    return facts


def _is_quiet(order: DeskOrder) -> bool:
    """Whether nothing is expected of it within seconds: an entry may rest for hours."""
    rests = order.intent.role == "entry" and order.intent.kind != "market" and order.book_state == "open"
    return order.over or order.book_state == "waiting" or rests


def _taken(state: DeskState, held: int) -> list[Fact]:
    """Return which units of our trips are gone; what is left of a trip stays ours, and protected."""
    ours = held - state.foreign_size
    facts: list[Fact] = []
    for trip in state.active_trips:
        position = trip.position
        left = ours * trip.side
        if position * trip.side > 0 and left < abs(position):
            units = trip.side * (abs(position) - max(0, left))
            facts.append(TakenOver(trip.number, units, held - (position - units)))
    return facts
