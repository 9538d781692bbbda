"""No training label may know its test, on either side of it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from feeds.errors import DataError, SettingsError
from ml.purged import CombinatorialPurgedSplit, PurgedKFold
from ml.splits import ChronologicalSplit

SPLITTERS = {
    "folds": lambda embargo: PurgedKFold(5, embargo),
    "two folds": lambda embargo: PurgedKFold(2, embargo),
    "combinations": lambda embargo: CombinatorialPurgedSplit(6, 2, embargo),
    "neighbours": lambda embargo: CombinatorialPurgedSplit(4, 3, embargo),
    "chronological": lambda embargo: ChronologicalSplit(0.7, embargo),
}


def label_ends(generator, rows, reach):
    return np.minimum(np.arange(rows) + generator.integers(0, reach + 1, rows), rows - 1)


def test_blocks_of(test):
    """Return the first and last row of each stretch of test rows."""
    cuts = np.flatnonzero(np.diff(test) > 1)
    return list(zip(test[np.append(0, cuts + 1)], test[np.append(cuts, len(test) - 1)], strict=True))


test_blocks_of.__test__ = False


@pytest.mark.parametrize("name", SPLITTERS)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(300, 900), reach=st.integers(0, 20), embargo=st.integers(0, 15), seed=st.integers(0, 99)
)
def test_no_training_label_reaches_into_a_test_and_its_embargo(name, rows, reach, embargo, seed):
    ends = label_ends(np.random.default_rng(seed), rows, reach)
    for train, test in SPLITTERS[name](embargo).split(np.zeros(rows), groups=ends):
        assert len(np.intersect1d(train, test)) == 0
        for first, last in test_blocks_of(test):
            before, after = train[train < first], train[train > last]
            assert (ends[before] + embargo < first).all()
            assert (after > ends[first : last + 1].max() + embargo).all()


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(100, 400), embargo=st.integers(0, 10), folds=st.integers(2, 6))
def test_no_row_is_left_out_without_need(rows, embargo, folds):
    tested = []
    for train, test in PurgedKFold(folds, embargo).split(np.zeros(rows)):
        near = np.arange(max(0, test[0] - embargo), min(rows, test[-1] + embargo + 1))
        np.testing.assert_array_equal(train, np.setdiff1d(np.arange(rows), near))
        tested.extend(test)
    assert tested == list(range(rows))


@pytest.mark.parametrize(
    ("blocks", "tested", "paths"), [(6, 2, 5), (10, 2, 9), (6, 1, 1), (4, 3, 3), (5, 4, 4)]
)
def test_combinations_make_the_paths_of_the_book(blocks, tested, paths):
    splitter = CombinatorialPurgedSplit(blocks, tested)
    assert splitter.paths == paths == tested * math.comb(blocks, tested) // blocks
    splits = list(splitter.split(np.zeros(blocks * 7)))
    assert len(splits) == splitter.get_n_splits() == math.comb(blocks, tested)


@settings(max_examples=30, deadline=None)
@given(blocks=st.integers(2, 7), tested=st.integers(1, 6), more=st.integers(0, 40))
def test_each_path_is_a_whole_history_of_answers_out_of_sample(blocks, tested, more):
    tested = min(tested, blocks - 1)
    rows = blocks * 4 + more
    splitter = CombinatorialPurgedSplit(blocks, tested)
    # Split s answers with s at each of its rows, beside the row's own number
    answers = [
        np.column_stack([test, np.full(len(test), number)])
        for number, (_, test) in enumerate(splitter.split(np.zeros(rows)))
    ]
    paths = splitter.assemble_paths([answer.astype(float) for answer in answers], rows)
    assert paths.shape == (splitter.paths, rows, 2)
    np.testing.assert_array_equal(paths[:, :, 0], np.tile(np.arange(rows), (splitter.paths, 1)))
    used = [set(paths[:, row, 1]) for row in (0, rows // 2, rows - 1)]
    assert all(len(splits) == splitter.paths for splits in used)  # no split answers a row twice


@pytest.mark.parametrize("name", ["folds", "combinations", "neighbours"])
def test_scikit_learn_takes_them(name):
    generator = np.random.default_rng(0)
    rows = 400
    features, labels = generator.standard_normal((rows, 3)), generator.integers(0, 2, rows)
    splitter = SPLITTERS[name](5)
    scores = cross_val_score(
        DummyClassifier(), features, labels, cv=splitter, groups=label_ends(generator, rows, 4)
    )
    assert len(scores) == splitter.get_n_splits(features, labels)


@pytest.mark.parametrize("name", SPLITTERS)
@pytest.mark.parametrize("routing", [False, True])
def test_scikit_learn_hands_the_label_ends_over(name, routing, monkeypatch):
    """As ``groups``, with metadata routing as ``params``; a splitter that got none would purge nothing."""
    rows = 400
    ends, splitter, seen = np.minimum(np.arange(rows) + 9, rows - 1), SPLITTERS[name](5), []
    whole = splitter.split

    def split(rows, y=None, groups=None):
        seen.append(groups)
        return whole(rows, y, groups)

    monkeypatch.setattr(splitter, "split", split)
    given = {"params": {"groups": ends}} if routing else {"groups": ends}
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            DummyClassifier(), np.zeros((rows, 1)), np.arange(rows) % 2, cv=splitter, **given
        )
    assert len(scores) == splitter.get_n_splits()
    assert [groups is ends for groups in seen] == [True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PurgedKFold(1), "folds is 1"),
        (lambda: PurgedKFold(5, -1), "embargo_bars is -1"),
        (lambda: CombinatorialPurgedSplit(6, 6), "6 test blocks of 6"),
        (lambda: CombinatorialPurgedSplit(6, 0), "0 test blocks of 6"),
        (lambda: CombinatorialPurgedSplit(1, 1), "1 test blocks of 1"),
    ],
)
def test_impossible_folds_are_refused(make, message):
    with pytest.raises(SettingsError, match=message):
        make()


@pytest.mark.parametrize(
    ("splitter", "message"),
    [
        (PurgedKFold(5), "found 4 rows for 5 blocks"),
        (PurgedKFold(2, embargo_bars=4), "no row is left to train on"),
        (CombinatorialPurgedSplit(4, 2, 4), "no row is left to train on"),
    ],
)
def test_too_few_rows_are_refused(splitter, message):
    with pytest.raises(DataError, match=message):
        list(splitter.split(np.zeros(4)))
