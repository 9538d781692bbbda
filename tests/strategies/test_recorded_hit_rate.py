"""Hit rate of recorded days: the newest trades of one model, across days."""

from __future__ import annotations

import json

import numpy as np
import pytest

from feeds.errors import DataError, ModelError
from ml.hit_rate import HitRateReference
from ml.models import XGBoostModel
from ml.registry import ModelRegistry
from strategies.recorded_hit_rate import recorded_hit_rate
from tests.ml.test_registry import card

HALF = HitRateReference(trades=400, wins=200)


@pytest.fixture
def registry(tmp_path):
    generator = np.random.default_rng(1)
    features = generator.standard_normal((400, 2))
    model = XGBoostModel(rounds=2, leaf_rows=10).fit(features, np.sign(features[:, 0]).astype(int))
    made = ModelRegistry(tmp_path / "models")
    made.save(model, card(hit_rate=HALF))
    made.save(model, card())
    return made


@pytest.fixture
def day(tmp_path, registry):
    def write(name, wins, losses, version="v0001", still_open=0):
        folder = tmp_path / name
        folder.mkdir()
        model = {"registry": str(registry.root), "version": version} if version else None
        (folder / "summary.json").write_text(json.dumps({"model": model}))
        nets = ["100.5"] * wins + ["-3"] * losses
        lines = [f"{number},2026-09-24 10:00,{net}" for number, net in enumerate(nets)]
        lines += [f"{number},,50" for number in range(still_open)]
        (folder / "trades.csv").write_text("\n".join(["trade_id,exit_time,net_pnl", *lines, ""]))
        return folder

    return write


def test_the_newest_trades_of_the_same_model_count(day):
    days = [day("mon", 30, 0), day("tue", 0, 5, version="v0002"), day("wed", 5, 5), day("thu", 2, 18)]
    found = recorded_hit_rate(days[-1], days[:-1], 50)
    assert (found.trades, found.wins, found.level) == (50, 2 + 5 + 20, "ok")
    found = recorded_hit_rate(days[-1], days[:-1], 20)
    assert (found.trades, found.wins, found.level) == (20, 2, "low")


def test_an_open_trade_does_not_count(day):
    assert recorded_hit_rate(day("mon", 12, 8, still_open=3), [], 50).trades == 20


@pytest.mark.parametrize(
    ("version", "words"), [("v0002", "holds no backtest"), (None, "the strategy asks no model")]
)
def test_what_cannot_be_compared_is_unknown(day, version, words):
    found = recorded_hit_rate(day("mon", 30, 30, version=version), [], 50)
    assert found.level == "unknown"
    assert words in found.words


def test_a_day_before_that_was_broken_off_is_passed_over_and_the_day_itself_is_not(day):
    monday, tuesday = day("mon", 10, 10), day("tue", 10, 10)
    (monday / "trades.csv").unlink()
    assert recorded_hit_rate(tuesday, [monday], 50).trades == 20
    with pytest.raises(DataError, match=r"trades\.csv cannot be read"):
        recorded_hit_rate(monday, [], 50)
    (tuesday / "trades.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="expected the columns"):
        recorded_hit_rate(tuesday, [], 50)


def test_a_model_that_is_gone_is_told(day, registry):
    folder = day("mon", 10, 10)
    (registry.root / "v0001" / "card.json").unlink()
    with pytest.raises(ModelError, match="cannot read"):
        recorded_hit_rate(folder, [], 50)
