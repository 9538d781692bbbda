"""A whole day of the live stack over HTTP and WebSocket, and its backtest: what is equal, and what agrees.

The day is made up; the same test runs on recorded ticks where they lie beside the project.
"""

from __future__ import annotations

import datetime as dt
import json

import pytest

import run_live
from analyzers.__main__ import main as analyzers
from analyzers.challengers import read_challengers
from analyzers.fingerprint import trades_fingerprint
from analyzers.parity.files import read_bars, read_day
from analyzers.trades import trades_frame
from brokers.desk.facts import ChangeSent, EntryWithdrawn, StopMoved, TargetReached
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.day import make_day
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.bars import BAR_COLUMNS
from feeds.calendar import TradingCalendar
from feeds.tick_bars import Tick, TickBarBuilder, frame_from_bars
from strategies.assembly import assemble_backtest
from strategies.challengers import challenger_settings
from strategies.replay import recorded_settings

CALENDAR = TradingCalendar()
SPEED = 500.0
FINAL = ("COMPLETE", "CANCELLED", "REJECTED")


def server_for(day, *, partial_fills=0.25):
    near = day.instruments[0].token
    return SandboxServer(
        SandboxConfig(
            exchange=ExchangeConfig(
                instruments=day.instruments, day=day.day, calendar=CALENDAR, cash=2_000_000.0,
                previous_closes=day.previous_closes, partial_fill_probability=partial_fills, seed=3,
            ),
            trades={near: day.trades}, histories={near: day.history}, speed=SPEED, access_token="x" * 32,
        )
    )  # fmt: skip


def trade_the_day(server, folder, monkeypatch, *arguments):
    monkeypatch.setenv("KITE_API_KEY", server.api_key)
    monkeypatch.setenv("KITE_ACCESS_TOKEN", server.access_token)
    monkeypatch.chdir(folder.parent)
    return run_live.main([
        "--mode", "live", "--yes", "--now", "--clock", "feed", "--quiet", "--out", str(folder),
        "--set", f"broker.kite.api_root={server.api_root}",
        "--set", f"broker.kite.ticker_root={server.ticker_root}",
        "--set", "live.idle_end_seconds=5", "--set", "report.tearsheet=false",
        "--set", "status.enabled=false",
        *arguments,
    ])  # fmt: skip


def at_upstox(server, monkeypatch):
    """Return the arguments of a day at the same sandbox as Upstox."""
    monkeypatch.setenv("UPSTOX_API_KEY", server.api_key)
    monkeypatch.setenv("UPSTOX_ACCESS_TOKEN", server.access_token)
    addresses = {
        "api_root": server.api_root, "order_root": server.api_root, "instruments_url": server.instruments_url,
    }  # fmt: skip
    given = ["broker.name=upstox", *(f"broker.upstox.{name}={value}" for name, value in addresses.items())]
    return [part for one in given for part in ("--set", one)]


def offline_bars(day):
    builder = TickBarBuilder(CALENDAR, 3, cumulative=False)
    bars = []
    for trade in day.trades:
        bars += builder.add(Tick(trade.time, trade.price, trade.quantity, trade.open_interest))
    bars += builder.advance(CALENDAR.session(day.day).close)
    return frame_from_bars(bars)


def check_day(day, server, folder, capsys):
    """Bars equal those built offline; journal, orders and positions agree; flat; in parity."""
    recorded = read_bars(folder / "bars.csv")
    live = recorded[recorded["origin"] == "ticks"]
    assert live[list(BAR_COLUMNS)].equals(offline_bars(day)[list(BAR_COLUMNS)])

    state = DeskState(row.fact for row in read_journal(folder / "journal.sqlite"))
    orders = {row["tag"]: row for row in server.ask(lambda exchange: exchange.orders())}
    assert set(orders) == set(state.orders)
    for tag, order in state.orders.items():
        assert orders[tag]["filled_quantity"] == order.filled == order.booked
        assert orders[tag]["status"] in FINAL
    trades = server.ask(lambda exchange: exchange.trades())
    assert {row["trade_id"] for row in trades} == {
        number for order in state.orders.values() for number in order.trades
    }
    assert all(row["quantity"] == 0 for row in server.ask(lambda exchange: exchange.positions())["net"])
    assert state.position == 0
    assert all(trip.closed for trip in state.trips.values())

    assert analyzers(["parity", "--run", str(folder)]) == 0, capsys.readouterr().out
    parity = json.loads((folder / "parity.json").read_text())
    return state, parity


@pytest.mark.slow
def test_a_day_of_made_up_ticks(tmp_path, monkeypatch, capsys):
    day = make_day("NIFTY", CALENDAR, seed=2)
    with server_for(day) as server:
        code = trade_the_day(
            server, tmp_path / "day", monkeypatch, "--strategy", "ema_cross", "--set",
            f"live.challengers={json.dumps(CHALLENGERS)}",
        )  # fmt: skip
        assert code == 0, capsys.readouterr().err
        # Every order at the exchange is the champion's: check_day holds the two lists equal
        state, parity = check_day(day, server, tmp_path / "day", capsys)
    assert len(state.trips) >= 2
    check_challengers(tmp_path / "day", parity)


@pytest.mark.slow
def test_the_same_day_at_upstox(tmp_path, monkeypatch, capsys):
    day = make_day("NIFTY", CALENDAR, seed=2)
    with server_for(day) as server:
        arguments = ["--strategy", "ema_cross", *at_upstox(server, monkeypatch)]
        monkeypatch.delenv("KITE_API_KEY", raising=False)
        code = trade_the_day(server, tmp_path / "day", monkeypatch, *arguments)
        assert code == 0, capsys.readouterr().err
        state, _ = check_day(day, server, tmp_path / "day", capsys)
    assert len(state.trips) >= 2
    assert state.opened.product == "I"


CHALLENGERS = [
    {"name": "the same again", "strategy": "ema_cross"},
    {"name": "dice", "strategy": "random_entry", "parameters": {"entry_probability": 0.2}},
    {"name": "no model", "strategy": "ml", "model": "v0099"},
]


def check_challengers(folder, parity):
    """What they would have done is the backtest of the day's bars, and nothing of it was sent."""
    judged = read_challengers(folder / "challengers.json")
    same, dice, lacking = judged.challengers
    assert judged.bars == sum(read_bars(folder / "bars.csv")["origin"] == "ticks")
    assert same.net_pnl == pytest.approx(parity["rupees"]["backtest_net"], abs=0.005)
    assert dice.trades >= 2
    assert dice.open_units == 0
    assert "v0099" in lacking.error
    recorded = read_day(folder)
    settings = recorded_settings(recorded)
    for one, section in zip((same, dice), settings.live.challengers, strict=False):
        own = challenger_settings(section, settings, recorded.starting_cash)
        plain = assemble_backtest(own, recorded.run.bars[list(BAR_COLUMNS)], CALENDAR, skip=False)
        plain.engine.run()
        trades = trades_frame(plain.journal.fills, plain.journal.contexts, recorded.run.bars)
        assert trades_fingerprint(trades) == one.fingerprint


@pytest.mark.slow
@pytest.mark.real_data
def test_a_day_of_recorded_ticks(shared_data, tmp_path, monkeypatch, capsys):
    ticks = shared_data / "data/ticks/NIFTY-I_20221101.csv.gz"
    history = shared_data / "data/NIFTY_FUT_1min_2022-10-17_2022-11-15.parquet"
    day = make_day("NIFTY", CALENDAR, ticks=ticks, history=history, day=dt.date(2022, 11, 1))
    with server_for(day) as server:
        code = trade_the_day(server, tmp_path / "day", monkeypatch, "--strategy", "ema_cross")
        assert code == 0, capsys.readouterr().err
        state, _ = check_day(day, server, tmp_path / "day", capsys)
    assert len(state.trips) >= 4


@pytest.mark.slow
def test_a_day_of_limit_entries_that_trail_and_scale_out(tmp_path, monkeypatch, capsys):
    day = make_day("NIFTY", CALENDAR, seed=2)
    targets = [{"atr": 1.0, "fraction": 0.5}, {"atr": 2.0, "fraction": 0.5}]
    with server_for(day) as server:
        code = trade_the_day(
            server, tmp_path / "day", monkeypatch, "--strategy", "ema_cross",
            "--set", "strategy.entry.kind=limit", "--set", "strategy.entry.offset_atr=0.1",
            "--set", "strategy.trail_atr=1.5", "--set", f"strategy.targets={json.dumps(targets)}",
            "--set", "strategy.sizer=lots", "--set", "strategy.fixed_lots=4",
            "--set", "risk.cooldown_losses=null",
        )  # fmt: skip
        assert code == 0, capsys.readouterr().err
        state, parity = check_day(day, server, tmp_path / "day", capsys)
    assert set(parity["unexplained"].values()) == {0}
    told = {type(row.fact) for row in read_journal(tmp_path / "day" / "journal.sqlite")}
    assert {StopMoved, ChangeSent, TargetReached, EntryWithdrawn} <= told
    entries = [order.intent for trip in state.trips.values() for order in trip.entries]
    assert {intent.kind for intent in entries} == {"limit"}
