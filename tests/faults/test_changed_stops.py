"""Stops that follow a market that comes back at them, and targets in parts, while answers get lost.

Whatever becomes of a change, at the exchange the exits never exceed the position, nothing is sent that was
not written down, and the end is flat.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from brokers.desk.facts import ChangeFailed, ChangeSent, ExitWanted, StopMoved, Target, TargetReached
from brokers.desk.journal_file import read_journal
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from tests.brokers.sandbox_server.support import PRICE
from tests.faults.exchange_audit import Audit, running_market
from tests.faults.live_rig import LOT, QUICK, Address, LiveRig

RUNS = 24
RUNS_AT_ONCE = 8
CHANGES = "PUT /orders/*"
ENTRIES = (
    lambda _: {},
    lambda side: {"kind": "limit", "price": PRICE - side * 1.0},
    lambda side: {"kind": "stop_limit", "price": PRICE + side * 1.0, "limit": PRICE + side * 6.0},
)
PATIENT = QUICK.model_copy(update={"entry_patience_seconds": 5.0})


def faults(draw: Random) -> Iterator[Fault]:
    for kind, most in (
        ("lost_answer", 0.4), ("bad_gateway", 0.2), ("drop_request", 0.2), ("too_many_requests", 0.5),
    ):  # fmt: skip
        yield Fault(kind=kind, route=CHANGES, probability=draw.choice([0.0, most]), count=None)
    yield Fault(kind="lost_answer", probability=draw.choice([0.0, 0.3]), count=None)
    yield Fault(kind="late_row", probability=draw.choice([0.0, 0.3]), seconds=0.4, count=None)
    for kind in ("drop_event", "duplicate_event", "late_event"):
        yield Fault(kind=kind, probability=draw.choice([0.0, 0.5]), seconds=0.3, count=None)


@pytest.mark.slow
def test_stops_that_follow_never_make_an_exit_too_many(tmp_path, record_property):
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        found = sum(pool.map(lambda seed: run(seed, tmp_path / f"{seed}"), range(RUNS)), Counter())
    for name, count in found.items():
        record_property(name, count)
    # It was what it should be
    assert found["StopMoved"] > RUNS
    assert found["ChangeSent"] > RUNS
    assert found["ChangeFailed"]
    assert found["TargetReached"]
    assert found["hit"]


def run(seed: int, folder: Path) -> Counter[str]:
    try:
        return play(Random(seed), folder)  # noqa: S311 # chance, not a secret
    except AssertionError as error:
        facts = "\n".join(str(row.fact) for row in read_journal(folder / "journal.sqlite"))
        raise AssertionError(f"{seed}: {error}\n{facts}") from error


def play(draw: Random, folder: Path) -> Counter[str]:
    config = running_market(
        draw.randrange(10**6), swing=draw.choice([0.5, 1.5]), latency_ms=draw.choice([20.0, 400.0, 4000.0]),
        partial_fill_probability=draw.choice([0.0, 0.5]),
    )  # fmt: skip
    side, lots = draw.choice([1, -1]), draw.randint(2, 6)
    near = draw.randint(1, lots - 1)
    targets = (
        Target(near * LOT, PRICE + side * draw.choice([3.0, 8.0])),
        Target((lots - near) * LOT, PRICE + side * 60.0),
    )
    with SandboxServer(config) as server:
        audit = Audit(server, side)
        server.faults.add(*faults(draw))
        address = Address(server.api_root, server.ticker_root)
        rig = LiveRig(address, folder, live=PATIENT, largest_lots=draw.choice([2, 24]))
        rig.start()
        rig.enter(
            side, lots, stop_points=25.0, target_points=60.0, targets=targets, **draw.choice(ENTRIES)(side)
        )
        follow(rig, side, draw.choice([4.0, 8.0]), until=time.monotonic() + 4.0)
        rig.desk.leave("square_off")
        assert rig.wait(lambda: rig.is_flat), rig.account.open_position
        assert rig.end(flatten=True), rig.account.open_position
        assert rig.desk.failure is None
        assert audit.check_end(folder).position == 0
        audit.check_journal_agrees(folder)
    facts = [row.fact for row in read_journal(folder / "journal.sqlite")]
    told = Counter(type(fact).__name__ for fact in facts)
    reasons = {fact.reason for fact in facts if isinstance(fact, ExitWanted)}
    kinds = (StopMoved, ChangeSent, ChangeFailed, TargetReached)
    return Counter({kind.__name__: told[kind.__name__] for kind in kinds}) + Counter(
        hit="square_off" not in reasons
    )


def follow(rig: LiveRig, side: int, points: float, *, until: float) -> None:
    """Move the stop after the best price so far, as a strategy does at the close of its bars."""
    best = 0.0
    while time.monotonic() < until and not rig.wait(lambda: rig.is_flat, 0.15):
        price = rig.desk._last_price
        best = price if not best or (price - best) * side > 0 else best
        if best:
            rig.desk.move_stop(1, best - side * points)
