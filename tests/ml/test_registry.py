from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from feeds.errors import ModelError, ModelNotFoundError, SettingsError
from ml.card import ModelCard, library_versions
from ml.catalogue import CATALOGUE
from ml.features import FeatureSet
from ml.models import XGBoostModel
from ml.registry import ModelRegistry
from tests.ml.bars import random_bars

FEATURES = FeatureSet(("rsi_14", "hour_sin"))
TIME = dt.datetime(2022, 1, 3, 9, 15, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def model():
    generator = np.random.default_rng(1)
    features = generator.standard_normal((400, 2))
    return XGBoostModel(rounds=5, leaf_rows=10).fit(features, np.sign(features[:, 0]).astype(int))


def card(**changes):
    fields = {
        "kind": "xgboost",
        "created_at": TIME,
        "instrument": "NIFTY",
        "data_source": "made up",
        "data_sha256": "0" * 64,
        "first_bar": TIME,
        "last_bar": TIME,
        "bars": 400,
        "bar_minutes": 3,
        "trained_until": TIME,
        "valid_from": TIME,
        "features": FEATURES.names,
        "feature_hash": FEATURES.hash,
        "label": {"kind": "horizon"},
        "split": {"kind": "chronological"},
        "parameters": {},
        "metrics": {"log_loss": 1.0},
        "trials": 1,
        "libraries": library_versions(),
    }
    return ModelCard(**(fields | changes))


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(tmp_path / "models")


def test_what_is_stored_comes_back(registry, model):
    assert registry.save(model, card()) == "v0001"
    stored = registry.load("v0001", FEATURES)
    rows = np.random.default_rng(2).standard_normal((50, 2))
    assert np.array_equal(stored.model.predict_proba(rows), model.predict_proba(rows))
    assert stored.card == card(version="v0001", files=stored.card.files)
    assert set(stored.card.files) == {"model.ubj", "scaler.json"}
    assert {"numpy", "lightgbm", "scikit-learn"} <= set(stored.card.libraries)


def test_versions_count_on_and_past_9999(registry, model):
    assert registry.versions() == ()
    assert [registry.save(model, card()) for _ in range(3)] == ["v0001", "v0002", "v0003"]
    (registry.root / "v0002").rename(registry.root / "v9999")
    assert registry.save(model, card()) == "v10000"
    assert registry.versions() == ("v0001", "v0003", "v9999", "v10000")


def test_a_stored_model_judges_no_bar_before_its_test_part(registry, model):
    frame = random_bars(days=8)
    version = registry.save(model, card(valid_from=frame.index[600], trained_until=frame.index[590]))
    predictor = registry.load(version, FEATURES).predictor(FEATURES)
    answered = np.isfinite(predictor.predict_frame(frame)[:, 0])
    assert answered.argmax() == 600
    assert predictor.model_trained_until(frame.index[700]) == frame.index[590]


def test_champion_promote_and_rollback(registry, model):
    for _ in range(3):
        registry.save(model, card())
    assert registry.champion is None
    with pytest.raises(ModelNotFoundError, match="v0001, v0002, v0003"):
        registry.load("champion", FEATURES)
    registry.promote("v0001")
    registry.promote("v0003")
    registry.promote("v0003")
    assert registry.load("champion", FEATURES).card.version == "v0003"
    assert registry.rollback() == "v0001"
    assert registry.champion == "v0001"
    with pytest.raises(SettingsError, match="no champion before"):
        registry.rollback()
    assert registry.champion == "v0001"


@pytest.mark.parametrize("name", ["v0009", "../models/v0001", "", "champion.json"])
def test_an_unknown_version_lists_the_known(registry, model, name):
    registry.save(model, card())
    for ask in (registry.show, registry.promote):
        with pytest.raises(ModelNotFoundError, match="known: v0001"):
            ask(name)
    assert ModelNotFoundError.exit_code == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("rsi_14",), "the settings lack hour_sin"),
        (("rsi_14", "hour_sin", "ema_5"), "the settings add ema_5"),
        (("rsi_14", "hour_cos"), "lack hour_sin and the settings add hour_cos"),
        (("hour_sin", "rsi_14"), "the order differs"),
    ],
)
def test_other_features_are_refused_by_name(registry, model, names, message):
    registry.save(model, card())
    with pytest.raises(ModelError, match=message):
        registry.load("v0001", FeatureSet(names))


def test_a_changed_formula_is_refused(registry, model, monkeypatch):
    registry.save(model, card())
    monkeypatch.setitem(CATALOGUE, "rsi_14", CATALOGUE["rsi_14"]._replace(version=2))
    with pytest.raises(ModelError, match="a formula has changed"):
        registry.load("v0001", FeatureSet(FEATURES.names))


@pytest.mark.parametrize("name", ["model.ubj", "scaler.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_file_is_refused(registry, model, name, damage):
    registry.save(model, card())
    registry.save(model, card())
    registry.promote("v0001")
    path = registry.root / "v0002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    {
        "flip": lambda: path.write_bytes(content),
        "cut": lambda: path.write_bytes(content[:10]),
        "remove": path.unlink,
    }[damage]()
    for ask in (lambda: registry.load("v0002", FEATURES), lambda: registry.promote("v0002")):
        with pytest.raises(ModelError, match=f"damaged model file .*{name}"):
            ask()
    assert registry.champion == "v0001"


@pytest.mark.parametrize("content", ["", "{}", "no json", '{"kind": 3}'])
def test_a_damaged_card_is_refused(registry, model, content):
    registry.save(model, card())
    (registry.root / "v0001" / "card.json").write_text(content)
    with pytest.raises(ModelError, match="damaged model card"):
        registry.load("v0001", FEATURES)


def test_a_card_of_another_version_is_refused(registry, model):
    registry.save(model, card())
    (registry.root / "v0001").rename(registry.root / "v0004")
    with pytest.raises(ModelError, match="it names 'v0001'"):
        registry.load("v0004", FEATURES)


def test_a_damaged_pointer_is_refused(registry, model):
    registry.save(model, card())
    registry.promote("v0001")
    (registry.root / "champion.json").write_text("{")
    with pytest.raises(ModelError, match="damaged champion pointer"):
        _ = registry.champion


def test_an_interrupted_save_leaves_nothing_that_looks_whole(registry, model):
    class Interrupted(XGBoostModel):
        def save(self, folder):
            (folder / "model.ubj").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.save(Interrupted(), card())
    assert registry.versions() == ()
    assert list(registry.root.iterdir()) == []


def test_an_interrupted_promotion_keeps_the_champion(registry, model, monkeypatch):
    for _ in range(2):
        registry.save(model, card())
    registry.promote("v0001")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ml.registry.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        registry.promote("v0002")
    assert registry.champion == "v0001"


def test_every_trial_on_the_same_data_counts_once(registry):
    for trial in [
        {"id": "a", "data": "x", "sharpe": 0.5},
        {"what": "train", "data": "x", "log_loss": 1.0},
        {"what": "train", "data": "x", "log_loss": 1.1},
        {"what": "search", "id": "s1", "data": "x", "sharpe": 0.7},
        {"id": "a", "data": "x", "sharpe": 0.6},
        {"id": "b", "data": "x", "sharpe": None},
        {"id": "c", "data": "y", "sharpe": 9.0},
    ]:
        registry.record_trial(trial)
    assert registry.sharpes("x", but="?") == [0.6, None, None, 0.7, None]
    assert registry.sharpes("x", but="a") == [None, None, 0.7, None]
    assert registry.sharpes("z", but="a") == []


def test_trials_are_kept_and_repeats_are_not_counted(registry):
    assert registry.trials() == ()
    assert registry.record_trial({"sharpe": 0.5, "settings": {"a": 1}}) == 1
    assert registry.record_trial({"sharpe": -0.25}) == 2
    assert registry.record_trial({"settings": {"a": 1}, "sharpe": 0.5}) == 2
    assert [trial["sharpe"] for trial in registry.trials()] == [0.5, -0.25]
    with pytest.raises(ValueError, match="JSON compliant"):
        registry.record_trial({"sharpe": float("nan")})
    path = registry.root / "trials.jsonl"
    path.write_text(path.read_text() + '{"sha')
    with pytest.raises(ModelError, match="line 3"):
        registry.trials()


def test_a_root_that_cannot_be_made_is_a_settings_error(tmp_path, model):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"set ml\.registry"):
        ModelRegistry(tmp_path / "file" / "models").save(model, card())


def test_a_card_is_json_of_named_fields(registry, model):
    registry.save(model, card())
    plain = json.loads((registry.root / "v0001" / "card.json").read_text())
    assert plain["version"] == "v0001"
    assert all(len(digest) == 64 for digest in plain["files"].values())


def test_a_stray_file_with_the_name_of_a_version_is_passed_over(registry, model):
    registry.root.mkdir()
    (registry.root / "v0001").write_text("not a model")
    assert registry.save(model, card()) == "v0002"
    assert registry.versions() == ("v0002",)
