"""Live a part of a trading day in a process that is killed at one step of its journal.

Run as a process of its own, because it forks: everything is imported once, each life is a fork. Reads lives
as lines of JSON (:class:`Life`), answers each with a line: ``killed``, ``done`` or ``failed``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from brokers.desk.facts import (
    Acknowledged,
    CancelSent,
    ChangeSent,
    DayOpened,
    EntryDecided,
    EntryWithdrawn,
    ExitWanted,
    Fact,
    Filled,
    Intent,
    OrderSeen,
    Sent,
    StopMoved,
    Target,
    TargetReached,
    TripClosed,
)
from brokers.desk.journal_file import JournalFile, JournalRow
from brokers.desk.state import DeskState
from brokers.kite.wire import KiteWire
from brokers.wire import OrderRequest
from tests.brokers.sandbox_server.support import PRICE
from tests.faults.live_rig import LOT, Address, LiveRig

LOTS, POINTS = 8, 200.0
LONGEST_LIFE_SECONDS = 100

_OF_TRIP: dict[type, str] = {
    DayOpened: "opened", EntryDecided: "decided", ExitWanted: "exit wanted", TripClosed: "closed",
    StopMoved: "stop moved", TargetReached: "target reached", EntryWithdrawn: "withdrawn",
}  # fmt: skip
_OF_ORDER: dict[type, str] = {
    Intent: "intended", Sent: "sent", Acknowledged: "acknowledged", CancelSent: "cancel sent",
    ChangeSent: "change sent",
}  # fmt: skip


class Life(NamedTuple):
    """What one process does, and when it is killed.

    ``step`` is a name of :func:`step_of`, ``write`` the number of an append to the journal; neither: it is
    not killed. ``phase`` is ``before`` the step is written, ``during`` it, ``after`` it is on the disk and
    before anything is done about it, or ``acted``: the request was answered, but nothing more was written.
    """

    folder: str
    address: tuple[str, str]
    script: str
    side: int
    step: str = ""
    write: int = 0
    phase: str = "after"


class Killer:
    """Kills its process at one append to the journal."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._state: DeskState | None = None
        self._writes = 0
        self._fatal_tags: set[str] = set()
        self._written: set[tuple[type, str]] = set()
        self._append, self._place, self._cancel = JournalFile.append, KiteWire.place, KiteWire.cancel
        self._modify = KiteWire.modify

    def install(self) -> None:
        # Functions, because methods of the killer would not be bound to what they are called on.
        def append(journal: JournalFile, facts: Iterable[Fact]) -> list[JournalRow]:
            return self.append(journal, facts)

        def place(wire: KiteWire, request: OrderRequest) -> str:
            return self.place(wire, request)

        def cancel(wire: KiteWire, order_id: str) -> None:
            self.cancel(wire, order_id)

        def modify(wire: KiteWire, order_id: str, **terms: Any) -> None:
            self.modify(wire, order_id, **terms)

        JournalFile.append, KiteWire.place, KiteWire.cancel = append, place, cancel
        KiteWire.modify = modify

    def append(self, journal: JournalFile, facts: Iterable[Fact]) -> list[JournalRow]:
        if self._state is None:
            self._state = DeskState(row.fact for row in journal.rows())
        facts, fatal = list(facts), False
        self._writes += 1
        for fact in facts:
            self._state.apply(fact)
            if self._is_fatal(fact):
                fatal = True
                self._fatal_tags.add(getattr(fact, "tag", ""))
        phase = self._life.phase
        if fatal and phase == "before":
            die()
        if fatal and phase == "during":
            journal._database.set_trace_callback(die_at_commit)
        rows = self._append(journal, facts)
        self._written.update((type(fact), getattr(fact, "tag", "")) for fact in facts)
        if fatal and phase == "after":
            die()
        return rows

    def place(self, wire: KiteWire, request: OrderRequest) -> str:
        assert (Sent, request.tag) in self._written, "sent before it was written down"
        try:
            return self._place(wire, request)
        finally:
            if self._life.phase == "acted" and request.tag in self._fatal_tags:
                die()

    def cancel(self, wire: KiteWire, order_id: str) -> None:
        assert self._state is not None
        order = self._state.order_of(order_id)
        assert order is not None
        assert (CancelSent, order.tag) in self._written, "cancelled before it was written down"
        try:
            self._cancel(wire, order_id)
        finally:
            if self._life.phase == "acted" and order.tag in self._fatal_tags:
                die()

    def modify(self, wire: KiteWire, order_id: str, **terms: Any) -> None:
        assert self._state is not None
        order = self._state.order_of(order_id)
        assert order is not None
        assert (ChangeSent, order.tag) in self._written, "changed before it was written down"
        try:
            self._modify(wire, order_id, **terms)
        finally:
            if self._life.phase == "acted" and order.tag in self._fatal_tags:
                die()

    def _is_fatal(self, fact: Fact) -> bool:
        assert self._state is not None
        if self._life.write:
            return self._writes == self._life.write
        return bool(self._life.step) and step_of(fact, self._state) == self._life.step


def step_of(fact: Fact, state: DeskState) -> str:
    """Return what a fact that was just applied is called here; empty for what nobody is killed at."""
    if type(fact) in _OF_TRIP:
        return _OF_TRIP[type(fact)]
    order = state.orders.get(getattr(fact, "tag", ""))
    if order is None:
        return ""
    role = order.intent.role if order.intent.role in ("entry", "stop") else "exit"
    if type(fact) in _OF_ORDER:
        return f"{role} {_OF_ORDER[type(fact)]}"
    match fact:
        case Filled():
            return f"{role} {'filled' if order.booked == abs(order.intent.size) else 'partial'}"
        case OrderSeen(state="waiting") if fact.price or fact.units:
            return "stop changed"
        case OrderSeen(state="waiting"):
            return "stop placed"
        case OrderSeen(state="cancelled"):
            return f"{role} cancelled"
    return ""


def die_at_commit(statement: str) -> None:
    if statement == "COMMIT":
        die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def live(life: Life) -> None:
    """Recover, enter if that was never decided, and play the script to its end."""
    Killer(life).install()
    rig = LiveRig(Address(*life.address), Path(life.folder))
    rig.start()
    if not rig.desk.state.trips:
        rig.enter(life.side, LOTS, stop_points=POINTS, target_points=POINTS, **terms_of(life))
    if life.script == "withdraw":
        rig.wait(lambda: bool(rig.desk.state.trips))
        rig.desk.withdraw(1)
    assert rig.wait(lambda: rig.is_flat or rig.is_held or has_to_leave(rig)), rig.account.open_position
    if life.script == "keep":
        assert rig.end(flatten=False), rig.account.open_position
        return
    decided = rig.desk.state.trips[1].decided
    if life.script == "move":
        rig.desk.move_stop(1, decided.stop_price + life.side * 40.0)
        assert rig.wait(lambda: rig.is_flat or (rig.desk.state.trips[1].moved_stop and rig.is_held))
        rig.desk.leave("square_off")
    elif life.script == "scale":
        rig.desk.on_price(decided.targets[0].price)
        assert rig.wait(lambda: rig.is_flat or (rig.desk.state.trips[1].levels and rig.is_held))
        rig.desk.leave("square_off")
    elif life.script == "withdraw":
        rig.desk.leave("square_off")
    elif life.script == "target":
        rig.desk.on_price(decided.target_price)
    elif life.script == "stop":
        while not rig.wait(lambda: rig.is_flat, 0.3):
            print_at(life.address[0], decided.stop_price - life.side)
    elif life.script == "square_off":
        rig.desk.leave("square_off")
    assert rig.wait(lambda: rig.is_flat), rig.account.open_position
    assert rig.end(flatten=True), rig.account.open_position


def terms_of(life: Life) -> dict[str, Any]:
    """Return what the entry of a script is besides a market order with one target."""
    far = PRICE + life.side * POINTS
    if life.script == "scale":
        near = Target(3 * LOT, PRICE + life.side * POINTS / 2)
        return {"targets": (near, Target((LOTS - 3) * LOT, far))}
    if life.script == "withdraw":
        return {"kind": "limit", "price": PRICE - life.side * POINTS / 4}
    return {}


def has_to_leave(rig: LiveRig) -> bool:
    trips = rig.desk.state.trips
    return bool(trips) and bool(trips[1].exit_reason)


def print_at(api_root: str, price: float) -> None:
    body, headers = json.dumps({"price": price}).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{api_root}/sandbox/trade", body, headers)  # noqa: S310 # the sandbox
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def fork(life: Life) -> str:
    child = os.fork()
    if not child:
        signal.alarm(LONGEST_LIFE_SECONDS)
        code = 1
        try:
            live(life)
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed" if os.WTERMSIG(status) == signal.SIGKILL else "failed"
    return "failed" if os.WEXITSTATUS(status) else "done"


def main() -> None:
    for line in sys.stdin:
        fields: dict[str, Any] = json.loads(line)
        sys.stdout.write(fork(Life(**fields)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
