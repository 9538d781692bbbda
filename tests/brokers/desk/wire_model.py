"""The model exchange behind the desk's own protocol, with a real desk thread in front of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from brokers.desk.desk import OrderDesk
from brokers.desk.facts import DayOpened, EntryDecided, Fact
from brokers.desk.journal_file import JournalFile, read_journal
from brokers.desk.messages import Crashed
from brokers.desk.timing import Patience
from brokers.desk.view import DeskContract
from brokers.wire import (
    BookOrder,
    BookPosition,
    BookTrade,
    OrderRefusedError,
    OrderRequest,
    OutcomeUnknownError,
)
from feeds.clock import ReplayClock
from feeds.errors import BrokerError
from feeds.log import NullLog
from tests.brokers.desk.exchange_model import PRODUCT, SYMBOL, TIME, ModelExchange, ModelOrder

LOT = 65
QUICK = Patience(
    entry_seconds=0.2,
    target_seconds=0.2,
    exit_seconds=0.2,
    resync_seconds=0.5,
    unresolved_seconds=0.6,
    difference_seconds=0.5,
    settle_seconds=0.5,
)
OPENED = DayOpened(TIME.date(), SYMBOL, PRODUCT, 1_000_000.0, "mutest0000")


class ModelWire:
    """Thread-safe, with faults to be set from a test.

    ``fills`` says how many units of the next market or limit orders fill at once (None: all); the lists of
    errors are raised by the next calls.
    """

    def __init__(self) -> None:
        self.exchange = ModelExchange()
        self.lock = threading.Lock()
        self.fills: list[int | None] = []
        self.lost_answers = 0
        self.refusals: list[BrokerError] = []
        self.cancel_errors: list[BrokerError] = []
        self.change_errors: list[BrokerError] = []
        self.lost_changes: list[bool] = []
        self.changes: list[tuple[str, int, float, bool]] = []
        self.read_errors: list[BrokerError] = []
        self.hidden: set[str] = set()
        self.rejects_markets = False
        self.stale_positions: list[list[BookPosition]] = []
        self.on_update: Callable[[BookOrder], None] = lambda row: None
        self.placed: list[OrderRequest] = []
        self.worst_overlap = 0

    def place(self, request: OrderRequest) -> str:
        with self.lock:
            if self.refusals:
                raise self.refusals.pop(0)
            self.placed.append(request)
            order_id = self.exchange.place(request)
            order = self.exchange.find(order_id)
            if request.kind == "market" and self.rejects_markets:
                order.state = "rejected"
            elif request.kind in ("market", "limit"):
                wanted = self.fills.pop(0) if self.fills else None
                self.exchange.fill(order, order.remaining if wanted is None else wanted)
            self._look()
            lost = self.lost_answers > 0
            self.lost_answers -= lost
            row = self._row(order)
        if order.filled or row.state == "rejected":
            self.on_update(row)
        if lost:
            raise OutcomeUnknownError("connection dropped")
        return order_id

    def cancel(self, order_id: str) -> None:
        with self.lock:
            if self.cancel_errors:
                raise self.cancel_errors.pop(0)
            done = self.exchange.cancel(order_id)
            row = self._row(self.exchange.find(order_id))
        if not done:
            raise OrderRefusedError("order cannot be cancelled as it is being processed")
        self.on_update(row)

    def modify(self, order_id: str, *, size: int, price: float, resized: bool) -> None:
        with self.lock:
            self.changes.append((order_id, size, price, resized))
            if self.change_errors:
                raise self.change_errors.pop(0)
            arrives = self.lost_changes.pop(0) if self.lost_changes else None
            done = arrives is False or self.exchange.modify(order_id, size, price)
            self._look()
            row = self._row(self.exchange.find(order_id))
        if done and arrives is None:
            self.on_update(row)
        if arrives is not None:
            raise OutcomeUnknownError("connection dropped")
        if not done:
            raise OrderRefusedError("order cannot be modified as it is being processed")

    def orders(self) -> list[BookOrder]:
        with self.lock:
            if self.read_errors:
                raise self.read_errors.pop(0)
            return self.exchange.rows(hidden=frozenset(self.hidden))

    def trades(self) -> list[BookTrade]:
        with self.lock:
            return list(self.exchange.book(hidden=frozenset(self.hidden)).trades)

    def positions(self) -> list[BookPosition]:
        with self.lock:
            if self.stale_positions:
                return self.stale_positions.pop(0)
            return list(self.exchange.book().positions or [])

    def fill(self, order: ModelOrder, units: int) -> None:
        """Fill a working order and push the update, as the exchange would."""
        with self.lock:
            self.exchange.fill(order, units)
            self._look()
            row = self._row(order)
        self.on_update(row)

    def orders_of(self, kind: str) -> list[ModelOrder]:
        with self.lock:
            return [order for order in self.exchange.orders if order.request.kind == kind]

    def _row(self, order: ModelOrder) -> BookOrder:
        return next(row for row in self.exchange.rows() if row.order_id == order.order_id)

    def _look(self) -> None:
        excess = self.exchange.exits_at_work - abs(self.exchange.position)
        self.worst_overlap = max(self.worst_overlap, excess)


class DeskRig:
    """A desk on a model exchange; ``restart`` is what a crash and a new process make of it."""

    def __init__(self, folder: Path, wire: ModelWire | None = None, patience: Patience = QUICK) -> None:
        self.path = folder / "journal.sqlite"
        self.wire = wire or ModelWire()
        self.patience = patience
        self.changed = threading.Condition()
        self.desk = self._make()

    def _make(self) -> OrderDesk:
        self.journal = JournalFile(self.path, ReplayClock(TIME))
        desk = OrderDesk(
            journal=self.journal,
            wire=self.wire,
            contract=DeskContract(SYMBOL, PRODUCT, 0.1, 27.0 * LOT),
            charges_of=lambda *_: 20.0,
            patience=self.patience,
            log=NullLog(),
            on_rows=self._rows,
        )
        self.wire.on_update = desk.on_order_update
        return desk

    def _rows(self, rows: object) -> None:
        with self.changed:
            self.changed.notify_all()

    def start(self, **options: bool) -> OrderDesk:
        self.desk.start(OPENED, **options)
        return self.desk

    def restart(self, **options: bool) -> OrderDesk:
        self.crash()
        self.desk = self._make()
        return self.start(**options)

    def crash(self) -> None:
        """Stop without ending anything, and let go of the journal."""
        self.desk._inbox.put(Crashed(0.0, RuntimeError("crash")))
        if self.desk._loop is not None:
            self.desk._loop.exception(timeout=10)
        self.desk._pool.shutdown(wait=True)
        self.desk._dispatcher.close(wait=True)
        self.journal.close()

    def end(self, *, flatten: bool = True) -> bool:
        done = self.desk.shut_down(flatten=flatten, reason="test", timeout_seconds=10)
        self.journal.close()
        return done

    def enter(self, lots: int = 1, side: int = 1, trip: int = 1, **terms: Any) -> None:
        signal = TIME.replace(tzinfo=None)
        decided = EntryDecided(
            trip, side * lots * LOT, 25_000.0, 25_000.0 - side * 50, 25_000.0 + side * 75, signal, 0.6
        )
        self.desk.enter(decided._replace(**terms), 0.0)

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=0.01) or self._poll(condition, seconds), (
                f"not reached; journal: {[row.fact for row in self.rows()][-6:]}"
            )

    def _poll(self, condition: Callable[[], bool], seconds: float) -> bool:
        turns = range(int(seconds / 0.02))
        return any(self.changed.wait_for(condition, timeout=0.02) for _ in turns)

    def rows(self) -> list:
        return read_journal(self.path)

    def facts(self, *kinds: type) -> list[Fact]:
        return [row.fact for row in self.rows() if not kinds or isinstance(row.fact, kinds)]
