"""What a sandbox really holds, seen from its own side: order requests, and exits at each new order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from brokers.desk.facts import ChangeSent, Intent
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.sandbox.exchange import Exchange, MarketTrade
from brokers.sandbox.faults import BEFORE_KINDS
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from tests.brokers.sandbox_server.support import NEAR, PRICE, at, config_of

FINAL = ("COMPLETE", "CANCELLED", "REJECTED")
SPEED = 20.0
"""Market seconds in a real one."""

_SIDES = {"BUY": 1, "SELL": -1}


class Snapshot(NamedTuple):
    """Orders and trades of one moment."""

    orders: list[dict[str, Any]]
    trades: list[dict[str, Any]]

    @property
    def position(self) -> int:
        return sum(_SIDES[row["transaction_type"]] * row["quantity"] for row in self.trades)

    @property
    def working(self) -> list[dict[str, Any]]:
        return [row for row in self.orders if row["status"] not in FINAL]


class Audit:
    """Watches a sandbox from before its first order."""

    def __init__(self, server: SandboxServer, side: int) -> None:
        self.posts: Counter[str] = Counter()
        self.puts: Counter[str] = Counter()
        self.excesses: list[str] = []
        self._server = server
        self._exit_side = "SELL" if side > 0 else "BUY"
        self._count_posts()
        server.ask(self._look_at_each_order)

    def snapshot(self) -> Snapshot:
        return self._server.ask(_snapshot)

    def check(self, folder: Path) -> Snapshot:
        """Hold orders and journal against each other; return what the exchange holds."""
        held = self.snapshot()
        facts = [row.fact for row in read_journal(folder / "journal.sqlite")]
        state = DeskState(facts)
        sent = Counter(row["tag"] for row in held.orders)
        changes = Counter(state.orders[fact.tag].order_id for fact in facts if isinstance(fact, ChangeSent))
        assert self.puts <= changes, f"changes {self.puts}, written down {changes}"
        assert len(held.orders) <= len(state.orders)
        assert set(sent) <= set(state.orders)
        assert set(sent.values()) <= {1}, sent
        assert set(self.posts.values()) <= {1}, self.posts
        assert set(self.posts) <= set(state.orders)
        assert not self.excesses, self.excesses
        entries = [order for order in state.orders.values() if order.intent.role == "entry"]
        assert sum(abs(order.intent.size) for order in entries) == abs(state.trips[1].decided.size)
        return held

    def check_end(self, folder: Path) -> Snapshot:
        """Flat and nothing rests, or protected for exactly what is held; the journal knows as much."""
        held = self.check(folder)
        state = DeskState(row.fact for row in read_journal(folder / "journal.sqlite"))
        kept = [row for row in held.working if row["order_type"] == "SL"]
        assert len(held.working) == len(kept), held.working
        assert sum(row["pending_quantity"] for row in kept) == abs(held.position)
        assert {row["transaction_type"] for row in kept} <= {self._exit_side}
        assert len(state.trips) == 1
        return held

    def check_journal_agrees(self, folder: Path) -> None:
        """Every execution is booked once; to be asked when the market stands still."""
        held = self.snapshot()
        facts = [row.fact for row in read_journal(folder / "journal.sqlite")]
        state = DeskState(facts)
        booked = [
            (trade_id, size)
            for order in state.orders.values()
            for trade_id, (size, _, _) in order.trades.items()
        ]
        assert sorted(booked) == sorted(
            (row["trade_id"], _SIDES[row["transaction_type"]] * row["quantity"]) for row in held.trades
        )
        assert state.position == held.position
        assert not state.halted
        assert sum(isinstance(fact, Intent) for fact in facts) == len(state.orders)

    def _count_posts(self) -> None:
        faults = self._server.faults
        take = faults.take

        def counted(kinds, now, *, route=None, fields=None):
            # The first thing that is done with a request, before anything can go wrong with it.
            if kinds is BEFORE_KINDS and route is not None and route.startswith("POST /orders/"):
                self.posts[fields["tag"]] += 1
            if kinds is BEFORE_KINDS and route is not None and route.startswith("PUT /orders/"):
                self.puts[route.rpartition("/")[2]] += 1
            return take(kinds, now, route=route, fields=fields)

        faults.take = counted

    def _look_at_each_order(self, exchange: Exchange) -> None:
        place = exchange.place

        def watched(variety, form):
            order_id = place(variety, form)
            self._look(exchange, order_id)
            return order_id

        exchange.place = watched

    def _look(self, exchange: Exchange, order_id: str) -> None:
        """Exits only grow where one is placed: it is enough to look then."""
        held = _snapshot(exchange)
        exits = [row for row in held.working if row["transaction_type"] == self._exit_side]
        sign = 1 if self._exit_side == "SELL" else -1
        may_fill = sum(row["pending_quantity"] for row in exits)
        if may_fill > max(0, sign * held.position):
            self.excesses.append(f"after {order_id}: exits of {may_fill} on a position of {held.position}")


def _snapshot(exchange: Exchange) -> Snapshot:
    return Snapshot(exchange.orders(), exchange.trades())


def running_market(
    seed: int, *, swing: float = 0.0, minutes: int = 40, every: int = 1, **exchange: Any
) -> SandboxConfig:
    """Return a day that runs from 10:00 on with a print every few seconds, on a seeded walk."""
    walk = Random(seed)  # noqa: S311 # chance, not a secret
    price, prints = PRICE, [MarketTrade(at("09:59"), PRICE, NEAR.lot, 0.0)]
    for second in range(0, 60 * minutes, every):
        price = round(round((price + walk.gauss(0.0, swing)) / NEAR.tick) * NEAR.tick, 2)
        minute, rest = divmod(second, 60)
        prints.append(MarketTrade(at(f"10:{minute:02d}:{rest:02d}"), price, NEAR.lot, 0.0))
    rules = {"cash": 1e8, "seed": seed, **exchange}
    return config_of(prints, exchange=rules, start="now", clock_start=at("10:00"), speed=SPEED, seed=seed)
