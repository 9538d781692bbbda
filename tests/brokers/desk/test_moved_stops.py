"""Stops that follow the market: changed at the exchange, looked up when nobody knows, never sent blindly."""

from __future__ import annotations

import pytest

from brokers.desk.facts import ChangeFailed, ChangeSent, ExitWanted, OrderSeen, StopMoved, TripClosed
from brokers.wire import NotNowError, OrderRefusedError
from tests.brokers.desk.wire_model import LOT, DeskRig


@pytest.fixture
def rig(tmp_path):
    made = DeskRig(tmp_path)
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def hold(rig: DeskRig, lots: int = 2, side: int = 1) -> None:
    rig.start()
    rig.enter(lots=lots, side=side)
    rig.wait(lambda: rests(rig, 25_000.0 - side * 50))


def rests(rig: DeskRig, price: float) -> bool:
    """Whether a stop rests at that price, and the desk knows it."""
    orders = rig.desk.state.orders.values()
    stops = [order for order in orders if order.intent.kind == "stop" and order.exposure]
    return bool(stops) and all(
        order.book_state == "waiting" and order.price == price and order.change is None for order in stops
    )


@pytest.mark.parametrize("side", [1, -1])
def test_a_moved_stop_is_changed_where_it_rests_and_its_quantity_is_not_sent(rig, side):
    hold(rig, side=side)
    rig.desk.move_stop(1, 25_000.0 - side * 30.04)
    moved = 25_000.0 - side * 30.0
    rig.wait(lambda: rests(rig, moved))
    (stop,) = rig.wire.orders_of("stop")
    assert stop.price == moved
    assert rig.wire.changes == [(stop.order_id, -side * 2 * LOT, moved, False)]
    assert rig.facts(StopMoved) == [StopMoved(1, moved)]
    assert rig.desk.watched.stop == moved
    assert rig.facts(ChangeFailed) == []


@pytest.mark.parametrize("price", [24_949.9, 24_950.0, 24_950.04])
def test_a_stop_is_never_moved_away_from_the_market(rig, price):
    hold(rig)
    rig.desk.move_stop(1, price)
    rig.desk.resync("a turn of the desk, and a look")
    rig.wait(rig.desk._inbox.empty)
    assert rig.wire.changes == []
    assert rig.facts(StopMoved) == []


def test_units_that_fill_after_a_move_are_protected_at_the_new_price(rig):
    rig.wire.fills = [LOT]
    rig.start()
    rig.enter(lots=2, kind="limit")
    rig.wait(lambda: rests(rig, 24_950.0))
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: rests(rig, 24_970.0))
    rig.wire.fill(rig.wire.orders_of("limit")[0], LOT)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 2)
    assert [order.price for order in rig.wire.orders_of("stop")] == [24_970.0, 24_970.0]


def test_a_stop_that_somebody_moved_by_hand_is_left_alone(rig):
    hold(rig)
    rig.wire.exchange.modify(rig.wire.orders_of("stop")[0].order_id, -2 * LOT, 24_960.0)
    rig.desk.resync("a look")
    rig.wait(lambda: rests(rig, 24_960.0))
    assert rig.wire.changes == []
    rig.desk.move_stop(1, 24_980.0)
    rig.wait(lambda: rests(rig, 24_980.0))


# -- answers that do not come, and refusals ---------------------------------------------------------------


def test_a_change_whose_answer_is_lost_is_found_in_the_book_and_sent_once(rig):
    hold(rig)
    rig.wire.lost_changes = [True]
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: rests(rig, 24_970.0))
    assert len(rig.wire.changes) == 1
    assert rig.facts(ChangeFailed) == []


def test_a_change_that_was_lost_on_its_way_is_sent_again_only_after_the_book_has_shown_it_lost(
    rig, monkeypatch
):
    monkeypatch.setattr("brokers.desk.timing._CHANGE_SECONDS", 0.3)
    hold(rig)
    rig.wire.lost_changes = [False]
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: rests(rig, 24_970.0))
    assert len(rig.wire.changes) == 2
    (failed,) = rig.facts(ChangeFailed)
    assert "the book shows it as it was" in failed.reason
    assert rig.wire.worst_overlap == 0


@pytest.mark.parametrize("error", [NotNowError("429"), OrderRefusedError("as it is being processed")])
def test_a_refused_change_leaves_the_stop_where_it_is_and_is_tried_again(rig, error):
    hold(rig)
    rig.wire.change_errors = [error]
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: rests(rig, 24_970.0))
    assert len(rig.facts(ChangeFailed)) == 1
    assert len(rig.wire.orders_of("stop")) == 1  # never without it


def test_a_stop_that_was_hit_meanwhile_is_not_changed(rig):
    hold(rig)
    (stop,) = rig.wire.orders_of("stop")
    with rig.wire.lock:
        rig.wire.exchange.fill(stop, 2 * LOT)  # and nobody has told
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.wire.exchange.position == 0
    assert len(rig.wire.placed) == 2


def test_the_market_at_a_stop_that_was_not_moved_in_time_means_leaving(rig):
    hold(rig)
    rig.wire.change_errors = [OrderRefusedError("no")] * 10
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: bool(rig.facts(ChangeFailed)))
    rig.desk.on_price(24_969.9)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert [fact.reason for fact in rig.facts(ExitWanted)] == ["stop"]
    assert rig.wire.worst_overlap == 0


def test_a_stop_moved_to_where_the_market_is_already_means_leaving(rig):
    hold(rig)
    rig.desk.on_price(24_980.0)
    rig.desk.move_stop(1, 24_985.0)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert [fact.reason for fact in rig.facts(ExitWanted)] == ["stop"]
    assert rig.wire.exchange.position == 0


def test_a_stop_is_replaced_before_the_exchange_would_refuse_to_change_it(rig):
    hold(rig)
    for step in range(1, 22):
        rig.desk.move_stop(1, 24_950.0 + step)
        rig.wait(lambda price=24_950.0 + step: rests(rig, price))
    assert len(rig.wire.changes) == 20
    assert [order.state for order in rig.wire.orders_of("stop")] == ["cancelled", "waiting"]
    assert rig.wire.worst_overlap == 0


# -- restart ------------------------------------------------------------------------------------------------


def test_a_stop_stays_where_it_was_moved_to_over_a_restart(tmp_path):
    rig = DeskRig(tmp_path)
    hold(rig)
    rig.desk.move_stop(1, 24_970.0)
    rig.wait(lambda: rests(rig, 24_970.0))
    rig.restart()
    rig.wait(lambda: rig.desk.watched is not None)
    assert rig.desk.watched.stop == 24_970.0
    assert len(rig.wire.changes) == 1
    assert rig.end(flatten=False)
    assert rig.wire.orders_of("stop")[0].price == 24_970.0


@pytest.mark.parametrize("arrives", [True, False], ids=["it had arrived", "it had not"])
def test_a_change_that_was_written_down_and_perhaps_sent_is_looked_up_after_a_crash(
    tmp_path, monkeypatch, arrives
):
    monkeypatch.setattr("brokers.desk.timing._CHANGE_SECONDS", 0.3)
    rig = DeskRig(tmp_path)
    hold(rig)
    (order,) = (order for order in rig.desk.state.orders.values() if order.intent.kind == "stop")
    rig.crash()
    rig.desk = rig._make()  # as a process that died between the two leaves its journal
    rig.desk._record(StopMoved(1, 24_970.0), ChangeSent(order.tag, 2 * LOT, 24_970.0))
    if arrives:
        rig.wire.exchange.modify(order.order_id, -2 * LOT, 24_970.0)
    rig.restart()
    rig.wait(lambda: rests(rig, 24_970.0))
    assert len(rig.wire.changes) == (0 if arrives else 1)
    assert rig.facts(OrderSeen)[-1].price == 24_970.0
    assert rig.end()
    assert rig.wire.exchange.position == 0
