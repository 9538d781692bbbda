"""What rows and trades of the book add to the journal, and what they do not."""

from __future__ import annotations

import pytest

from brokers.desk.facts import Acknowledged, EntryDecided, Filled, Intent, OrderSeen, Sent
from brokers.desk.state import DeskState
from brokers.reconcile import Book, facts_of_rows, reconcile
from brokers.wire import BookOrder, BookTrade
from tests.brokers.desk.exchange_model import PRODUCT, SYMBOL, TIME

TAG = "mutest00000001"


@pytest.fixture
def state():
    signal = TIME.replace(tzinfo=None)
    decided = EntryDecided(1, 130, 25_000.0, 24_950.0, 25_075.0, signal, 0.6)
    intent = Intent(TAG, 1, "entry", 130, "market", 0.0, 25_000.0)
    return DeskState([decided, intent, Sent(TAG), Acknowledged(TAG, "900001")])


def row(order_state: str, filled: int) -> BookOrder:
    return BookOrder("900001", (TAG,), SYMBOL, PRODUCT, 130, filled, 25_000.0, order_state)


def test_a_row_that_is_older_than_what_is_known_is_no_news(state):
    state.apply(OrderSeen(TAG, "open", 65, 25_000.0))
    assert facts_of_rows(state, [row("pending", 0), row("open", 65)]) == []
    assert facts_of_rows(state, [row("cancelled", 65)]) == [OrderSeen(TAG, "cancelled", 65, 25_000.0)]


@pytest.mark.parametrize(
    ("order_state", "size", "price", "told"),
    [
        ("waiting", -130, 24_950.0, None),
        ("waiting", -130, 0.0, None),  # a row that names no price
        ("waiting", -130, 24_970.0, (0, 24_970.0)),
        ("waiting", -65, 24_950.0, (65, 0.0)),
        ("open", -65, 24_970.0, (65, 0.0)),  # its trigger is history
        ("pending", -65, 24_970.0, None),  # on its way: either may be shown
    ],
)
def test_what_a_stop_was_changed_to_is_believed_of_the_book_where_it_rests(
    state, order_state, size, price, told
):
    tag = "mutest00000002"
    for fact in (
        Intent(tag, 1, "stop", -130, "stop", 24_950.0, 24_950.0),
        Sent(tag),
        Acknowledged(tag, "900002"),
    ):
        state.apply(fact)
    state.apply(OrderSeen(tag, order_state, 0, 0.0))
    shown = BookOrder("900002", (tag,), SYMBOL, PRODUCT, size, 0, 0.0, order_state, "", price)
    expected = [] if told is None else [OrderSeen(tag, order_state, 0, 0.0, "", *told)]
    assert facts_of_rows(state, [shown], from_book=True) == expected
    assert facts_of_rows(state, [shown]) == []  # an update may be older than the book
    for fact in expected:
        state.apply(fact)
    assert facts_of_rows(state, [shown], from_book=True) == []


def test_a_cancelled_row_counts_whatever_it_says_of_fills(state):
    state.apply(OrderSeen(TAG, "open", 65, 25_000.0))
    assert facts_of_rows(state, [row("cancelled", 0)]) == [OrderSeen(TAG, "cancelled", 0, 25_000.0)]


def test_an_order_whose_trades_are_all_known_has_no_more_news(state):
    trade = BookTrade("900001", "t1", SYMBOL, 130, 25_000.0, TIME)
    for fact in reconcile(state, Book([row("open", 0)], [trade]), lambda *_: 0.0):
        state.apply(fact)
    assert state.orders[TAG].trades.keys() == {"t1"}
    assert reconcile(state, Book([row("complete", 130)], [trade]), lambda *_: 0.0) == []


def test_an_execution_is_booked_once_however_often_it_is_shown(state):
    trade = BookTrade("900001", "t1", SYMBOL, 65, 25_000.0, TIME)
    book = Book([row("open", 65), row("open", 65)], [trade, trade])
    facts = reconcile(state, book, lambda *_: 0.0)
    assert [type(fact) for fact in facts if isinstance(fact, Filled)] == [Filled]
