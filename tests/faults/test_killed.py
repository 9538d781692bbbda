"""A live day whose process is killed at each step of its journal, again at a later one, and started anew."""

from __future__ import annotations

import itertools
import json
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from brokers.desk.journal_file import read_journal
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from tests.faults.exchange_audit import Audit, running_market
from tests.faults.killed_desk import Life

ROOT = Path(__file__).resolve().parents[2]
LIVES_AT_ONCE = 4

ENTRY = (
    "opened", "decided", "entry sent", "entry acknowledged", "entry partial", "entry filled", "stop intended",
    "stop sent", "stop acknowledged", "stop placed",
)  # fmt: skip
EXIT = (
    "exit wanted", "stop cancel sent", "stop cancelled", "exit intended", "exit sent", "exit acknowledged",
    "exit partial", "exit filled", "closed",
)  # fmt: skip
CHASE = ("exit cancel sent", "exit cancelled")
PHASES = ("before", "during", "after", "acted")
SECOND_KILLS = tuple(itertools.product((1, 2, 3, 5, 8), PHASES))


Note = Callable[[str, object], None]


class Case(NamedTuple):
    """A script, the step of the first kill, and the write of the second."""

    number: int
    script: str
    step: str
    phase: str
    sparse: bool = False

    @property
    def second(self) -> tuple[int, str]:
        return SECOND_KILLS[(7 * self.number) % len(SECOND_KILLS)]


def cases(
    script: str,
    steps: tuple[str, ...],
    phases: tuple[str, ...] = ("before", "after", "acted"),
    *,
    first: int = 0,
    sparse: bool = False,
) -> list[Case]:
    pairs = [(step, phase) for step in steps for phase in phases if phase != "acted" or step.endswith("sent")]
    return [Case(first + number, script, *pair, sparse) for number, pair in enumerate(pairs)]


FLAT_DAY = cases("square_off", ENTRY + EXIT, PHASES)
CHUNK = 21


class Nursery:
    """A process that forks lives."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "errors.txt"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.killed_desk"], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def live(self, life: Life) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(life._asdict()) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        assert answer in ("killed", "done"), (
            f"{life}: {answer or 'no answer'}\n{self.errors.read_text()[-3000:]}"
        )
        return answer

    def close(self) -> None:
        self.process.communicate()
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def nurseries(tmp_path_factory):
    with ExitStack() as stack:
        free: queue.SimpleQueue[Nursery] = queue.SimpleQueue()
        for _ in range(LIVES_AT_ONCE):
            nursery = Nursery(tmp_path_factory.mktemp("nursery"))
            stack.callback(nursery.close)
            free.put(nursery)
        yield free


@contextmanager
def one_of(nurseries: queue.SimpleQueue[Nursery]) -> Iterator[Nursery]:
    nursery = nurseries.get()
    try:
        yield nursery
    finally:
        nurseries.put(nursery)


def run_all(nurseries: queue.SimpleQueue[Nursery], found: list[Case], folder: Path, note: Note) -> None:
    def run(case: Case) -> int:
        with one_of(nurseries) as nursery:
            return play(nursery, case, folder / f"{case.number}")

    with ThreadPoolExecutor(LIVES_AT_ONCE) as pool:
        kills = list(pool.map(run, found))
    note("scenarios", len(found))
    note("kills", sum(kills))
    assert sum(kills) > len(found)  # second kills happen, too


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, len(FLAT_DAY), CHUNK))
def test_killed_at_each_step_of_a_day_that_ends_flat(nurseries, tmp_path, record_property, first):
    run_all(nurseries, FLAT_DAY[first : first + CHUNK], tmp_path, record_property)


@pytest.mark.slow
def test_killed_at_each_step_of_an_entry_that_is_kept(nurseries, tmp_path, record_property):
    run_all(nurseries, cases("keep", ENTRY, first=100), tmp_path, record_property)


@pytest.mark.slow
def test_killed_while_a_target_is_taken(nurseries, tmp_path, record_property):
    run_all(nurseries, cases("target", EXIT[:6] + CHASE, first=200), tmp_path, record_property)


@pytest.mark.slow
def test_killed_while_a_stop_is_hit(nurseries, tmp_path, record_property):
    run_all(
        nurseries,
        cases("stop", ("stop partial", "stop filled", "closed"), first=300),
        tmp_path,
        record_property,
    )


@pytest.mark.slow
def test_killed_while_an_entry_that_rests_is_taken_back(nurseries, tmp_path, record_property):
    steps = ("entry cancel sent", "entry cancelled")
    run_all(nurseries, cases("square_off", steps, first=400, sparse=True), tmp_path, record_property)


CHANGE = ("stop change sent", "stop changed")


@pytest.mark.slow
def test_killed_while_a_stop_is_moved(nurseries, tmp_path, record_property):
    run_all(nurseries, cases("move", ("stop moved", *CHANGE), first=500), tmp_path, record_property)


@pytest.mark.slow
def test_killed_while_a_part_is_taken_at_a_target(nurseries, tmp_path, record_property):
    steps = ("target reached", *CHANGE, "exit intended", "exit sent", "exit acknowledged", "exit filled")
    run_all(nurseries, cases("scale", steps, first=600), tmp_path, record_property)


@pytest.mark.slow
def test_killed_while_a_limit_entry_is_taken_back(nurseries, tmp_path, record_property):
    steps = ("entry sent", "entry acknowledged", "withdrawn", "entry cancel sent", "entry cancelled")
    run_all(nurseries, cases("withdraw", steps, first=700), tmp_path, record_property)


def play(nursery: Nursery, case: Case, folder: Path) -> int:
    try:
        return live_four_times(nursery, case, folder)
    except AssertionError as error:
        facts = "\n".join(rows_of(folder))
        raise AssertionError(f"{case}, second {case.second}: {error}\n{facts}") from error


def live_four_times(nursery: Nursery, case: Case, folder: Path) -> int:
    draw = Random(case.number)  # noqa: S311 # chance, not a secret
    side = draw.choice([1, -1])
    market = (
        running_market(case.number, every=15, partial_fill_probability=1.0, idle_fill_ms=float("inf"))
        if case.sparse
        # A part of one stop: of several a whole one might be it
        else running_market(case.number, partial_fill_probability=float(case.script != "scale"))
    )
    with SandboxServer(market) as server:
        audit = Audit(server, side)
        server.faults.add(Fault(kind="late_row", probability=0.3, seconds=0.4, count=None))
        server.faults.add(Fault(kind="lost_answer", probability=0.2, count=None))
        server.faults.add(Fault(kind="lost_answer", route="PUT /orders/*", probability=0.3, count=None))
        server.faults.add(Fault(kind="drop_event", probability=draw.choice([0.0, 0.5]), count=None))
        life = Life(str(folder), (server.api_root, server.ticker_root), case.script, side)
        assert nursery.live(life._replace(step=case.step, phase=case.phase)) == "killed"
        write, phase = case.second
        second = nursery.live(life._replace(write=write, phase=phase))
        assert nursery.live(life) == "done"

        held = audit.check_end(folder)
        assert case.script == "keep" or not held.position
        audit.check_journal_agrees(folder)
        rows, orders = rows_of(folder), held.orders
        assert nursery.live(life._replace(script="keep")) == "done"
        assert rows_of(folder) == rows
        assert [row["order_id"] for row in audit.snapshot().orders] == [row["order_id"] for row in orders]
        assert [row["status"] for row in audit.snapshot().orders] == [row["status"] for row in orders]
    return 1 + (second == "killed")


def rows_of(folder: Path) -> list[str]:
    """Return the rows as text: a NaN is not equal to itself."""
    return [str(row) for row in read_journal(folder / "journal.sqlite")]
