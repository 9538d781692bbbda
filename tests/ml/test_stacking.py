from __future__ import annotations

import numpy as np
import pytest

from feeds.errors import ModelError
from ml.evaluation import evaluate
from ml.inner_folds import INNER_FOLDS, answers_out_of_fold
from ml.model_files import load_model
from ml.models import LightGBMModel, XGBoostModel
from ml.stacking import StackingModel

QUICK = {"rounds": 30, "leaf_rows": 20, "stopping_rounds": 10, "learning_rate": 0.2}


class Memory:
    """Knows by heart what it has learned, and nothing else."""

    seen: list[set[float]]

    def __init__(self, seen):
        self.seen = seen

    def fit(self, matrix, values):
        self.known = dict(zip(matrix[:, 0].tolist(), values.tolist(), strict=True))
        self.seen.append(set(self.known))
        return self

    def predict_proba(self, matrix):
        answers = np.full((len(matrix), 3), 1 / 3)
        for row, value in enumerate(matrix[:, 0].tolist()):
            if value in self.known:
                answers[row] = np.eye(3)[self.known[value] + 1]
        return answers


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(4)
    features = generator.standard_normal((3000, 4))
    labels = np.where(features[:, 0] > 0.5, 1, np.where(features[:, 0] < -0.5, -1, 0))
    noisy = generator.random(3000) < 0.3
    labels[noisy] = generator.integers(-1, 2, noisy.sum())
    return features, labels


@pytest.mark.parametrize("purge_rows", [0, 1, 7])
def test_no_row_is_answered_by_a_model_that_learned_it_or_its_neighbours(purge_rows):
    seen = []
    matrix = np.arange(400.0).reshape(-1, 1)
    values = np.tile(np.array([-1, 0, 1, 0], np.int8), 100)
    answers = answers_out_of_fold(lambda: Memory(seen), matrix, values, purge_rows)
    assert np.array_equal(answers, np.full((400, 3), 1 / 3))
    assert len(seen) == INNER_FOLDS
    for fold, learned in enumerate(seen):
        first, end = 100 * fold, 100 * fold + 100
        nearest = [row for row in learned if row < first], [row for row in learned if row >= end]
        assert not learned & set(range(first, end))
        assert max(nearest[0], default=-1) < max(first - 2 * purge_rows, 0)
        assert min(nearest[1], default=399) >= min(end + 2 * purge_rows, 399)


def test_a_member_that_only_remembers_gets_no_say(rows):
    features, labels = rows
    useless = LightGBMModel(**QUICK | {"rounds": 1, "learning_rate": 1e-6})
    model = StackingModel(XGBoostModel(**QUICK), useless).fit(features, labels)
    assert model.shares_[0] > 0.55
    assert sum(model.shares_) == pytest.approx(1.0)
    alone = XGBoostModel(**QUICK).fit(features, labels)
    agreement = (model.predict(features) == alone.predict(features)).mean()
    assert agreement > 0.9
    assert "xgboost" in model.notes_[0]


def test_what_members_only_remember_is_not_believed():
    """On noise a member is sure of rows it has learned, and wrong about others: the regression sees those."""
    generator = np.random.default_rng(6)
    features, labels = generator.standard_normal((2000, 3)), generator.integers(-1, 2, 2000)
    eager = {"rounds": 1, "learning_rate": 1.0, "depth": 10, "leaf_rows": 1, "stopping_rounds": 5}
    model = StackingModel(XGBoostModel(**eager), LightGBMModel(**eager)).fit(features[:1500], labels[:1500])
    member = evaluate(labels[1500:], model.members_[1].predict_proba(features[1500:]))
    joined = evaluate(labels[1500:], model.predict_proba(features[1500:]))
    assert member.log_loss > 1.3
    assert joined.log_loss < 1.12


def test_members_learn_all_rows(rows):
    features, labels = rows
    model = StackingModel(XGBoostModel(**QUICK), LightGBMModel(**QUICK)).fit(features, labels)
    for member, alone in zip(model.members_, (XGBoostModel(**QUICK), LightGBMModel(**QUICK)), strict=True):
        fitted = alone.fit(features, labels)
        assert np.array_equal(member.predict_proba(features), fitted.predict_proba(features))


def test_classes_count_the_same_as_with_its_members(rows):
    """Hold is made rare by leaving most of it out; the mean probability of it does not follow."""
    features, labels = rows
    kept = (labels != 0) | (np.arange(3000) % 5 == 0)
    model = StackingModel(XGBoostModel(**QUICK), LightGBMModel(**QUICK)).fit(features[kept], labels[kept])
    assert (labels[kept] == 0).mean() < 0.15
    assert model.predict_proba(features)[:, 1].mean() == pytest.approx(1 / 3, abs=0.1)


def test_a_stored_note_comes_back(rows, tmp_path):
    features, labels = rows
    model = StackingModel(XGBoostModel(**QUICK), LightGBMModel(**QUICK)).fit(features, labels)
    model.save(tmp_path)
    assert load_model("stacking", tmp_path).notes_ == model.notes_
    (tmp_path / "stacking.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot read the model"):
        load_model("stacking", tmp_path)
