from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.base import clone

from ml.explain import reason_words, toward_side
from ml.factory import make_model
from ml.features import FeatureSet
from ml.model_files import load_model
from ml.models import LightGBMModel, SoftVotingModel, XGBoostModel
from ml.predict import ModelWindow, Predictor
from ml.settings import ModelSettings
from tests.ml.bars import random_bars

QUICK = {"rounds": 30, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}
EXACT = {"xgboost": XGBoostModel(**QUICK), "lightgbm": LightGBMModel(**QUICK)}
WITHIN = {"xgboost": 1e-5, "lightgbm": 1e-12}  # XGBoost works in float32
NAMES = ("a", "b", "c", "d", "e")


def rows_to_learn(seed=5, rows=1500):
    generator = np.random.default_rng(seed)
    features = generator.standard_normal((rows, 4)) * [1.0, 100.0, 0.001, 1.0]
    score = features[:, 0] + 0.01 * features[:, 1] * (features[:, 3] > 0) + generator.standard_normal(rows)
    return features, np.where(score > 0.7, 1, np.where(score < -0.7, -1, 0))


@pytest.fixture(scope="module")
def fitted():
    return {kind: clone(model).fit(*rows_to_learn()) for kind, model in EXACT.items()}


def margin_toward(probabilities, sides):
    logs = np.log(probabilities)
    taken = logs[np.arange(len(sides)), sides + 1]
    return taken - (logs.sum(axis=1) - taken) / 2


@pytest.mark.parametrize("kind", EXACT)
@settings(deadline=None, max_examples=30)
@given(
    rows=arrays.arrays(np.float64, (3, 4), elements=st.floats(-4, 4, width=32)),
    sides=st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3),
)
def test_contributions_and_bias_are_the_margin(kind, fitted, rows, sides):
    model, sides = fitted[kind], np.array(sides)
    known = rows_to_learn()[0][:1]
    bias = {
        side: margin_toward(model.predict_proba(known), np.array([side]))
        - toward_side(model.contributions(known), np.array([side])).sum(axis=1)
        for side in (-1, 1)
    }
    explained = toward_side(model.contributions(rows), sides).sum(axis=1)
    explained += np.array([bias[side][0] for side in sides])
    np.testing.assert_allclose(explained, margin_toward(model.predict_proba(rows), sides), atol=WITHIN[kind])


@pytest.mark.parametrize("kind", EXACT)
def test_classes_differ_by_the_ratio_of_their_probabilities(kind, fitted):
    model, features = fitted[kind], rows_to_learn(seed=6)[0]
    added, logs = model.contributions(features), np.log(model.predict_proba(features))
    assert added.shape == (1500, 3, 4)
    for one, other in ((0, 1), (2, 1), (2, 0)):
        bias = (logs[:, one] - logs[:, other]) - (added[:, one] - added[:, other]).sum(axis=1)
        assert np.ptp(bias) < WITHIN[kind]


@pytest.mark.parametrize("kind", EXACT)
def test_a_feature_that_no_tree_asks_adds_nothing(kind):
    features, labels = rows_to_learn()
    features[:, 2] = 1.0
    model = clone(EXACT[kind]).fit(features, labels)
    added = model.contributions(features)
    assert not added[:, :, 2].any()
    assert np.abs(added).mean(axis=(0, 1)).argmax() == 0


@pytest.mark.parametrize("kind", [*EXACT, "ensemble"])
def test_the_same_for_a_row_alone_and_for_a_stored_model(kind, tmp_path):
    features, labels = rows_to_learn()
    model = clone((EXACT | {"ensemble": SoftVotingModel(*EXACT.values())})[kind]).fit(features, labels)
    model.save(tmp_path)
    together = model.contributions(features)
    assert np.array_equal(load_model(kind, tmp_path).contributions(features), together)
    for row in range(0, 1500, 97):
        assert np.array_equal(model.contributions(features[row : row + 1])[0], together[row])


@pytest.mark.parametrize("calibration", ["none", "logistic"])
@pytest.mark.parametrize("kind", ["xgboost", "lightgbm", "ensemble", "stacking", "regime"])
def test_every_kind_explains_most_of_its_answer(kind, calibration):
    generator = np.random.default_rng(3)
    features = generator.standard_normal((6000, 3))
    score = 0.4 * features[:, 0] - 0.2 * features[:, 1] + generator.standard_normal(6000)
    labels = np.where(score > 0.5, 1, np.where(score < -0.5, -1, 0))
    chosen = ModelSettings(kind=kind, calibration=calibration, rounds=40, leaf_rows=50, learning_rate=0.1)
    model = make_model(chosen, purge_rows=3, features=("atr_14_percent", "rsi_14", "ema_5"))
    model.fit(features, labels)
    asked, sides = features[:500], np.where(features[:500, 0] > 0, 1, -1)
    explained = toward_side(model.contributions(asked), sides).sum(axis=1)
    margin = margin_toward(model.predict_proba(asked), sides)
    assert np.corrcoef(explained, margin)[0, 1] > 0.95


def test_the_ensemble_takes_the_mean_of_its_voters(fitted):
    features, labels = rows_to_learn()
    model = SoftVotingModel(*EXACT.values()).fit(features, labels)
    expected = (fitted["xgboost"].contributions(features) + fitted["lightgbm"].contributions(features)) / 2
    assert np.array_equal(model.contributions(features), expected)


# -- words -------------------------------------------------------------------------------------------------


def test_toward_the_side_is_against_the_mean_of_the_others():
    one = np.array([[[0.1, 0.0], [0.3, -0.2], [0.8, 0.4]]])  # sell, hold, buy by feature
    np.testing.assert_allclose(toward_side(one, np.array([1])), [[0.6, 0.5]])
    np.testing.assert_allclose(toward_side(one, np.array([-1])), [[-0.45, -0.1]])


@pytest.mark.parametrize(
    ("toward", "words"),
    [
        ([0.31, -0.12, 0.0, 0.05, 0.01], "a +0.31, b -0.12, d +0.05"),
        ([0.2, 0.2, -0.2, 0.2, 0.0], "a +0.20, b +0.20, c -0.20"),
        ([0.0, 0.0, -0.4, 0.0, 0.0], "c -0.40"),
        ([0.0, 0.0, 0.0, 0.0, 0.0], ""),
        ([0.4, np.nan, 0.0, 0.0, 0.0], ""),
    ],
)
def test_three_features_that_weigh_most(toward, words):
    assert reason_words(NAMES, np.array(toward)) == words


# -- the predictor -----------------------------------------------------------------------------------------


class _Plain:
    def predict_proba(self, X):  # noqa: N803 # scikit-learn's name
        return np.full((len(X), 3), 1 / 3)


def test_bars_without_an_answer_have_no_explanation():
    bars = random_bars(6)
    features = FeatureSet(["rsi_14", "return_zscore"])
    matrix = features.compute(bars)
    known = np.isfinite(matrix).all(axis=1)
    labels = np.random.default_rng(1).integers(-1, 2, known.sum())
    model = XGBoostModel(**QUICK).fit(matrix[known], labels)
    middle, end = bars.index[500].to_pydatetime(), bars.index[600].to_pydatetime()
    predictor = Predictor(features, [ModelWindow(model, middle, end, middle)])
    rows = np.array([100, 499, 500, 599, 600])
    found = predictor.contributions(bars, rows)
    assert found.shape == (5, 3, 2)
    assert np.isfinite(found).all(axis=(1, 2)).tolist() == [False, False, True, True, False]
    assert np.array_equal(found[2:4], model.contributions(matrix[[500, 599]]))
    assert np.isfinite(predictor.predict_frame(bars)[rows]).all(axis=1).tolist() == [0, 0, 1, 1, 0]


def test_a_model_that_cannot_explain_itself_is_not_asked_to():
    bars = random_bars(6)
    predictor = Predictor(FeatureSet(["rsi_14"]), [ModelWindow(_Plain(), None, None, bars.index[0])])
    assert np.isfinite(predictor.predict_frame(bars)[-1]).all()
    assert np.isnan(predictor.contributions(bars, np.array([700]))).all()
