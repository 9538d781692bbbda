"""A day with challengers at the sandbox: nothing of theirs is sent, and what they did is a backtest."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path

import pytest
import yaml

from analyzers.challengers import CHALLENGERS_FILE, CHALLENGERS_TRADES_FILE, read_challengers
from analyzers.fingerprint import trades_fingerprint
from analyzers.parity.files import read_bars, read_day
from analyzers.trades import trades_frame
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from feeds.bars import BAR_COLUMNS
from feeds.calendar import TradingCalendar
from ml.promotion import promote
from ml.registry import ModelRegistry
from strategies.assembly import assemble_backtest
from strategies.challengers import challenger_settings
from strategies.loading import load_run_bars
from strategies.modelling import load_stored
from strategies.replay import recorded_settings
from strategies.retraining import retrain
from tests.live_market import HOLD, Market, Program, day_config, wait_until
from tests.test_run_live_retraining import NOW, settings_in

pytestmark = pytest.mark.slow

CALENDAR = TradingCalendar()
CHALLENGERS = [
    {"name": "model", "strategy": "ml", "parameters": {"buy_probability": 0.2, "sell_probability": 0.2}},
    {"name": "dice", "strategy": "random_entry", "parameters": {"entry_probability": 0.4, "seed": 3}},
]


@pytest.fixture
def registry(tmp_path):
    """Two models, of which the older one is the champion."""
    for model in ({}, {"seed": 99, "depth": 2}):
        settings = settings_in(tmp_path, **model)
        retrain(settings, load_run_bars(settings, CALENDAR), CALENDAR, now=NOW)
    made = ModelRegistry(settings.ml.registry)
    made.promote("v0001")
    return made


def judged(folder):
    path = folder / CHALLENGERS_FILE
    return read_challengers(path) if path.exists() else None


def challengers_process(parent):
    """Return the process id of the challengers' process, None where there is none."""
    for entry in Path(f"/proc/{parent}/task").glob("*/children"):
        for child in entry.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if words[-3:-1] == ["strategies", "challengers"]:
                return int(child)
    return None


def test_challengers_send_nothing_and_are_a_backtest_of_the_day(tmp_path, registry):
    """Also when their process is killed at noon, and another champion is promoted after it."""
    out, file = tmp_path / "run", tmp_path / "settings.yaml"
    ml = settings_in(tmp_path).model_dump(mode="json")["ml"]
    file.write_text(
        yaml.safe_dump({"ml": ml, "live": {"challengers": CHALLENGERS}, "risk": {"max_model_age_days": None}})
    )
    with Market(day_config(begins="14:15", speed=200.0)) as market:
        with Program(tmp_path, *market.arguments(out), "--settings", file, *HOLD) as program:
            wait_until(lambda: (judged(out) or None) and judged(out).bars >= 3, "bars are judged")
            os.kill(challengers_process(program.process.pid), signal.SIGKILL)
            promote(registry, "v0002", why="in the midst of it", by="test", at=NOW, forced=True)
            killed_at = judged(out).bars
            wait_until(lambda: judged(out).bars > killed_at, "its successor judges")
            assert program.process.poll() is None, "the day was over before; let the market run more slowly"
            assert program.end() == 0, program
        orders = {row["tag"] for row in market.account().orders}
    champion = DeskState(row.fact for row in read_journal(out / "journal.sqlite"))
    assert orders == set(champion.orders)
    assert len(champion.trips) >= 1
    assert "challengers_died" in (out / "live.log").read_text()
    check_backtests(out)


def check_backtests(folder):
    """The engine alone, on the recorded bars and with the model of the morning, does the same trades."""
    recorded, now = read_day(folder), judged(folder)
    settings = recorded_settings(recorded)
    bars = recorded.run.bars[list(BAR_COLUMNS)]
    assert now.bars == sum(read_bars(folder / "bars.csv")["origin"] == "ticks")
    assert now.challengers[0].model == "v0001"
    with (folder / CHALLENGERS_TRADES_FILE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for one, section in zip(now.challengers, settings.live.challengers, strict=True):
        assert one.error == ""
        own = challenger_settings(section, settings, recorded.starting_cash)
        predictor = load_stored(own, "v0001").predictor if section.strategy == "ml" else None
        plain = assemble_backtest(own, bars, CALENDAR, predictor=predictor, skip=False)
        plain.engine.run()
        trades = trades_frame(plain.journal.fills, plain.journal.contexts, recorded.run.bars)
        assert trades_fingerprint(trades) == one.fingerprint, json.dumps(one.model_dump(mode="json"))
        assert one.trades == len(trades) == sum(row["name"] == one.name for row in rows) >= 1
