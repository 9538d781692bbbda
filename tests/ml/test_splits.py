from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score

from feeds.errors import DataError, SettingsError
from ml.splits import ChronologicalSplit, WalkForwardSplit


def frame_of(days, first="2022-01-03"):
    index = pd.date_range(first, periods=days * 10, freq="2h24min", tz="Asia/Kolkata")
    return pd.DataFrame({"value": np.arange(len(index))}, index=index)


@settings(max_examples=60, deadline=None)
@given(
    days=st.integers(100, 400),
    train_months=st.integers(1, 3),
    test_months=st.integers(1, 4),
    embargo=st.integers(0, 60),
    reach=st.integers(0, 30),
    anchored=st.booleans(),
)
def test_no_training_row_knows_its_test_window(days, train_months, test_months, embargo, reach, anchored):
    frame = frame_of(days)
    ends = np.minimum(np.arange(len(frame)) + reach, len(frame) - 1)
    splitter = WalkForwardSplit(train_months, test_months, embargo, anchored)
    tested = []
    for train, test in splitter.split(frame, groups=ends):
        assert (ends[train] + embargo < test[0]).all()
        # and nothing more than needed is left out
        first_day = (
            frame.index[0]
            if anchored
            else frame.index[test[0]].normalize() - pd.DateOffset(months=train_months)
        )
        eligible = np.flatnonzero((frame.index >= first_day) & (np.arange(len(frame)) < test[0]))
        assert len(eligible) - len(train) == min(reach + embargo, len(eligible))
        tested.extend(test)
    assert tested == list(range(tested[0], len(frame)))


def test_windows_are_calendar_months():
    windows = list(WalkForwardSplit(2, 1).split(frame := frame_of(180, "2022-01-31")))
    starts = [str(frame.index[test[0]].date()) for _, test in windows]
    # counted from the 31st each time, so that March's end does not become the 28th for good
    assert starts == ["2022-03-31", "2022-04-30", "2022-05-31", "2022-06-30"]
    assert all(str(frame.index[train[0]].date())[-2:] in {"31", "28", "30"} for train, _ in windows)


def test_anchored_windows_grow():
    windows = list(WalkForwardSplit(2, 1, anchored=True).split(frame_of(180)))
    assert {train[0] for train, _ in windows} == {0}
    sizes = [len(train) for train, _ in windows]
    assert sizes == sorted(set(sizes))


def test_chronological_split_purges_and_embargoes():
    ends = np.minimum(np.arange(100) + 3, 99)
    ((train, test),) = ChronologicalSplit(0.8, embargo_bars=5).split(np.zeros((100, 2)), groups=ends)
    assert test.tolist() == list(range(80, 100))
    assert train.tolist() == list(range(72))
    ((train, _),) = ChronologicalSplit(0.8).split(np.zeros(100))
    assert train.tolist() == list(range(80))


def test_they_are_scikit_learn_splitters():
    frame = frame_of(200)
    classes = np.tile([-1, 0, 1, 0, 0], len(frame) // 5)
    ends = np.arange(len(frame))
    for splitter in (WalkForwardSplit(3, 1), ChronologicalSplit()):
        scores = cross_val_score(DummyClassifier(), frame, classes, cv=splitter, groups=ends)
        assert len(scores) == splitter.get_n_splits(frame)
    bare = WalkForwardSplit(3, 1, times=frame.index)
    assert bare.get_n_splits(frame.to_numpy()) == WalkForwardSplit(3, 1).get_n_splits(frame)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: list(WalkForwardSplit(24, 3).split(frame_of(200))), "more than the 24 months"),
        (
            lambda: list(WalkForwardSplit(1, 1, embargo_bars=10_000).split(frame_of(200))),
            "lower ml.split.embargo",
        ),
        (lambda: list(WalkForwardSplit(1, 1).split(np.zeros(10))), "DatetimeIndex"),
        (lambda: list(WalkForwardSplit(1, 1).split(frame_of(200).iloc[:0])), "no bars"),
        (lambda: list(WalkForwardSplit(1, 1).split(frame_of(200), groups=np.zeros(3))), "end_index"),
        (lambda: list(ChronologicalSplit().split(np.zeros(100), groups=np.zeros(100))), "end_index"),
        (lambda: list(ChronologicalSplit(embargo_bars=90).split(np.zeros(100))), "too few"),
        (lambda: list(ChronologicalSplit().split(np.zeros(0))), "too few"),
    ],
)
def test_data_that_cannot_be_split_are_refused(make, message):
    with pytest.raises(DataError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: WalkForwardSplit(0, 3),
        lambda: WalkForwardSplit(24, 0),
        lambda: WalkForwardSplit(embargo_bars=-1),
        lambda: ChronologicalSplit(1.0),
        lambda: ChronologicalSplit(0.0),
        lambda: ChronologicalSplit(embargo_bars=-1),
    ],
)
def test_impossible_windows_are_refused(make):
    with pytest.raises(SettingsError):
        make()
