"""Targets that each take a part: what is left is protected for exactly its units, at every moment."""

from __future__ import annotations

import pytest

from brokers.desk.facts import (
    ChangeFailed,
    EntryDecided,
    ExitWanted,
    Intent,
    Target,
    TargetReached,
    TripClosed,
    fact_from_json,
    fact_to_json,
)
from brokers.wire import OrderRefusedError
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.wire_model import LOT, DeskRig

TARGETS = (Target(LOT, 25_030.0), Target(LOT, 25_050.0), Target(2 * LOT, 25_075.0))


@pytest.fixture
def rig(tmp_path):
    made = DeskRig(tmp_path)
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def hold(rig: DeskRig, side: int = 1, lots: int = 4, **terms) -> None:
    rig.start()
    targets = tuple(Target(units, 25_000.0 + side * (price - 25_000.0)) for units, price in TARGETS)
    rig.enter(lots=lots, side=side, targets=targets, **terms)
    rig.wait(lambda: protected(rig, lots * LOT))


def protected(rig: DeskRig, units: int) -> bool:
    return bool(rig.desk.state.trips) and rig.desk.state.trips[1].is_protected and (
        abs(rig.wire.exchange.position) == rig.wire.exchange.exits_at_work == units
    )  # fmt: skip


@pytest.mark.parametrize("side", [1, -1])
def test_each_target_takes_its_part_and_the_stop_shrinks_before(rig, side):
    hold(rig, side)
    for points, left in ((30, 3), (50, 2)):
        rig.desk.on_price(25_000.0 + side * points)
        rig.wait(lambda units=left * LOT: protected(rig, units))
    rig.desk.on_price(25_000.0 + side * 75)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    limits = rig.wire.orders_of("limit")
    assert [(order.size, order.price) for order in limits] == [
        (-side * units, 25_000.0 + side * (price - 25_000.0)) for units, price in TARGETS
    ]
    assert [fact.level for fact in rig.facts(Intent) if fact.role == "target"] == [1, 2, 3]
    assert [resized for _, _, _, resized in rig.wire.changes] == [True, True]
    assert len(rig.wire.orders_of("stop")) == 1
    assert rig.wire.worst_overlap == 0


def test_a_price_beyond_two_targets_takes_both_at_once(rig):
    hold(rig)
    rig.desk.on_price(25_060.0)
    rig.wait(lambda: protected(rig, 2 * LOT))
    assert rig.facts(TargetReached) == [TargetReached(1, 2)]
    assert [(order.size, order.price) for order in rig.wire.orders_of("limit")] == [(-2 * LOT, 25_050.0)]


def test_a_price_beyond_the_last_target_leaves_everything(rig):
    hold(rig)
    rig.desk.on_price(25_080.0)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.facts(TargetReached) == []
    assert rig.facts(ExitWanted) == [ExitWanted(1, "target")]
    assert rig.wire.exchange.position == 0


def test_a_part_that_rests_unfilled_follows_at_market(rig):
    hold(rig)
    rig.wire.fills = [0]
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: protected(rig, 3 * LOT))
    limit, market = rig.wire.orders_of("limit")[0], rig.wire.orders_of("market")[1]
    assert (limit.state, limit.filled) == ("cancelled", 0)
    assert (market.size, market.request.kind) == (-LOT, "market")
    assert rig.wire.worst_overlap == 0


def test_the_next_target_is_tried_with_a_limit_of_its_own(rig):
    hold(rig)
    rig.wire.fills = [0]
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: protected(rig, 3 * LOT))
    rig.desk.on_price(25_050.0)
    rig.wait(lambda: protected(rig, 2 * LOT))
    assert [order.price for order in rig.wire.orders_of("limit")] == [25_030.0, 25_050.0]


def test_a_stop_that_cannot_be_made_smaller_is_replaced(rig):
    hold(rig)
    rig.wire.change_errors = [OrderRefusedError("no")]
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: protected(rig, 3 * LOT))
    assert len(rig.facts(ChangeFailed)) == 1
    assert [order.state for order in rig.wire.orders_of("stop")] == ["cancelled", "waiting"]
    assert rig.wire.worst_overlap == 0


def test_a_part_is_not_taken_twice_when_its_answer_is_lost(rig):
    hold(rig)
    rig.wire.lost_answers, rig.wire.lost_changes = 100, [True]
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: protected(rig, 3 * LOT))
    assert len(rig.wire.orders_of("limit")) == len(rig.wire.changes) == 1
    rig.wire.lost_answers = 0


def test_a_stop_hit_while_it_was_to_shrink_leaves_nothing_over(rig):
    hold(rig)
    (stop,) = rig.wire.orders_of("stop")
    with rig.wire.lock:
        rig.wire.exchange.fill(stop, 4 * LOT)  # and nobody has told
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.wire.exchange.position == 0
    assert rig.wire.orders_of("limit") == []


def test_of_an_entry_in_part_the_nearest_targets_take_what_there_is(rig):
    rig.wire.fills = [3 * LOT]
    rig.start()
    rig.enter(lots=4, targets=TARGETS, kind="limit")
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.desk.withdraw(1)
    rig.wait(lambda: protected(rig, 3 * LOT))
    for price, left in ((25_030.0, 2), (25_050.0, 1)):
        rig.desk.on_price(price)
        rig.wait(lambda units=left * LOT: protected(rig, units))
    rig.desk.on_price(25_075.0)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert [order.size for order in rig.wire.orders_of("limit")[1:]] == [-LOT, -LOT, -LOT]


def test_the_stop_of_several_slices_shrinks_from_the_newest(rig):
    targets = (Target(30 * LOT, 25_030.0), Target(30 * LOT, 25_075.0))
    rig.start()
    rig.enter(lots=60, targets=targets)
    rig.wait(lambda: protected(rig, 60 * LOT))
    rig.desk.on_price(25_030.0)
    rig.wait(lambda: protected(rig, 30 * LOT))
    left = [order for order in rig.wire.orders_of("stop") if order.works]
    assert sum(order.remaining for order in left) == 30 * LOT
    assert max(abs(request.size) for request in rig.wire.placed) == 27 * LOT
    assert rig.wire.worst_overlap == 0


def test_a_stop_that_moves_and_shrinks_does_both(rig):
    hold(rig)
    rig.desk.on_price(25_030.0)
    rig.desk.move_stop(1, 25_000.0)
    rig.wait(lambda: protected(rig, 3 * LOT) and rig.wire.orders_of("stop")[-1].price == 25_000.0)
    assert rig.wire.worst_overlap == 0


def test_a_part_that_was_to_be_taken_is_taken_after_a_crash(tmp_path):
    rig = DeskRig(tmp_path)
    hold(rig)
    rig.crash()
    rig.desk = rig._make()
    rig.desk._record(TargetReached(1, 1))
    rig.restart()
    rig.wait(lambda: protected(rig, 3 * LOT))
    assert len(rig.wire.orders_of("limit")) == 1
    rig.restart()
    rig.wait(lambda: rig.desk.watched is not None)
    assert rig.desk.watched.target == 25_050.0
    assert len(rig.wire.orders_of("limit")) == 1
    assert rig.end()
    assert rig.wire.exchange.position == 0


def test_facts_of_before_these_orders_are_read_as_they_were():
    signal = TIME.replace(tzinfo=None)
    decided = EntryDecided(1, LOT, 25_000.0, 24_950.0, 25_075.0, signal, 0.6)
    old = fact_from_json("EntryDecided", (
        '{"trip": 1, "size": 65, "price": 25000.0, "stop_price": 24950.0, "target_price": 25075.0, '
        f'"signal_time": "{signal.isoformat()}", "probability": 0.6, "rule": "", "reason": "", "arm": ""}}'
    ))  # fmt: skip
    assert old == decided
    kind, text = fact_to_json(decided._replace(targets=TARGETS, kind="limit"))
    assert fact_from_json(kind, text) == decided._replace(targets=TARGETS, kind="limit")
    assert isinstance(fact_from_json(kind, text).targets[0], Target)
