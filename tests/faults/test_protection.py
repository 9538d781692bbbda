"""Entries that fill in parts, stops and targets reached meanwhile: every unit is protected, and once only.

What the exchange sees is looked at after every change of every order; how long it takes is the benchmark's
business (:mod:`benchmarks.live`).
"""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest

from benchmarks.exit_audit import ExitAudit
from benchmarks.stopwatch import LiveRun, Stopwatch
from brokers.desk.facts import Intent
from brokers.desk.journal_file import read_journal
from brokers.sandbox.market import MarketTrade
from run_live import main
from tests.live_market import PRICE, TOKEN, Market, at, day_config

SPEED = 60.0
SETTINGS = (
    "--strategy", "random_entry", "--set", "strategy.parameters.entry_probability=1",
    "--set", "data.bar_minutes=1", "--set", "strategy.stop_atr=0.3", "--set", "strategy.target_atr=0.3",
    "--set", "strategy.sizer=fixed", "--set", "risk.max_entries_per_day=1000", "--set", "risk.max_lots=100",
    "--set", "risk.cooldown_losses=null", "--set", "risk.daily_loss_percent=100",
    "--set", "live.entry_patience_seconds=0.5", "--set", "live.target_patience_seconds=0.3",
    "--set", "live.exit_patience_seconds=0.3", "--set", "live.capital_rupees=100000000",
    "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0",
    "--set", "report.bootstrap_samples=200",
)  # fmt: skip


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)


def walk(seed, lot, minutes):
    """Return a print each second on a seeded walk that reaches a few points within a minute."""
    draw, price, prints = Random(seed), PRICE, []  # noqa: S311 # no secret
    for second in range(60 * minutes):
        price = round(round((price + draw.gauss(0.0, 0.6)) / 0.1) * 0.1, 2)
        prints.append(MarketTrade(at("14:30") + dt.timedelta(seconds=second), price, lot, 0.0))
    return prints


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "latency_ms", "lots"), [(1, 100.0, 10), (2, 2_000.0, 10), (3, 10.0, 60)])
def test_every_fill_is_protected_for_exactly_its_units_and_exits_never_exceed_the_position(
    tmp_path, seed, latency_ms, lots
):
    near = day_config().exchange.instruments[0]
    config = day_config(
        speed=SPEED, trades={near.token: walk(seed, near.lot, 20)},
        exchange={
            "partial_fill_probability": 0.8, "seed": seed, "cash": 1e9, "latency_ms": latency_ms,
            "fill_latency_ms": latency_ms / 5,
        },
    )  # fmt: skip
    with ExitAudit() as audit, Stopwatch() as watch, Market(config) as market:
        arguments = [
            *market.arguments(tmp_path / "run"), *SETTINGS, "--quiet",
            "--set", f"strategy.fixed_units={lots * near.lot}",
        ]  # fmt: skip
        assert main(arguments) == 0
        account = market.account()
    run = LiveRun(read_journal(tmp_path / "run/journal.sqlite"), watch, audit.arrivals, {})
    protection = run.protection()
    assert audit.violations == []
    assert protection.uncovered == []
    assert not account.position
    assert not account.working
    # It was what it should be: fills in parts, several stops at a time, exits of every kind.
    assert len(protection.milliseconds) > 10
    assert audit.most_exits > 1
    roles = {row.fact.role for row in run.rows if isinstance(row.fact, Intent)}
    assert {"entry", "stop", "target"} <= roles
