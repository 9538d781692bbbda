"""A backtest on the near month's own prices, and on prices without the gaps of its rolls."""

from __future__ import annotations

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.continuous import adjusted, adjustments
from feeds.rolls import rolls_by_expiry
from run_backtest import main

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

COLUMNS = ["open", "high", "low", "close", "volume", "open_interest"]


@pytest.fixture(scope="module")
def bars(shared_data):
    file = shared_data / "data" / "NIFTY_FUT_1min_2013_2016.parquet"
    return pd.read_parquet(file).set_index("datetime")[COLUMNS].loc["2015"].assign(complete=True)


@pytest.fixture(scope="module")
def rolls(bars):
    return rolls_by_expiry(pd.DatetimeIndex(bars.index), "NIFTY", TradingCalendar())


def trades(frame, folder, name):
    file = folder / f"{name}.parquet"
    frame.drop(columns="complete").to_parquet(file)
    quiet = ["--quiet", "--set", "report.tearsheet=false"]
    out = folder / name
    assert main(["--data", str(file), "--strategy", "opening_range", "--out", str(out), *quiet]) == 0
    return pd.read_csv(out / "trades.csv", parse_dates=["entry_time", "exit_time"])


@pytest.mark.parametrize(
    ("method", "exits_that_differ"),
    [("difference", 2), ("ratio", 5)],  # ratio: levels leave the tick's grid
)
def test_what_looks_at_one_session_trades_the_same(bars, rolls, tmp_path, method, exits_that_differ):
    raw = trades(bars, tmp_path, "raw")
    smooth = trades(adjusted(bars, adjustments(bars, rolls), method), tmp_path, method)
    assert len(raw) == 276
    same = ["side", "entry_time"]
    assert smooth[same].equals(raw[same])
    differs = (smooth[["exit_time", "exit_reason"]] != raw[["exit_time", "exit_reason"]]).any(axis=1)
    assert differs.sum() == exits_that_differ
    if method == "difference":
        # The ATR of a roll's first morning still holds the gap: that is all
        is_first_day = raw["entry_time"].dt.date.isin({roll.first_day for roll in rolls})
        assert is_first_day[differs].all()
        points = [(frame["gross_pnl"] / frame["size"])[~is_first_day].to_numpy() for frame in (smooth, raw)]
        assert points[0] == pytest.approx(points[1], abs=1e-6)
