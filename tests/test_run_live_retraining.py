"""A training and a promotion in the middle of a day change no decision of that day."""

from __future__ import annotations

import csv
import datetime as dt
import json

import pytest
import yaml

from feeds.calendar import TradingCalendar
from feeds.clock import IST
from ml.promotion import promote
from ml.registry import ModelRegistry
from strategies.loading import load_run_bars
from strategies.retraining import retrain
from strategies.retraining_process import RetrainingProcess
from strategies.settings import Settings
from tests.analyzers.alerts.support import MemoryLog
from tests.live_market import HOLD, WAIT, Market, Program, day_config, wait_until

pytestmark = pytest.mark.slow

NOW = dt.datetime(2026, 9, 23, 18, 0, tzinfo=IST)
NAMES = ("bar_start", "side", "probability", "units", "leaves", "atr", "p_sell", "p_buy")


def settings_in(folder, **model):
    return Settings.model_validate(
        {
            "data": {"source": "synthetic", "synthetic": {"sessions": 60, "seed": 5}},
            "strategy": {"name": "ml"},
            "report": {"tearsheet": False},
            "ml": {
                "features": ["return_zscore", "volume_ratio_20", "hour_sin", "rsi_14"],
                "registry": str(folder / "models"),
                "split": {"embargo_bars": 10},
                "model": {"rounds": 10, "leaf_rows": 50, "learning_rate": 0.3, **model},
                "retrain": {"data": "synthetic"},
                "workers": 1,
            },
        }
    )


@pytest.fixture
def registry(tmp_path):
    settings, calendar = settings_in(tmp_path), TradingCalendar()
    retrain(settings, load_run_bars(settings, calendar), calendar, now=NOW)
    made = ModelRegistry(settings.ml.registry)
    made.promote("v0001")
    return made


def rows_of(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines)) if path.exists() else []


def decided(folder):
    """What was decided on each bar, on what grounds; not what was open, which follows the machine's pace."""
    return [[row[name] for name in NAMES if name in row] for row in rows_of(folder / "decisions.csv")]


def traded(folder, run, meanwhile):
    """Trade from a quarter to three on with the champion; ``meanwhile`` comes once bars are decided on."""
    ml = {"ml": settings_in(folder).model_dump(mode="json")["ml"]}
    ml["ml"]["retrain"]["schedule"] = "none"
    file = folder / "settings.yaml"
    file.write_text(yaml.safe_dump(ml))
    strategy = ("--strategy", "ml", "--set", "strategy.parameters={buy_probability: 0.2}",
                "--set", "risk.max_model_age_days=null")  # fmt: skip
    hold = [part for part in HOLD if part not in ("--strategy", "random_entry")]
    probability = hold.index("strategy.parameters.entry_probability=1")
    hold = hold[: probability - 1] + hold[probability + 1 :]
    out = folder / run
    with Market(day_config(begins="14:45", speed=300.0)) as market:
        arguments = [*market.arguments(out), "--settings", file, *hold, *strategy]
        with Program(folder, *arguments) as program:
            wait_until(lambda: (out / "decisions.csv").exists() and len(rows_of(out / "decisions.csv")) > 2,
                       "a bar was decided on")  # fmt: skip
            meanwhile()
            was_on = program.process.poll() is None
            assert program.end() == 0, program.complaints
        assert market.account().position == 0
    return decided(out), was_on


def test_retraining_and_promotion_during_a_day_change_no_decision_of_it(tmp_path, registry):
    before, _ = traded(tmp_path, "quiet", lambda: None)
    assert any(side not in ("0", "") for _, side, *_ in before)  # it has traded
    log = MemoryLog()
    with RetrainingProcess(tmp_path, log) as retraining:

        def meanwhile():
            # Another seed and depth: a model that would decide otherwise
            assert retraining.start(settings_in(tmp_path, seed=99, depth=2), "asked for")
            retraining._thread.join(WAIT)
            assert log.records[-1]["outcome"] == "stored", log.records
            promote(registry, "v0002", why="in the midst of it", by="test", at=NOW, forced=True)

        during, was_on = traded(tmp_path, "busy", meanwhile)
    assert during == before
    assert registry.champion == "v0002"
    assert was_on, "the day was over before the training; let the market run more slowly"
    summary = json.loads((tmp_path / "busy" / "summary.json").read_text())
    assert summary["model"]["version"] == "v0001"
