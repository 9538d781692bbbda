"""A live day tells why each entry was decided, and its files say the same at the end."""

from __future__ import annotations

import csv
import datetime as dt
import json

import pytest

from feeds.calendar import TradingCalendar
from feeds.clock import IST
from run_live import main
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import Settings
from tests.live_market import TOKEN, Market, day_config

TRADED = (
    "--strategy", "ml", "--set", "strategy.parameters={buy_probability: 0.2}",
    "--set", "strategy.stop_atr=10", "--set", "strategy.target_atr=20",
    "--set", "strategy.sizer=fixed", "--set", "strategy.fixed_units=130",
    "--set", "risk.max_model_age_days=null", "--set", "status.enabled=false",
    "--set", "report.tearsheet=false", "--set", "report.embedded_bars=0",
    "--set", "report.bootstrap_samples=200",
)  # fmt: skip
FEATURES = ["return_zscore", "volume_ratio_20", "hour_sin", "rsi_14"]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Return the arguments by which a run uses a model that was trained on made-up bars."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    registry = tmp_path / "models"
    settings = Settings.model_validate(
        {
            "data": {"source": "synthetic", "synthetic": {"sessions": 60, "seed": 5}},
            "ml": {
                "features": FEATURES,
                "registry": str(registry),
                "split": {"embargo_bars": 10},
                "model": {"rounds": 10, "leaf_rows": 50, "learning_rate": 0.3},
            },
        }
    )
    now = dt.datetime(2026, 9, 23, 18, 0, tzinfo=IST)
    model = prepare_model(settings, load_run_bars(settings, TradingCalendar()), "train", now=now)
    return [
        "--model", str(model.info["version"]), "--set", f"ml.registry={registry}",
        "--set", f"ml.features=[{', '.join(FEATURES)}]",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["live", "paper"])
def test_a_day_tells_why_it_entered(tmp_path, trained, mode):
    folder = tmp_path / "run"
    with Market(day_config(begins="14:45")) as market:
        assert main([*market.arguments(folder, mode=mode), *TRADED, *trained]) == 0
    events = [json.loads(line) for line in (folder / "live.log").read_text().splitlines()]
    told = {event["start"]: event for event in events if event["event"] == "entry_reasons"}
    with (folder / "trades.csv").open(newline="") as lines:
        trades = list(csv.DictReader(lines))
    assert trades
    for trade in trades:
        signal = dt.datetime.fromisoformat(trade["signal_time"])
        event = told[(signal - dt.timedelta(minutes=3)).isoformat()]
        assert event["why"] == trade["why"] != ""
        assert event["side"] == (1 if trade["side"] == "long" else -1)
