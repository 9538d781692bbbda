"""Bars per second of the event loop against stock backtrader, same rules, same bars, same run.

``python -m benchmarks.engine [BARS.parquet]``: the file holds 3-minute bars with ``signal`` and ``atr``
columns; without it the reference bars beside the project are taken, and without those synthetic ones.
"""

from __future__ import annotations

import datetime as dt
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.stock import run_stock
from brokers.journal import Journal
from feeds.bars import aggregate, close_times
from feeds.calendar import TradingCalendar
from feeds.history import make_history_feed
from feeds.settings import SyntheticSettings
from feeds.sources.files import load_bars
from feeds.sources.synthetic import make_bars
from ml.features import average_true_range
from strategies.assembly import assemble_backtest
from strategies.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT.parent / "shared/data/reference/bars_3min_with_signal_2013_2016.parquet"
SETTINGS = ROOT / "tests/reference/settings.yaml"
REPEATS = 3


def main() -> None:
    """Measure and print."""
    calendar = TradingCalendar()
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE
    if path.is_file():
        frame, name = load_bars(path, calendar=calendar).frame, path.name
    else:
        frame, name = synthetic_bars(calendar), "synthetic bars"
    settings = load_settings(SETTINGS)
    closes = close_times(pd.DatetimeIndex(frame.index), 3, calendar)
    stock_frame = frame.set_axis(closes.tz_localize(None))
    print(f"{len(frame):,} bars of 3 minutes ({name}), best of {REPEATS}\n")

    load_seconds, _ = best(lambda: load_feed(frame, closes))
    stock_seconds, stock_trades = best(lambda: run_stock(stock_frame))
    plain_seconds, plain = best(lambda: run(settings, frame, calendar, skip=False))
    fast_seconds, fast = best(lambda: run(settings, frame, calendar, skip=True))

    print(f"feed loaded in {load_seconds:.3f} s")
    for label, seconds, trades in (
        ("stock backtrader, PandasData", stock_seconds, stock_trades),
        ("our feed, broker and gate, every bar visited", plain_seconds, round_trips(plain)),
        ("the same, only bars on which something can happen", fast_seconds, round_trips(fast)),
    ):
        rate, ratio = len(frame) / seconds, stock_seconds / seconds
        print(f"{rate:>10,.0f} bars/s  {ratio:5.1f} x  {trades:,} trades  {label}")
    same = fast.fills == plain.fills and fast.events == plain.events
    print(f"orders and fills of the two loops: {'identical' if same else 'DIFFERENT'}")
    if not same:
        raise SystemExit(1)


def best(work: Callable[[], object]) -> tuple[float, object]:
    """Return the shortest time of some repeats, in seconds, and the last result."""
    seconds = []
    for _ in range(REPEATS):
        gc.collect()  # what the run before left behind is not this run's time
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return min(seconds), result


def load_feed(frame: pd.DataFrame, closes: pd.DatetimeIndex) -> None:
    """Make the feed and fill its line buffers."""
    feed = make_history_feed(frame, closes, name="NIFTY", bar_minutes=3)
    feed.start()
    feed.preload()


def run(settings: Settings, frame: pd.DataFrame, calendar: TradingCalendar, *, skip: bool) -> Journal:
    """Run the rules on our own engine."""
    assembled = assemble_backtest(settings, frame, calendar, skip=skip)
    assembled.engine.run()
    return assembled.journal


def round_trips(journal: Journal) -> int:
    """Return the number of closed trades."""
    return sum(fill.role == "entry" for fill in journal.fills)


def synthetic_bars(calendar: TradingCalendar, sessions: int = 974) -> pd.DataFrame:
    """Return made-up bars, four years of them, with a random signal."""
    made = SyntheticSettings(first_date=dt.date(2018, 1, 1), sessions=sessions)
    frame = aggregate(make_bars(made, calendar), 3, calendar)
    columns = (frame[name].to_numpy() for name in ("high", "low", "close"))
    frame["atr"] = average_true_range(*columns, 14)
    draws = np.random.default_rng(1).random(len(frame))
    frame["signal"] = np.where(draws < 0.09, 1.0, np.where(draws > 0.91, -1.0, 0.0)) * frame["atr"].notna()
    return frame


if __name__ == "__main__":
    main()
