"""The promises of the plan, against an exchange that loses answers and lets fills race cancels."""

from __future__ import annotations

import datetime as dt

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.desk.facts import (
    Acknowledged,
    CancelFailed,
    CancelSent,
    DayOpened,
    EntryDecided,
    ExitWanted,
    Intent,
    NotFound,
    Refused,
    Sent,
    TripClosed,
    Unresolved,
)
from brokers.desk.plan import Cancel, Close, Place, plan
from brokers.desk.state import DeskState
from brokers.desk.tags import make_tag
from brokers.reconcile import never_sent, reconcile
from brokers.wire import OrderRequest
from tests.brokers.desk.exchange_model import PRODUCT, SYMBOL, TIME, ModelExchange

LOT = 65
MARK = "mutest0000"
STEPS = ("fill", "partial", "read", "read", "lose", "crash", "leave", "target", "impatient", "refuse")


class Bot:
    """The desk without threads: facts, plan, and an exchange whose answers may not arrive."""

    def __init__(self, exchange: ModelExchange, lots: int, side: int) -> None:
        self.exchange = exchange
        self.facts = []
        self.state = DeskState()
        self.answers_get_lost = self.refuses = False
        self.impatient: set[str] = set()
        self.record(DayOpened(dt.date(2026, 11, 20), SYMBOL, PRODUCT, 1e6, MARK))
        signal = TIME.replace(tzinfo=None)
        size = side * lots * LOT
        self.record(EntryDecided(1, size, 25_000.0, 25_000.0 - side * 50, 25_000.0 + side * 75, signal, 0.6))
        self.send(1, "entry", size, "market", 0.0)

    def record(self, *facts) -> None:
        for fact in facts:
            self.facts.append(fact)
            self.state.apply(fact)

    def send(self, trip: int, role: str, size: int, kind: str, price: float) -> None:
        tag = make_tag(MARK, len(self.state.orders) + 1)
        self.record(Intent(tag, trip, role, size, kind, price, price), Sent(tag))
        if self.refuses:
            self.refuses = False
            self.record(Refused(tag, "RMS: no"))
            return
        order_id = self.exchange.place(OrderRequest(tag, size, kind, price, is_exit=role != "entry"))
        self.record(Unresolved(tag, "lost") if self.answers_get_lost else Acknowledged(tag, order_id))
        self.answers_get_lost = False

    def read(self) -> None:
        self.record(*reconcile(self.state, self.exchange.book(), lambda *_: 20.0))
        self.check()

    def act(self) -> None:
        for _ in range(50):
            actions = plan(self.state, impatient=self.impatient, largest_order=27 * LOT)
            self.impatient = set()
            if not actions:
                return
            for action in actions:
                self.do(action)
                self.check()
        raise AssertionError("the plan never comes to rest")

    def do(self, action) -> None:
        match action:
            case Place():
                self.send(action.trip, action.role, action.size, action.kind, action.price)
            case Cancel():
                self.record(CancelSent(action.tag))
                order_id = self.state.orders[action.tag].order_id
                if not self.exchange.cancel(order_id):
                    self.record(CancelFailed(action.tag, "already filled"))
                    self.read()
            case Close():
                self.record(TripClosed(action.trip, self.state.trips[action.trip].net_pnl))
            case _:
                self.record(ExitWanted(action.trip, action.reason, action.detail))

    def check(self) -> None:
        """Never two exits that could both fill: at the exchange itself, not as we believe."""
        assert self.exchange.exits_at_work <= abs(self.exchange.position)
        entries = [order for order in self.exchange.orders if not order.request.is_exit]
        assert sum(abs(order.request.size) for order in entries) <= abs(self.state.trips[1].decided.size)

    def restart(self) -> None:
        self.state = DeskState(self.facts)
        self.record(*never_sent(self.state))
        self.read()
        self.impatient = {order.tag for order in self.state.orders.values() if order.intent.role == "entry"}


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    lots=st.integers(1, 60),
    side=st.sampled_from([1, -1]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(1, 40)), max_size=30),
)
def test_exits_never_exceed_the_position_and_the_end_is_flat_or_protected(lots, side, steps):
    exchange = ModelExchange()
    bot = Bot(exchange, lots, side)
    for step, which, units in steps:
        take(bot, exchange, step, which, units)
        bot.check()
        bot.act()
        bot.check()
    settle(bot, exchange)
    position = exchange.position
    assert bot.state.position == position
    assert exchange.exits_at_work == abs(position)  # protected for what is held, or nothing rests
    trip = bot.state.trips[1]
    assert trip.closed == (position == 0)
    if position:
        assert not trip.exit_reason


def take(bot: Bot, exchange: ModelExchange, step: str, which: int, units: int) -> None:
    working = [order for order in exchange.orders if order.works]
    match step:
        case "fill" if working:
            exchange.fill(working[which % len(working)], 10**6)
        case "partial" if working:
            exchange.fill(working[which % len(working)], units * LOT)
        case "read":
            bot.read()
        case "lose":
            bot.answers_get_lost = True
        case "refuse":
            bot.refuses = True
        case "crash":
            bot.restart()
        case "leave" | "target":
            trip = bot.state.trips[1]
            if trip.position and not trip.exit_reason:
                bot.record(ExitWanted(1, "square_off" if step == "leave" else "target"))
        case "impatient":
            bot.impatient = {order.tag for order in bot.state.orders.values() if order.book_state == "open"}


def settle(bot: Bot, exchange: ModelExchange) -> None:
    """Let everything arrive, and market orders fill, until nothing changes."""
    bot.answers_get_lost = bot.refuses = False
    for _ in range(60):
        before = len(bot.facts)
        for order in exchange.orders:
            if order.works and order.request.kind != "stop":
                exchange.fill(order, 10**6)
        bot.read()
        for order in bot.state.unresolved:
            bot.record(NotFound(order.tag))
        bot.act()
        if len(bot.facts) == before:
            return
    raise AssertionError("it never settles")


@settings(max_examples=100, deadline=None)
@given(
    side=st.sampled_from([1, -1]),
    steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 7), st.integers(1, 3)), max_size=20),
)
def test_a_second_restart_changes_nothing(side, steps):
    exchange = ModelExchange()
    bot = Bot(exchange, 3, side)
    for step, which, units in steps:
        take(bot, exchange, step, which, units)
        bot.act()
    settle(bot, exchange)
    bot.restart()
    bot.act()
    settle(bot, exchange)
    facts, orders = list(bot.facts), len(exchange.orders)
    bot.restart()
    bot.act()
    assert bot.facts == facts
    assert len(exchange.orders) == orders
    assert {tag: vars(order) for tag, order in DeskState(bot.facts).orders.items()} == {
        tag: vars(order) for tag, order in bot.state.orders.items()
    }
