"""Two instruments through the whole program at one sandbox: one login, one stream, one account."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import run_live
from analyzers.__main__ import main as analyzers
from analyzers.parity.files import INSTRUMENTS_FILE
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.login_lock import LoginLock
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.day import make_day
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar

CALENDAR = TradingCalendar()
NAMES = ("NIFTY", "BANKNIFTY")
SPEED = 400.0
FINAL = ("COMPLETE", "CANCELLED", "REJECTED")

pytestmark = pytest.mark.slow


@pytest.fixture
def server():
    days = [make_day(name, CALENDAR, seed=number) for number, name in enumerate(NAMES)]
    nears = [day.instruments[0].token for day in days]
    config = SandboxConfig(
        exchange=ExchangeConfig(
            instruments=tuple(one for day in days for one in day.instruments), day=days[0].day,
            calendar=CALENDAR, cash=5_000_000.0, seed=3,
            previous_closes={token: close for day in days for token, close in day.previous_closes.items()},
        ),
        trades={token: day.trades for token, day in zip(nears, days, strict=True)},
        histories={token: day.history for token, day in zip(nears, days, strict=True)},
        speed=SPEED, access_token="x" * 32,
    )  # fmt: skip
    with SandboxServer(config) as running:
        yield running


@pytest.fixture
def trade(server, tmp_path, monkeypatch):
    monkeypatch.setenv("KITE_API_KEY", server.api_key)
    monkeypatch.setenv("KITE_ACCESS_TOKEN", server.access_token)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        return run_live.main([
            "--mode", "live", "--yes", "--now", "--clock", "feed", "--quiet", "--out", str(tmp_path / "run"),
            "--set", f"broker.kite.api_root={server.api_root}",
            "--set", f"broker.kite.ticker_root={server.ticker_root}",
            "--set", "market.instruments=[NIFTY,BANKNIFTY]", "--set", "live.idle_end_seconds=5",
            "--set", "report.tearsheet=false", "--set", "status.enabled=false", "--strategy", "ema_cross",
            *arguments,
        ])  # fmt: skip

    return run


def journal_of(folder):
    return DeskState(row.fact for row in read_journal(folder / "journal.sqlite"))


def told(folder):
    return [json.loads(line) for line in (folder / "live.log").read_text().splitlines()]


def test_a_day_of_two_instruments_ends_flat_and_each_is_in_parity(trade, server, tmp_path, capsys):
    assert trade() == 0
    states = {name: journal_of(tmp_path / "run" / name) for name in NAMES}
    orders = server.ask(lambda exchange: exchange.orders())
    assert {row["tradingsymbol"][:-8] for row in orders} == set(NAMES)
    assert [row for row in orders if row["status"] not in FINAL] == []
    held = server.ask(lambda exchange: exchange.positions()["net"])
    assert [row["quantity"] for row in held] == [0, 0]
    # Each order of the exchange is known to the journal of its instrument and to no other
    for name, state in states.items():
        own = {row["tag"] for row in orders if row["tradingsymbol"].startswith(name)}
        assert own == {order.tag for order in state.orders.values() if order.stage == "known"}
        assert state.trips
        assert (tmp_path / "run" / name / "report.html").exists()
    days = [record for record in told(tmp_path / "run") if record["event"] == "day_over"]
    assert sorted(record["instrument"] for record in days) == sorted(NAMES)
    assert analyzers(["parity", "--run", str(tmp_path / "run")]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("limit", [1, 2])
def test_instruments_are_held_side_by_side_up_to_the_account_limit(trade, tmp_path, limit):
    arguments = ["--set", f"risk.account.max_positions={limit}", "--strategy", "random_entry",
                 "--set", "strategy.parameters.entry_probability=1", "--set", "risk.cooldown_losses=null",
                 "--set", "risk.max_entries_per_day=200", "--set", "risk.account.max_correlation=1",
                 "--set", "risk.account.correlation_sessions=5",
                 "--set", "strategy.allocation.kind=inverse_volatility",
                 "--set", "strategy.allocation.sessions=5"]  # fmt: skip
    assert trade(*arguments) == 0
    held = pd.concat(
        [
            pd.read_csv(tmp_path / "run" / name / "trades.csv", parse_dates=["entry_time", "exit_time"])
            for name in NAMES
        ]
    )
    changes = sorted(
        [(time, 1) for time in held["entry_time"]] + [(time, -1) for time in held["exit_time"]],
        key=lambda change: change,
    )
    most = running = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    assert most == limit
    assert len(pd.read_csv(tmp_path / "run" / "session_returns.csv")) >= 5


def test_without_enough_past_for_a_correlation_no_day_begins(trade, server, capsys):
    limits = ["--set", "risk.account.max_correlation=0.5", "--set", "risk.account.correlation_sessions=700"]
    assert trade(*limits) == 3
    told = capsys.readouterr().err
    assert "expected 700 (risk.account.correlation_sessions)" in told
    assert told.count("error:") == 1
    assert server.ask(lambda exchange: exchange.orders()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "demo", "--now"], "expected one in a demo"),
        (["--mode", "paper"], "begin each day of several with --now"),
        (
            ["--mode", "paper", "--now", "--set", "live.challengers=[{name: other, strategy: ema_cross}]"],
            "live.challengers with NIFTY, BANKNIFTY",
        ),
    ],
)
def test_what_several_instruments_cannot_do_is_one_line(tmp_path, capsys, arguments, words):
    several = ["--set", "market.instruments=[NIFTY,BANKNIFTY]", "--strategy", "ema_cross"]
    assert run_live.main([*arguments, *several, "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1


SEVERAL = ["--set", "market.instruments=[NIFTY,BANKNIFTY]", "--strategy", "ema_cross"]


def test_each_instrument_is_traded_by_one_process_of_the_login(tmp_path, monkeypatch, capsys):
    tokens = token_store(KiteSettings(token_file=str(tmp_path / "kite" / "token.json")))
    held = LoginLock(tokens, "BANKNIFTY")
    monkeypatch.chdir(tmp_path)
    login = ["--set", f"broker.kite.token_file={tokens.path}"]
    arguments = ["--mode", "live", "--yes", "--now", "--clock", "feed", *login, "--out", "run"]
    assert run_live.main([*arguments, *SEVERAL]) == 4
    held.release()
    told = capsys.readouterr().err
    assert "BANKNIFTY is traded live by another process" in told
    assert told.count("\n") == 1
    LoginLock(tokens, "NIFTY").release()  # it was let go again


@pytest.mark.parametrize(
    ("begun", "instruments", "words"),
    [
        (NAMES, "[]", "holds a day of NIFTY, BANKNIFTY, expected one of NIFTY"),
        (NAMES, "[NIFTY,FINNIFTY]", "holds a day of NIFTY, BANKNIFTY, expected one of NIFTY, FINNIFTY"),
        ((), "[NIFTY,BANKNIFTY]", "holds a day of one instrument, expected one of NIFTY, BANKNIFTY"),
    ],
)
def test_a_day_goes_on_with_the_instruments_that_it_began_with(
    tmp_path, monkeypatch, capsys, begun, instruments, words
):
    folder = tmp_path / "run"
    folder.mkdir()
    if begun:
        (folder / INSTRUMENTS_FILE).write_text(json.dumps(begun))
    for place in [folder / name for name in begun] or [folder]:
        place.mkdir(exist_ok=True)
        (place / "paper.sqlite").touch()
    monkeypatch.chdir(tmp_path)
    arguments = ["--mode", "paper", "--now", "--clock", "feed", "--out", str(folder)]
    chosen = ["--set", f"market.instruments={instruments}", "--strategy", "ema_cross"]
    assert run_live.main([*arguments, *chosen]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
