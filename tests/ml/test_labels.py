from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from ml.factory import make_labels
from ml.features import average_true_range
from ml.labels import Labels, check_labels, horizon_labels, triple_barrier_labels
from ml.settings import LabelSettings
from tests.ml.bars import BARS_PER_DAY, random_bars


def bars_with_closes(closes, days=1):
    frame = random_bars(days).iloc[: len(closes)].copy()
    for name in ("open", "high", "low", "close"):
        frame[name] = np.asarray(closes, dtype=float)
    return frame


@pytest.mark.parametrize(
    ("close_after_three", "expected"),
    # 0.1 % of 1000 is not exact in binary, so the table stays a hundredth of a point away from it
    [(1001.01, 1), (1000.99, 0), (1000.0, 0), (999.01, 0), (998.99, -1)],
)
def test_horizon_label_at_its_threshold(close_after_three, expected):
    frame = bars_with_closes([1000.0, 900.0, 1100.0, close_after_three])
    labels = horizon_labels(frame, horizon_bars=3, threshold_percent=0.1)
    assert labels.values[0] == expected
    assert labels.end_index[0] == 3
    assert labels.valid.tolist() == [True, False, False, False]


def test_no_label_reaches_into_another_session():
    frame = random_bars(days=4)
    for labels in (horizon_labels(frame, 3), triple_barrier_labels(frame, 20)):
        days = frame.index.normalize()
        assert (days == days[labels.end_index]).all()
        assert (labels.end_index[labels.valid] > np.flatnonzero(labels.valid)).all()
        assert not labels.valid[BARS_PER_DAY - 1 :: BARS_PER_DAY].any()
        assert not labels.values[~labels.valid].any()
    assert horizon_labels(frame, 3).valid.sum() == 4 * (BARS_PER_DAY - 3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), horizon=st.integers(1, 30), cut=st.integers(0, BARS_PER_DAY * 4))
def test_labels_do_not_change_when_bars_are_added_after_their_end(seed, horizon, cut):
    frame = random_bars(days=4, seed=seed)
    for make in (horizon_labels, triple_barrier_labels):
        whole, short = make(frame, horizon), make(frame.iloc[:cut], horizon)
        settled = whole.valid[:cut] & (whole.end_index[:cut] < cut) & short.valid
        if make is horizon_labels:
            assert (short.valid == (whole.valid[:cut] & (whole.end_index[:cut] < cut))).all()
            assert (short.values[settled] == whole.values[:cut][settled]).all()
        else:
            touched = settled & (short.values != 0)
            assert (short.values[touched] == whole.values[:cut][touched]).all()
            assert (short.end_index[touched] == whole.end_index[:cut][touched]).all()


def slow_triple_barrier(frame, horizon, multiple):
    high, low, close = (frame[name].to_numpy() for name in ("high", "low", "close"))
    distance = multiple * average_true_range(high, low, close)
    days = frame.index.date
    for bar in range(len(frame)):
        if np.isnan(distance[bar]) or bar + 1 == len(frame) or days[bar + 1] != days[bar]:
            yield 0, bar, False
            continue
        value, end = 0, bar
        for later in range(bar + 1, min(bar + horizon, len(frame) - 1) + 1):
            if days[later] != days[bar]:
                break
            end = later
            up, down = high[later] >= close[bar] + distance[bar], low[later] <= close[bar] - distance[bar]
            if up or down:
                value = int(up) - int(down)
                break
        yield value, end, True


@pytest.mark.parametrize(("horizon", "multiple"), [(1, 0.5), (20, 2.0), (200, 1.0)])
def test_triple_barrier_equals_a_plain_loop(horizon, multiple):
    frame = random_bars(days=6, seed=9)
    labels = triple_barrier_labels(frame, horizon, multiple)
    expected = list(slow_triple_barrier(frame, horizon, multiple))
    assert (
        list(zip(labels.values.tolist(), labels.end_index.tolist(), labels.valid.tolist(), strict=True))
        == expected
    )
    assert {-1, 1} <= set(labels.values.tolist())


def test_a_bar_that_touches_both_sides_is_a_hold():
    frame = random_bars(days=4)
    frame.iloc[300, frame.columns.get_loc("high")] *= 2
    frame.iloc[300, frame.columns.get_loc("low")] /= 2
    labels = triple_barrier_labels(frame, 1)
    assert (labels.values[299], labels.end_index[299], bool(labels.valid[299])) == (0, 300, True)


def test_nothing_is_taught_on_an_incomplete_bar():
    frame = random_bars(days=4)
    frame.iloc[400, frame.columns.get_loc("complete")] = False
    assert not horizon_labels(frame).valid[400]
    assert not triple_barrier_labels(frame).valid[400]
    assert frame["complete"].sum() == len(frame) - 1


def own_label(frame, _settings):
    bars = np.arange(len(frame))
    return Labels(np.ones(len(frame), np.int8), bars, np.ones(len(frame), bool))


def broken_label(frame, _settings):
    return own_label(frame.iloc[1:], _settings)


def test_labels_by_name_and_by_dotted_path():
    frame = random_bars(days=4)
    assert np.array_equal(make_labels(frame, LabelSettings()).values, horizon_labels(frame).values)
    barrier = LabelSettings(kind="triple_barrier", horizon_bars=7, barrier_atr_multiple=1.5)
    assert np.array_equal(make_labels(frame, barrier).values, triple_barrier_labels(frame, 7, 1.5).values)
    assert make_labels(frame, LabelSettings(kind="tests.ml.test_labels:own_label")).values.all()
    with pytest.raises(DataError, match=r"expected ml\.labels\.Labels"):
        make_labels(frame, LabelSettings(kind="tests.ml.test_labels:broken_label"))
    with pytest.raises(SettingsError, match="did you mean 'horizon'"):
        make_labels(frame, LabelSettings(kind="horizons"))


@pytest.mark.parametrize(
    ("values", "ends"),
    [([2, 0], [0, 1]), ([0, 0], [0, 0]), ([0, 0], [1, 2])],
    ids=["class", "back", "beyond"],
)
def test_impossible_labels_are_refused(values, ends):
    labels = Labels(np.array(values, np.int8), np.array(ends), np.ones(2, bool))
    with pytest.raises(DataError):
        check_labels(labels, 2)


def test_wrong_arguments_are_refused():
    frame = random_bars(days=1)
    with pytest.raises(SettingsError, match="horizon_bars"):
        horizon_labels(frame, 0)
    with pytest.raises(SettingsError, match="threshold_percent"):
        horizon_labels(frame, 3, -0.1)
    with pytest.raises(SettingsError, match="barrier_atr_multiple"):
        triple_barrier_labels(frame, 3, 0.0)


def test_an_empty_frame_has_no_labels():
    empty = random_bars(days=1).iloc[:0]
    assert isinstance(empty.index, pd.DatetimeIndex)
    assert len(horizon_labels(empty).values) == len(triple_barrier_labels(empty).values) == 0
