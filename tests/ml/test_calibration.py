from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, ModelError
from ml.boosted import balanced_weights
from ml.calibration import CalibratedModel
from ml.evaluation import evaluate
from ml.factory import make_model
from ml.model_files import load_model
from ml.models import XGBoostModel
from ml.multinomial import MultinomialLogistic, log_probabilities
from ml.settings import ModelSettings

QUICK = {"rounds": 30, "leaf_rows": 50, "stopping_rounds": 10, "learning_rate": 0.2}


@pytest.fixture(scope="module")
def rows():
    """Hold comes in seven of ten cases, and the first feature knows something."""
    generator = np.random.default_rng(5)
    features = generator.standard_normal((12_000, 3))
    pull = 0.8 * features[:, 0]
    chances = np.exp(np.column_stack([-pull, np.full(len(pull), 1.6), pull]))
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (generator.random((len(pull), 1)) > chances.cumsum(axis=1)).sum(axis=1) - 1
    return features, labels.astype(np.int8)


@pytest.fixture(scope="module")
def calibrated(rows):
    features, labels = rows
    return CalibratedModel(XGBoostModel(**QUICK)).fit(features[:8000], labels[:8000])


def test_probabilities_are_frequencies_where_those_of_the_base_are_not(rows, calibrated):
    features, labels = rows[0][8000:], rows[1][8000:]
    after = evaluate(labels, calibrated.predict_proba(features))
    before = evaluate(labels, calibrated.base_.predict_proba(features))
    assert after.calibration_error < 0.02
    assert before.calibration_error > 0.1
    assert after.log_loss < after.base_rate_log_loss < before.log_loss
    assert after.classes["buy"].auc == pytest.approx(before.classes["buy"].auc, abs=0.01)
    hold = calibrated.predict_proba(features)[:, 1]
    assert hold.mean() == pytest.approx((labels == 0).mean(), abs=0.02)


def test_the_base_learns_none_of_the_rows_that_calibrate(rows):
    features, labels = rows[0][:4000], rows[1][:4000]
    first = 4000 - 600
    model = CalibratedModel(XGBoostModel(**QUICK, purge_rows=40), fraction=0.15, purge_rows=40)
    whole = model.fit(features, labels)
    alone = XGBoostModel(**QUICK, purge_rows=40).fit(features[: first - 40], labels[: first - 40])
    assert np.array_equal(whole.base_.predict_proba(features), alone.predict_proba(features))
    changed = features.copy()
    changed[first - 40 : first] = 99.0
    other = CalibratedModel(XGBoostModel(**QUICK, purge_rows=40), purge_rows=40).fit(changed, labels)
    assert np.array_equal(whole.predict_proba(features), other.predict_proba(features))


@pytest.mark.parametrize(("rows_given", "calibrating"), [(490, 49), (500, 50), (510, 51)])
def test_too_few_rows_to_calibrate_are_refused(rows, rows_given, calibrating):
    features, labels = rows[0][:rows_given], rows[1][:rows_given]
    model = CalibratedModel(XGBoostModel(**QUICK), fraction=0.1)
    if calibrating >= 50:
        assert np.isfinite(model.fit(features, labels).predict_proba(features)).all()
    else:
        with pytest.raises(DataError, match="490 training rows, of which 49 would calibrate"):
            model.fit(features, labels)


def test_settings_calibrate_every_kind():
    for kind in ("xgboost", "lightgbm", "ensemble", "stacking", "regime"):
        settings_ = ModelSettings(kind=kind, calibration="logistic", validation_fraction=0.2)
        model = make_model(settings_, purge_rows=4, features=("atr_14_percent",))
        assert (model.kind, model.fraction, model.purge_rows) == (f"{kind}+logistic", 0.2, 4)


@pytest.mark.parametrize("text", ["", "{}", '{"weights": [[1, 2]], "intercepts": [0, 0, 0]}', "[]"])
def test_a_damaged_calibration_is_a_model_error(calibrated, tmp_path, text):
    calibrated.save(tmp_path)
    (tmp_path / "calibration.json").write_text(text)
    with pytest.raises(ModelError, match="cannot read the model"):
        load_model("xgboost+logistic", tmp_path)


def test_without_rows_that_say_anything_the_regression_changes_nothing():
    probabilities = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    nothing = MultinomialLogistic().fit(np.zeros((0, 3)), np.zeros(0, np.int64))
    np.testing.assert_allclose(nothing.predict(log_probabilities(probabilities)), probabilities, atol=1e-12)
    both = np.hstack([log_probabilities(probabilities), log_probabilities(probabilities[::-1])])
    mean = np.sqrt(probabilities * probabilities[::-1])
    nothing = MultinomialLogistic().fit(np.zeros((0, 6)), np.zeros(0, np.int64))
    np.testing.assert_allclose(nothing.predict(both), mean / mean.sum(axis=1, keepdims=True), atol=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 300), absent=st.sampled_from([None, 0, 1, 2]))
def test_the_regression_settles_and_is_no_worse_than_nothing(seed, rows, absent):
    generator = np.random.default_rng(seed)
    inputs = log_probabilities(generator.dirichlet([0.3, 0.3, 0.3], rows))
    target = generator.integers(0, 3, rows)
    if absent is not None:
        target[target == absent] = (absent + 1) % 3
    weights = balanced_weights(target)[target]
    fitted = MultinomialLogistic().fit(inputs, target, weights)
    untouched = MultinomialLogistic.from_plain({"weights": np.eye(3).tolist(), "intercepts": [0.0] * 3})

    def loss(model):
        given_ = model.predict(inputs)[np.arange(rows), target]
        return -(weights * np.log(np.maximum(given_, 1e-300))).sum()

    assert loss(fitted) <= loss(untouched) + 1e-9
    answers = fitted.predict(inputs)
    np.testing.assert_allclose(answers.sum(axis=1), 1.0, atol=1e-12)
    again = MultinomialLogistic.from_plain(json.loads(json.dumps(fitted.as_plain())))
    assert np.array_equal(again.predict(inputs), answers)
    assert np.array_equal(fitted.predict(inputs[-1:])[0], answers[-1])


def test_the_regression_agrees_with_scikit_learn(rows):
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(1)
    inputs = log_probabilities(generator.dirichlet([2.0, 4.0, 2.0], 4000))
    target = (generator.random((4000, 1)) > np.exp(1.5 * inputs).cumsum(axis=1)).sum(axis=1).clip(0, 2)
    ours = MultinomialLogistic().fit(inputs, target).predict(inputs)
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(inputs, target).predict_proba(inputs)
    np.testing.assert_allclose(ours, theirs, atol=5e-3)
