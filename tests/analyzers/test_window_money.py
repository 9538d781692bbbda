from __future__ import annotations

import pandas as pd
import pytest

from analyzers.trades import trades_frame
from analyzers.window_money import with_money
from tests.analyzers.examples import make_bars


@pytest.fixture
def trades():
    times = [
        "2020-01-02 09:15",
        "2020-01-02 15:00",
        "2020-01-03 09:18",
        "2020-01-06 09:15",
        "2020-01-07 09:15",
    ]
    frame = trades_frame([], [], make_bars(sessions=1)).reindex(range(len(times)))
    frame["entry_time"] = pd.DatetimeIndex(times).tz_localize("Asia/Kolkata")
    return frame.assign(
        gross_pnl=[1.0, 10.0, 100.0, 1000.0, 10000.0], net_pnl=[0.5, 5.0, 50.0, 500.0, 5000.0]
    )


def window(first, last):
    return {"test_first": f"2020-01-{first}", "test_last": f"2020-01-{last}", "kind": "xgboost"}


def test_each_trade_belongs_to_the_window_of_its_entry(trades):
    windows = [
        window("02T09:15:00+05:30", "03T15:27:00+05:30"),
        window("06T09:15:00+05:30", "06T15:27:00+05:30"),
        window("08T09:15:00+05:30", "09T15:27:00+05:30"),
    ]
    found = with_money(windows, trades)
    assert [one["money"] for one in found] == [
        {"trades": 3, "gross": 111.0, "net": 55.5},
        {"trades": 1, "gross": 1000.0, "net": 500.0},
        {"trades": 0, "gross": 0.0, "net": 0.0},
    ]
    assert found[0]["kind"] == "xgboost"
    assert "money" not in windows[0]


@pytest.mark.parametrize(("minute", "trades_in_it"), [("09:14", 3), ("09:15", 3), ("09:16", 2)])
def test_the_first_bar_is_in_it(trades, minute, trades_in_it):
    found = with_money([window(f"02T{minute}:00+05:30", "03T15:27:00+05:30")], trades)
    assert found[0]["money"]["trades"] == trades_in_it


def test_another_offset_is_the_same_time_and_none_is_exchange_time(trades):
    same = [window("02T03:45:00+00:00", "03T09:57:00+00:00"), window("02T09:15:00", "03")]
    assert [one["money"]["trades"] for one in with_money(same, trades)] == [3, 3]
