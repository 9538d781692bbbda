"""Entries that rest: limit and stop-limit orders wait for their price, and go when no longer meant."""

from __future__ import annotations

import time

import pytest

from brokers.desk.facts import EntryWithdrawn, ExitWanted, Halted, TripClosed
from brokers.wire import OrderRefusedError
from tests.brokers.desk.wire_model import LOT, QUICK, DeskRig


@pytest.fixture
def rig(tmp_path):
    made = DeskRig(tmp_path)
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def rest(rig: DeskRig, fills: int = 0, lots: int = 3, **terms) -> None:
    rig.wire.fills = [fills]
    rig.start()
    rig.enter(lots=lots, **{"kind": "limit", "price": 24_990.0, **terms})
    rig.wait(lambda: rig.desk.state.trips and known(rig))


def known(rig: DeskRig) -> bool:
    entries = rig.desk.state.trips[1].entries
    return all(order.stage == "known" and order.book_state in ("open", "waiting") for order in entries)


def test_a_limit_entry_goes_out_at_its_price_and_outlasts_the_patience_with_market_entries(rig):
    rest(rig)
    (request,) = rig.wire.placed
    assert (request.kind, request.price, request.size, request.limit) == ("limit", 24_990.0, 3 * LOT, 0.0)
    (order,) = rig.wire.orders_of("limit")
    until = time.monotonic() + 3 * QUICK.entry_seconds
    rig.wait(lambda: time.monotonic() > until)
    assert order.state == "open"


def test_a_stop_limit_entry_carries_its_trigger_and_its_limit(rig):
    rest(rig, kind="stop_limit", price=25_020.0, limit=25_024.04)
    (request,) = rig.wire.placed
    assert (request.kind, request.price, request.limit) == ("stop_limit", 25_020.0, 25_024.0)
    rig.wire.fill(rig.wire.orders_of("stop_limit")[0], 3 * LOT)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert rig.wire.orders_of("stop")[0].size == -3 * LOT


def test_an_entry_above_the_freeze_quantity_rests_in_slices(rig):
    rig.wire.fills = [0, 0, 0]
    rig.start()
    rig.enter(lots=60, kind="stop_limit", price=25_020.0, limit=25_024.0)
    rig.wait(lambda: len(rig.wire.placed) == 3)
    assert [request.size // LOT for request in rig.wire.placed] == [27, 27, 6]
    assert {(request.price, request.limit) for request in rig.wire.placed} == {(25_020.0, 25_024.0)}


def test_a_withdrawn_entry_keeps_what_is_filled_with_its_protection(rig):
    rest(rig, fills=LOT)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.desk.withdraw(1)
    (entry,) = rig.wire.orders_of("limit")
    rig.wait(lambda: entry.state == "cancelled" and rig.desk.state.trips[1].is_protected)
    assert rig.wire.exchange.position == LOT
    assert rig.wire.exchange.exits_at_work == LOT
    assert rig.facts(EntryWithdrawn, ExitWanted) == [EntryWithdrawn(1)]


def test_a_withdrawn_entry_that_never_filled_ends_its_trip(rig):
    rest(rig)
    rig.desk.withdraw(1)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert len(rig.wire.placed) == 1
    rig.wait(lambda: not rig.desk.obstacle)  # told after the fact is written


def test_an_entry_that_filled_while_it_was_withdrawn_is_held(rig):
    rest(rig)
    (entry,) = rig.wire.orders_of("limit")
    with rig.wire.lock:
        rig.wire.exchange.fill(entry, 3 * LOT)
    rig.desk.withdraw(1)
    rig.wait(lambda: rig.desk.state.trips[1].is_protected)
    assert rig.wire.exchange.exits_at_work == 3 * LOT


def test_a_cancel_that_is_refused_is_tried_again(rig):
    rest(rig)
    rig.wire.cancel_errors = [OrderRefusedError("being processed")]
    rig.desk.withdraw(1)
    rig.wait(lambda: bool(rig.facts(TripClosed)))


def test_what_is_over_cannot_be_withdrawn(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: rig.desk.state.trips and rig.desk.state.trips[1].is_protected)
    rig.desk.withdraw(1)
    rig.desk.withdraw(7)
    rig.wait(rig.desk._inbox.empty)
    assert rig.facts(EntryWithdrawn) == []


def test_leaving_everything_takes_a_resting_entry_back(rig):
    rest(rig, fills=LOT)
    rig.desk.leave("square_off")
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.wire.exchange.position == rig.wire.exchange.exits_at_work == 0
    assert rig.wire.orders_of("limit")[0].state == "cancelled"


def test_a_halt_takes_a_resting_entry_back(rig):
    rest(rig)
    rig.wire.exchange.foreign = 7 * LOT
    rig.wait(lambda: bool(rig.facts(Halted)))
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.wire.orders_of("limit")[0].state == "cancelled"


def test_a_restart_takes_a_resting_entry_back_and_protects_what_filled_meanwhile(tmp_path):
    rig = DeskRig(tmp_path)
    rest(rig)
    rig.crash()
    (entry,) = rig.wire.orders_of("limit")
    rig.wire.exchange.fill(entry, LOT)
    rig.desk = rig._make()
    rig.start()
    rig.wait(lambda: entry.state == "cancelled" and rig.desk.state.trips[1].is_protected)
    assert rig.wire.exchange.exits_at_work == LOT
    assert rig.end()


@pytest.mark.parametrize("flatten", [True, False])
def test_an_end_leaves_no_entry_behind(tmp_path, flatten):
    rig = DeskRig(tmp_path)
    rest(rig, fills=LOT)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert rig.end(flatten=flatten)
    assert rig.wire.orders_of("limit")[0].state == "cancelled"
    assert rig.wire.exchange.position == rig.wire.exchange.exits_at_work == (0 if flatten else LOT)
