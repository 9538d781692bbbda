"""The real parts of a live account, at a sandbox: store, client, wire, stream, desk, ledger and journal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from brokers.desk.desk import OrderDesk
from brokers.desk.facts import EntryDecided
from brokers.kite.settings import KiteSettings
from brokers.kite.store import KiteStore
from brokers.kite.wire import KiteWire
from feeds.clock import ReplayClock
from feeds.errors import BrokerError
from feeds.log import NullLog
from feeds.terms import ContractTerms
from strategies.live_accounts import ExchangeAccount
from strategies.live_settings import LiveSettings
from strategies.settings import Settings
from tests.brokers.sandbox_server.support import DAY, NEAR, PRICE, at
from tests.support import settings_of

KEY, TOKEN = "sandbox", "alive"
LOT = NEAR.lot
WAIT = 60.0
"""Seconds that a test waits for what has to happen."""

# Of a second each, where a real day allows several: what is tested is the order of things.
QUICK = LiveSettings().model_copy(
    update={
        "entry_patience_seconds": 1.0, "target_patience_seconds": 0.5, "exit_patience_seconds": 0.7,
        "resync_seconds": 5.0, "unresolved_seconds": 3.0,
    }
)  # fmt: skip


class Address(NamedTuple):
    """Where a sandbox listens."""

    api_root: str
    ticker_root: str


def fail_on(error: BrokerError) -> None:
    raise error


class LiveRig:
    """An exchange account that trades on one folder; made again on the same folder, it recovers."""

    def __init__(
        self, address: Address, folder: Path, *, live: LiveSettings = QUICK, largest_lots: int = 24
    ) -> None:
        kite = KiteSettings(api_root=address.api_root, ticker_root=address.ticker_root)
        settings = made_of(kite, live)
        self.store = KiteStore(kite, KEY, TOKEN, NullLog())
        instrument = self.store.find_contract("NIFTY", DAY)
        self.wire: KiteWire = self.store.wire(instrument)
        self.account = ExchangeAccount(
            settings=settings, wire=self.wire, symbol=instrument.symbol, day=DAY,
            terms=ContractTerms(LOT, instrument.tick, float(largest_lots * LOT), 12.0),
            square_off_at=at("15:20"), clock=ReplayClock(at("10:00")), folder=folder, log=NullLog(),
            on_session_dead=lambda reason: None,
        )  # fmt: skip
        self._instrument = instrument
        self._is_up = threading.Event()

    @property
    def desk(self) -> OrderDesk:
        return self.account.desk

    def start(self) -> None:
        """Recover, then listen, and wait for the stream: from then on updates are pushed."""
        self.account.start()
        self.store.open_stream(
            [self._instrument],
            on_tick=lambda _, tick: self.account.on_price(tick.price),
            on_order_update=self.account.on_order_update,
            on_unreadable_update=fail_on,
            on_state=lambda state: self._note(state.state),
        )
        assert self._is_up.wait(WAIT)

    def enter(
        self, side: int, lots: int, *, stop_points: float, target_points: float, **terms: Any
    ) -> EntryDecided:
        signal = at("10:00").replace(tzinfo=None)
        decided = EntryDecided(
            1, side * lots * LOT, PRICE, PRICE - side * stop_points, PRICE + side * target_points, signal, 0.6
        )._replace(**terms)
        self.desk.enter(decided, time.perf_counter())
        return decided

    def wait(self, condition: Callable[[], bool], seconds: float = WAIT) -> bool:
        """Look until it is so, or for so long; the broker books meanwhile, and raises what the desk did."""
        end = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            if time.monotonic() >= end:
                return False
            self.account.broker.next()
            pause.wait(0.01)
        return True

    @property
    def is_flat(self) -> bool:
        return bool(self.desk.state.trips) and not self.desk.state.active_trips

    @property
    def is_held(self) -> bool:
        """Whether stops rest for exactly what is to be held, and nothing else works."""
        trips = list(self.desk.state.trips.values())
        if any(trip.leaving_units or not trip.stop_is_set for trip in trips):
            return False
        orders = list(self.desk.state.orders.values())
        if any(order.change is not None and order.exposure for order in orders):
            return False
        resting = sum(order.exposure for order in orders if order.book_state == "waiting")
        held = abs(self.desk.state.position)
        return 0 < held == resting == sum(order.exposure for order in orders)

    def end(self, *, flatten: bool) -> bool:
        done = self.account.shut_down(flatten=flatten, reason="end")
        self.store.close()
        return done

    def _note(self, state: str) -> None:
        if state == "up":
            self.account.resync("the stream is up")
            self._is_up.set()


def made_of(kite: KiteSettings, live: LiveSettings) -> Settings:
    settings = settings_of(broker={"charges": {"plan": "zerodha"}})
    broker = settings.broker.model_copy(update={"kite": kite})
    return settings.model_copy(update={"broker": broker, "live": live})
