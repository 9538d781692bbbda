"""Candles of an answer that are not believed: each is set aside with its reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from feeds.bars import check_frame
from feeds.fetch.screen import Screened, screen
from tests.feeds.fetch_support import CALENDAR, request_of, wanted
from tests.feeds.frames import day_frame

DAY = "2016-01-04"


def screened(frame: pd.DataFrame, **changes: object) -> Screened:
    given = {"bar_minutes": 1, "is_index": False, **changes}
    return screen(frame, request_of(DAY, DAY), wanted(DAY, DAY, **given), CALENDAR)


def with_values(**values: float) -> pd.DataFrame:
    """Return a day whose fourth minute has other values."""
    frame = day_frame(DAY)
    for name, value in values.items():
        frame.iloc[3, frame.columns.get_loc(name)] = value
    return frame


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"close": np.nan}, "missing_value"),
        ({"volume": np.nan}, "missing_value"),
        ({"open": 0.0}, "non_positive"),
        ({"volume": -1.0}, "non_positive"),
        ({"open_interest": -1.0}, "non_positive"),
        ({"high": 7_000.0}, "ohlc_relation"),
        ({"low": 9_000.0}, "ohlc_relation"),
        ({"low": 7_000.01}, "off_tick"),
    ],
)
def test_a_bad_candle_is_set_aside_and_the_others_are_kept(values, reason):
    found = screened(with_values(**values))
    check_frame(found.frame)
    assert len(found.frame) == 374
    assert found.rejects["reason"].tolist() == [reason]
    assert f"{found.rejects['datetime'].iloc[0]:%H:%M}" == "09:18"


def test_an_index_has_no_tick():
    assert screened(with_values(low=7_000.01), is_index=True).rejects.empty


def test_an_index_has_no_open_interest_though_brokers_write_zero():
    frame = screened(day_frame(DAY).assign(open_interest=0.0), is_index=True).frame
    assert frame["open_interest"].isna().all()
    assert not screened(day_frame(DAY)).frame["open_interest"].isna().any()


def test_open_interest_may_be_missing():
    assert len(screened(with_values(open_interest=np.nan)).frame) == 375


def test_candles_outside_the_session_or_the_days_asked_for():
    late = day_frame(DAY, 2, start="15:30")
    other = day_frame("2016-01-05", 3)
    night = day_frame(DAY, 1, start="22:00")
    found = screened(pd.concat([other, day_frame(DAY), late, night]))
    assert len(found.frame) == 375
    assert found.rejects["reason"].value_counts().to_dict() == {
        "not_asked": 3, "after_close": 1, "outside_session": 2,
    }  # fmt: skip


def test_candles_twice_or_out_of_order():
    frame = day_frame(DAY)
    other = frame.iloc[[5]].assign(close=lambda rows: rows["close"] + 0.05)
    found = screened(pd.concat([frame.iloc[100:], frame.iloc[:100], frame.iloc[[7]], other]))
    pd.testing.assert_frame_equal(found.frame, frame, check_freq=False)
    assert sorted(found.rejects["reason"]) == ["identical_duplicate", "same_minute_other_values"]


def test_a_candle_that_starts_where_no_bar_starts():
    minutes = day_frame(DAY, 6)
    assert screened(minutes, bar_minutes=3).rejects["reason"].tolist() == ["off_grid"] * 4
    assert screened(minutes.iloc[[0, 3]], bar_minutes=3).rejects.empty


def test_no_candles():
    found = screened(day_frame(DAY).iloc[:0])
    assert found.frame.empty
    assert found.rejects.empty
