"""The desk thread against the model exchange: what is sent, when, and what is written down first."""

from __future__ import annotations

import datetime as dt
import math
import time
from dataclasses import replace

import pytest

from brokers.desk.facts import (
    Acknowledged,
    EntryDecided,
    EntryDenied,
    ExitWanted,
    Halted,
    Intent,
    NotFound,
    Refused,
    Resumed,
    Sent,
    TakenOver,
    TripClosed,
)
from brokers.desk.journal_file import JournalError
from brokers.desk.messages import BookRead, Resync, Shutdown
from brokers.wire import NotNowError, OrderRefusedError, SessionDeadError
from feeds.errors import BrokerError
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.wire_model import LOT, OPENED, QUICK, DeskRig


@pytest.fixture
def rig(tmp_path):
    made = DeskRig(tmp_path)
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def closed(rig: DeskRig) -> bool:
    return bool(rig.facts(TripClosed))


def test_an_entry_that_fills_is_protected_for_exactly_its_units(rig):
    rig.start()
    rig.enter(lots=3)
    rig.wait(lambda: len(rig.wire.placed) == 2)
    entry, stop = rig.wire.placed
    assert (entry.size, entry.kind, entry.is_exit) == (3 * LOT, "market", False)
    assert (stop.size, stop.kind, stop.price, stop.is_exit) == (-3 * LOT, "stop", 24_950.0, True)


def test_each_partial_fill_is_protected_as_it_comes(rig):
    rig.wire.fills = [LOT]
    rig.start()
    rig.enter(lots=3)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    (entry,) = rig.wire.orders_of("market")
    rig.wire.fill(entry, 2 * LOT)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 2)
    assert [order.request.size for order in rig.wire.orders_of("stop")] == [-LOT, -2 * LOT]


def test_a_touched_target_is_taken_only_after_the_stop_is_gone(rig):
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: rig.desk.state.position == 2 * LOT and rig.desk.watched is not None)
    rig.desk.on_price(25_074.9)
    rig.desk.on_price(25_075.0)
    rig.wait(lambda: closed(rig))
    (stop,) = rig.wire.orders_of("stop")
    (target,) = rig.wire.orders_of("limit")
    assert stop.state == "cancelled"
    assert (target.request.size, target.request.price) == (-2 * LOT, 25_075.0)
    assert rig.wire.worst_overlap == 0
    assert rig.desk.obstacle == ""


def test_a_stop_that_fills_closes_the_trip(rig):
    rig.start()
    rig.enter(side=-1)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.fill(rig.wire.orders_of("stop")[0], LOT)
    rig.wait(lambda: closed(rig))
    assert rig.facts(TripClosed) == [TripClosed(1, -40.0)]
    assert len(rig.wire.placed) == 2


def test_a_stop_that_was_hit_ends_what_is_left_of_the_entry(rig):
    rig.wire.fills = [LOT]
    rig.start()
    rig.enter(lots=3)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.fill(rig.wire.orders_of("stop")[0], LOT)
    rig.wait(lambda: closed(rig))
    (entry,) = rig.wire.orders_of("market")
    assert (entry.state, entry.filled) == ("cancelled", LOT)


def test_an_entry_that_rests_is_cancelled_and_not_chased(rig):
    rig.wire.fills = [0]
    rig.start()
    rig.enter()
    rig.wait(lambda: closed(rig))
    assert len(rig.wire.placed) == 1
    assert rig.wire.exchange.position == 0


def test_a_market_exit_that_rests_is_replaced_after_its_cancel(rig):
    rig.wire.fills = [None, 0, LOT, None]
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: rig.desk.state.position == 2 * LOT)
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    exits = rig.wire.orders_of("market")[1:]
    assert [order.request.size for order in exits] == [-2 * LOT, -2 * LOT, -LOT]
    assert [order.state for order in exits] == ["cancelled", "cancelled", "complete"]
    assert rig.wire.worst_overlap == 0


def test_an_order_above_the_freeze_quantity_goes_in_slices(rig):
    rig.start()
    rig.enter(lots=60)
    rig.wait(lambda: rig.desk.state.position == 60 * LOT)
    assert [order.request.size // LOT for order in rig.wire.orders_of("market")] == [27, 27, 6]
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    assert max(abs(request.size) for request in rig.wire.placed) == 27 * LOT
    assert rig.wire.worst_overlap == 0


# -- answers that do not come --------------------------------------------------------------------------


def test_an_entry_whose_answer_is_lost_is_found_by_its_tag(rig):
    rig.wire.lost_answers = 1
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert len(rig.wire.orders_of("market")) == 1


def test_every_answer_lost_still_ends_flat_with_one_order_for_each_intent(rig):
    rig.wire.lost_answers = 100
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: rig.desk.state.position == 2 * LOT and not rig.desk.state.unresolved)
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    assert len(rig.wire.placed) == len(rig.facts(Intent)) == 3


def test_an_order_that_the_book_hides_is_waited_for_then_given_up_then_found(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.lost_answers = 1
    rig.wire.fills = [0]
    rig.wire.hidden = {"900000"}
    rig.start()
    rig.enter()
    rig.wait(lambda: bool(rig.facts(NotFound)))
    rig.wait(lambda: closed(rig))
    assert len(rig.wire.placed) == 1
    rig.wire.hidden = set()  # it appears after all, and still works: it is taken back
    rig.desk.resync("late row")
    rig.wait(lambda: rig.wire.orders_of("market")[0].state == "cancelled")
    assert rig.end()


def test_while_an_order_is_unresolved_no_entry_is_sent(rig):
    rig.wire.lost_answers, rig.wire.fills, rig.wire.hidden = 1, [0], {"900000"}
    rig.start()
    rig.enter()
    rig.wait(lambda: bool(rig.desk.state.unresolved) and "unresolved" in rig.desk.obstacle)
    rig.enter(trip=2)
    rig.wait(lambda: bool(rig.facts(EntryDenied)))
    assert len(rig.wire.placed) == 1


# -- refusals ------------------------------------------------------------------------------------------


def test_a_refused_entry_ends_its_trip(rig):
    rig.wire.refusals = [OrderRefusedError("RMS: margin exceeds")]
    rig.start()
    rig.enter()
    rig.wait(lambda: closed(rig))
    assert not rig.wire.placed
    assert rig.facts(Refused)[0].reason == "RMS: margin exceeds"


def test_a_refused_stop_means_leaving_at_market(rig):
    rig.start()
    rig.wire.place, place = (lambda request: refuse_stop(place, request)), rig.wire.place
    rig.enter()
    rig.wait(lambda: closed(rig))
    assert rig.facts(ExitWanted)[0].reason == "stop"
    assert rig.wire.exchange.position == 0


def test_a_refused_stop_does_not_delay_the_exit_at_market(rig):
    rig.start()
    rig.wire.place, place = (lambda request: refuse_stop(place, request)), rig.wire.place
    rig.enter()
    rig.wait(lambda: closed(rig))
    assert rig.desk._watch._no_exit_before == 0.0


def refuse_stop(place, request):
    if request.kind == "stop":
        raise OrderRefusedError("trigger price is above the last price")
    return place(request)


@pytest.mark.parametrize("error", [NotNowError("429"), OrderRefusedError("price band")])
def test_a_refused_exit_is_tried_again_later(rig, error):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.refusals = [error]
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    assert rig.wire.exchange.position == 0


def test_a_cancel_that_is_refused_is_tried_again(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.cancel_errors = [OrderRefusedError("being processed")]
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    assert rig.wire.worst_overlap == 0


def test_a_dead_session_stops_all_calls_until_a_new_login(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    calls = []
    rig.wire.cancel, cancel = (lambda order_id: dead(calls, order_id)), rig.wire.cancel
    rig.desk.leave("square_off")
    rig.wait(lambda: "dead" in rig.desk.obstacle)
    rig.desk.resync("anything")
    rig.wait(rig.desk._inbox.empty)
    assert len(calls) == 1
    assert rig.wire.orders_of("stop")[0].state == "waiting"  # the protection stays
    rig.wire.cancel = cancel
    rig.desk.session_renewed()
    rig.wait(lambda: closed(rig))
    assert rig.wire.exchange.position == 0


def dead(calls, order_id):
    calls.append(order_id)
    raise SessionDeadError("token is invalid or has expired")


# -- others in the account -----------------------------------------------------------------------------


def test_a_foreign_position_at_the_start_stops_entries_until_it_is_accepted(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.exchange.foreign = 130
    rig.start()
    rig.wait(lambda: rig.desk.obstacle.startswith("halted"))
    assert rig.facts(Halted)
    rig.restart()
    rig.wait(lambda: rig.desk.obstacle.startswith("halted"))
    assert len(rig.facts(Halted)) == 1
    rig.restart(accept_foreign=True)
    assert rig.facts(Resumed)
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert rig.end()
    assert rig.wire.exchange.position == 0


def test_a_position_that_somebody_else_closed_takes_its_stop_along(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wait(lambda: rig.desk.state.orders[rig.desk.state.trips[1].exits[0].tag].book_state == "waiting")
    rig.wire.exchange.foreign = -LOT
    rig.desk.resync("a look")
    rig.wait(lambda: rig.wire.orders_of("stop")[0].state == "cancelled")
    assert rig.facts(TakenOver) == [TakenOver(1, LOT, 0)]
    rig.wait(lambda: rig.desk.obstacle.startswith("halted"))
    assert len(rig.wire.placed) == 2


def test_a_failed_read_is_not_an_empty_book(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.read_errors = [BrokerError("timed out")] * 3
    rig.desk.resync("a look")
    rig.wait(lambda: not rig.wire.read_errors)
    assert not rig.facts(TakenOver)
    assert rig.desk.state.position == LOT


def test_a_book_that_cannot_be_read_at_the_start_means_no_start(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.read_errors = [BrokerError("no answer")]
    with pytest.raises(BrokerError, match="no answer"):
        rig.start()
    assert rig.desk.obstacle


# -- end and restart -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flatten", [True, False])
def test_shutting_down_flattens_or_keeps_the_protected_position(tmp_path, flatten):
    rig = DeskRig(tmp_path)
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    assert rig.end(flatten=flatten)
    assert rig.wire.exchange.position == (0 if flatten else 2 * LOT)
    assert rig.wire.exchange.exits_at_work == abs(rig.wire.exchange.position)


def test_a_position_is_not_left_while_its_stop_is_being_cancelled(tmp_path):
    rig = DeskRig(tmp_path)
    cancelled = []
    rig.wire.cancel, cancel = cancelled.append, rig.wire.cancel
    rig.start()
    rig.enter()
    rig.wait(lambda: rig.desk.watched is not None)
    rig.desk.on_price(25_075.0)
    rig.wait(lambda: bool(cancelled))  # taken for processing, not done
    rig.desk._inbox.put(Shutdown(0.0, flatten=False, reason="keep"))
    rig.desk.resync("a turn of the desk, and a look")
    rig.wait(rig.desk._inbox.empty)
    cancel(cancelled[0])
    assert rig.end(flatten=False)
    assert rig.wire.exchange.position == rig.wire.exchange.exits_at_work == 0


def test_a_stop_that_the_book_does_not_show_yet_is_no_protection_to_leave_a_position_with(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.hidden = {"900001"}
    rig.start()
    rig.enter()
    rig.wait(lambda: [order.stage for order in rig.desk.state.orders.values()] == ["known", "known"])
    assert not rig.desk.shut_down(flatten=False, reason="keep", timeout_seconds=0.5)
    rig.journal.close()


def test_a_restart_protects_what_filled_while_nobody_looked(tmp_path):
    rig = DeskRig(tmp_path)
    rig.wire.fills = [0]
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: len(rig.wire.placed) == 1)
    rig.crash()
    rig.wire.exchange.fill(rig.wire.orders_of("market")[0], LOT)
    rig.desk = rig._make()
    rig.start()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wait(lambda: rig.wire.orders_of("market")[0].state == "cancelled")  # its moment is over
    assert rig.wire.orders_of("stop")[0].request.size == -LOT
    assert len(rig.facts(EntryDecided)) == 1
    assert rig.end()


def test_an_intent_that_was_never_sent_is_dropped(tmp_path):
    rig = DeskRig(tmp_path)
    rig.desk._record(OPENED)
    signal = TIME.replace(tzinfo=None)
    decided = EntryDecided(1, LOT, 25_000.0, 24_950.0, 25_075.0, signal, 0.6)
    rig.desk._record(decided, Intent("mutest00000001", 1, "entry", LOT, "market", 0.0, 25_000.0))
    rig.restart()
    rig.wait(lambda: closed(rig))
    assert not rig.wire.placed
    before = rig.facts()
    rig.restart()
    assert rig.facts() == before
    assert rig.end()


def test_a_journal_of_another_day_is_refused(tmp_path):
    rig = DeskRig(tmp_path)
    rig.desk._record(OPENED)
    with pytest.raises(BrokerError, match="belongs to"):
        rig.desk.start(OPENED._replace(day=dt.date(2026, 11, 23)))


def test_a_second_writer_of_one_journal_is_refused(rig):
    with pytest.raises(BrokerError, match="in use"):
        DeskRig(rig.path.parent, rig.wire)


def test_every_order_is_written_down_before_it_leaves(rig):
    rig.start()
    seen = []
    rig.wire.place, place = (lambda request: note(rig, seen, place, request)), rig.wire.place
    rig.enter()
    rig.wait(lambda: len(seen) == 2)
    assert all(seen)


def note(rig, seen, place, request):
    seen.append(request.tag in {fact.tag for fact in rig.facts(Sent)})
    return place(request)


# -- found by a review ---------------------------------------------------------------------------------


def test_exits_that_are_rejected_after_they_were_taken_are_not_repeated_at_once(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.rejects_markets = True
    rig.desk.leave("square_off")
    rig.wait(lambda: len(rig.wire.orders_of("market")) >= 2)
    rig.wait(lambda: rig.desk._watch._refusals >= 2)
    assert len(rig.wire.orders_of("market")) <= 4  # 1 and 2 seconds apart, not as fast as the answers come
    rig.wire.rejects_markets = False
    rig.wait(lambda: closed(rig))
    assert rig.wire.exchange.position == 0


def test_a_part_that_was_closed_by_hand_leaves_the_rest_ours_and_protected(rig):
    rig.start()
    rig.enter(lots=3)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.exchange.foreign = -LOT
    rig.wait(lambda: bool(rig.facts(TakenOver)))
    rig.wait(lambda: rig.wire.exchange.exits_at_work == 2 * LOT)
    assert rig.desk.state.position == 2 * LOT
    assert f"{2 * LOT:+d}" in rig.desk.open_position
    rig.desk.leave("square_off")
    rig.wait(lambda: closed(rig))
    assert rig.wire.exchange.position + rig.wire.exchange.foreign == 0
    assert math.isnan(rig.facts(TripClosed)[0].net_pnl)


def test_a_stop_that_fills_although_its_position_was_closed_by_hand_is_made_good(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.cancel_errors = [OrderRefusedError("being processed")] * 3
    rig.wire.exchange.foreign = -LOT
    rig.wait(lambda: bool(rig.facts(TakenOver)))
    rig.wire.fill(rig.wire.orders_of("stop")[0], LOT)
    rig.wait(lambda: closed(rig))
    assert rig.wire.exchange.position + rig.wire.exchange.foreign == 0


def test_positions_that_lag_for_a_moment_are_not_believed(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wire.stale_positions = [[], []]
    rig.desk.resync("a look")
    rig.wait(lambda: not rig.wire.stale_positions)
    rig.wait(lambda: not rig.desk._watch.differs)
    assert not rig.facts(TakenOver, Halted)
    assert rig.wire.exchange.exits_at_work == LOT


def test_a_book_that_cannot_be_read_stops_entries_and_is_not_asked_in_a_storm(rig):
    rig.start()
    rig.wire.read_errors = [BrokerError("away")] * 1000
    rig.wait(lambda: "could not be read" in rig.desk.obstacle)
    assert len(rig.wire.read_errors) > 990


def test_a_journal_that_cannot_be_written_has_the_position_left(tmp_path):
    rig = DeskRig(tmp_path)
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.journal._database.execute("PRAGMA query_only=ON")
    rig.desk.leave("square_off")
    rig.wait(lambda: rig.wire.exchange.position == 0)
    assert isinstance(rig.desk.failure, JournalError)
    assert "cannot be written" in rig.desk.obstacle
    assert rig.end()
    assert rig.wire.exchange.exits_at_work == 0


def test_a_target_that_was_touched_while_the_session_was_dead_is_not_taken_later(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: rig.desk.watched is not None)
    rig.desk._inbox.put(Resync(0.0, "dead"))
    rig.wire.read_errors = [SessionDeadError("token")]
    rig.wait(lambda: "dead" in rig.desk.obstacle)
    rig.desk.on_price(25_080.0)
    rig.desk.on_price(25_000.0)
    rig.desk.session_renewed()
    rig.wait(lambda: rig.desk.obstacle.startswith("one position"))
    assert not rig.facts(ExitWanted)


def test_a_price_beyond_the_stop_has_the_book_read(tmp_path):
    rig = DeskRig(tmp_path, patience=replace(QUICK, resync_seconds=60.0))
    rig.start()
    rig.enter()
    rig.wait(lambda: rig.desk.watched is not None and len(rig.wire.orders_of("stop")) == 1)
    rig.wait(lambda: rig.desk.state.trips[1].exits[0].book_state == "waiting")
    stop = rig.wire.orders_of("stop")[0]
    stop.state = "open"  # triggered, and nobody is told
    rig.desk.on_price(24_949.9)
    rig.wait(lambda: rig.desk.state.trips[1].exits[0].book_state == "open")
    assert rig.end()


def test_how_long_an_order_took_is_known_even_where_an_update_was_quicker(rig):
    rig.start()
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    rig.wait(
        lambda: (
            {fact.tag for fact in rig.facts(Acknowledged) if not math.isnan(fact.wire_ms)}
            == {request.tag for request in rig.wire.placed}
        )
    )


def test_a_refusal_of_the_old_login_that_is_heard_after_the_new_one_changes_nothing(rig):
    rig.start()
    heard = time.perf_counter()
    rig.desk.session_renewed()
    rig.desk._inbox.put(BookRead(heard, 0.0, SessionDeadError("the old token")))
    rig.wait(rig.desk._inbox.empty)
    rig.enter()
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
