from __future__ import annotations

import datetime as dt
import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from ml.card import training_card
from ml.factory import train
from ml.labels import horizon_labels
from ml.registry import ModelRegistry
from ml.settings import MlSettings, ModelSettings, SplitSettings, ThresholdSettings
from ml.thresholds import ThresholdRows, Thresholds, choose_thresholds, thresholds_of
from tests.ml.bars import BARS_PER_DAY, random_bars

SETTINGS = MlSettings(
    features=("return_zscore", "volume_ratio_20", "rsi_14"),
    split=SplitSettings(train_fraction=0.7, embargo_bars=10),
    model=ModelSettings(rounds=20, leaf_rows=50, learning_rate=0.2, stopping_rounds=5),
    thresholds=ThresholdSettings(kind="expected_net", minimum_trades=30),
)


def free_rows(move_bps, cost_bps=0.0, a_day=20):
    """Rows whose trades never overlap."""
    count = len(move_bps)
    position = np.arange(count, dtype=np.int64) * 3
    return ThresholdRows(
        position, position + 3, position // (3 * a_day), np.asarray(move_bps, float), np.full(count, cost_bps)
    )


def answers_of(buy):
    buy = np.asarray(buy, float)
    return np.column_stack([(1 - buy) / 2, (1 - buy) / 2, buy])


def random_market(seed, rows=3000, strength=6.0):
    """The greater P(buy), the further the price goes up; with ``strength`` 0 it knows nothing."""
    generator = np.random.default_rng(seed)
    buy = generator.random(rows)
    return answers_of(buy), strength * (buy - 0.5) + 15.0 * generator.standard_normal(rows)


def test_the_sure_rows_are_traded_and_the_others_are_not():
    generator = np.random.default_rng(0)
    buy = generator.random(4000)
    moves = np.where(buy > 0.8, 20.0, -20.0) + generator.standard_normal(4000)
    chosen = choose_thresholds(answers_of(buy), free_rows(moves, cost_bps=5.0), 50)
    found = chosen["buy"]
    assert found.threshold == pytest.approx(0.8, abs=0.05)
    assert (found.gross_bps, found.cost_bps) == (pytest.approx(20.0, abs=0.2), pytest.approx(5.0))
    assert found.words().startswith(f"from {found.threshold:.3f} ({found.trades} trades, gross 20.")
    assert 14.5 < found.net_low_bps < found.gross_bps - found.cost_bps
    assert found.trades == (buy >= found.threshold).sum()
    # P(sell) is (1 - P(buy)) / 2 here, so the rows that fall are those with much of it.
    assert chosen["sell"].threshold is not None
    assert chosen["sell"].gross_bps > 15.0


def test_trades_that_overlap_are_counted_once():
    buy = np.linspace(0.5, 1.0, 400)
    position = np.arange(400, dtype=np.int64)
    rows = ThresholdRows(position, position + 3, position // 10, np.full(400, 10.0), np.zeros(400))
    found = choose_thresholds(answers_of(buy), rows, 10)["buy"]
    # The next may be decided on the bar at whose close the last one ends: every third of the 200 surest.
    assert found.trades == 67


@pytest.mark.parametrize(("sure", "is_traded"), [(49, False), (50, True), (51, True)])
def test_fewer_trades_than_the_minimum_prove_nothing(sure, is_traded):
    generator = np.random.default_rng(1)
    buy = np.where(np.arange(1000) % 10 == 0, 0.9, 0.3)
    buy[np.flatnonzero(buy > 0.8)[sure:]] = 0.3
    moves = np.where(buy > 0.8, 50.0, -50.0) + generator.standard_normal(1000)
    found = choose_thresholds(answers_of(buy), free_rows(moves, cost_bps=5.0), 50)["buy"]
    assert (found.threshold is not None) == is_traded
    if is_traded:
        assert (found.threshold, found.trades) == (0.9, sure)


@pytest.mark.parametrize(("sessions", "is_traded"), [(1, False), (9, False), (11, True)])
def test_many_trades_of_a_few_days_prove_nothing(sessions, is_traded):
    """A model that was sure on days on which the price rose: what was drawn for the bound is days."""
    rows, a_day = 3000, 60
    day = np.arange(rows) // a_day
    generator = np.random.default_rng(2)
    buy = np.where(day < sessions, 0.9, 0.3) + 0.01 * generator.random(rows)
    moves = np.where(day < sessions, 30.0, -300.0) + generator.standard_normal(rows)
    found = choose_thresholds(answers_of(buy), free_rows(moves, 5.0, a_day), 30)["buy"]
    assert (found.threshold is not None) == is_traded


def test_too_few_rows_for_any_trade_choose_nothing():
    probabilities, moves = random_market(0, rows=99)
    chosen = choose_thresholds(probabilities, free_rows(moves), 50)
    assert chosen["buy"].as_dict() == {
        "threshold": None, "trades": 0, "gross_bps": None, "cost_bps": None, "net_low_bps": None,
    }  # fmt: skip
    assert thresholds_of(chosen) == Thresholds(math.inf, math.inf)
    assert chosen["sell"].words() == "never (too few rows or sessions)"


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 9999),
    strength=st.floats(0, 60),
    costs=st.lists(st.floats(0, 30), min_size=2, max_size=4),
)
def test_higher_costs_never_lower_what_the_chosen_trades_earn_before_them(seed, strength, costs):
    """Measured at the bound by which they are chosen; once nothing is traded, nothing is at more cost."""
    probabilities, moves = random_market(seed, rows=800, strength=strength)
    earned = [-math.inf]
    for cost in sorted(costs):
        found = choose_thresholds(probabilities, free_rows(moves, cost_bps=cost), 30)["buy"]
        earned.append(math.inf if found.threshold is None else found.net_low_bps + cost)
    assert all(later >= before - 1e-9 for before, later in pairwise(earned))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), cost=st.floats(0, 10), strength=st.floats(-20, 60))
def test_what_is_chosen_is_worth_it_at_its_bound(seed, cost, strength):
    probabilities, moves = random_market(seed, rows=600, strength=strength)
    for side, found in choose_thresholds(probabilities, free_rows(moves, cost_bps=cost), 25).items():
        if found.threshold is None:
            continue
        probability = probabilities[:, 2 if side == "buy" else 0]
        assert found.threshold in probability
        assert found.net_low_bps > 0
        assert found.gross_bps - found.cost_bps > found.net_low_bps
        assert 25 <= found.trades == (probability >= found.threshold).sum()


def test_without_an_edge_nothing_is_traded():
    traded = 0
    for seed in range(12):
        probabilities, moves = random_market(seed, rows=1500, strength=0.0)
        found = thresholds_of(choose_thresholds(probabilities, free_rows(moves, cost_bps=3.0), 50))
        traded += found != (math.inf, math.inf)
    assert traded <= 2


def test_answers_and_rows_belong_together():
    with pytest.raises(DataError, match="99 answers for 100 rows"):
        choose_thresholds(answers_of(np.full(99, 0.5)), free_rows(np.zeros(100)), 10)


def test_rows_of_bars_by_hand():
    frame = random_bars(days=2, seed=4)
    end = horizon_labels(frame, horizon_bars=3).end_index
    rows = ThresholdRows.of_bars(frame, end, lambda day: float(day.day))
    assert rows.move_bps[10] == pytest.approx(1e4 * (frame["close"].iloc[13] / frame["open"].iloc[11] - 1))
    assert np.isnan(rows.move_bps[BARS_PER_DAY - 3 : BARS_PER_DAY]).all()
    assert np.isfinite(rows.move_bps[: BARS_PER_DAY - 3]).all()
    assert (rows.cost_bps[[0, BARS_PER_DAY - 1, BARS_PER_DAY]] == [3.0, 3.0, 4.0]).all()
    assert np.array_equal(rows.at(np.array([5, 7])).position, [5, 7])


@pytest.fixture(scope="module")
def edge_frame():
    return random_bars(days=70, seed=21, edge=8e-3)


def test_training_chooses_and_the_model_carries_it(edge_frame, tmp_path):
    trained = train(edge_frame, SETTINGS, "chronological", cost_bps=lambda _: 4.0)
    chosen = trained.windows[0].thresholds
    assert chosen["buy"].threshold is not None
    assert chosen["buy"].cost_bps == pytest.approx(4.0)
    expected = thresholds_of(chosen)
    predictor = trained.predictor
    assert predictor.has_thresholds
    assert predictor.thresholds_at(edge_frame.index[-1].to_pydatetime()) == expected
    assert predictor.thresholds_at(edge_frame.index[0].to_pydatetime()) is None
    by_bar = predictor.thresholds_frame(edge_frame)
    answered = np.isfinite(trained.probabilities[:, 0])
    assert np.array_equal(np.isfinite(by_bar[:, 0]), answered)
    assert (by_bar[answered] == expected).all()
    json.dumps(trained.windows[0].as_dict(), allow_nan=False)

    registry = ModelRegistry(tmp_path)
    card = training_card(
        trained, SETTINGS, edge_frame, instrument="NIFTY", bar_minutes=3, source="here", sha256="0" * 64,
        trials=1, created_at=dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
    )  # fmt: skip
    version = registry.save(trained.models[0], card)
    stored = registry.load(version, predictor.features).predictor(predictor.features)
    assert np.array_equal(stored.thresholds_frame(edge_frame), by_bar, equal_nan=True)
    never = card.model_copy(update={"thresholds": {"buy": None, "sell": 0.6}})
    version = registry.save(trained.models[0], never)
    stored = registry.load(version, predictor.features).predictor(predictor.features)
    assert stored.thresholds_at(edge_frame.index[-1].to_pydatetime()) == Thresholds(math.inf, 0.6)


def test_rows_that_the_model_has_learned_have_no_say():
    """On noise a model that may grow is sure of what it has learned, and of nothing else."""
    eager = ModelSettings(rounds=60, leaf_rows=2, depth=8, learning_rate=0.3, stopping_rounds=60)
    settings_ = SETTINGS.model_copy(update={"model": eager})
    for seed in (1, 2):
        noise = random_bars(days=50, seed=seed)
        chosen = train(noise, settings_, "chronological", cost_bps=lambda _: 3.0).windows[0].thresholds
        assert thresholds_of(chosen) == (math.inf, math.inf)


@pytest.mark.parametrize("calibration", ["none", "logistic"])
def test_nothing_after_the_training_window_is_looked_at(edge_frame, calibration):
    model = SETTINGS.model.model_copy(update={"calibration": calibration})
    chosen_by = SETTINGS.model_copy(update={"model": model})
    whole = train(edge_frame, chosen_by, "chronological", cost_bps=lambda _: 4.0).windows[0]
    after = edge_frame.index.get_loc(whole.train_last) + 4  # the label of the last one ends 3 bars on
    changed = edge_frame.copy()
    generator = np.random.default_rng(0)
    changed.iloc[after:, :4] *= np.exp(generator.standard_normal(len(changed) - after).cumsum() * 1e-3)[
        :, np.newaxis
    ]
    again = train(changed, chosen_by, "chronological", cost_bps=lambda _: 4.0).windows[0]
    assert again.thresholds == whole.thresholds
    assert again.evaluation != whole.evaluation


def test_the_number_of_workers_changes_nothing(edge_frame):
    settings_ = SETTINGS.model_copy(update={"split": SplitSettings(train_months=1, embargo_bars=10)})
    one, two = (
        train(edge_frame, settings_.model_copy(update={"workers": workers}), cost_bps=lambda _: 4.0)
        for workers in (1, 2)
    )
    assert one.windows == two.windows


def test_costs_must_be_known():
    with pytest.raises(SettingsError, match="nothing that says what trades cost"):
        train(random_bars(days=20), SETTINGS, "chronological")


def test_without_the_setting_there_are_none(edge_frame):
    plain = SETTINGS.model_copy(update={"thresholds": ThresholdSettings()})
    trained = train(edge_frame, plain, "chronological")
    assert trained.windows[0].thresholds is None
    assert not trained.predictor.has_thresholds
    assert np.isnan(trained.predictor.thresholds_frame(edge_frame)).all()
