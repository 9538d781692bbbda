"""Lost answers: the sandbox takes every order and drops the connection; nothing is ever sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from brokers.desk.facts import EntryDecided, Intent, NotFound
from brokers.desk.journal_file import read_journal
from brokers.sandbox.faults import Fault, FaultBoard
from brokers.sandbox.server import SandboxServer
from tests.faults.exchange_audit import Audit, running_market
from tests.faults.live_rig import QUICK, Address, LiveRig

RUNS = 200
RUNS_AT_ONCE = 12
CHUNK = 25
ENDINGS = ("square_off", "target", "market", "flatten", "keep")
AMBIGUOUS = ("bad_gateway", "gateway_timeout", "timed_out", "unreadable", "lost_answer")


@dataclass(frozen=True)
class Case:
    """One run, drawn from its seed."""

    seed: int
    mixed: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "draw", Random(f"{self.seed}:{self.mixed}"))  # noqa: S311 # no secret

    def faults(self) -> Iterator[Fault]:
        draw = self.draw
        if self.mixed:
            yield Fault(kind="drop_request", probability=0.15, count=2)
            for kind in AMBIGUOUS[:-1]:
                yield Fault(kind=kind, probability=0.25, count=None)
            yield Fault(kind=AMBIGUOUS[-1], probability=0.5, count=None)
            yield Fault(kind="lost_answer", route="DELETE /orders/*", probability=0.4, count=None)
            yield Fault(kind="bad_gateway", route="GET /*", probability=0.1, count=None)
        else:
            yield Fault(kind="lost_answer", count=None)
        yield Fault(
            kind="late_row",
            probability=draw.choice([0.0, 0.5]),
            seconds=draw.choice([0.2, 0.6, 1.2]),
            count=None,
        )
        for kind in ("drop_event", "duplicate_event", "late_event"):
            yield Fault(kind=kind, probability=draw.choice([0.0, 0.3, 0.9]), seconds=0.3, count=None)


class Outcome(NamedTuple):
    """What a run came to: orders at the exchange, intents, orders whose answer was lost or worse."""

    orders: int
    intents: int
    unanswered: int


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
def test_with_every_answer_lost_no_order_is_sent_twice(tmp_path, record_property, first):
    outcomes = run_all([Case(seed, mixed=False) for seed in range(first, first + CHUNK)], tmp_path)
    for name in Outcome._fields:
        record_property(name, sum(getattr(outcome, name) for outcome in outcomes))
    assert all(outcome.unanswered == outcome.orders for outcome in outcomes)
    assert sum(outcome.orders for outcome in outcomes) >= 2 * CHUNK


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 50, CHUNK))
def test_with_answers_of_all_kinds_no_order_is_sent_twice(tmp_path, record_property, first):
    outcomes = run_all([Case(seed, mixed=True) for seed in range(first, first + CHUNK)], tmp_path)
    for name in Outcome._fields:
        record_property(name, sum(getattr(outcome, name) for outcome in outcomes))
    assert sum(outcome.unanswered for outcome in outcomes) >= CHUNK


@pytest.mark.slow
@pytest.mark.parametrize("case", ["entry", "stop", "stop when flat"])
def test_an_order_that_shows_up_after_it_was_given_up_is_taken_back(tmp_path, case):
    impatient = QUICK.model_copy(update={"unresolved_seconds": 1.0})
    with SandboxServer(running_market(1)) as server:
        audit = Audit(server, side=1)
        where = {} if case == "entry" else {"order_type": "SL"}
        server.faults.add(Fault(kind="lost_answer", where=where))
        hidden = 8.0 if case == "stop when flat" else 4.0
        server.faults.add(Fault(kind="late_row", where=where, seconds=hidden))
        rig = LiveRig(Address(server.api_root, server.ticker_root), tmp_path, live=impatient)
        rig.start()
        rig.enter(1, 2, stop_points=100.0, target_points=100.0)
        orders = rig.desk.state.orders
        assert rig.wait(lambda: any(order.stage == "absent" for order in list(orders.values())))
        (lost,) = (order for order in orders.values() if order.stage == "absent")
        assert lost.intent.role == case.split()[0]
        if case == "stop when flat":
            rig.desk.leave("square_off")
            assert rig.wait(lambda: rig.is_flat)
            assert lost.stage == "absent"
        assert rig.wait(lambda: lost.stage == "known" and (rig.is_held if case == "stop" else rig.is_flat))
        assert rig.end(flatten=True)
        held = audit.snapshot()
        assert (held.position, held.working) == (0, [])
        assert set(audit.posts.values()) == {1}
        assert sum(row["transaction_type"] == "BUY" for row in held.orders) == 1
        audit.check_journal_agrees(tmp_path)
        assert any(isinstance(row.fact, NotFound) for row in read_journal(tmp_path / "journal.sqlite"))


def run_all(cases: list[Case], folder: Path) -> list[Outcome]:
    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        return list(pool.map(lambda case: run(case, folder / f"{case.seed}"), cases))


def run(case: Case, folder: Path) -> Outcome:
    try:
        return play(case, folder)
    except AssertionError as error:
        facts = "\n".join(str(row.fact) for row in read_journal(folder / "journal.sqlite"))
        raise AssertionError(f"{case}: {error}\n{facts}") from error


def play(case: Case, folder: Path) -> Outcome:
    draw = case.draw
    config = running_market(
        case.seed, swing=draw.choice([0.5, 1.5, 4.0]), latency_ms=draw.choice([20.0, 400.0, 4000.0]),
        fill_latency_ms=draw.choice([5.0, 1000.0]), partial_fill_probability=draw.choice([0.0, 0.5, 0.95]),
    )  # fmt: skip
    side, lots, ending = draw.choice([1, -1]), draw.randint(1, 5), draw.choice(ENDINGS)
    with SandboxServer(config) as server:
        audit = Audit(server, side)
        server.faults.add(*case.faults())
        address = Address(server.api_root, server.ticker_root)
        rig = LiveRig(address, folder, largest_lots=draw.choice([2, 24]))
        rig.start()
        stop, target = draw.choice([4.0, 15.0, 80.0]), draw.choice([4.0, 15.0, 80.0])
        decided = rig.enter(side, lots, stop_points=stop, target_points=target)
        rig.wait(lambda: rig.is_flat, draw.uniform(0.1, 2.0))
        finish(rig, ending, decided)
        audit.check_end(folder)
        if ending == "keep":
            rig = LiveRig(address, folder)
            rig.start()
            assert rig.end(flatten=True), rig.account.open_position
            assert audit.check_end(folder).position == 0
        audit.check_journal_agrees(folder)
        return outcome_of(folder, audit, server.faults)


def finish(rig: LiveRig, ending: str, decided: EntryDecided) -> None:
    if ending == "square_off":
        rig.desk.leave("square_off")
        assert rig.wait(lambda: rig.is_flat)
    elif ending == "target":
        rig.desk.on_price(decided.target_price)
        rig.wait(lambda: rig.is_flat, 3.0)
    elif ending == "market":
        rig.wait(lambda: rig.is_flat, 3.0)
    assert rig.end(flatten=ending != "keep"), rig.account.open_position
    assert rig.desk.failure is None
    position = rig.account.broker.getposition(None)
    assert position.size == rig.desk.state.position


def outcome_of(folder: Path, audit: Audit, faults: FaultBoard) -> Outcome:
    facts = [row.fact for row in read_journal(folder / "journal.sqlite")]
    of_orders = [row for row in faults.rows() if row["route"] == "POST /*order*/*"]
    return Outcome(
        len(audit.snapshot().orders),
        sum(isinstance(fact, Intent) for fact in facts),
        sum(row["happened"] for row in of_orders if row["kind"] in AMBIGUOUS),
    )
