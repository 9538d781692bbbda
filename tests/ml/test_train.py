from __future__ import annotations

import json
import math

import numpy as np
import pytest

from feeds.errors import DataError
from ml.evaluation import evaluate
from ml.factory import train
from ml.labels import horizon_labels
from ml.settings import MlSettings, ModelSettings, SplitSettings
from tests.ml.bars import random_bars

SETTINGS = MlSettings(
    features=("return_zscore", "volume_ratio_20", "rsi_14"),
    split=SplitSettings(train_months=2, test_months=1, embargo_bars=10),
    model=ModelSettings(rounds=30, leaf_rows=50, learning_rate=0.2, stopping_rounds=10),
)


@pytest.fixture(scope="module")
def frame():
    return random_bars(days=105, seed=21, edge=4e-3)


@pytest.fixture(scope="module")
def trained(frame):
    return train(frame, SETTINGS)


def test_only_test_windows_are_answered(frame, trained):
    answered = np.isfinite(trained.probabilities).all(axis=1)
    first = frame.index.searchsorted(trained.windows[0].test_first)
    assert not answered[:first].any()
    assert answered[first:].all()
    assert [str(window.test_first.date()) for window in trained.windows] == [
        "2022-03-03",
        "2022-04-04",
        "2022-05-03",
    ]


def test_the_predictor_repeats_the_walk_forward_bit_for_bit(frame, trained):
    assert np.array_equal(trained.predictor.predict_frame(frame), trained.probabilities, equal_nan=True)
    warmup = trained.predictor.warmup_bars
    for bar in range(len(frame) - 8000, len(frame), 211):
        window = frame.iloc[bar + 1 - warmup : bar + 1]
        assert np.array_equal(
            trained.predictor.predict_last(window), trained.probabilities[bar], equal_nan=True
        )


def test_the_number_of_workers_changes_nothing(frame, trained):
    alone = train(frame, SETTINGS.model_copy(update={"workers": 1}))
    assert np.array_equal(alone.probabilities, trained.probabilities, equal_nan=True)
    assert alone.windows == trained.windows


@pytest.mark.parametrize("kind", ["xgboost", "lightgbm"])
def test_nothing_after_a_bar_changes_what_was_predicted_at_it(frame, kind):
    settings = SETTINGS.model_copy(update={"model": SETTINGS.model.model_copy(update={"kind": kind})})
    whole = train(frame, settings)
    generator = np.random.default_rng(8)
    answered = np.flatnonzero(np.isfinite(whole.probabilities[:, 0]))
    for time in generator.choice(answered, 3, replace=False):
        changed = frame.copy()
        later = len(frame) - time - 1
        changed.iloc[time + 1 :, :4] *= np.exp(generator.standard_normal(later).cumsum() * 1e-3)[
            :, np.newaxis
        ]
        changed.iloc[time + 1 :, 4] *= generator.random(later)
        again = train(changed, settings)
        assert np.array_equal(
            again.probabilities[: time + 1], whole.probabilities[: time + 1], equal_nan=True
        )
        assert not np.array_equal(again.probabilities, whole.probabilities, equal_nan=True)


def test_a_planted_edge_is_found_and_noise_is_not(trained):
    noise = train(random_bars(days=105, seed=21), SETTINGS)

    def hit_rate(windows):
        confusion = np.sum([window.evaluation.confusion for window in windows], axis=0)
        right, wrong = confusion[0, 0] + confusion[2, 2], confusion[0, 2] + confusion[2, 0]
        return right / (right + wrong)

    assert hit_rate(trained.windows) > 0.6
    assert abs(hit_rate(noise.windows) - 0.5) < 0.04
    assert all(window.importance["volume_ratio_20"] > 0.1 for window in trained.windows)


def test_training_rows_end_before_their_test(frame, trained):
    labels = horizon_labels(frame)
    for window in trained.windows:
        last = frame.index.get_loc(window.train_last)
        assert labels.end_index[last] + 10 < frame.index.get_loc(window.test_first)
        assert window.rows_test <= (frame.index >= window.test_first).sum()


def test_progress_is_told_after_every_window(frame):
    told = []
    train(frame, SETTINGS, on_progress=lambda done, windows: told.append((done, windows)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_one_training_has_one_window(frame):
    settings = SETTINGS.model_copy(update={"split": SplitSettings(train_fraction=0.8, embargo_bars=5)})
    once = train(frame, settings, "chronological")
    assert len(once.windows) == len(once.models) == 1
    answered = np.isfinite(once.probabilities[:, 0])
    assert answered.argmax() == math.floor(len(frame) * 0.8)
    assert once.windows[0].train_last < once.windows[0].test_first


def test_a_window_too_poor_to_learn_from_is_named():
    frame = random_bars(days=30).assign(complete=False)
    settings = SETTINGS.model_copy(update={"split": SplitSettings(train_months=1, embargo_bars=0)})
    with pytest.raises(DataError, match=r"window 2022-01-03 to 2022-02-02: found 0 training rows"):
        train(frame, settings)


def test_reports_are_plain_json(trained):
    plain = json.loads(json.dumps([window.as_dict() for window in trained.windows], allow_nan=False))
    assert plain[0]["train_first"] == "2022-01-03T09:15:00+05:30"
    assert set(plain[0]) == {
        "train_first", "train_last", "test_first", "test_last", "rows_train", "rows_test", "accuracy",
        "log_loss",
        "base_rate_log_loss", "brier", "confusion", "calibration", "importance", "best_iteration", "kind",
        "calibration_error", "auc_macro", "classes", "notes", "thresholds",
    }  # fmt: skip
    assert set(plain[0]["calibration"][0]) == {"predicted", "observed", "count"}


def test_figures_by_hand():
    values = np.array([-1, 0, 1, 1], np.int8)
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.5, 0.25, 0.25]])
    found = evaluate(values, probabilities)
    assert found.accuracy == 0.75
    assert found.log_loss == pytest.approx(
        -(math.log(0.7) + math.log(0.4) + math.log(0.8) + math.log(0.25)) / 4
    )
    assert found.base_rate_log_loss == pytest.approx(-(2 * 0.25 * math.log(0.25) + 0.5 * math.log(0.5)))
    assert found.brier == pytest.approx((0.14 + 0.54 + 0.06 + 0.875) / 4)
    assert found.confusion == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert sum(part.count for part in found.calibration) == 8
    by_tenth = {int(part.predicted * 10): part for part in found.calibration}
    assert by_tenth[5].observed == 0.0
    assert by_tenth[8].observed == 1.0


def test_figures_at_the_edges():
    nothing = evaluate(np.array([], np.int8), np.empty((0, 3)))
    assert (nothing.rows, nothing.accuracy, nothing.log_loss, nothing.calibration) == (0, None, None, ())
    certain_and_wrong = evaluate(np.array([1], np.int8), np.array([[1.0, 0.0, 0.0]]))
    assert math.isfinite(certain_and_wrong.log_loss)
    assert certain_and_wrong.brier == 2.0
    assert certain_and_wrong.calibration[-1].predicted == 1.0
