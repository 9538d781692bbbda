from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from feeds.errors import DataError, ModelError
from ml.calibration import CALIBRATED, CalibratedModel
from ml.factory import make_model
from ml.model_files import load_model
from ml.models import LightGBMModel, SoftVotingModel, XGBoostModel
from ml.regimes import RegimeModel
from ml.settings import ModelSettings
from ml.splits import ChronologicalSplit
from ml.stacking import StackingModel

QUICK = {"rounds": 40, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}


def make(kind):
    boosters = {"xgboost": XGBoostModel(**QUICK), "lightgbm": LightGBMModel(**QUICK)}
    models = boosters | {
        "ensemble": SoftVotingModel(*boosters.values()),
        "stacking": StackingModel(*boosters.values()),
        "regime": RegimeModel(boosters["xgboost"], column=3, least_rows=500),
    }
    plain = kind.removesuffix(CALIBRATED)
    return models[plain] if plain == kind else CalibratedModel(models[plain])


KINDS = pytest.mark.parametrize(
    "kind",
    ["xgboost", "lightgbm", "ensemble", "stacking", "regime", "lightgbm+logistic", "regime+logistic"],
)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(11)
    features = generator.standard_normal((3000, 4)) * [1.0, 100.0, 0.001, 1.0]
    labels = np.where(features[:, 0] > 0.5, 1, np.where(features[:, 0] < -0.5, -1, 0))
    noisy = generator.random(3000) < 0.2
    labels[noisy] = generator.integers(-1, 2, noisy.sum())
    return features, labels


@KINDS
def test_learns_what_there_is_to_learn(kind, rows):
    features, labels = rows
    model = make(kind).fit(features[:2000], labels[:2000])
    assert (model.predict(features[2000:]) == labels[2000:]).mean() > 0.8
    assert np.argmax(model.importance()) == 0
    assert model.importance().sum() == pytest.approx(1.0)
    assert model.classes_.tolist() == [-1, 0, 1]


@KINDS
def test_a_row_does_not_depend_on_the_rows_beside_it(kind, rows):
    features, labels = rows
    model = make(kind).fit(features, labels)
    together = model.predict_proba(features)
    assert together.shape == (3000, 3)
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-12)
    for row in range(0, 3000, 37):
        assert np.array_equal(model.predict_proba(features[row : row + 1])[0], together[row])


@KINDS
def test_training_twice_gives_the_same_bits(kind, rows):
    features, labels = rows
    first, second = (make(kind).fit(features, labels).predict_proba(features) for _ in range(2))
    assert np.array_equal(first, second)


@KINDS
def test_a_stored_model_answers_bit_for_bit(kind, rows, tmp_path):
    features, labels = rows
    model = make(kind).fit(features, labels)
    model.save(tmp_path)
    loaded = load_model(kind, tmp_path)
    assert np.array_equal(loaded.predict_proba(features), model.predict_proba(features))
    assert np.array_equal(loaded.importance(), model.importance())
    assert loaded.best_iteration_ == model.best_iteration_
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} <= {".ubj", ".txt", ".json"}


@KINDS
@pytest.mark.parametrize("missing", [-1, 0, 1])
def test_a_class_may_be_absent(kind, missing, rows):
    features, labels = rows
    present = labels != missing
    model = make(kind).fit(features[present], labels[present])
    probabilities = model.predict_proba(features)
    assert probabilities.shape == (3000, 3)
    assert np.isfinite(probabilities).all()
    assert missing not in model.predict(features)


@KINDS
def test_a_class_may_appear_only_after_the_fitting_part(kind, rows):
    features, labels = rows
    labels = labels.copy()
    labels[:2700][labels[:2700] == 1] = 0
    assert np.isfinite(make(kind).fit(features, labels).predict_proba(features)).all()


def test_the_validation_part_moves_neither_scale_nor_weights(rows):
    features, labels = rows
    changed = features.copy()
    first = 3000 - 450
    changed[first:] *= 1000.0
    one, other = XGBoostModel(**QUICK).fit(features, labels), XGBoostModel(**QUICK).fit(changed, labels)
    assert np.array_equal(one.center_, other.center_)
    assert np.array_equal(one.scale_, other.scale_)


@pytest.mark.parametrize("model", [XGBoostModel, LightGBMModel])
def test_rows_of_the_purge_gap_are_not_used(model, rows):
    features, labels = rows
    changed = features.copy()
    first = 3000 - 450
    changed[first - 50 : first] = 1e6
    one = model(**QUICK, purge_rows=50).fit(features, labels)
    other = model(**QUICK, purge_rows=50).fit(changed, labels)
    assert np.array_equal(one.predict_proba(features), other.predict_proba(features))
    nothing_left_out = model(**QUICK, purge_rows=0).fit(changed, labels)
    assert not np.array_equal(one.predict_proba(features), nothing_left_out.predict_proba(features))


@pytest.mark.parametrize("model", [XGBoostModel, LightGBMModel])
def test_stops_early_where_there_is_nothing_to_learn(model, rows):
    features, _ = rows
    noise = np.random.default_rng(2).integers(-1, 2, 3000)
    assert model(rounds=200, leaf_rows=20, stopping_rounds=5).fit(features, noise).best_iteration_ < 50


def test_rounds_after_the_best_one_are_not_kept(rows, tmp_path):
    features, _ = rows
    noise = np.random.default_rng(2).integers(-1, 2, 3000)
    xgb = XGBoostModel(rounds=200, leaf_rows=20, stopping_rounds=5).fit(features, noise)
    lgb = LightGBMModel(rounds=200, leaf_rows=20, stopping_rounds=5).fit(features, noise)
    xgb.save(tmp_path)
    lgb.save(tmp_path)
    assert xgboost.Booster(model_file=tmp_path / "model.ubj").num_boosted_rounds() == xgb.best_iteration_
    assert lightgbm.Booster(model_file=tmp_path / "model.txt").num_trees() == 3 * lgb.best_iteration_


@KINDS
def test_scikit_learn_contract(kind, rows):
    features, labels = rows
    model = make(kind)
    copy = clone(model)
    assert type(copy) is type(model)
    assert copy.kind == model.kind == kind
    assert not hasattr(copy, "classes_")
    assert copy.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert cross_val_score(copy, features, labels, cv=ChronologicalSplit())[0] > 0.8
    assert model.fit(features, labels) is model


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros((99, 2)), np.zeros(99), "99 training rows"),
        (np.zeros((110, 2)), np.zeros(110), "too few to leave"),
        (np.full((500, 2), np.nan), np.zeros(500), "NaN or infinity"),
        (np.zeros((500, 2)), np.full(500, 2), "expected -1, 0 and 1"),
        (np.zeros((500, 2)), np.zeros(499), r"labels \(499,\)"),
        (np.zeros(500), np.zeros(500), r"features \(500,\)"),
    ],
)
def test_rows_that_cannot_teach_are_refused(features, labels, message):
    with pytest.raises(DataError, match=message):
        XGBoostModel(purge_rows=60).fit(features, labels)


def test_other_features_than_in_training_are_refused(rows):
    model = XGBoostModel(**QUICK).fit(*rows)
    with pytest.raises(ModelError, match=r"\(n, 4\)"):
        model.predict_proba(np.zeros((3, 5)))


@KINDS
def test_what_cannot_be_read_is_a_model_error(kind, rows, tmp_path):
    make(kind).fit(*rows).save(tmp_path)
    for path in list(tmp_path.rglob("model.*")):
        path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read"):
        load_model(kind, tmp_path)
    with pytest.raises(ModelError, match="cannot read"):
        load_model(kind, tmp_path / "absent")


def test_an_unknown_kind_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match="expected one of xgboost"):
        load_model("pickle", tmp_path)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("xgboost", XGBoostModel), ("lightgbm", LightGBMModel), ("ensemble", SoftVotingModel)],
)
def test_settings_make_the_model_they_name(kind, expected):
    model = make_model(ModelSettings(kind=kind, depth=6, seed=3), purge_rows=9)
    assert type(model) is expected
    member = model.lightgbm if kind == "ensemble" else model
    assert (member.depth, member.seed, member.purge_rows) == (6, 3, 9)
    assert set(ModelSettings.model_fields) - {"kind", "calibration"} == set(member.get_params()) - {
        "purge_rows"
    }
