from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from feeds.candle_check import check_candles
from tests.feeds.live_support import CALENDAR, TODAY, offline


def check(live, minutes=TODAY):
    return check_candles(live, minutes, CALENDAR, bar_minutes=3, tick_size=0.05)


def test_bars_of_the_same_minutes_do_not_differ():
    found = check(offline())
    assert (found.bars, found.equal, len(found.differences)) == (125, 125, 0)


def test_a_difference_is_told_in_ticks_or_units():
    live = offline()
    live.iloc[7, live.columns.get_loc("high")] += 0.15
    live.iloc[7, live.columns.get_loc("volume")] -= 75
    live.iloc[3, live.columns.get_loc("close")] -= 0.05
    found = check(live)
    told = [(row.start, row.field, row.unit) for row in found.differences.itertuples()]
    starts = live.index
    assert told == [
        (starts[3], "close", "ticks"),
        (starts[7], "high", "ticks"),
        (starts[7], "volume", "units"),
    ]
    assert list(found.differences["difference"]) == pytest.approx([-1, 3, -75])
    assert (found.bars, found.equal) == (125, 123)


def test_less_than_half_a_tick_is_no_difference():
    live = offline()
    live["open"] += 0.024
    assert check(live).equal == 125


def test_bars_that_one_side_lacks_are_told():
    live = offline()
    found = check(live.drop(live.index[5]), TODAY.drop(TODAY.index[30:33]))
    assert list(found.differences["start"]) == [live.index[5], live.index[10]]
    assert list(found.differences["unit"]) == ["missing", "missing"]
    assert [list(np.isnan(found.differences[side])) for side in ("live", "history")] == [
        [True, False],
        [False, True],
    ]
    assert (found.bars, found.equal) == (123, 123)


def test_open_interest_on_one_side_only_is_a_difference():
    live = offline()
    live["open_interest"] = np.nan
    assert check(live).equal == 0
    assert check(live, TODAY.assign(open_interest=np.nan)).equal == 125


def test_nothing_against_nothing():
    found = check(offline().iloc[:0], TODAY.iloc[:0])
    assert (found.bars, len(found.differences)) == (0, 0)
    assert len(check(offline().iloc[:0]).differences) == 125


def test_minutes_outside_the_session_are_left_out():
    early = TODAY.iloc[:1].set_axis(
        pd.DatetimeIndex([TODAY.index[0] - pd.Timedelta("8min")], name="datetime").as_unit("us")
    )
    assert check(offline(), pd.concat([early, TODAY])).equal == 125
