"""Splits whose training labels know a bar of the test."""

import numpy as np
import pytest
from sklearn.model_selection import KFold, TimeSeriesSplit

from ml.labels import horizon_labels
from ml.leakage.overlap import check_overlap
from ml.purged import CombinatorialPurgedSplit, PurgedKFold
from ml.splits import ChronologicalSplit, WalkForwardSplit
from tests.ml.bars import random_bars


@pytest.fixture(scope="module")
def bars():
    return random_bars(80, seed=1)


@pytest.mark.parametrize(
    "splitter",
    [
        ChronologicalSplit(0.8, 5),
        WalkForwardSplit(2, 1, 5),
        WalkForwardSplit(1, 1, 5, anchored=True),
        PurgedKFold(5, 5),
        CombinatorialPurgedSplit(6, 2, 5),
    ],
    ids=repr,
)
def test_the_shipped_splits_are_clean(bars, splitter):
    assert check_overlap("ours", splitter, bars, horizon_labels(bars, 3, 0.05), 5) == []


class Unpurged:
    """A splitter of scikit-learn's, which has no use for the labels' ends."""

    def __init__(self, splitter):
        self.splitter = splitter

    def split(self, X, y=None, groups=None):  # noqa: N803 - scikit-learn's name
        return self.splitter.split(X)


@pytest.mark.parametrize("theirs", [KFold(4), KFold(4, shuffle=True, random_state=0), TimeSeriesSplit(3)])
def test_splits_that_know_nothing_of_labels_are_caught(bars, theirs):
    findings = check_overlap("theirs", Unpurged(theirs), bars, horizon_labels(bars, 3, 0.05), 5)
    assert len(findings) == theirs.get_n_splits()
    assert all(found.check == "overlap" and found.amount >= 5 for found in findings)


@pytest.mark.parametrize(("embargo", "caught"), [(5, False), (6, True)])
def test_one_bar_too_near_is_too_near(bars, embargo, caught):
    labels = horizon_labels(bars, 3, 0.05)
    findings = check_overlap("ours", ChronologicalSplit(0.8, 5), bars, labels, embargo)
    # The bars before the test are decidable, so the last training label ends just before the embargo
    assert bool(findings) == caught
    if caught:
        assert findings[0].amount == 1.0


def test_a_test_row_among_the_training_rows_is_caught(bars):
    class Both:
        def split(self, X, y=None, groups=None):  # noqa: N803 - scikit-learn's name
            yield np.arange(100), np.arange(99, 120)

    assert check_overlap("both", Both(), bars, horizon_labels(bars, 3, 0.05), 0)[0].amount >= 1
