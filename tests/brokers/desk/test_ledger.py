"""The ledger: the same rows give the same account, live and after a restart."""

from __future__ import annotations

import json
import math

import pytest

from brokers.desk.facts import (
    Acknowledged,
    DayOpened,
    EntryDecided,
    EntryDenied,
    ExitWanted,
    Filled,
    Intent,
    Sent,
    TakenOver,
    TripClosed,
    fact_from_json,
    fact_to_json,
)
from brokers.desk.journal_file import JournalRow
from brokers.desk.ledger import Ledger
from brokers.journal import Journal
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.gate import RiskGate
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.wire_model import LOT, DeskRig


def booked(rows):
    journal, gate = Journal(), RiskGate([], 0.0)
    ledger = Ledger(journal, gate, "NIFTY")
    for row in rows:
        ledger.apply(row)
    return ledger, journal, gate


@pytest.fixture
def rows(tmp_path):
    rig = DeskRig(tmp_path)
    rig.start()
    rig.enter(lots=2)
    rig.wait(lambda: len(rig.wire.orders_of("stop")) == 1)
    denied = EntryDenied(LOT, 25_000.0, TIME.replace(tzinfo=None), 0.6, "max_trades", "10 entries today")
    rig.desk.deny(denied)
    rig.desk.leave("square_off")
    rig.wait(lambda: bool(rig.facts(TripClosed)))
    rig.end()
    return rig.rows()


def test_counters_cash_and_records_follow_from_the_rows(rows):
    ledger, journal, gate = booked(rows)
    assert ledger.position.size == 0
    assert ledger.cash == 1_000_000.0 - 40.0  # two fills at one price, 20 rupees of charges each
    assert (gate.state.entries_today, gate.state.consecutive_losses) == (1, 1)
    assert gate.state.cash == ledger.cash
    assert [(fill.role, fill.size) for fill in journal.fills] == [("entry", 130.0), ("square_off", -130.0)]
    assert [context.trade_id for context in journal.contexts] == [1]
    by_order = {}
    for event in journal.events:
        by_order.setdefault(event.order_id, []).append(event.state)
    assert by_order[1][0] == "submitted"
    assert by_order[1][-1] == "completed"
    assert by_order[2][-1] == "canceled"
    assert by_order[3][-1] == "completed"
    assert by_order[0] == ["denied"]


@pytest.mark.parametrize("cut", [0.25, 0.5, 0.75])
def test_reading_in_two_parts_gives_the_same(rows, cut):
    whole, journal, gate = booked(rows)
    place = int(cut * len(rows))
    parts, parts_journal, parts_gate = booked(rows[:place])
    for row in rows[place:]:
        parts.apply(row)
    assert parts.cash == whole.cash
    assert parts_gate.state == gate.state
    assert parts_journal.fills == journal.fills
    assert parts_journal.events == journal.events


def rows_of(*facts):
    return [JournalRow(number, TIME, fact) for number, fact in enumerate(facts, start=1)]


def a_trip(*then):
    signal = TIME.replace(tzinfo=None)
    return rows_of(
        DayOpened(TIME.date(), "X", "MIS", 1e6, "mutest0000"),
        EntryDecided(1, LOT, 25_000.0, 24_950.0, 25_075.0, signal, 0.6),
        Intent("a", 1, "entry", LOT, "market", 0.0, 25_000.0),
        Sent("a"),
        Acknowledged("a", "1"),
        Filled("a", "t1", LOT, 25_000.0, TIME, 20.0),
        *then,
    )


def test_whose_entry_it_was_stands_in_the_journal_and_not_in_older_ones():
    decided = EntryDecided(1, LOT, 25_000.0, 24_950.0, 25_075.0, TIME.replace(tzinfo=None), 0.6, arm="a")
    kind, text = fact_to_json(decided)
    assert fact_from_json(kind, text) == decided
    older = {name: value for name, value in json.loads(text).items() if name != "arm"}
    assert fact_from_json(kind, json.dumps(older)) == decided._replace(arm="")
    rows = [row._replace(fact=decided) if isinstance(row.fact, EntryDecided) else row for row in a_trip()]
    for given_rows, arm in ((rows, "a"), (a_trip(), "")):
        ledger = Ledger(Journal(), RiskGate([], 0.0), "NIFTY")
        for row in given_rows:
            ledger.apply(row)
        assert [context.arm for context in ledger.journal.contexts] == [arm]


def test_a_limit_that_flattened_ends_the_day_after_a_restart_too():
    journal, gate = Journal(), RiskGate([DailyLoss(2.0, None)], 0.0)
    ledger = Ledger(journal, gate, "NIFTY")
    for row in a_trip(ExitWanted(1, "daily_loss", "2 percent are lost")):
        ledger.apply(row)
    assert (gate.state.halted_by, gate.state.halted) == ("daily_loss", "2 percent are lost")


def test_an_exit_for_another_reason_ends_no_day():
    _, _, gate = booked(a_trip(ExitWanted(1, "square_off")))
    assert gate.state.halted_by == ""


def test_units_that_somebody_else_closed_are_let_go_without_a_profit_of_ours():
    ledger, journal, gate = booked(a_trip(TakenOver(1, LOT, 0), TripClosed(1, math.nan)))
    assert (ledger.position.size, gate.state.open_size) == (0, 0)
    assert ledger.cash == 1e6 - 20.0
    assert gate.state.consecutive_losses == 0
    assert len(journal.fills) == 1  # the trade stays open in the report: what it earned is not known


def test_how_long_an_order_took_makes_no_second_event():
    _, journal, _ = booked(a_trip(Acknowledged("a", "1", 3.0, 4.0)))
    assert [event.state for event in journal.events].count("accepted") == 1


def test_a_stop_that_moved_and_an_entry_that_was_triggered_stand_in_the_journal(tmp_path):
    rig = DeskRig(tmp_path)
    rig.start()
    rig.enter(kind="stop_limit", price=25_010.0, limit=25_014.0)
    rig.wait(lambda: bool(rig.wire.orders_of("stop_limit")))
    entry = rig.wire.orders_of("stop_limit")[0]
    with rig.wire.lock:
        entry.state = "open"
    rig.wait(lambda: rig.desk.state.trips[1].entries[0].book_state == "open")
    rig.wire.fill(entry, LOT)
    rig.wait(lambda: rig.desk.state.trips[1].is_protected)
    rig.desk.move_stop(1, 24_980.0)
    rig.wait(lambda: rig.desk.state.trips[1].stop_is_set and rig.desk.state.trips[1].is_protected)
    rig.end(flatten=False)
    _, journal, _ = booked(rig.rows())
    told = [(event.role, event.kind, event.state, event.price) for event in journal.events]
    assert ("entry", "stop_limit", "triggered", 25_010.0) in told
    assert ("stop", "stop", "moved", 24_980.0) in told
