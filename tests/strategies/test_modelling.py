"""Which model a run asks, and what counts as a trial."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError
from ml.registry import ModelRegistry
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model, trial_id
from strategies.settings import load_settings

NOW = dt.datetime(2024, 1, 1, tzinfo=IST)
SMALL = [
    "data.synthetic.sessions=46", "ml.split.train_months=1", "ml.split.test_months=1", "ml.model.rounds=5",
    "ml.model.leaf_rows=20", "ml.features=[return_zscore, volume_ratio_20]",
]  # fmt: skip


def settings_with(*overrides):
    return load_settings(None, [*SMALL, *overrides])


@pytest.fixture(scope="module")
def bars():
    return load_run_bars(settings_with(), TradingCalendar())


def test_walk_forward_judges_only_after_its_first_training(bars):
    model = prepare_model(settings_with(), bars, "walkforward", now=NOW)
    assert model.judges_from.date() == dt.date(2023, 2, 2)
    assert len(model.windows) == 2
    for window in model.windows:
        assert window["train_last"] < window["test_first"]
    answers = pd.Series(model.predictor.predict_frame(bars.frame)[:, 0], bars.frame.index)
    assert answers[: model.judges_from - pd.Timedelta(seconds=1)].isna().all()
    assert answers[model.judges_from :].notna().any()


def test_a_model_trained_once_is_stored_and_answers_the_same(bars, tmp_path):
    settings = settings_with(f"ml.registry={tmp_path}", "ml.model.kind=lightgbm")
    trained = prepare_model(settings, bars, "train", now=NOW)
    card = ModelRegistry(tmp_path).show("v0001")
    assert card.created_at == NOW
    assert card.data_sha256 == bars.info["sha256"]
    assert card.bar_minutes == 3
    other = settings_with(f"ml.registry={tmp_path}", "ml.label.threshold_percent=0.3")
    stored = prepare_model(other, bars, "v0001", now=NOW)
    assert stored.judges_from == trained.judges_from
    expected = trained.predictor.predict_frame(bars.frame)
    found = stored.predictor.predict_frame(bars.frame)
    assert (found[~pd.isna(found)] == expected[~pd.isna(expected)]).all()
    # The report tells what the model was taught, not what the settings would teach one today.
    assert stored.info["name"] == "lightgbm"
    assert stored.info["label"] == trained.info["label"] == "return over 3 bars beyond ±0.1 %"


def test_a_stored_model_does_not_judge_what_it_was_trained_on(bars, tmp_path):
    settings = settings_with(f"ml.registry={tmp_path}")
    trained = prepare_model(settings, bars, "train", now=NOW)
    seen = bars._replace(frame=bars.frame[bars.frame.index < trained.judges_from])
    with pytest.raises(DataError, match="give newer bars or another model"):
        prepare_model(settings, seen, "v0001", now=NOW)


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("ml.registry=elsewhere", True),
        ("ml.workers=2", True),
        ("ml.importance=all", True),
        ("report.minimum_trades=50", True),
        ("data.store=elsewhere", True),
        ("ml.model.depth=5", False),
        ("ml.label.horizon_bars=5", False),
        ("data.bar_minutes=5", False),
        ("data.detail=1minute", False),
        ("strategy.stop_atr=1", False),
        ("risk.max_entries_per_day=5", False),
        ("broker.slippage.percent=0.03", False),
    ],
)
def test_what_makes_another_trial(bars, override, same):
    assert (
        trial_id(settings_with(override), bars, "train") == trial_id(settings_with(), bars, "train")
    ) is same


def test_the_model_makes_no_trial_of_a_strategy_that_asks_none(bars):
    ids = {
        trial_id(settings_with("strategy.name=ema_cross", override), bars, choice)
        for override in ("ml.model.depth=5", "ml.model.depth=6")
        for choice in ("train", "walkforward")
    }
    assert len(ids) == 1
    assert trial_id(settings_with(), bars, "train") != trial_id(settings_with(), bars, "walkforward")


def test_the_next_champion_is_another_trial(bars, tmp_path):
    settings = settings_with(f"ml.registry={tmp_path}")
    for _ in range(2):
        prepare_model(settings, bars, "train", now=NOW)
    ids = []
    for version in ("v0001", "v0002", "v0001"):
        ModelRegistry(tmp_path).promote(version)
        assert trial_id(settings, bars, "champion") == trial_id(settings, bars, version)
        ids.append(trial_id(settings, bars, "champion"))
    assert ids[0] == ids[2] != ids[1]
