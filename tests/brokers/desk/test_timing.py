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


def test_refusals_of_exits_that_were_on_their_way_together_lengthen_the_pause_once():
    watch = Watch(PATIENCE)
    assert watch.exit_refused(10.0) == 1.0
    assert watch.exit_refused(10.25) == 0.75
    assert watch.exit_refused(10.5) == 0.5
    assert not watch.may_exit(10.9)
    assert watch.may_exit(11.0)
    assert watch.exit_refused(11.0) == 2.0
    assert watch.exit_refused(13.5) == 4.0
