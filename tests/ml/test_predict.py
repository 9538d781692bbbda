from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from feeds.errors import ModelError
from ml.features import BarArrays, FeatureSet
from ml.predict import ModelWindow, Predictor
from tests.ml.bars import random_bars

FRAME = random_bars(days=8)
FEATURES = FeatureSet(("rsi_14", "hour_sin"))
TIMES = FRAME.index


class Constant:
    def __init__(self, buy):
        self.buy = buy

    def predict_proba(self, X):  # noqa: N803 # scikit-learn's name
        return np.tile([0.0, 1.0 - self.buy, self.buy], (len(X), 1))


def predictor(*edges):
    windows = [
        ModelWindow(Constant(number / 10), begin, end, TIMES[0])
        for number, (begin, end) in enumerate(edges, start=1)
    ]
    return Predictor(FEATURES, windows)


def test_each_bar_is_judged_by_the_model_of_its_time():
    found = predictor((TIMES[400], TIMES[500]), (TIMES[500], TIMES[600]), (TIMES[700], None)).predict_frame(
        FRAME
    )
    buy = found[:, 2]
    assert np.isnan(buy[:400]).all()
    assert (buy[400:500] == 0.1).all()
    assert (buy[500:600] == 0.2).all()
    assert np.isnan(buy[600:700]).all()
    assert (buy[700:] == 0.3).all()


def test_one_bar_equals_the_whole_history_on_both_sides_of_every_edge():
    judge = predictor((TIMES[400], TIMES[500]), (TIMES[500], TIMES[600]), (TIMES[700], None))
    whole = judge.predict_frame(FRAME)
    for bar in (0, 279, 280, 281, 399, 400, 401, 499, 500, 501, 599, 600, 601, 699, 700, 701, len(FRAME) - 1):
        window = FRAME.iloc[max(0, bar + 1 - judge.warmup_bars) : bar + 1]
        assert np.array_equal(judge.predict_last(window), whole[bar], equal_nan=True)
        assert np.array_equal(judge.predict_last(BarArrays.from_frame(window)), whole[bar], equal_nan=True)


def test_no_limits_means_every_bar_after_the_warm_up():
    found = predictor((None, None)).predict_frame(FRAME)
    assert np.isnan(found[: FEATURES.warmup_bars - 1]).all()
    assert np.isfinite(found[FEATURES.warmup_bars - 1 :]).all()


def test_nothing_to_judge_and_no_one_to_judge():
    assert predictor((None, None)).predict_frame(FRAME.iloc[:0]).shape == (0, 3)
    assert np.isnan(predictor((None, None)).predict_last(FRAME.iloc[:0])).all()
    assert np.isnan(predictor().predict_frame(FRAME)).all()
    assert predictor().model_trained_until(TIMES[0]) is None


def test_a_bar_with_an_undefined_feature_gets_no_answer():
    silent = FRAME.assign(volume=0.0)
    judge = Predictor(FeatureSet(("volume_ratio_20",)), [ModelWindow(Constant(0.5), None, None, TIMES[0])])
    assert np.isnan(judge.predict_frame(silent)).all()
    assert np.isnan(judge.predict_last(silent)).all()


def test_the_age_of_the_model_is_that_of_the_valid_one():
    windows = [
        ModelWindow(Constant(0.1), TIMES[100], TIMES[200], TIMES[90]),
        ModelWindow(Constant(0.2), TIMES[200], None, TIMES[190]),
    ]
    judge = Predictor(FEATURES, windows)
    assert judge.model_trained_until(TIMES[99]) is None
    assert judge.model_trained_until(TIMES[199]) == TIMES[90]
    assert judge.model_trained_until(TIMES[200]) == TIMES[190]
    utc = TIMES[200].to_pydatetime().astimezone(dt.UTC)
    assert judge.model_trained_until(utc) == TIMES[190]


@pytest.mark.parametrize(
    "edges",
    [
        [(TIMES[1], TIMES[3]), (TIMES[2], TIMES[4])],
        [(TIMES[3], TIMES[4]), (TIMES[1], TIMES[2])],
        [(TIMES[3], TIMES[3])],
        [(TIMES[1], None), (TIMES[2], None)],
    ],
)
def test_windows_that_overlap_are_refused(edges):
    with pytest.raises(ModelError, match="overlap"):
        predictor(*edges)


def test_naive_times_are_refused():
    with pytest.raises(ModelError, match="naive"):
        predictor((TIMES[1].tz_localize(None), None))
