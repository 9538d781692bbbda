from __future__ import annotations

import json

import numpy as np
import pytest

from feeds.errors import ModelError, SettingsError
from ml.factory import make_model, train
from ml.model_files import load_model
from ml.models import XGBoostModel
from ml.regimes import RegimeModel
from ml.settings import MlSettings, ModelSettings, SplitSettings
from tests.ml.bars import random_bars

QUICK = {"rounds": 30, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}


@pytest.fixture(scope="module")
def rows():
    """In lively markets the first feature says the opposite of what it says in quiet ones."""
    generator = np.random.default_rng(4)
    features = generator.standard_normal((3000, 2))
    sign = np.where(features[:, 1] > np.quantile(features[:, 1], 2 / 3), -1, 1)
    labels = (sign * np.sign(features[:, 0])).astype(np.int64)
    return features, labels


def fitted(rows, **changes):
    return RegimeModel(XGBoostModel(**QUICK), **{"column": 1, "least_rows": 500} | changes).fit(*rows)


def test_each_row_is_answered_by_the_model_of_its_regime(rows):
    features, labels = rows
    model = fitted(rows)
    assert list(model.members_) == ["low", "middle", "high"]
    np.testing.assert_allclose(model.edges_, np.quantile(features[:, 1], [1 / 3, 2 / 3]))
    high = features[:, 1] >= model.edges_[1]
    alone = XGBoostModel(**QUICK).fit(features[high], labels[high])
    assert np.array_equal(model.predict_proba(features)[high], alone.predict_proba(features[high]))
    assert (model.predict(features) == labels).mean() > 0.95


def test_a_value_on_an_edge_belongs_to_the_regime_above(rows):
    model = fitted(rows)
    lower, upper = model.edges_
    below, above = np.nextafter(upper, -1), np.nextafter(upper, 1)
    at = model.predict_proba([[1.0, upper], [1.0, above], [1.0, below]])
    assert np.array_equal(at[0], at[1])
    assert at[0, 0] > 0.5 > at[2, 0]
    assert np.array_equal(
        model.predict_proba([[1.0, lower]]), model.members_["middle"].predict_proba([[1.0, lower]])
    )


@pytest.mark.parametrize(("least_rows", "poor"), [(999, 0), (1000, 0), (1001, 3)])
def test_a_regime_with_too_few_rows_is_answered_by_the_common_model(rows, least_rows, poor):
    model = fitted(rows, least_rows=least_rows)
    assert ("common" in model.members_) == bool(poor)
    assert sum("answered by the model of all rows" in note for note in model.notes_) == poor
    if poor:
        alone = XGBoostModel(**QUICK).fit(*rows)
        assert np.array_equal(model.predict_proba(rows[0]), alone.predict_proba(rows[0]))


def test_a_volatility_that_hardly_varies_leaves_regimes_without_rows(rows):
    features, labels = rows
    still = features.copy()
    still[:, 1] = np.where(np.arange(3000) < 300, 0.0, 1.0)
    model = fitted((still, labels))
    assert set(model.members_) == {"high", "common"}
    assert "regime low is answered by the model of all rows: 300 rows, 500 needed" in model.notes_
    assert "regime middle is answered by the model of all rows: 0 rows, 500 needed" in model.notes_
    assert np.isfinite(model.importance()).all()


def test_edges_come_from_the_training_rows_only(rows, tmp_path):
    model = fitted(rows)
    before = model.edges_.copy()
    model.predict_proba(rows[0] * 50.0)
    assert np.array_equal(model.edges_, before)
    model.save(tmp_path)
    loaded = load_model("regime", tmp_path)
    assert np.array_equal(loaded.edges_, before)
    assert (loaded.column, loaded.notes_) == (1, model.notes_)


def test_a_regime_that_is_missing_on_disk_is_a_model_error(rows, tmp_path):
    fitted(rows).save(tmp_path)
    plain = json.loads((tmp_path / "regimes.json").read_text())
    (tmp_path / "regimes.json").write_text(json.dumps(plain | {"members": ["low", "high"]}))
    with pytest.raises(ModelError, match="expected all or common"):
        load_model("regime", tmp_path)


def test_other_features_than_in_training_are_refused(rows):
    with pytest.raises(ModelError, match=r"\(n, 2\)"):
        fitted(rows).predict_proba(np.zeros((3, 5)))


def test_the_volatility_must_be_among_the_features():
    with pytest.raises(SettingsError, match="add atr_14_percent or choose another kind"):
        make_model(ModelSettings(kind="regime"), 3, ("rsi_14",))
    model = make_model(ModelSettings(kind="regime"), 3, ("rsi_14", "atr_14_percent"))
    assert model.column == 1


def test_the_report_of_a_window_says_what_its_regimes_are():
    settings = MlSettings(
        features=("return_zscore", "atr_14_percent"),
        split=SplitSettings(train_fraction=0.7, embargo_bars=10),
        model=ModelSettings(kind="regime", rounds=10, leaf_rows=50, learning_rate=0.2),
    )
    window = train(random_bars(days=60, seed=2), settings, "chronological").windows[0]
    assert window.kind == "regime"
    assert window.as_dict()["notes"][0].startswith("regimes by atr_14_percent: edges 0.")
