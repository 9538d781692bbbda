"""Training that looks at its test: the fitted part that moved is named."""

import numpy as np
import pytest
from sklearn.preprocessing import RobustScaler

from ml.factory import train
from ml.features import FeatureSet
from ml.labels import horizon_labels
from ml.leakage.fitting import _fitted, check_fitting
from ml.models import XGBoostModel
from ml.settings import MlSettings
from ml.splits import ChronologicalSplit
from ml.train import walk_forward
from tests.ml.bars import random_bars

FEATURES = FeatureSet(("ema_5", "rsi_14", "volume_ratio_20"))
SMALL = {"rounds": 20, "leaf_rows": 20, "stopping_rounds": 5}


@pytest.fixture(scope="module")
def bars():
    return random_bars(24, seed=2)


def trained_by(model_of):
    """Return a training that makes its models with the whole history at hand."""

    def training(frame):
        labels = horizon_labels(frame, 3, 0.05)
        matrix = FEATURES.compute(frame)
        rows = np.isfinite(matrix).all(axis=1) & labels.valid
        return walk_forward(
            frame, FEATURES, labels, ChronologicalSplit(0.7, 3),
            lambda: model_of(matrix[rows], labels.values[rows]), workers=1,
        )  # fmt: skip

    return training


class ScaledByAll(XGBoostModel):
    """Scales by the median of all rows, those of the test included."""

    all_rows = None

    def _scaled(self, features):
        scaler = RobustScaler().fit(self.all_rows)
        self.center_, self.scale_ = scaler.center_, scaler.scale_
        return super()._scaled(features)


class StoppedByTheTest(XGBoostModel):
    """Lets the test part decide when to stop."""

    test_rows = None

    def _train(self, fit, validation):
        features, labels = self.test_rows
        super()._train(fit, (self._scaled(features), labels + 1, np.ones(len(labels))))


class ThresholdOfAll(XGBoostModel):
    """Keeps the threshold that would have been best on all rows."""

    all_rows = None

    def fit(self, X, y):  # noqa: N803 - scikit-learn's name
        super().fit(X, y)
        self.threshold_ = float(np.quantile(self.predict_proba(self.all_rows)[:, 2], 0.95))
        return self


def with_rows(cls, name, value):
    model = cls(**SMALL)
    setattr(model, name, value)
    return model


CHEATS = {
    "full-sample scaler": (
        lambda rows, _: with_rows(ScaledByAll, "all_rows", rows), {"center_", "scale_"}
    ),
    "early stopping on the test": (
        lambda rows, labels: with_rows(
            StoppedByTheTest, "test_rows", (rows[-600:], labels[-600:].astype(int))
        ),
        {"best_iteration_"},
    ),
    "leaking threshold": (
        lambda rows, _: with_rows(ThresholdOfAll, "all_rows", rows), {"threshold_"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHEATS)
def test_what_was_fitted_on_the_test_is_named(bars, name):
    model_of, guilty = CHEATS[name]
    findings = check_fitting(trained_by(model_of), bars)
    assert guilty <= {found.guilty for found in findings}
    assert {found.check for found in findings} == {"fitting"}


def test_an_honest_training_is_not_accused(bars):
    assert check_fitting(trained_by(lambda *_: XGBoostModel(**SMALL)), bars) == []


def test_members_of_every_kind_are_looked_into():
    class Fitted:
        def __init__(self, **parts):
            vars(self).update(parts)

    inner = Fitted(weights_=np.arange(3.0), hidden=1)
    outer = Fitted(base_=inner, members_={2: inner}, several_=(inner, 4.0), notes_=("said",))
    assert dict(_fitted(outer, "")).keys() == {
        "base_.weights_", "members_[2].weights_", "several_[0].weights_", "several_[1]", "notes_[0]",
    }  # fmt: skip


def settings_of(kind, calibration="none", thresholds="none"):
    return MlSettings.model_validate(
        {
            "features": ["ema_5", "rsi_14", "atr_14_percent", "volume_ratio_20"],
            "model": {"kind": kind, "calibration": calibration, **SMALL},
            "split": {"train_months": 2, "test_months": 1, "embargo_bars": 20},
            "label": {"threshold_percent": 0.05},
            "thresholds": {"kind": thresholds},
            "workers": 1,
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        settings_of("xgboost", thresholds="expected_net"),
        settings_of("lightgbm"),
        settings_of("ensemble"),
        settings_of("stacking"),
        settings_of("regime", calibration="logistic"),
    ],
    ids=lambda settings: settings.model.kind,
)
def test_the_shipped_training_is_honest(settings):
    def training(frame):
        return train(frame, settings, cost_bps=lambda day: 3.0)

    assert check_fitting(training, random_bars(66, seed=4)) == []


def test_thresholds_that_rest_on_later_prices_are_named():
    settings = settings_of("xgboost", thresholds="expected_net")
    bars = random_bars(66, seed=4)
    highest = bars["close"].max()

    def training(frame):
        everything_pays = frame["close"].max() > highest
        return train(frame, settings, cost_bps=lambda day: -1000.0 if everything_pays else 1000.0)

    assert [found.guilty for found in check_fitting(training, bars)] == ["thresholds"]
