"""Everything is left because a person says so, at any moment of an entry."""

from __future__ import annotations

import time

import pytest

from brokers.desk.facts import EntryDecided, EntryDenied, ExitWanted, TripClosed
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.wire_model import LOT, DeskRig


@pytest.fixture
def rig(tmp_path):
    made = DeskRig(tmp_path)
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def enter(rig, caused_at, trip=1, lots=2):
    signal = TIME.replace(tzinfo=None)
    decided = EntryDecided(trip, lots * LOT, 25_000.0, 24_950.0, 25_075.0, signal, 0.6)
    rig.desk.enter(decided, caused_at)


def assert_flat(rig):
    assert rig.wire.exchange.position == 0
    assert rig.wire.exchange.exits_at_work == 0


def test_a_position_is_left_by_hand_once(rig):
    rig.start()
    enter(rig, time.perf_counter())
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    for words in ("page: enough", "telegram: now!"):
        rig.desk.leave("manual", words)
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert rig.facts(ExitWanted) == [ExitWanted(1, "manual", "page: enough")]
    assert [order.request.size for order in rig.wire.orders_of("market")] == [2 * LOT, -2 * LOT]
    assert_flat(rig)


def test_an_entry_decided_before_and_told_after_is_refused(rig):
    """The gate had let it pass; then a person paused and flattened; then it came to the desk."""
    rig.start()
    decided_at = time.perf_counter()
    rig.desk.leave("manual", "page")
    enter(rig, decided_at)
    rig.wait(lambda: bool(rig.facts(EntryDenied)))
    (denied,) = rig.facts(EntryDenied)
    assert denied.reason == "it was decided before everything was to be left"
    assert rig.wire.placed == []


def test_an_entry_on_a_later_bar_is_taken_again(rig):
    rig.start()
    rig.desk.leave("manual", "page")
    enter(rig, time.perf_counter())
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert rig.facts(EntryDenied) == []
    assert rig.wire.exchange.position == 2 * LOT


@pytest.mark.parametrize("fills", [[0], [LOT], [None]], ids=["none", "a part", "all"])
def test_an_entry_that_has_just_been_sent_is_taken_back_and_what_has_come_is_left(rig, fills):
    """The order of the two messages is all that decides: the desk has sent it when it is to leave."""
    rig.wire.fills = fills
    rig.start()
    enter(rig, time.perf_counter())
    rig.desk.leave("manual", "page")
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert [fact.reason for fact in rig.facts(ExitWanted)] == ["manual"]
    assert_flat(rig)


def test_an_entry_of_unknown_outcome_is_looked_for_and_left(rig):
    rig.wire.lost_answers = 1
    rig.start()
    enter(rig, time.perf_counter())
    rig.desk.leave("manual", "page")
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert_flat(rig)
    assert len(rig.wire.orders_of("market")) == 2


def test_what_was_to_be_left_is_left_after_a_crash(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.fills = [None, 0]  # the exit rests
    rig.start()
    enter(rig, time.perf_counter())
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.desk.leave("manual", "page")
    rig.wait(lambda: bool(rig.facts(ExitWanted)))
    rig.restart()
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    assert_flat(rig)
    assert rig.end()
