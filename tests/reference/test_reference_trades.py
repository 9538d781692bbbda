"""The default rules against an independent plain loop over 121,750 real bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analyzers.trades import trades_frame
from feeds.calendar import TradingCalendar
from feeds.sources.files import load_bars
from strategies.assembly import assemble_backtest
from strategies.settings import load_settings

pytestmark = pytest.mark.real_data

SETTINGS = Path(__file__).parent / "settings.yaml"
EXPECTED_NET = -1_553_021.09


@pytest.fixture(scope="module")
def bars(shared_data):
    return load_bars(
        shared_data / "data/reference/bars_3min_with_signal_2013_2016.parquet", calendar=TradingCalendar()
    ).frame


@pytest.fixture(scope="module")
def expected(shared_data):
    return pd.read_csv(
        shared_data / "data/reference/expected_trades_2013_2016.csv",
        parse_dates=["entry_bar_start", "exit_bar_start"],
    )


def test_every_trade_equals_the_independent_result(bars, expected):
    assembled = assemble_backtest(load_settings(SETTINGS), bars, TradingCalendar())
    assembled.engine.run()
    trades = trades_frame(assembled.journal.fills, assembled.journal.contexts, bars)

    assert len(trades) == len(expected) == 4862
    assert (trades["entry_time"].to_numpy() == expected["entry_bar_start"].to_numpy()).all()
    assert (trades["exit_time"].to_numpy() == expected["exit_bar_start"].to_numpy()).all()
    assert (np.where(trades["side"] == "long", 1, -1) == expected["side"]).all()
    assert (trades["exit_reason"].to_numpy() == expected["reason"].to_numpy()).all()
    np.testing.assert_allclose(trades["entry_price"], expected["entry_price"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(trades["exit_price"], expected["exit_price"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(trades["net_pnl"], expected["net_pnl"], rtol=0, atol=1e-6)
    assert round(trades["net_pnl"].sum(), 2) == EXPECTED_NET


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "cerebro"),
    [
        ({"skip": False}, {}),
        ({"verify": True}, {}),
        ({}, {"runonce": False}),
        ({}, {"preload": False}),
    ],
    ids=["every bar", "verify", "runonce off", "preload off"],
)
def test_every_way_through_the_bars_gives_the_same_orders(bars, options, cerebro):
    settings = load_settings(SETTINGS)
    skipped = assemble_backtest(settings, bars, TradingCalendar())
    skipped.engine.run()
    visited = assemble_backtest(settings, bars, TradingCalendar(), **options)
    visited.engine.run(**cerebro)
    assert visited.journal.fills == skipped.journal.fills
    assert visited.journal.events == skipped.journal.events
