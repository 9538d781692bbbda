"""An error that nobody expected flattens, halts and tells; where it cannot flatten, the stop stays."""

from __future__ import annotations

import json
import sqlite3

import pytest

from brokers.desk.facts import ExitWanted
from brokers.desk.journal_file import JournalFile
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.order_sanity import OrderSanity
from brokers.sandbox.faults import Fault
from run_live import main
from strategies import live_accounts
from strategies.live_accounts import ExchangeAccount
from strategies.recording import DayRecorder
from tests.live_market import HOLD, TOKEN, Market, day_config, wait_until

pytestmark = pytest.mark.slow

RAISES = "tests.faults.broken_strategies:RaisesWhileHolding"
LEAVES = "tests.faults.broken_strategies:LeavesSoon"


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)


@pytest.fixture
def market():
    with Market(day_config()) as market:
        yield market


@pytest.fixture
def last_line(tmp_path, capsys):
    """Trade the day, expect it to end with exit code 1, and return its last line."""

    def run(market, *more, mode="live"):
        arguments = [*market.arguments(tmp_path / "run", mode=mode), *HOLD, "--quiet", *more]
        assert main([str(argument) for argument in arguments]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    return run


@pytest.fixture
def log(tmp_path):
    def read():
        return [json.loads(line) for line in (tmp_path / "run/live.log").read_text().splitlines()]

    return read


def strategy_breaks(monkeypatch):
    return "KeyError: 'not there'", ["--strategy", RAISES]


def flattening_rule_breaks(monkeypatch):
    def breached(rule, state):
        if state.open_size:
            raise ZeroDivisionError("no equity")
        return ""

    monkeypatch.setattr(DailyLoss, "breached", breached)
    return "ZeroDivisionError: no equity", []


def loop_breaks(monkeypatch):
    record = DayRecorder.record

    def full(recorder, seen):
        if seen.position:
            raise OSError(28, "No space left on device", "decisions.csv")
        record(recorder, seen)

    monkeypatch.setattr(DayRecorder, "record", full)
    return "OSError: [Errno 28] No space left on device: 'decisions.csv'", []


def stream_breaks(monkeypatch):
    on_price = ExchangeAccount.on_price

    def broken(account, price):
        on_price(account, price)
        if account.desk.state.position:
            raise RuntimeError("a tick too many")

    monkeypatch.setattr(ExchangeAccount, "on_price", broken)
    return "RuntimeError: a tick too many", []


@pytest.mark.parametrize("breaks", [strategy_breaks, flattening_rule_breaks, loop_breaks, stream_breaks])
def test_an_unexpected_error_flattens_and_halts(market, last_line, log, monkeypatch, breaks):
    error, arguments = breaks(monkeypatch)
    line = last_line(market, *arguments)
    assert line.startswith(f"error: the day was ended by {error} (traceback in ")
    assert line.endswith("; nothing is open")
    account = market.account()
    assert account.position == 0
    assert not account.working
    assert sum(order["filled_quantity"] for order in account.orders) > 0  # there was something to flatten
    told = log()
    (failed,) = [row for row in told if row["event"] == "failed"]
    assert error.split(":")[0] in failed["traceback"]
    assert told[-1]["event"] == "halted"
    assert (told[-1]["flat"], told[-1]["open"]) == (True, "nothing")
    assert not [row for row in told if row["event"] == "login_needed"]


def test_a_rule_that_breaks_at_the_entry_lets_nothing_out(market, last_line, monkeypatch):
    def check(rule, request, state):
        raise TypeError("no such price")

    monkeypatch.setattr(OrderSanity, "check", check)
    assert last_line(market).endswith("; nothing is open")
    assert market.placed == 0


def test_on_paper_it_flattens_as_well(market, last_line, log):
    line = last_line(market, "--strategy", RAISES, mode="paper")
    assert line.startswith("error: the day was ended by KeyError: 'not there' (traceback in ")
    assert line.endswith("; nothing is open")
    assert log()[-1]["event"] == "halted"
    assert market.placed == 0


def test_with_a_dead_session_the_stop_stays_and_the_last_line_says_what_is_open(
    market, last_line, log, monkeypatch
):
    monkeypatch.setattr(live_accounts, "_SHUTDOWN_SECONDS", 2.0)
    market.faults.add(Fault(kind="kill_token", route="DELETE /orders/*"))
    line = last_line(market, "--strategy", RAISES)
    account = market.account()
    assert account.is_protected
    (stop,) = account.working
    side = "+" if account.position > 0 else "-"
    assert f"; STILL OPEN: {side}{abs(account.position)} {stop['tradingsymbol']} MIS: stop order " in line
    assert f"{stop['order_id']} over {stop['pending_quantity']} at {stop['trigger_price']:g}" in line
    told = log()
    assert [row["event"] for row in told].count("login_needed") == 1
    assert told[-1]["event"] == "halted"
    assert not told[-1]["flat"]
    assert stop["order_id"] in told[-1]["open"]


def test_with_a_journal_that_cannot_be_written_the_stop_stays(market, last_line, log, monkeypatch):
    append = JournalFile.append

    def full(journal, facts):
        if any(isinstance(fact, ExitWanted) for fact in facts):
            raise sqlite3.OperationalError("database or disk is full")
        return append(journal, facts)

    monkeypatch.setattr(JournalFile, "append", full)
    line = last_line(market, "--strategy", LEAVES)
    wait_until(lambda: market.account().is_protected, "the stop rests alone")
    (stop,) = market.account().working
    assert line.startswith("error: the day was ended by OperationalError: database or disk is full")
    assert "; STILL OPEN: " in line
    assert stop["order_id"] in line
    assert log()[-1]["event"] == "halted"
