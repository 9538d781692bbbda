"""What a strategy may rely on, whoever the broker is: the same scenarios on every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from brokers.kite.settings import KiteSettings
from brokers.kite.store import KiteStore
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from brokers.upstox.settings import UpstoxSettings
from brokers.upstox.store import UpstoxStore
from feeds.log import NullLog
from tests.brokers.sandbox_server.support import PRICE, at, config_of
from tests.contract.broker_rigs import (
    FREEZE_LOTS,
    LOT,
    STOP_POINTS,
    TARGET_POINTS,
    ExchangeRig,
    KiteRig,
    SimulatedRig,
    UpstoxRig,
)

Make = Callable[..., Any]

pytestmark = pytest.mark.slow

SIDES = pytest.mark.parametrize("side", [1, -1], ids=["long", "short"])


def sandbox_config(*, cash: float = 1e7, partial: bool = False, **exchange: Any):
    rules = {
        "cash": cash, "partial_fill_probability": 1.0 if partial else 0.0, "latency_ms": 5.0,
        "fill_latency_ms": 5.0, "idle_fill_ms": 1e9 if partial else 200.0, "seed": 3, **exchange,
    }  # fmt: skip
    return config_of(exchange=rules, start="now", clock_start=at("10:03"), speed=20.0)


@contextmanager
def kite_rig(folder: Path, **options: Any) -> Iterator[ExchangeRig]:
    with SandboxServer(sandbox_config(**options)) as server:
        server.trade(PRICE)
        settings = KiteSettings(api_root=server.api_root, ticker_root=server.ticker_root)
        store = KiteStore(settings, server.api_key, server.access_token, NullLog())
        rig = KiteRig(server, store, folder, cash=options.get("cash", 1e7)).start()
        yield rig
        rig.end()


@contextmanager
def upstox_rig(folder: Path, **options: Any) -> Iterator[ExchangeRig]:
    with SandboxServer(sandbox_config(**options)) as server:
        server.trade(PRICE)
        settings = UpstoxSettings(
            api_root=server.api_root, order_root=server.api_root, instruments_url=server.instruments_url
        )
        store = UpstoxStore(settings, server.access_token, NullLog())
        rig = UpstoxRig(server, store, folder, cash=options.get("cash", 1e7)).start()
        yield rig
        rig.end()


@contextmanager
def simulated_rig(folder: Path, **options: Any) -> Iterator[SimulatedRig]:
    rig = SimulatedRig(**options)
    yield rig
    rig.end()


EXCHANGES = {"kite": kite_rig, "upstox": upstox_rig}
BROKERS = {"simulated": simulated_rig, **EXCHANGES}


@pytest.fixture(params=BROKERS)
def make(request, tmp_path) -> Iterator[Make]:
    """Return what makes a rig of each broker; it is ended with the test."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(BROKERS[request.param](tmp_path / "account", **options))


@pytest.fixture(params=EXCHANGES)
def make_live(request, tmp_path) -> Iterator[Make]:
    """As ``make``, for the brokers at an exchange."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(EXCHANGES[request.param](tmp_path / "account", **options))


# -- every broker --------------------------------------------------------------------------------


@SIDES
def test_an_entry_from_flat_is_held_and_protected_for_exactly_its_units(make, side):
    rig = make()
    rig.enter(side, lots=2)
    rig.settle()
    assert rig.position == side * 2 * LOT
    assert rig.protected == rig.exits == 2 * LOT
    assert ("entry", "Completed") in rig.told


@SIDES
def test_leaving_closes_everything_and_leaves_nothing_working(make, side):
    rig = make()
    rig.enter(side)
    rig.settle()
    rig.leave()
    rig.settle()
    assert (rig.position, rig.protected, rig.exits) == (0, 0, 0)
    assert ("signal", "Completed") in rig.told


@SIDES
def test_a_position_is_reversed_by_leaving_and_entering_the_other_side(make, side):
    rig = make()
    rig.enter(side)
    rig.settle()
    rig.leave()
    rig.settle()
    rig.enter(-side, lots=3)
    rig.settle()
    assert rig.position == -side * 3 * LOT
    assert rig.protected == rig.exits == 3 * LOT


@SIDES
def test_a_stop_that_is_reached_closes_the_position_at_a_loss(make, side):
    rig = make()
    before = rig.cash
    rig.enter(side)
    rig.settle()
    rig.close_at(-side * (STOP_POINTS + 10))
    assert (rig.position, rig.exits) == (0, 0)
    assert rig.cash < before - STOP_POINTS * LOT


@SIDES
def test_a_target_that_is_reached_closes_the_position_at_a_profit(make, side):
    rig = make()
    before = rig.cash
    rig.enter(side)
    rig.settle()
    rig.close_at(side * (TARGET_POINTS + 10))
    assert (rig.position, rig.exits) == (0, 0)
    assert rig.cash > before + (TARGET_POINTS - 10) * LOT


def test_charges_are_paid_for_both_sides_of_a_trade(make):
    rig = make()
    before = rig.cash
    rig.enter(1)
    rig.settle()
    paid = before - rig.cash
    rig.leave()
    rig.settle()
    assert 0 < paid < before - rig.cash


@SIDES
def test_an_entry_that_fills_in_part_is_protected_for_the_part(make, side):
    rig = make(partial=True)
    rig.enter(side, lots=6)
    rig.settle_in_part()
    part = abs(rig.position)
    assert 0 < part < 6 * LOT
    assert rig.exits <= 6 * LOT
    rig.close_at(-side * (STOP_POINTS + 10))
    assert (rig.position, rig.exits) == (0, 0)


def test_an_entry_that_the_margin_does_not_cover_is_rejected(make):
    rig = make(cash=100_000.0)
    rig.enter(1, lots=2)
    rig.settle()
    assert (rig.position, rig.exits) == (0, 0)
    assert {status for role, status in rig.told if role == "entry"} & {"Margin", "Rejected"}


def test_a_cancel_of_a_filled_order_changes_nothing(make):
    rig = make()
    entry = rig.enter(1)
    rig.settle()
    assert not rig.cancel(entry)
    rig.settle()
    assert rig.position == LOT
    assert rig.protected == rig.exits == LOT


def test_a_second_entry_while_one_is_held_is_rejected(make):
    rig = make()
    rig.enter(1)
    rig.settle()
    rig.enter(1)
    rig.settle()
    assert rig.position == rig.protected == LOT
    assert ("entry", "Rejected") in rig.told


def test_an_exit_over_more_than_is_held_is_rejected(make):
    rig = make()
    rig.enter(1)
    rig.settle()
    rig.leave(units=2 * LOT)
    rig.settle()
    assert rig.position == rig.protected == LOT
    assert ("signal", "Rejected") in rig.told


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_an_entry_around_the_freeze_quantity_is_held_whole(make, more):
    rig = make(cash=1e9)
    rig.enter(1, lots=FREEZE_LOTS + more)
    rig.settle()
    assert rig.position == rig.protected == rig.exits == (FREEZE_LOTS + more) * LOT


@SIDES
def test_a_limit_entry_rests_until_the_price_comes_and_pays_no_more(make, side):
    rig = make()
    entry = rig.enter_at(side, -side * 20.0)
    rig.settle()
    assert (rig.position, entry.alive()) == (0, True)
    rig.move_to(-side * 21.0)
    rig.come_to_hold(side * LOT)
    assert side * entry.executed.price <= side * (PRICE - side * 20.0)
    assert rig.protected == rig.exits == LOT


@SIDES
def test_a_limit_entry_that_is_taken_back_leaves_nothing(make, side):
    rig = make()
    entry = rig.enter_at(side, -side * 20.0)
    rig.settle()
    assert rig.cancel(entry)
    rig.settle()
    rig.move_to(-side * 30.0)
    assert (rig.position, rig.exits) == (0, 0)
    assert ("entry", "Canceled") in rig.told


@SIDES
def test_a_stop_limit_entry_waits_for_its_trigger(make, side):
    rig = make()
    rig.enter_at(side, side * 20.0, stop_limit=True)
    rig.settle()
    rig.move_to(side * 10.0)
    assert rig.position == 0
    rig.move_to(side * 21.0)
    rig.move_to(side * 21.0)
    rig.come_to_hold(side * LOT)
    assert rig.protected == rig.exits == LOT


@SIDES
def test_a_stop_that_is_moved_closes_where_it_was_moved_to(make, side):
    rig = make()
    before = rig.cash
    rig.enter(side)
    rig.settle()
    rig.move_to(side * 60.0)
    assert rig.trail(side * 30.0)
    rig.come_to_hold(side * LOT)
    assert rig.protected == rig.exits == LOT
    rig.close_at(side * 25.0)
    assert (rig.position, rig.exits) == (0, 0)
    assert rig.cash > before + 20.0 * LOT - 2_000.0  # the move, less charges


@SIDES
def test_a_position_is_left_in_parts_and_the_stop_covers_what_is_left(make, side):
    rig = make()
    rig.enter_in_parts(side, 40.0, 80.0)
    rig.settle()
    assert rig.protected == 2 * LOT
    rig.move_to(side * 41.0)
    rig.come_to_hold(side * LOT)
    assert rig.protected == rig.exits == LOT
    rig.close_at(side * 90.0)
    assert (rig.position, rig.exits) == (0, 0)


# -- brokers at an exchange ----------------------------------------------------------------------


@SIDES
def test_a_stop_that_fills_while_it_is_moved_closes_once(make_live, side):
    rig = make_live()
    rig.enter(side)
    rig.settle()
    rig.move_to(side * 60.0)
    rig.server.faults.add(Fault(kind="delay", route="PUT *", seconds=0.3))
    assert rig.trail(side * 30.0)
    rig.close_at(-side * (STOP_POINTS + 10))
    rig.settle()
    assert (rig.held, rig.position, rig.working) == (0, 0, [])


def test_a_price_outside_the_band_is_refused_and_not_tried_again(make_live):
    rig = make_live()
    rig.enter_at(1, -0.2 * PRICE)
    rig.settle()
    assert (rig.position, rig.orders) == (0, [])
    assert ("entry", "Rejected") in rig.told


def test_no_order_is_larger_than_the_freeze_quantity(make_live):
    rig = make_live(cash=1e9)
    rig.enter(1, lots=2 * FREEZE_LOTS + 1)
    rig.settle()
    assert max(row["quantity"] for row in rig.orders) <= FREEZE_LOTS * LOT
    assert rig.held == rig.position == (2 * FREEZE_LOTS + 1) * LOT


def test_an_order_the_broker_refuses_is_rejected_and_not_sent_again(make_live):
    rig = make_live()
    rig.refuse_next()
    rig.enter(1)
    rig.settle()
    assert (rig.position, rig.orders) == (0, [])
    assert ("entry", "Rejected") in rig.told


def test_a_lost_answer_is_looked_up_and_the_order_is_sent_once(make_live):
    rig = make_live()
    rig.server.faults.add(Fault(kind="lost_answer"))
    rig.enter(1)
    rig.settle()
    assert rig.held == rig.position == rig.protected == LOT
    assert sum(row["transaction_type"] == "BUY" for row in rig.orders) == 1


def test_a_status_query_that_fails_concludes_nothing(make_live):
    rig = make_live()
    rig.server.faults.add(Fault(kind="lost_answer"))
    rig.fail_reads(3)
    rig.enter(1)
    rig.settle()
    assert rig.held == rig.position == rig.protected == LOT
    assert sum(row["transaction_type"] == "BUY" for row in rig.orders) == 1


@pytest.mark.parametrize("kind", ["drop_event", "duplicate_event", "late_event"])
def test_updates_that_are_lost_doubled_or_late_change_nothing(make_live, kind):
    rig = make_live()
    rig.server.faults.add(Fault(kind=kind, count=None, seconds=0.3))
    rig.enter(1, lots=2)
    rig.settle()
    assert rig.held == rig.position == rig.protected == 2 * LOT
    rig.leave()
    rig.settle()
    assert (rig.held, rig.position, rig.working) == (0, 0, [])


def test_an_order_placed_by_hand_stops_entries_until_it_is_looked_at(make_live):
    rig = make_live()
    rig.place_by_hand()
    rig.account.resync("look")
    rig.wait(lambda: bool(rig.account.obstacle))
    rig.enter(1)
    rig.settle()
    assert rig.position == 0
    assert ("entry", "Rejected") in rig.told


def test_a_dead_token_stops_entries_keeps_protection_and_a_new_login_goes_on(make_live):
    rig = make_live()
    rig.enter(1)
    rig.settle()
    rig.server.kill_token()
    rig.account.resync("look")
    rig.wait(lambda: rig.account.is_session_dead)
    assert rig.protected == LOT
    assert rig.dead
    rig.log_in_again()
    rig.wait(lambda: not rig.account.is_session_dead)
    rig.leave()
    rig.settle()
    assert (rig.held, rig.working) == (0, [])
