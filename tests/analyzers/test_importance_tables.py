from __future__ import annotations

import pytest

from analyzers.report.importance import Cell, heat_tables


def window(day, gain, permutation=None):
    unseen = {} if permutation is None else {"unseen_importance": {"permutation": permutation}}
    return {"test_first": f"{day}T09:15:00+05:30", "importance": gain} | unseen


def test_what_matters_most_on_the_whole_comes_first():
    tables = heat_tables(
        [window("2024-01-01", {"a": 0.25, "b": 0.75}), window("2024-04-01", {"a": 0.5, "b": 0.5})]
    )
    (gain,) = tables
    assert gain.columns == ["Jan 24", "Apr 24"]
    assert gain.rows == [
        ("b", [Cell("75 %", 1.0), Cell("50 %", pytest.approx(2 / 3))]),
        ("a", [Cell("25 %", pytest.approx(1 / 3)), Cell("50 %", pytest.approx(2 / 3))]),
    ]


def test_below_zero_and_a_feature_that_one_window_lacks():
    first, second = {"a": 0.02, "b": -0.005}, {"a": 0.01}
    tables = heat_tables([window("2024-01-01", first, first), window("2024-04-01", second, second)])
    assert tables[0].rows == [
        ("a", [Cell("20.0", 1.0), Cell("10.0", 0.5)]),
        ("b", [Cell("-5.0", -0.25), Cell("", 0.0)]),
    ]


@pytest.mark.parametrize(
    ("windows", "tables"),
    [
        ([], 0),
        ([window("2024-01-01", {"a": 1.0})], 0),
        ([window("2024-01-01", {"a": 1.0}, {"a": 0.1})], 2),
        ([window("2024-01-01", {"a": 0.0})] * 2, 1),
        ([{"test_first": "2024-01-01T09:15:00+05:30"}] * 2, 0),
    ],
)
def test_only_what_is_known_and_not_shown_elsewhere(windows, tables):
    assert len(heat_tables(windows)) == tables
