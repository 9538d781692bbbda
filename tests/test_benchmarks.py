"""What a benchmark compares must run on every machine; its times are nobody's business here."""

import pandas as pd

from benchmarks.engine import SETTINGS, round_trips, run, synthetic_bars
from benchmarks.stock import run_stock
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from strategies.settings import load_settings


def test_stock_and_ours_trade_the_same_signals_on_made_up_bars():
    calendar = TradingCalendar()
    bars = synthetic_bars(calendar, sessions=12)
    fast = run(load_settings(SETTINGS), bars, calendar, skip=True)
    plain = run(load_settings(SETTINGS), bars, calendar, skip=False)
    assert fast.fills == plain.fills
    closes = close_times(pd.DatetimeIndex(bars.index), 3, calendar).tz_localize(None)
    # Stock backtrader fills by other rules, so the counts are near, not equal
    assert round_trips(fast) > 20
    assert abs(run_stock(bars.set_axis(closes)) - round_trips(fast)) <= 5


def test_four_years_of_made_up_bars_lie_within_the_calendar():
    assert len(synthetic_bars(TradingCalendar())) > 120_000
