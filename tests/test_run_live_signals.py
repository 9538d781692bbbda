"""Ctrl-C and SIGTERM in the middle of an open position: flat or protected, files whole, exit code 0."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.instance_lock import InstanceLock
from brokers.sandbox.faults import Fault
from tests.live_market import HOLD, TOKEN, WAIT, Market, Program, day_config, wait_until

FILES = {"bars.csv", "decisions.csv", "fills.csv", "orders.csv", "trades.csv", "summary.json", "report.html"}
SLOWLY = 120.0
"""Times real speed: a bar takes a second and a half, so that a signal finds the position it is meant for."""

pytestmark = pytest.mark.slow


@pytest.fixture
def market():
    with Market(day_config(speed=SLOWLY)) as market:
        yield market


@pytest.fixture
def trading(tmp_path, market):
    """Start the program, and wait until it holds a position with its stop."""

    @contextlib.contextmanager
    def start(*more, mode="live", until=None):
        folder = tmp_path / "run"
        with Program(tmp_path, *market.arguments(folder, mode=mode), *HOLD, *more) as program:
            is_ready = until or (lambda: market.account().is_protected)
            wait_until(lambda: is_ready() or program.process.poll() is not None, "a position is open")
            assert program.process.poll() is None, program
            yield program

    return start


def assert_whole(folder):
    """The files are there, and nobody holds or has torn the journal."""
    assert {file.name for file in folder.iterdir()} >= FILES
    assert not list(folder.glob("*-wal")), "the journal was not closed"
    json.loads((folder / "summary.json").read_text())
    for line in (folder / "live.log").read_text().splitlines():
        assert TOKEN not in line
        json.loads(line)
    file = folder / "journal.sqlite"
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    InstanceLock(file, "journal").release()


def state_of(folder):
    return DeskState(row.fact for row in read_journal(folder / "journal.sqlite"))


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def assert_flat(market, folder):
    account = market.account()
    assert (account.position, account.working) == (0, [])
    assert_whole(folder)
    state = state_of(folder)
    assert (state.position, state.active_trips) == (0, [])
    assert len(rows_of(folder / "trades.csv")) == 1
    assert rows_of(folder / "trades.csv")[0]["exit_reason"] == "shutdown"


def assert_kept(market, folder):
    account = market.account()
    assert account.is_protected
    assert_whole(folder)
    state = state_of(folder)
    assert state.position == account.position
    assert rows_of(folder / "trades.csv") == []
    warnings = " ".join(json.loads((folder / "summary.json").read_text())["warnings"])
    assert "Still open at the end, and not among the trades" in warnings


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])


@SIGNALS
def test_flatten_ends_flat(market, trading, tmp_path, number):
    with trading() as program:
        program.send(number)
        assert program.end() == 0, program
        assert program.complaints == []
        assert program.has_told(f"stopping: {number.name}, closing"), program
        assert program.has_told("nothing is open"), program
    assert_flat(market, tmp_path / "run")
    assert market.placed == 3


@SIGNALS
def test_keep_leaves_the_position_and_its_stop(market, trading, tmp_path, number):
    with trading("--set", "live.on_stop=keep") as program:
        before = market.placed
        program.send(number)
        assert program.end() == 0, program
        assert program.complaints == []
        assert program.has_told(f"stopping: {number.name}, keeping"), program
        assert program.has_told("stop order"), "the last lines have to say what is open"
    assert_kept(market, tmp_path / "run")
    assert market.order_requests == {"POST": before, "PUT": 0, "DELETE": 0}


@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
def test_signals_while_it_is_stopping_change_nothing(market, trading, tmp_path, on_stop):
    # Stopping takes a while: every answer about orders is late
    market.faults.add(Fault(kind="delay", seconds=0.5, count=None, route="DELETE /orders/*"))
    with trading("--set", f"live.on_stop={on_stop}") as program:
        market.faults.add(Fault(kind="delay", seconds=0.5, count=None, route="POST /orders/*"))
        program.send(signal.SIGINT)
        wait_until(lambda: program.has_told("stopping: "), "it stops")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            if program.process.poll() is None:
                program.send(number)
            time.sleep(0.1)
        assert program.end() == 0, program
        assert program.complaints == []
    if on_stop == "flatten":
        assert_flat(market, tmp_path / "run")
    else:
        assert_kept(market, tmp_path / "run")


def test_signals_one_upon_the_other(market, trading, tmp_path):
    """Somebody leans on the keys: until the program has ended by itself, each one counts for nothing."""
    with trading() as program:
        deadline = time.monotonic() + WAIT
        while program.process.poll() is None and time.monotonic() < deadline:
            program.send(signal.SIGINT)
            time.sleep(0.02)
        # One may come when all is done and Python is on its way out
        assert program.end() in (0, 130, -signal.SIGINT), program
    assert_flat(market, tmp_path / "run")


def goes_on(program):
    wait_until(lambda: program.has_told("stream is up") or program.process.poll() is not None, "it goes on")
    assert program.process.poll() is None, program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_position_goes_on_after_a_restart(market, trading, tmp_path, number):
    """Yesterday's bars, with which the feed warms up, are no reason to square it off."""
    folder = tmp_path / "run"
    keep = ("--set", "live.on_stop=keep")
    with trading(*keep) as program:
        program.send(number)
        assert program.end() == (0 if number == signal.SIGTERM else -number), program
    held = market.account().position
    with trading(*keep, until=lambda: True) as program:
        goes_on(program)
        wait_until(lambda: program.has_told(" long ") or program.has_told(" short "), "a bar")
        program.send(signal.SIGTERM)
        assert program.end() == 0, program
        assert program.complaints == []
    assert_kept(market, folder)
    assert market.account().position == held
    with trading(until=lambda: True) as program:
        goes_on(program)
        program.send(signal.SIGTERM)
        assert program.end() == 0, program
    assert_flat(market, folder)
    assert market.placed == 3, "an entry, its stop, and the exit, over three processes"
    assert len(rows_of(folder / "fills.csv")) == 2
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["data"]["starting_cash"] == 1_000_000.0, (
        "that of the day, not what was free at the restart"
    )


def test_a_restart_when_the_position_blocks_all_that_is_free(tmp_path):
    """What is open has to be looked after, also in an account that could not open it again."""
    folder = tmp_path / "run"
    with Market(day_config(speed=SLOWLY, exchange={"cash": 260_000.0})) as market:
        arguments = [*market.arguments(folder), *HOLD, "--set", "strategy.fixed_units=65",
                     "--set", "risk.max_margin_percent=null"]  # fmt: skip
        with Program(tmp_path, *arguments) as program:
            wait_until(
                lambda: market.account().is_protected or program.process.poll() is not None, "it holds"
            )
            program.send(signal.SIGKILL)
            program.end()
        assert market.account().is_protected
        assert market.ask(lambda exchange: exchange.margins()["equity"]["net"]) < 100_000
        with Program(tmp_path, *arguments) as program:
            goes_on(program)
            program.send(signal.SIGTERM)
            assert program.end() == 0, program
        assert market.account().position == 0


def test_a_signal_while_nothing_is_open(market, trading, tmp_path):
    with trading("--strategy", "ema_cross", "--set", "strategy.parameters={}",
                 until=lambda: True) as program:  # fmt: skip
        wait_until(lambda: program.has_told("warmed up"), "the day has begun")
        program.send(signal.SIGTERM)
        assert program.end() == 0, program
        assert program.has_told("nothing is open"), program
        assert program.complaints == []
    assert market.placed == 0


def test_a_signal_before_the_day_has_begun(market, tmp_path):
    """While it waits for a tick to say what day it is, or just after: nothing is open either way."""
    with Market(day_config(start="manual")) as silent:
        folder = tmp_path / "run"
        with Program(tmp_path, *silent.arguments(folder), *HOLD) as program:
            wait_until(lambda: bool(silent.state()["subscriptions"]), "it waits for a tick")
            program.send(signal.SIGINT)
            code = program.end()
            assert code in (0, 130), program
            if code == 130:
                assert program.complaints == [
                    "error: interrupted; if the day had begun, live.log in its folder says what is open\n"
                ]
        assert silent.placed == 0


def test_a_signal_while_the_entry_fills_in_parts(tmp_path):
    """Between the first fill and the last: what is held ends flat, what was still to come is cancelled."""
    config = day_config(speed=30.0, exchange={"partial_fill_probability": 1.0, "cash": 1e7, "seed": 5})
    with Market(config) as market:
        folder = tmp_path / "run"
        arguments = [*market.arguments(folder), *HOLD, "--set", "strategy.fixed_units=650"]  # fmt: skip
        with Program(tmp_path, *arguments) as program:
            wait_until(
                lambda: market.account().position != 0 or program.process.poll() is not None, "a first fill"
            )
            program.send(signal.SIGTERM)
            assert program.end() == 0, program
        account = market.account()
        assert (account.position, account.working) == (0, [])
        assert_whole(folder)
        assert state_of(folder).position == 0


@pytest.mark.parametrize("on_stop", ["flatten", "keep"])
@SIGNALS
def test_on_paper(market, trading, tmp_path, number, on_stop):
    folder = tmp_path / "run"

    def is_long():
        file = folder / "decisions.csv"
        return file.exists() and any(float(row["position"]) for row in rows_of(file))

    with trading("--set", f"live.on_stop={on_stop}", mode="paper", until=is_long) as program:
        program.send(number)
        assert program.end() == 0, program
        assert program.complaints == []
    assert {file.name for file in folder.iterdir()} >= FILES
    assert not list(folder.glob("*-wal"))
    fills = rows_of(folder / "fills.csv")
    trades = rows_of(folder / "trades.csv")
    assert len(fills) == (2 if on_stop == "flatten" else 1)
    assert [trade["exit_reason"] for trade in trades] == (["shutdown"] if on_stop == "flatten" else [])
    assert market.placed == 0


def test_ctrl_c_in_a_terminal_reaches_the_demo_s_exchange_last(tmp_path):
    """A terminal sends it to all processes of the group: the exchange must be there for the way out."""
    folder = tmp_path / "run"
    arguments = ["--mode", "demo", "--now", "--speed", "200", "--out", folder, *HOLD]
    with Program(tmp_path, *arguments) as program:
        wait_until(lambda: program.has_told("filled") or program.process.poll() is not None, "a fill")
        os.killpg(program.process.pid, signal.SIGINT)
        assert program.end() == 0, program
        assert program.has_told("nothing is open"), program
    assert_whole(folder)
    assert state_of(folder).position == 0
