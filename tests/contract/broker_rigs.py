"""Brokers under one suite: the simulated one, and the live one at the sandbox of each real broker.

A rig is driven as a strategy drives a broker: it buys, sells and cancels on a feed, and hears of its orders.
Prices move as the test says, so that nothing depends on how fast a machine is.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import backtrader as bt
import requests
from backtrader import date2num
from kiteconnect import KiteConnect

from brokers.broker_store import BrokerStore
from brokers.execution import ExecutionModel
from brokers.journal import Journal
from brokers.order import SimulatedOrder
from brokers.participation import VolumeParticipation
from brokers.risk.gate import RiskGate
from brokers.sandbox.faults import Fault
from brokers.settings import make_charges, make_rules, make_slippage
from brokers.simulated import SimulatedBroker
from brokers.slippage import LatencyModel
from brokers.upstox.login import code_in, exchange, login_address
from brokers.upstox.settings import UpstoxSettings
from feeds.clock import ReplayClock
from feeds.log import NullLog
from feeds.terms import ContractTerms
from strategies.live_accounts import ExchangeAccount
from strategies.settings import Settings
from tests.brokers.sandbox_server.support import DAY, NEAR, PRICE, at
from tests.faults.live_rig import QUICK
from tests.support import settings_of

LOT = NEAR.lot
WAIT = 30.0
"""Seconds that a test waits for what has to happen."""

STOP_POINTS, TARGET_POINTS = 50.0, 100.0
FREEZE_LOTS = 24

_ON_ITS_WAY = (bt.Order.Created, bt.Order.Submitted)
_FINAL = ("COMPLETE", "CANCELLED", "REJECTED")


class Rig(Protocol):
    """What the suite asks of every broker."""

    told: list[tuple[str, str]]

    def enter(self, side: int, lots: int = 1) -> SimulatedOrder:
        """Send a market entry with stop and target."""

    def enter_at(
        self, side: int, points: float, lots: int = 1, *, stop_limit: bool = False
    ) -> SimulatedOrder:
        """Send a limit (or stop-limit) entry so many points from the first price, with stop and target."""

    def enter_in_parts(self, side: int, first: float, second: float) -> SimulatedOrder:
        """Send a market entry over two lots with two targets, so many points away."""

    def trail(self, points: float) -> bool:
        """Move the stop to so many points from the first price."""

    def move_to(self, points: float) -> None:
        """Trade at so many points from the first price, and let everything happen that this makes happen."""

    def come_to_hold(self, units: int) -> None:
        """Let the position become so many signed units, and everything settle."""

    def leave(self, units: int | None = None) -> SimulatedOrder:
        """Send a market order over what is held, or over so many units."""

    def cancel(self, order: SimulatedOrder) -> bool:
        """Take an order back."""

    def settle(self) -> None:
        """Let everything happen that the present price makes happen."""

    def settle_in_part(self) -> None:
        """Let a part of what was sent fill, where the rig was made so."""

    def close_at(self, points: float) -> None:
        """Trade at so many points from the first price, where stop or target closes the position."""

    @property
    def position(self) -> int:
        """Signed units, as the broker tells its strategy."""

    @property
    def protected(self) -> int:
        """Unsigned units that a resting stop covers."""

    @property
    def exits(self) -> int:
        """Unsigned units that would be closed if every order that closes something filled."""

    @property
    def cash(self) -> float:
        """Rupees."""

    def end(self) -> None:
        """End it."""


class HandFeed:
    """A feed of bars that are given one by one: what a broker reads of one, and nothing else."""

    def __init__(self, name: str = "NIFTY") -> None:
        self._name = name
        self.lines = self
        self._closed = at("10:00").replace(tzinfo=None)
        self.datetime, self.open, self.high = _Line(), _Line(), _Line()
        self.low, self.close, self.volume = _Line(), _Line(), _Line()

    def __len__(self) -> int:
        return self.datetime.lencount

    def add(self, first: float, last: float, volume: float = 1e9) -> None:
        """Close a bar of three minutes that went from one price to another."""
        self._closed += dt.timedelta(minutes=3)
        self.datetime.push(date2num(self._closed))
        for line, value in (
            (self.open, first), (self.high, max(first, last)), (self.low, min(first, last)),
            (self.close, last), (self.volume, volume),
        ):  # fmt: skip
            line.push(value)

    def opened_at(self) -> dt.datetime:
        return self._closed - dt.timedelta(minutes=3)

    def closed_at(self) -> dt.datetime:
        return self._closed


class _Line:
    def __init__(self) -> None:
        self._values: list[float] = []

    @property
    def lencount(self) -> int:
        return len(self._values)

    def __getitem__(self, ago: int) -> float:
        return self._values[len(self._values) - 1 + ago]

    def push(self, value: float) -> None:
        self._values.append(value)


class _Strategist:
    """Sends orders as :class:`strategies.base.IntradayStrategy` does."""

    broker: Any
    feed: HandFeed
    stop: SimulatedOrder

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.sent: list[SimulatedOrder] = []

    def enter(self, side: int, lots: int = 1) -> SimulatedOrder:
        place, protect = self._sides(side)
        size, close = lots * LOT, self.feed.close[0]
        entry = place(None, self.feed, size, exectype=bt.Order.Market, transmit=False, role="entry")
        self.stop = protect(
            None, self.feed, size, exectype=bt.Order.Stop, price=close - side * STOP_POINTS, parent=entry,
            transmit=False, role="stop",
        )  # fmt: skip
        protect(
            None, self.feed, size, exectype=bt.Order.Limit, price=close + side * TARGET_POINTS, parent=entry,
            transmit=True, role="target",
        )  # fmt: skip
        self.sent.append(entry)
        return entry

    def enter_at(
        self, side: int, points: float, lots: int = 1, *, stop_limit: bool = False
    ) -> SimulatedOrder:
        place, protect = self._sides(side)
        size, price = lots * LOT, PRICE + points
        kind: dict[str, Any] = {"exectype": bt.Order.Limit, "price": price}
        if stop_limit:
            kind = {"exectype": bt.Order.StopLimit, "price": price, "plimit": price + side * 5.0}
        entry = place(None, self.feed, size, transmit=False, role="entry", **kind)
        self.stop = protect(
            None, self.feed, size, exectype=bt.Order.Stop, price=price - side * STOP_POINTS, parent=entry,
            transmit=False, role="stop",
        )  # fmt: skip
        protect(
            None, self.feed, size, exectype=bt.Order.Limit, price=price + side * TARGET_POINTS, parent=entry,
            transmit=True, role="target",
        )  # fmt: skip
        self.sent.append(entry)
        return entry

    def enter_in_parts(self, side: int, first: float, second: float) -> SimulatedOrder:
        place, protect = self._sides(side)
        entry = place(None, self.feed, 2 * LOT, exectype=bt.Order.Market, transmit=False, role="entry")
        self.stop = protect(
            None, self.feed, 2 * LOT, exectype=bt.Order.Stop, price=PRICE - side * STOP_POINTS, parent=entry,
            transmit=False, role="stop",
        )  # fmt: skip
        for points, is_last in ((first, False), (second, True)):
            protect(
                None, self.feed, LOT, exectype=bt.Order.Limit, price=PRICE + side * points, parent=entry,
                transmit=is_last, role="target",
            )  # fmt: skip
        self.sent.append(entry)
        return entry

    def trail(self, points: float) -> bool:
        return bool(self.broker.move_stop(self.stop, PRICE + points))

    def leave(self, units: int | None = None) -> SimulatedOrder:
        held = self.position
        _, close = self._sides(1 if held > 0 else -1)
        order = close(None, self.feed, units or abs(held), exectype=bt.Order.Market, role="signal")
        self.sent.append(order)
        return order

    def cancel(self, order: SimulatedOrder) -> bool:
        return bool(self.broker.cancel(order))

    @property
    def position(self) -> int:
        return int(self.broker.getposition(self.feed).size)

    @property
    def cash(self) -> float:
        return float(self.broker.getcash())

    def _sides(self, side: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
        return (self.broker.buy, self.broker.sell) if side > 0 else (self.broker.sell, self.broker.buy)

    def _listen(self) -> None:
        while (order := self.broker.get_notification()) is not None:
            self.told.append((order.role, order.getstatusname()))


class SimulatedRig(_Strategist):
    """The simulated broker on bars of one price each."""

    def __init__(self, *, cash: float = 1e7, partial: bool = False) -> None:
        super().__init__()
        settings = suite_settings(cash)
        terms = suite_terms()
        execution = ExecutionModel(
            charges=make_charges(settings.broker),
            slippage=make_slippage(settings.broker),
            latency=LatencyModel(0.0),
            participation=VolumeParticipation(100.0 if partial else 0.0),
            terms=lambda _: terms,
            bar_seconds=180.0,
        )
        self.journal = Journal()
        self.broker = SimulatedBroker(
            cash=cash, execution=execution, gate=RiskGate(make_rules(settings.risk), cash),
            journal=self.journal,
        )  # fmt: skip
        self.feed = HandFeed()
        self._volume = float(LOT) if partial else 1e9
        self._price = PRICE
        self.feed.add(PRICE, PRICE, self._volume)

    def settle(self) -> None:
        self._bar(self._price)

    def settle_in_part(self) -> None:
        """Let one lot fill."""
        self._bar(self._price)

    def close_at(self, points: float) -> None:
        self._bar(PRICE + points)
        self._volume = 1e9
        self._bar(PRICE + points)

    def move_to(self, points: float) -> None:
        self._bar(PRICE + points)

    def come_to_hold(self, units: int) -> None:
        assert self.position == units

    @property
    def protected(self) -> int:
        held = self.broker.getposition(self.feed).size
        stops = [order for order in self._working() if order.kind == "stop"]
        return int(min(abs(held), sum(abs(order.executed.remsize) for order in stops)))

    @property
    def exits(self) -> int:
        # Stop and target of the simulated broker are of one position: the first to fill ends the other
        return self.protected

    def end(self) -> None:
        self.broker.stop()

    def _working(self) -> list[SimulatedOrder]:
        return [order for order in self.broker.get_orders_open() if order.role != "entry"]

    def _bar(self, price: float) -> None:
        self.feed.add(price, price, self._volume)
        self._price = price
        self.broker.next()
        self._listen()


class ExchangeRig(_Strategist):
    """The live broker at a sandbox whose market stands still until it is told to move.

    Parameters
    ----------
    server : a running sandbox server
        Of a real broker.
    store : BrokerStore
        Logged in there.
    folder : pathlib.Path
        For the journal; a rig made again on it recovers.
    """

    broker_name: str
    book: str
    """Path of the order book."""

    def __init__(self, server: Any, store: BrokerStore, folder: Path, *, cash: float) -> None:
        super().__init__()
        self.server = server
        self.store = store
        settings = suite_settings(cash, self.broker_name)
        settings = settings.model_copy(update={"live": QUICK})
        self.instrument = store.find_contract("NIFTY", DAY)
        self.clock = ReplayClock(at("10:03"))
        self.dead: list[str] = []
        folder.mkdir(exist_ok=True)
        self.account = ExchangeAccount(
            settings=settings, wire=store.wire(self.instrument), symbol=self.instrument.symbol,
            terms=suite_terms(), day=DAY, square_off_at=at("15:20"), clock=self.clock, folder=folder,
            log=NullLog(), on_session_dead=self.dead.append,
        )  # fmt: skip
        self.broker = self.account.broker
        self.feed = HandFeed()
        self.feed.add(PRICE, PRICE)
        self._is_up = threading.Event()
        self._ticks = 0

    def start(self) -> ExchangeRig:
        self.account.start()
        self.store.open_stream(
            [self.instrument],
            on_tick=self._take,
            on_order_update=self.account.on_order_update,
            on_unreadable_update=lambda error: self.account.resync(str(error)),
            on_state=self._note,
        )
        assert self._is_up.wait(WAIT)
        return self

    @property
    def desk(self) -> Any:
        return self.account.desk

    def enter(self, side: int, lots: int = 1) -> SimulatedOrder:
        self.broker.bar_received_at = time.perf_counter()
        return super().enter(side, lots)

    def settle(self) -> None:
        self.wait(lambda: self.is_quiet)
        self.broker.next()
        self._listen()

    def settle_in_part(self) -> None:
        """Let what the exchange fills of an order at once arrive."""

        def is_begun() -> bool:
            # Until the order has arrived at the exchange a print passes it by
            if not self.held:
                self.server.trade(self.feed.close[0])
            return bool(self.position)

        self.wait(is_begun)
        self._listen()

    def close_at(self, points: float) -> None:
        self.feed.add(PRICE + points, PRICE + points)

        def is_over() -> bool:
            self.server.trade(PRICE + points)
            return not self.desk.state.active_trips

        self.wait(is_over)

    def come_to_hold(self, units: int) -> None:
        self.wait(lambda: self.position == units and self.is_quiet)

    def cancel(self, order: SimulatedOrder) -> bool:
        is_taken = super().cancel(order)
        if is_taken:
            self.wait(lambda: not order.alive())
        return is_taken

    def move_to(self, points: float) -> None:
        """The exchange matches a limit of ours against what comes after it: a print is played twice."""
        self.feed.add(PRICE + points, PRICE + points)
        for _ in range(2):
            seen = self._ticks
            self.server.trade(PRICE + points, 100 * LOT, seconds=1.0)
            self.wait(lambda seen=seen: self._ticks > seen)
            self.settle()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way, and what is held is protected and known to the strategy."""
        state = self.desk.state
        return (
            not self.desk.unresolved
            and self.held == state.position
            and self.position == state.position
            and all(map(_is_settled, state.active_trips))
            and not any(order.status in _ON_ITS_WAY for order in self.sent)
            and not any(order.alive() for order in self.sent if order.role == "signal")
        )

    @property
    def held(self) -> int:
        """Signed units at the exchange."""
        sides = {"BUY": 1, "SELL": -1}
        rows = self.server.ask(lambda exchange: exchange.trades())
        return sum(sides[row["transaction_type"]] * row["quantity"] for row in rows)

    @property
    def orders(self) -> list[dict[str, Any]]:
        """Order rows of the exchange itself."""
        return self.server.ask(lambda exchange: exchange.orders())

    @property
    def working(self) -> list[dict[str, Any]]:
        return [row for row in self.orders if row["status"] not in _FINAL]

    @property
    def protected(self) -> int:
        stops = [row for row in self.working if row["order_type"] in ("SL", "SL-M")]
        return sum(row["pending_quantity"] for row in stops)

    @property
    def exits(self) -> int:
        side = "SELL" if self.held > 0 else "BUY"
        return sum(row["pending_quantity"] for row in self.working if row["transaction_type"] == side)

    def wait(self, condition: Callable[[], bool], seconds: float = WAIT) -> None:
        """Look until it is so; the broker books meanwhile, and raises what the desk did."""
        end = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < end, f"not within {seconds:g} s: {self.desk.open_position or 'flat'}"
            self.broker.next()
            self._listen()
            pause.wait(0.01)
        self.broker.next()
        self._listen()

    def end(self) -> None:
        assert self.account.shut_down(flatten=True, reason="end")
        self.store.close()

    def refuse_next(self) -> None:
        """Have the next order refused."""
        self.server.faults.add(
            Fault(kind="refuse", status=400, error_type="InputException", message="not today")
        )

    def fail_reads(self, count: int) -> None:
        """Have the order book fail so many times."""
        self.server.faults.add(Fault(kind="bad_gateway", route=f"GET {self.book}", count=count))

    def place_by_hand(self) -> None:
        """Place an order that is none of ours."""
        near = self.server.config.exchange.instruments[0]
        form = {
            "exchange": near.exchange, "tradingsymbol": near.symbol, "transaction_type": "BUY",
            "quantity": str(LOT), "product": "MIS", "order_type": "LIMIT", "validity": "DAY",
            "price": f"{PRICE - 200:.2f}",
        }  # fmt: skip
        self.server.ask(lambda exchange: exchange.place("regular", form))

    def log_in_again(self) -> None:
        """Log in as a person does in the morning."""
        self.store.renew(self.new_token())
        self.account.session_renewed()

    def new_token(self) -> str:
        """Return the token of a new login."""
        raise NotImplementedError

    def _take(self, _: Any, tick: Any) -> None:
        self.account.on_price(tick.price)
        self._ticks += 1

    def _note(self, state: Any) -> None:
        if state.state == "up":
            self.account.resync("the stream is up")
            self._is_up.set()


def _is_settled(trip: Any) -> bool:
    """Whether a position is protected and booked, or an entry that has its price rests in the book."""
    if trip.position:
        return trip.is_protected and trip.is_booked
    return all(
        order.intent.kind != "market" and order.book_state in ("open", "waiting") and not order.cancel_sent
        for order in trip.orders
    )


def suite_settings(cash: float, name: str = "kite") -> Settings:
    return settings_of(broker={"charges": {"plan": "zerodha"}, "starting_cash": cash, "name": name})


def suite_terms() -> ContractTerms:
    return ContractTerms(LOT, NEAR.tick, float(FREEZE_LOTS * LOT), 12.0)


class KiteRig(ExchangeRig):
    """Kite, and the sandbox as Kite."""

    broker_name = "kite"
    book = "/orders"

    def new_token(self) -> str:
        page = requests.get(self.server.login_url, timeout=WAIT).text
        request_token = page.split("<code>")[1].split("</code>")[0]
        client = KiteConnect(self.server.api_key, root=self.server.api_root)
        return client.generate_session(request_token, self.server.api_secret)["access_token"]


class UpstoxRig(ExchangeRig):
    """Upstox, and the sandbox as Upstox."""

    broker_name = "upstox"
    book = "/v2/order/retrieve-all"

    def new_token(self) -> str:
        redirect = "http://127.0.0.1:1/"
        settings = UpstoxSettings(
            api_root=self.server.api_root,
            order_root=self.server.api_root,
            login_page=f"{self.server.api_root}/v2/login/authorization/dialog",
        )
        address = login_address(settings, self.server.api_key, "state-1", redirect)
        answer = requests.get(address, timeout=WAIT, allow_redirects=False)
        token = exchange(
            settings,
            api_key=self.server.api_key,
            api_secret=self.server.api_secret,
            code=code_in(answer.headers["Location"], "state-1"),
            redirect=redirect,
            clock=self.clock,
        )
        return token.access_token
