"""What the desk's watch takes for too long."""

from __future__ import annotations

from brokers.desk.facts import Intent
from brokers.desk.state import DeskOrder
from brokers.desk.timing import Patience, Watch

PATIENCE = Patience(exit_seconds=3.0)


def stop_order(state: str) -> DeskOrder:
    intent = Intent("mutest00000002", 1, "stop", -65, "stop", 24_950.0, 24_950.0)
    return DeskOrder(intent, 2, stage="known", order_id="900001", book_state=state)


def test_a_stop_is_given_its_patience_from_when_it_was_triggered():
    watch, order = Watch(PATIENCE), stop_order("pending")
    watch.observe([order], 0.0)
    order.book_state = "waiting"
    watch.observe([order], 1.0)
    order.book_state = "open"
    watch.observe([order], 600.0)
    assert watch.impatient([order], 602.9) == set()
    assert watch.impatient([order], 603.0) == {order.tag}
