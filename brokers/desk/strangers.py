"""What in the account is none of ours, and what follows from it. Pure.

A foreign order or position is left alone and stops entries until the user says otherwise. Where somebody
else has closed our position, or part of it, our own exits are given up: the exchange knows no reduce-only
orders, so a stop without its position would open a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from brokers.desk.facts import Fact, ForeignAccepted, Halted, Resumed, TakenOver
from brokers.desk.state import DeskState
from brokers.reconcile import Book, account_size, foreign_orders

__all__ = ["Judgement", "accept_strangers", "judge_account"]


class Judgement(NamedTuple):
    """What follows.

    Attributes
    ----------
    facts : list of Fact
        To be recorded.
    differs : int or None
        Signed units that the account holds where the journal says otherwise, None where they agree or
        cannot be compared: something of ours is moving, or positions were not read.
    """

    facts: list[Fact]
    differs: int | None


def judge_account(
    state: DeskState, book: Book, *, symbol: str, product: str, differed: int | None, sure: bool = False
) -> Judgement:
    """Compare the account with the journal, after the book's facts were applied to it.

    Parameters
    ----------
    state : DeskState
        Of the journal; not changed.
    book : Book
        Just read.
    symbol, product : str
        Our contract and product.
    differed : int or None
        ``differs`` of the read before: a position counts as foreign when two reads agree on it, because
        orders, trades and positions are not read at one moment.
    sure : bool
        Believe one read: at the start, when nothing of ours moves.
    """
    held = _difference(state, book, symbol, product)
    facts: list[Fact] = []
    reasons = [
        f"order {row.order_id} over {row.size:+d} {symbol} is none of ours"
        for row in foreign_orders(state, book.orders, symbol)
    ]
    if held is not None and (sure or held == differed):
        expected = state.position + state.foreign_size
        reasons.append(f"the account holds {held:+d} {symbol} {product}, our journal says {expected:+d}")
        facts.extend(_given_up(state, held))
    if reasons and not state.halted:
        facts.append(Halted("; ".join(reasons)))
    return Judgement(facts, held)


def accept_strangers(state: DeskState, book: Book, *, symbol: str, product: str) -> list[Fact]:
    """Return the facts that make what is foreign now known, and end a halt: the user said so."""
    held = _difference(state, book, symbol, product)
    strangers = foreign_orders(state, book.orders, symbol)
    facts: list[Fact] = []
    if held is not None or strangers:
        size = state.foreign_size if held is None else held - state.position
        facts.append(ForeignAccepted(size, (*state.foreign_orders, *(row.order_id for row in strangers))))
    if state.halted:
        facts.append(Resumed("accepted by the user at the start"))
    return facts


def _difference(state: DeskState, book: Book, symbol: str, product: str) -> int | None:
    quiet = all(order.over or order.book_state == "waiting" for order in state.orders.values())
    if book.positions is None or not quiet:
        return None
    held = account_size(book.positions, symbol, product)
    return None if held == state.position + state.foreign_size else held


def _given_up(state: DeskState, held: int) -> Sequence[Fact]:
    ours = held - state.foreign_size
    return [
        TakenOver(trip.number, held)
        for trip in state.active_trips
        if trip.position and ours * trip.side < abs(trip.position)
    ]
