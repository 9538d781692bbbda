"""The live broker as a strategy sees it: resting entries, moved stops, targets in parts, and a restart."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from types import SimpleNamespace

import backtrader as bt
import pytest

from brokers.desk.desk import OrderDesk
from brokers.desk.facts import EntryDecided, EntryDenied, EntryWithdrawn, ExitWanted, StopMoved, Target
from brokers.desk.journal_file import JournalFile
from brokers.desk.ledger import Ledger
from brokers.desk.view import DeskContract
from brokers.journal import Journal
from brokers.live_broker import LiveBroker
from brokers.risk.account import AccountSeat
from brokers.risk.exposure import Exposure
from brokers.risk.gate import RiskGate
from brokers.risk.pause import Pause
from feeds.clock import ReplayClock
from feeds.errors import BrokerError
from feeds.log import NullLog
from feeds.terms import ContractTerms
from tests.brokers.desk.exchange_model import PRODUCT, SYMBOL, TIME
from tests.brokers.desk.wire_model import LOT, DeskRig

PRICE = 25_000.0
SQUARE_OFF = TIME.replace(hour=15, minute=20)


class Line(list):
    @property
    def lencount(self) -> int:
        return len(self)

    def __getitem__(self, ago: int) -> float:
        return super().__getitem__(len(self) - 1 + ago)


class Feed:
    """Bars of three minutes that are given one by one, the first closes at ten."""

    def __init__(self) -> None:
        self._name = "NIFTY"
        self.lines = self
        self.datetime, self.open, self.high, self.low, self.close, self.volume = (Line() for _ in range(6))

    def __len__(self) -> int:
        return len(self.datetime)

    def add(self, time: dt.datetime, price: float) -> None:
        self.datetime.append(bt.date2num(time.replace(tzinfo=None)))
        for line in (self.open, self.high, self.low, self.close, self.volume):
            line.append(price)

    def closed_at(self) -> dt.datetime:
        moment = bt.num2date(self.datetime[0])
        return (moment + dt.timedelta(microseconds=500)).replace(microsecond=0)

    def opened_at(self) -> dt.datetime:
        return self.closed_at() - dt.timedelta(minutes=3)


class BrokerRig(DeskRig):
    """A live broker on a model exchange, driven as a strategy drives it."""

    def __init__(self, folder: Path, *rules, seat: AccountSeat | None = None) -> None:
        self.rules = rules
        self.seat = seat
        self.clock = ReplayClock(TIME)
        super().__init__(folder)

    def _make(self) -> OrderDesk:
        self.journal = JournalFile(self.path, self.clock)
        gate = RiskGate(self.rules, 1e7, self.seat)
        self.ledger = Ledger(Journal(), gate, "NIFTY")
        desk = OrderDesk(
            journal=self.journal, wire=self.wire, contract=DeskContract(SYMBOL, PRODUCT, 0.1, 27.0 * LOT),
            charges_of=lambda *_: 20.0, patience=self.patience, log=NullLog(), on_rows=self._rows,
        )  # fmt: skip
        self.broker = LiveBroker(
            desk=desk, ledger=self.ledger, gate=gate, terms=ContractTerms(LOT, 0.1, 27.0 * LOT, 12.0),
            clock=self.clock, bar_minutes=3, square_off_at=SQUARE_OFF,
        )  # fmt: skip
        self.broker.take(self.journal.rows())
        self.wire.on_update = desk.on_order_update
        return desk

    def _rows(self, rows) -> None:
        self.broker.take(rows)
        super()._rows(rows)

    def start(self, **options: bool) -> OrderDesk:
        desk = super().start(**options)
        self.told: list[tuple[str, str]] = []
        self.feed = Feed()
        self.broker.cerebro = SimpleNamespace(datas=[self.feed])
        self.broker.start()
        self.bar()
        return desk

    def bar(self, price: float = PRICE) -> None:
        now = self.clock.now() + dt.timedelta(minutes=3)
        self.clock.set(now)
        self.feed.add(now, price)
        self.turn()

    def turn(self) -> None:
        self.broker.next()
        while (order := self.broker.get_notification()) is not None:
            self.told.append((order.role, order.getstatusname()))
            self.last = order

    def send(self, lots: int = 4, side: int = 1, parts=(1, 1, 2), points=(30, 50, 75), **entry):
        place, protect = (
            (self.broker.buy, self.broker.sell) if side > 0 else (self.broker.sell, self.broker.buy)
        )
        order = {"exectype": bt.Order.Market, "transmit": False, "role": "entry", "volatility": 12.5, **entry}
        main = place(None, self.feed, lots * LOT, **order)
        stop = protect(
            None, self.feed, lots * LOT, exectype=bt.Order.Stop, price=PRICE - side * 50, parent=main,
            transmit=False, role="stop",
        )  # fmt: skip
        targets = [
            protect(
                None, self.feed, part * LOT, exectype=bt.Order.Limit, price=PRICE + side * distance,
                parent=main, transmit=distance == points[-1], role="target",
            )
            for part, distance in zip(parts, points, strict=True)
        ]  # fmt: skip
        return main, stop, targets

    def until(self, condition) -> None:
        def look() -> bool:
            self.turn()
            return condition()

        self.wait(look)

    @property
    def held(self) -> int:
        return int(self.broker.getposition(self.feed).size)

    @property
    def is_quiet(self) -> bool:
        trips = list(self.desk.state.trips.values())
        return bool(trips) and trips[-1].is_protected and self.held == trips[-1].position != 0


@pytest.fixture
def rig(tmp_path):
    made = BrokerRig(tmp_path)
    made.start()
    yield made
    made.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


def test_parts_are_told_to_the_order_that_they_belong_to_and_the_stop_covers_the_rest(rig):
    _, stop, targets = rig.send()
    rig.until(lambda: rig.is_quiet)
    rig.told.clear()
    rig.desk.on_price(25_030.0)
    rig.until(lambda: rig.held == 3 * LOT and rig.is_quiet)
    assert rig.told == [("target", "Completed")]
    assert not targets[0].alive()
    assert targets[1].alive()
    assert stop.executed.remsize == -3 * LOT
    rig.desk.on_price(25_080.0)
    rig.until(lambda: rig.told[-1:] == [("target", "Canceled")])
    assert [name for _, name in rig.told[1:]] == ["Completed", "Canceled", "Canceled"]
    assert rig.held == 0
    (decided,) = rig.facts(EntryDecided)
    assert decided.targets == (Target(LOT, 25_030.0), Target(LOT, 25_050.0), Target(2 * LOT, 25_075.0))
    assert decided.volatility == 12.5


def test_one_target_is_as_it_always_was(rig):
    rig.send(parts=(4,), points=(75,))
    rig.until(lambda: rig.is_quiet)
    (decided,) = rig.facts(EntryDecided)
    assert (decided.kind, decided.targets, decided.target_price) == ("market", (), 25_075.0)


@pytest.mark.parametrize(
    ("entry", "kind", "limit"),
    [
        ({"exectype": bt.Order.Limit, "price": 24_990.04}, "limit", 0.0),
        ({"exectype": bt.Order.StopLimit, "price": 25_010.0, "plimit": 25_014.04}, "stop_limit", 25_014.0),
    ],
)
def test_a_resting_entry_is_taken_back_and_what_it_has_is_held(rig, entry, kind, limit):
    rig.wire.fills = [0]
    main, *_ = rig.send(**entry)
    rig.until(lambda: bool(rig.wire.orders_of(kind)))
    (order,) = rig.wire.orders_of(kind)
    assert order.request.limit == limit
    rig.wire.fill(order, LOT)
    rig.until(lambda: rig.held == LOT)
    assert rig.broker.cancel(main)
    rig.until(lambda: rig.is_quiet)
    rig.until(lambda: ("entry", "Canceled") in rig.told)
    assert rig.facts(EntryWithdrawn, ExitWanted) == [EntryWithdrawn(1)]
    assert rig.wire.exchange.exits_at_work == LOT
    assert not rig.broker.cancel(main)


def test_an_entry_that_rests_past_the_square_off_is_taken_back_by_the_clock(rig):
    rig.wire.fills = [0]
    rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: bool(rig.wire.orders_of("limit")))
    rig.clock.set(SQUARE_OFF)
    rig.until(lambda: ("entry", "Canceled") in rig.told)
    assert rig.wire.orders_of("limit")[0].state == "cancelled"
    assert [fact.reason for fact in rig.facts(ExitWanted)] == ["square_off"]


def test_an_entry_that_rests_is_taken_back_when_entries_are_paused(tmp_path):
    rig = BrokerRig(tmp_path, Pause(tmp_path / "PAUSED"))
    rig.start()
    rig.wire.fills = [0]
    rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: bool(rig.wire.orders_of("limit")))
    rig.wire.fill(rig.wire.orders_of("limit")[0], LOT)
    rig.until(lambda: rig.held == LOT)
    (tmp_path / "PAUSED").write_text("budget speech")
    rig.until(lambda: ("entry", "Canceled") in rig.told and rig.is_quiet)
    assert rig.facts(EntryWithdrawn, ExitWanted) == [EntryWithdrawn(1)]
    assert rig.held == rig.wire.exchange.exits_at_work == LOT
    assert rig.end()


# -- stops that move: the same answers as in simulation -----------------------------------------------------


@pytest.mark.parametrize(
    ("price", "moves"),
    [
        (24_949.9, False), (24_950.0, False), (24_950.04, False), (24_950.1, True), (24_999.9, True),
        (25_000.0, False), (25_010.0, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("side", [1, -1])
def test_a_stop_moves_towards_the_market_and_not_to_it(rig, price, moves, side):
    _, stop, _ = rig.send(side=side)
    rig.until(lambda: rig.is_quiet)
    price = PRICE + side * (price - PRICE)
    assert rig.broker.move_stop(stop, price) is moves
    assert stop.created.price == (round(price, 1) if moves else PRICE - side * 50)
    if moves:
        rig.until(lambda: rig.wire.orders_of("stop")[0].price == round(price, 1))
    else:
        assert rig.facts(StopMoved) == []


def test_what_protects_nothing_cannot_be_moved(rig):
    rig.wire.fills = [0]
    main, stop, _ = rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: bool(rig.wire.orders_of("limit")))
    assert not rig.broker.move_stop(stop, 24_970.0)
    assert not rig.broker.move_stop(main, 24_970.0)
    with pytest.raises(BrokerError, match="expected a finite number"):
        rig.broker.move_stop(stop, math.nan)


# -- before anything is sent --------------------------------------------------------------------------------


def test_a_gate_that_reduces_an_entry_leaves_each_target_whole_lots(tmp_path):
    rig = BrokerRig(tmp_path, Exposure(2, None))
    rig.start()
    _, _, targets = rig.send(lots=4)
    rig.until(lambda: rig.is_quiet)
    (decided,) = rig.facts(EntryDecided)
    assert decided.size == 2 * LOT
    assert decided.targets == ()  # a quarter of two lots is none: the last takes both
    assert decided.target_price == 25_075.0
    assert [order.status for order in targets[:2]] == [bt.Order.Rejected] * 2
    assert rig.end()


def test_targets_that_do_not_add_up_are_refused(rig):
    rig.send(lots=4, parts=(1, 1, 1))
    rig.until(lambda: bool(rig.facts(EntryDenied)))
    (denied,) = rig.facts(EntryDenied)
    assert "expected both to be the entry's 260" in denied.reason
    assert rig.wire.placed == []
    assert set(rig.told) == {("entry", "Rejected"), ("stop", "Rejected"), ("target", "Rejected")}


# -- restart ------------------------------------------------------------------------------------------------


def test_a_strategy_started_anew_is_told_of_its_orders_and_goes_on_with_them(tmp_path):
    rig = BrokerRig(tmp_path)
    rig.start()
    _, stop, _ = rig.send()
    rig.until(lambda: rig.is_quiet)
    assert rig.broker.move_stop(stop, 24_970.0)
    rig.desk.on_price(25_030.0)
    rig.until(lambda: rig.held == 3 * LOT and rig.is_quiet and rig.desk.state.trips[1].stop_is_set)
    rig.restart()
    rig.bar(25_020.0)
    assert rig.told == [
        ("entry", "Completed"), ("stop", "Accepted"), ("target", "Completed"), ("target", "Accepted"),
        ("target", "Accepted"),
    ]  # fmt: skip
    entry, stop, done, near, far = rig.broker._group.orders
    assert entry.info["volatility"] == 12.5
    assert (stop.created.price, stop.executed.remsize) == (24_970.0, -3 * LOT)
    assert [order.executed.remsize for order in (done, near, far)] == [0, -LOT, -2 * LOT]
    assert rig.broker.move_stop(stop, 25_000.0)
    rig.until(lambda: rig.wire.orders_of("stop")[0].price == 25_000.0)
    rig.wire.fill(rig.wire.orders_of("stop")[0], 3 * LOT)
    rig.until(lambda: ("stop", "Completed") in rig.told)
    assert rig.held == 0
    assert rig.end()


def test_nothing_is_told_again_where_nothing_is_open(tmp_path):
    rig = BrokerRig(tmp_path)
    rig.start()
    rig.restart()
    rig.bar()
    assert rig.told == []
    rig.send()
    rig.until(lambda: rig.is_quiet)
    assert rig.end()


def test_of_an_entry_in_part_the_last_target_is_told_for_what_is_left_to_it(tmp_path):
    rig = BrokerRig(tmp_path)
    rig.start()
    rig.wire.fills = [3 * LOT]
    main, *_ = rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: rig.held == 3 * LOT)
    assert rig.broker.cancel(main)
    rig.until(lambda: rig.is_quiet and not rig.desk.state.trips[1].entries[0].exposure)
    rig.restart()
    rig.bar()
    assert rig.told[0] == ("entry", "Canceled")
    assert [order.executed.remsize for order in rig.broker._group.orders[1:]] == [-3 * LOT, -LOT, -LOT, -LOT]
    assert rig.end()
