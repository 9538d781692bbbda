"""Answers that are looked up: the right bar's, or none."""

import numpy as np
import pandas as pd
import pytest

from feeds.errors import DataError
from ml.answers import RecordedAnswers
from ml.features import FeatureSet
from tests.ml.bars import random_bars

FEATURES = FeatureSet(("ema_5",))


@pytest.fixture(scope="module")
def bars():
    return random_bars(3)


def answers(bars, every=1):
    index = pd.DatetimeIndex(bars.index)[::every]
    given = np.random.default_rng(3).dirichlet((1, 1, 1), len(index))
    return RecordedAnswers(FEATURES, index, given), given


def test_each_bar_gets_its_own_answer(bars):
    recorded, given = answers(bars)
    np.testing.assert_array_equal(recorded.predict_frame(bars), given)
    np.testing.assert_array_equal(recorded.predict_frame(bars.iloc[100:120]), given[100:120])
    np.testing.assert_array_equal(recorded.predict_last(bars.iloc[:50]), given[49])


def test_a_bar_that_was_not_judged_gets_none(bars):
    recorded, given = answers(bars, every=2)
    found = recorded.predict_frame(bars)
    np.testing.assert_array_equal(found[::2], given)
    assert np.isnan(found[1::2]).all()
    assert np.isnan(recorded.predict_last(bars.iloc[:2])).all()


def test_bars_before_and_after_all_answers_get_none(bars):
    recorded, given = answers(bars.iloc[100:200])
    found = recorded.predict_frame(bars)
    np.testing.assert_array_equal(found[100:200], given)
    assert np.isnan(found[:100]).all()
    assert np.isnan(found[200:]).all()


def test_no_answers_and_no_bars(bars):
    recorded, _ = answers(bars.iloc[:0])
    assert np.isnan(recorded.predict_frame(bars)).all()
    assert np.isnan(recorded.predict_last(bars.iloc[:0])).all()


def test_its_models_are_never_old(bars):
    recorded, _ = answers(bars)
    moment = bars.index[7].to_pydatetime()
    assert recorded.model_trained_until(moment) == moment


def test_answers_of_another_number_are_refused(bars):
    with pytest.raises(DataError, match=r"shape \(3, 2\) for 3 bars"):
        RecordedAnswers(FEATURES, pd.DatetimeIndex(bars.index[:3]), np.zeros((3, 2)))


def test_times_that_do_not_ascend_are_refused(bars):
    with pytest.raises(DataError, match="out of order"):
        RecordedAnswers(FEATURES, pd.DatetimeIndex(bars.index[[0, 2, 1]]), np.zeros((3, 3)))
