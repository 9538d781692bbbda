from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ml.evaluation import evaluate


def test_figures_of_each_class_by_hand():
    values = np.array([-1, 0, 1, 1], np.int8)
    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.5, 0.25, 0.25]])
    found = evaluate(values, probabilities)
    sell, hold, buy = (found.classes[name] for name in ("sell", "hold", "buy"))
    assert (sell.precision, sell.recall) == (0.5, 1.0)
    assert (hold.precision, hold.recall) == (1.0, 1.0)
    assert (buy.precision, buy.recall) == (1.0, 0.5)
    # Buy came with 0.8 and 0.25, and did not with 0.1 and 0.3: three of four pairs are in order.
    assert (sell.auc, hold.auc, buy.auc) == (1.0, 1.0, 0.75)
    assert found.auc_macro == pytest.approx(2.75 / 3)
    assert buy.brier == pytest.approx((0.1**2 + 0.3**2 + 0.2**2 + 0.75**2) / 4)
    assert sum(one.brier for one in (sell, hold, buy)) == pytest.approx(found.brier)
    # Tenths of sell and buy: 0.7 came; 0.1 twice, never; 0.3 twice, never; 0.8 came; 0.5 not; 0.25 came.
    assert found.calibration_error == pytest.approx((0.3 + 2 * 0.1 + 2 * 0.3 + 0.2 + 0.5 + 0.75) / 8)


def test_nothing_is_claimed_where_nothing_is_known():
    nothing = evaluate(np.zeros(0, np.int8), np.zeros((0, 3)))
    assert (nothing.auc_macro, nothing.calibration_error, nothing.classes) == (None, None, {})
    always = evaluate(np.zeros(5, np.int8), np.tile([0.2, 0.6, 0.2], (5, 1)))
    assert always.auc_macro is None
    assert always.classes["hold"].auc is None
    assert (always.classes["buy"].precision, always.classes["buy"].recall) == (None, None)
    assert always.classes["hold"].precision == always.classes["hold"].recall == 1.0
    json.dumps([nothing.as_dict(), always.as_dict()], allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), rows=st.integers(3, 200), levels=st.sampled_from([2, 5, 1000]))
def test_the_area_under_the_curve_is_that_of_scikit_learn(seed, rows, levels):
    generator = np.random.default_rng(seed)
    values = generator.integers(-1, 2, rows).astype(np.int8)
    probabilities = np.round(generator.dirichlet([1, 1, 1], rows) * levels) / levels
    found = evaluate(values, probabilities)
    for place, name in enumerate(("sell", "hold", "buy")):
        came = values == place - 1
        if 0 < came.sum() < rows:
            assert found.classes[name].auc == pytest.approx(roc_auc_score(came, probabilities[:, place]))
        else:
            assert found.classes[name].auc is None


def test_frequencies_that_come_true_have_hardly_any_error():
    generator = np.random.default_rng(3)
    probabilities = generator.dirichlet([2, 4, 2], 40_000)
    values = ((generator.random((40_000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1) - 1).astype(np.int8)
    assert evaluate(values, probabilities).calibration_error < 0.01
    sure = np.eye(3)[np.argmax(probabilities, axis=1)] * 0.97 + 0.01
    assert evaluate(values, sure).calibration_error > 0.1
