from __future__ import annotations

import json

import numpy as np
import pytest

from ml.factory import train
from ml.importance import measure_importance
from ml.models import XGBoostModel
from ml.settings import MlSettings
from tests.ml.bars import random_bars

QUICK = {"rounds": 30, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}


def rows_to_learn(seed, rows=3000):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((rows, 4))
    score = features[:, 0] + 0.5 * features[:, 2] + 0.3 * generator.standard_normal(rows)
    return features, np.where(score > 0.5, 1, np.where(score < -0.5, -1, 0)).astype(np.int8)


@pytest.fixture(scope="module")
def model():
    return XGBoostModel(**QUICK).fit(*rows_to_learn(1))


def test_what_matters_is_told_from_what_does_not(model):
    found = measure_importance(model, *rows_to_learn(2))
    for measure in found:
        assert measure.shape == (4,)
        assert measure[0] > 2 * measure[2] > 10 * max(abs(measure[1]), abs(measure[3]))


def test_what_was_only_memorised_gains_in_the_trees_and_not_on_unseen_rows():
    generator = np.random.default_rng(4)
    noise = generator.standard_normal((1000, 2))
    labels = generator.integers(-1, 2, 1000).astype(np.int8)
    eager = XGBoostModel(rounds=40, leaf_rows=2, stopping_rounds=40, depth=8).fit(noise, labels)
    found = measure_importance(eager, generator.standard_normal((1000, 2)), labels)
    assert eager.importance().sum() == pytest.approx(1.0)
    learned = measure_importance(eager, noise, labels)
    assert learned.permutation.min() > 0.01
    assert np.abs(found.permutation).max() < 0.2 * learned.permutation.min()


def test_asked_again_it_says_the_same(model):
    features, values = rows_to_learn(3)
    first, second = (measure_importance(model, features, values) for _ in range(2))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_shap_is_the_mean_of_absolute_contributions(model):
    features, values = rows_to_learn(3, rows=200)
    expected = np.abs(model.contributions(features)).mean(axis=(0, 1))
    np.testing.assert_array_equal(measure_importance(model, features, values).shap, expected)


@pytest.mark.parametrize(("rows", "expected"), [(0, None), (1, 1), (4999, 4999), (5000, 5000), (5001, 5000)])
def test_of_very_many_rows_some_are_asked(model, rows, expected, monkeypatch):
    features, values = rows_to_learn(3, rows=rows)
    counted = []
    before = XGBoostModel.contributions
    monkeypatch.setattr(
        XGBoostModel,
        "contributions",
        lambda self, asked: (counted.append(len(asked)), before(self, asked))[1],
    )
    found = measure_importance(model, features, values)
    assert counted == ([] if expected is None else [expected])
    assert (found is None) == (expected is None)


def test_windows_tell_it_only_where_it_was_asked_for():
    bars = random_bars(150)
    plain = {
        "split": {"train_months": 3, "test_months": 1},
        "model": {"rounds": 5, "leaf_rows": 50},
        "features": ["rsi_14", "return_zscore", "volume_ratio_20"],
    }
    without = train(bars, MlSettings.model_validate(plain))
    asked = train(bars, MlSettings.model_validate(plain | {"importance": "all", "workers": 1}))
    assert len(without.windows) == len(asked.windows) > 1
    assert np.array_equal(without.probabilities, asked.probabilities, equal_nan=True)
    for one, other in zip(without.windows, asked.windows, strict=True):
        assert "unseen_importance" not in one.as_dict()
        told = json.loads(json.dumps(other.as_dict()))["unseen_importance"]
        assert {measure: list(by_name) for measure, by_name in told.items()} == {
            "permutation": plain["features"],
            "shap": plain["features"],
        }
        assert min(told["shap"].values()) >= 0
