from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzers.equity import daily_returns, daily_values, equity_frame
from analyzers.trades import trades_frame
from feeds.errors import DataError
from tests.analyzers.examples import CASH, make_bars, make_journal
from tests.analyzers.test_trades import fill

BARS = make_bars(sessions=4)


def test_without_fills_nothing_moves():
    equity = equity_frame([], BARS, CASH)
    assert len(equity) == len(BARS)
    assert (equity["cash"] == CASH).all()
    assert (equity["value"] == CASH).all()
    assert (equity["position"] == 0.0).all()
    assert list(equity.columns) == ["cash", "value", "position"]
    assert equity.index.name == "datetime"


def test_a_scaled_position_by_hand():
    fills = [
        fill(2, 75.0, 100.0, charges=10.0),
        fill(3, 75.0, 110.0),
        fill(5, -75.0, 120.0, role="target", charges=5.0),
        fill(6, -75.0, 100.0, role="stop"),
    ]
    equity = equity_frame(fills, BARS, CASH)
    close = BARS["close"].to_numpy()
    assert equity["cash"].iloc[[1, 2, 4, 5, 6]].tolist() == [
        CASH,
        CASH - 10.0,
        CASH - 10.0,
        CASH - 10.0 + 75.0 * 15.0 - 5.0,
        CASH - 10.0 + 75.0 * 15.0 - 5.0 - 75.0 * 5.0,
    ]
    assert equity["position"].iloc[[1, 2, 3, 5, 6]].tolist() == [0.0, 75.0, 150.0, 75.0, 0.0]
    assert equity["value"].iloc[4] == CASH - 10.0 + 150.0 * (close[4] - 105.0)


def test_a_fill_that_turns_the_position_round_starts_a_new_average():
    fills = [fill(2, 75.0, 100.0), fill(3, -150.0, 110.0), fill(4, 75.0, 105.0)]
    equity = equity_frame(fills, BARS, CASH)
    assert equity["cash"].iloc[3] == CASH + 750.0
    assert equity["cash"].iloc[4] == CASH + 750.0 + 375.0


@given(st.integers(0, 10_000), st.integers(12, 60))
def test_the_end_is_the_starting_cash_plus_the_net_profit_of_every_trade(seed, every):
    journal = make_journal(BARS, seed=seed, every=every)
    equity = equity_frame(journal.fills, BARS, CASH)
    trades = trades_frame(journal.fills, journal.contexts, BARS)
    assert abs(equity["value"].iloc[-1] - CASH - trades["net_pnl"].sum()) < 0.005
    flat = equity["position"] == 0.0
    assert (equity["value"][flat] == equity["cash"][flat]).all()


def test_value_equals_a_plain_mark_to_market():
    journal = make_journal(BARS)
    equity = equity_frame(journal.fills, BARS, CASH)
    for bar in (0, 6, 17, 100, len(BARS) - 1):
        done = [item for item in journal.fills if item.bar <= bar]
        paid = sum(item.size * item.price + item.charges for item in done)
        held = sum(item.size for item in done)
        assert equity["value"].iloc[bar] == pytest.approx(CASH - paid + held * BARS["close"].iloc[bar])


@pytest.mark.parametrize("bars_of_fills", [[len(BARS)], [-1], [5, 4]])
def test_fills_of_another_run_are_refused(bars_of_fills):
    fills = [fill(0, 75.0, 100.0)._replace(bar=bar) for bar in bars_of_fills]
    with pytest.raises(DataError, match="the fills and the bars of the same run"):
        equity_frame(fills, BARS, CASH)


def test_days_end_with_their_last_bar():
    equity = equity_frame(make_journal(BARS).fills, BARS, CASH)
    values = daily_values(equity)
    assert len(values) == 4
    last_day = equity[equity.index.strftime("%Y-%m-%d") == values.index[-1].strftime("%Y-%m-%d")]
    assert values.iloc[-1] == last_day["value"].iloc[-1]
    returns = daily_returns(equity, CASH).returns
    assert np.prod(1.0 + returns) == pytest.approx(values.iloc[-1] / CASH)


def test_returns_end_where_the_account_does():
    index = pd.DatetimeIndex(["2020-01-01 15:27", "2020-01-02 15:27", "2020-01-03 15:27", "2020-01-06 15:27"])
    equity = pd.DataFrame({"value": [110.0, 55.0, 0.0, 40.0]}, index=index.tz_localize("Asia/Kolkata"))
    daily = daily_returns(equity, 100.0)
    assert daily.returns.tolist() == pytest.approx([0.1, -0.5])
    assert daily.ruined_on == pd.Timestamp("2020-01-03")
