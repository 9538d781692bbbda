"""Features that know the label, and the ones that are merely good."""

import numpy as np
import pytest

from feeds.calendar import TradingCalendar
from ml.arrays import BarArrays
from ml.catalogue import CATALOGUE
from ml.factory import make_labels
from ml.features import DEFAULT_FEATURES, FeatureSet
from ml.labels import horizon_labels
from ml.leakage.target import GREATEST_HONEST_SCORE, check_target, direction_score
from strategies.loading import load_run_bars
from strategies.settings import load_settings
from tests.ml.bars import random_bars
from tests.ml.leakage.cheats import KNOWS_THE_FUTURE


@pytest.fixture(scope="module")
def bars():
    return random_bars(60, seed=5)


def test_the_score_is_the_area_under_the_curve():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(0)
    values = np.round(generator.standard_normal(2000), 1)  # with ties
    is_buy = generator.random(2000) < 0.4
    values[is_buy] += 0.5
    assert direction_score(values, is_buy, ~is_buy) == pytest.approx(roc_auc_score(is_buy, values))


@pytest.mark.parametrize(("rows", "known"), [(199, False), (200, True)])
def test_too_few_rows_tell_nothing(rows, known):
    is_buy = np.arange(1000) < rows
    score = direction_score(np.zeros(1000), is_buy, ~is_buy)
    assert (score is not None) == known


@pytest.mark.parametrize("name", ["label_in_disguise", "future_close"])
def test_a_feature_that_knows_the_label_is_named(bars, name):
    labels = horizon_labels(bars, 3, 0.05)
    honest = FeatureSet(DEFAULT_FEATURES)
    cheat = KNOWS_THE_FUTURE[name].values(BarArrays.from_frame(bars))
    matrix = np.column_stack([honest.compute(bars), cheat])
    findings = check_target([*honest.names, name], matrix, labels)
    assert [found.guilty for found in findings] == [name]
    assert findings[0].amount > GREATEST_HONEST_SCORE


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("edge", [0.0, 3e-3])
def test_honest_features_are_not_accused_of_it(seed, edge):
    """Not even where there is an edge to be found: 30 basis points after every busy bar."""
    bars = random_bars(40, seed=seed, edge=edge)
    features = FeatureSet(DEFAULT_FEATURES)
    assert check_target(features.names, features.compute(bars), horizon_labels(bars, 3, 0.05)) == []


@pytest.mark.parametrize("edge_bps", [20, 60])
def test_an_edge_that_anybody_can_see_is_no_leak(edge_bps):
    """Drifts of 20 basis points after every pattern, and of 60, which is more than any market leaves."""
    settings = load_settings(
        None,
        [
            "data.synthetic.sessions=120", "data.synthetic.seed=1", "data.synthetic.edge=momentum",
            f"data.synthetic.edge_bps={edge_bps}",
        ],
    )  # fmt: skip
    bars = load_run_bars(settings, TradingCalendar()).frame
    features = FeatureSet(tuple(CATALOGUE), allow_levels=True)
    labels = make_labels(bars, settings.ml.label)
    assert check_target(features.names, features.compute(bars), labels) == []
