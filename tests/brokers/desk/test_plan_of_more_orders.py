"""The promises of the plan with stops that move and targets in parts, where changes are lost or late."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from brokers.desk.facts import (
    CancelFailed,
    ChangeFailed,
    ChangeSent,
    EntryWithdrawn,
    ExitWanted,
    NotFound,
    StopMoved,
    Target,
    TargetReached,
)
from brokers.desk.plan import Change
from brokers.reconcile import facts_of_rows
from tests.brokers.desk.exchange_model import ModelExchange
from tests.brokers.desk.test_plan_properties import LOT, Bot, take

STEPS = (
    "fill", "partial", "read", "read", "push", "lose", "crash", "leave", "target", "impatient", "refuse",
    "level", "level", "move", "move", "withdraw", "give_up", "arrive",
)  # fmt: skip
FATES = ("done", "done", "lost after", "lost before", "late", "refused")


class ScalingBot(Bot):
    """A bot whose trip has targets in parts; each change meets the next of its fates."""

    def __init__(self, exchange: ModelExchange, lots: int, side: int, shares: list[int]) -> None:
        self.fates: list[str] = []
        self.late: list[tuple[str, int, float]] = []
        super().__init__(exchange, lots, side)
        trip = self.state.trips[1]
        last = max(1, lots - sum(shares))
        targets = tuple(
            Target(share * LOT, 25_000.0 + side * (20 + 10 * level))
            for level, share in enumerate([*shares, last])
        )
        trip.decided = self.facts[1] = trip.decided._replace(targets=targets)

    def do(self, action) -> None:
        if not isinstance(action, Change):
            super().do(action)
            return
        order = self.state.orders[action.tag]
        assert order.change is None, "changed again while nobody knows what became of the last change"
        sign = 1 if order.intent.size > 0 else -1
        self.record(ChangeSent(*action))
        change = (order.order_id, sign * action.units, action.price)
        fate = self.fates.pop(0) if self.fates else "done"
        if fate == "late":
            self.late.append(change)
        elif fate == "refused" or (fate != "lost before" and not self.exchange.modify(*change)):
            self.record(ChangeFailed(action.tag, "being processed"))
            self.read()
        elif fate == "done":
            self.read()

    def check(self) -> None:
        super().check()
        trip = self.state.trips[1]
        due = sum(target.units for target in trip.targets[: trip.levels])
        taken = sum(
            order.filled
            for order in self.exchange.orders
            if self.state.orders[order.request.tag].intent.role == "target"
        )
        assert trip.exit_reason == "target" or taken <= due

    def act(self) -> None:
        super().act()
        trip = self.state.trips[1]
        for order in trip.entries if trip.withdrawn else ():
            assert order.over or order.cancel_sent or order.stage != "known" or order.book_state == "pending"

    def give_up(self) -> None:
        """Say of each change that the book does not show what the desk says after some seconds."""
        self.read()
        for order in list(self.state.orders.values()):
            if order.change is not None and order.book_state != "pending":
                self.record(ChangeFailed(order.tag, "the book shows it as it was"))


def take_more(bot: ScalingBot, exchange: ModelExchange, step: str, which: int, units: int) -> None:
    trip = bot.state.trips[1]
    free = not trip.exit_reason and not trip.closed
    match step:
        case "push":
            bot.record(*facts_of_rows(bot.state, exchange.rows()))
        case "level" if free and trip.position and trip.levels < len(trip.targets) - 1:
            bot.record(TargetReached(1, trip.levels + 1))
        case "move" if free:
            price = trip.stop_price + trip.side * (1 + which)
            bot.record(StopMoved(1, price))
        case "withdraw" if free and any(not order.over for order in trip.entries):
            bot.record(EntryWithdrawn(1))
        case "give_up":
            bot.give_up()
        case "arrive":
            arrive(bot, exchange)
        case _:
            take(bot, exchange, step, which, units)


def arrive(bot: ScalingBot, exchange: ModelExchange) -> None:
    late, bot.late = bot.late, []
    for change in late:
        exchange.modify(*change)


def settle(bot: ScalingBot, exchange: ModelExchange) -> None:
    bot.answers_get_lost = bot.refuses = False
    for _ in range(60):
        before = len(bot.facts)
        arrive(bot, exchange)
        for order in exchange.orders:
            if order.works and order.request.kind != "stop":
                exchange.fill(order, 10**6)
        bot.read()
        bot.give_up()
        for order in bot.state.unresolved:
            bot.record(NotFound(order.tag))
        for order in list(bot.state.orders.values()):
            if order.cancel_sent and order.exposure:
                bot.record(CancelFailed(order.tag, "no effect"))
        bot.act()
        bot.check()
        if len(bot.facts) == before:
            return
    raise AssertionError("it never settles")


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    lots=st.integers(2, 60),
    side=st.sampled_from([1, -1]),
    shares=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    fates=st.lists(st.sampled_from(FATES), max_size=12),
    first=st.sampled_from([("fill", "read"), ("partial", "read"), ()]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(1, 40)), max_size=30),
)
@example(  # a change that was given up arrives after a newer one
    lots=2,
    side=1,
    shares=[1],
    fates=["late"],
    first=("fill", "read"),
    steps=[("move", 0, 1), ("give_up", 0, 1), ("move", 0, 1), ("give_up", 0, 1)],
)
@example(  # a stop of two slices shrinks, and nobody knows whether it has
    lots=30, side=1, shares=[10], fates=["late"], first=("fill", "read"), steps=[("level", 0, 1)]
)
def test_exits_never_exceed_the_position_whatever_becomes_of_changes(lots, side, shares, fates, first, steps):
    exchange = ModelExchange()
    bot = ScalingBot(exchange, lots, side, shares)
    bot.fates = list(fates)
    for step, which, units in [*((step, 0, 10) for step in first), *steps]:
        take_more(bot, exchange, step, which, units)
        bot.check()
        bot.act()
        bot.check()
    settle(bot, exchange)
    position = exchange.position
    trip = bot.state.trips[1]
    assert bot.state.position == position
    assert exchange.exits_at_work == abs(position)  # protected for what is held, or nothing rests
    assert trip.closed == (position == 0)
    if position:
        assert not trip.exit_reason
        assert not trip.leaving_units
        waiting = {order.price for order in exchange.orders if order.state == "waiting"}
        assert waiting <= {trip.stop_price}  # one that is filling was triggered where it was
    _restart_changes_nothing(bot, exchange)


def _restart_changes_nothing(bot: ScalingBot, exchange: ModelExchange) -> None:
    bot.restart()
    bot.act()
    settle(bot, exchange)
    facts, orders = list(bot.facts), len(exchange.orders)
    bot.restart()
    bot.act()
    assert bot.facts == facts
    assert len(exchange.orders) == orders


def test_a_target_and_a_wish_to_leave_take_everything_once():
    exchange = ModelExchange()
    bot = ScalingBot(exchange, 4, 1, [1])
    for step in ("fill", "read", "level"):
        take_more(bot, exchange, step, 0, 1)
        bot.act()
    bot.record(ExitWanted(1, "square_off"))
    bot.act()
    settle(bot, exchange)
    assert exchange.position == exchange.exits_at_work == 0
    assert sum(abs(trade.size) for trade in exchange.trades) == 8 * LOT


def test_stops_make_room_for_more_target_orders_than_are_due():
    """One that was believed lost turns up beside the one that was sent in its place: both may fill."""
    exchange = ModelExchange()
    bot = ScalingBot(exchange, 4, 1, [1])
    for step in ("fill", "read"):
        take_more(bot, exchange, step, 0, 10)
    bot.act()
    bot.read()
    bot.check = lambda: None  # for a moment more is at work than is held: nobody can know
    bot.answers_get_lost = True
    take_more(bot, exchange, "level", 0, 1)
    bot.act()
    (lost,) = bot.state.unresolved
    bot.record(NotFound(lost.tag))
    bot.act()
    targets = [
        order for order in exchange.orders if bot.state.orders[order.request.tag].intent.role == "target"
    ]
    assert [order.remaining for order in targets] == [LOT, LOT]
    bot.read()
    bot.act()
    assert exchange.exits_at_work == 4 * LOT
    assert [order.remaining for order in exchange.orders if order.state == "waiting"] == [2 * LOT]
    settle(bot, exchange)
    assert exchange.exits_at_work == exchange.position == 2 * LOT
