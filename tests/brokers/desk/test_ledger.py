"""The ledger: the same rows give the same account, live and after a restart."""

from __future__ import annotations

import pytest

from brokers.desk.facts import EntryDenied, TripClosed
from brokers.desk.ledger import Ledger
from brokers.journal import Journal
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
