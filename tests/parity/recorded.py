"""Recorded days for the tests: a backtest, written down as a live day would be."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd

from analyzers.parity.day import OrderTimes, TimedFill
from analyzers.parity.files import write_fills
from analyzers.trades import trades_frame
from analyzers.writer import orders_frame
from feeds.bars import aggregate, close_times
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.live_bars import LiveBar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.tick_bars import Bar
from strategies.assembly import assemble_backtest
from strategies.recording import DayRecorder
from strategies.settings import Settings
from tests.support import settings_of

CALENDAR = TradingCalendar()
CASH = 1_000_000.0
COSTS = {
    "charges": {"plan": "zerodha"},
    "slippage": {"model": "percent", "percent": 0.01},
    "latency_ms": 250.0,
}


def bars_of_days(sessions: int = 3, seed: int = 5) -> pd.DataFrame:
    """Return 3-minute bars of made-up sessions; the last one is to be the live day."""
    return aggregate(make_bars(SyntheticSettings(sessions=sessions, seed=seed), CALENDAR), 3, CALENDAR)


def settings_for(name: str = "ema_cross", **parts) -> Settings:
    return settings_of(
        strategy={"name": name, "sizer": "risk", **parts.pop("strategy", {})},
        market={"lot_size": "dated", "tick_size": "dated"},
        broker={**COSTS, **parts.pop("broker", {})},
        **parts,
    )


def last_day(bars: pd.DataFrame) -> pd.Timestamp:
    """Return the START of the first bar of the last session."""
    return bars.index[bars.index >= bars.index[-1].normalize()][0]


def as_live_bar(start: pd.Timestamp, end: pd.Timestamp, row: pd.Series, origin: str) -> LiveBar:
    values = [float(row[name]) for name in ("open", "high", "low", "close", "volume", "open_interest")]
    return LiveBar(
        Bar(start.to_pydatetime(), end.to_pydatetime(), *values, bool(row["complete"])), origin, 0.0
    )


def record(
    folder: Path,
    bars: pd.DataFrame,
    settings: Settings,
    *,
    first: pd.Timestamp | None = None,
    predictor=None,
    model: dict | None = None,
    latency_ms: float = 40.0,
    backfilled: tuple[pd.Timestamp, ...] = (),
) -> Path:
    """Run a backtest whose bars before ``first`` are warm-up, and write it down as a live day."""
    first = last_day(bars) if first is None else first
    seen = bars.copy()
    seen.loc[(seen.index < first) | seen.index.isin(backfilled), "complete"] = False
    ends = close_times(pd.DatetimeIndex(bars.index), settings.data.bar_minutes, CALENDAR)
    with DayRecorder(folder) as recorder:
        for (start, row), end in zip(bars.iterrows(), ends, strict=True):
            origin = "warmup" if start < first else "backfill" if start in backfilled else "ticks"
            recorder.bar(as_live_bar(start, end, row, origin))
        funded = settings.model_copy(
            update={"broker": settings.broker.model_copy(update={"starting_cash": CASH})}
        )
        assembled = assemble_backtest(funded, seen, CALENDAR, predictor=predictor, on_bar=recorder.record)
        assembled.engine.run()
    journal = assembled.journal
    signals = {context.trade_id: context.signal_time for context in journal.contexts}
    write_fills(folder, [timed(fill, signals[fill.trade_id], latency_ms) for fill in journal.fills])
    orders_frame(journal.events).to_csv(folder / "orders.csv", index=False)
    trades_frame(journal.fills, journal.contexts, bars).to_csv(folder / "trades.csv", index=False)
    summary = {
        "settings": settings.model_dump(mode="json"),
        "data": {"starting_cash": CASH},
        "model": model,
    }
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


def timed(fill, signal_time: dt.datetime, latency_ms: float) -> TimedFill:
    decided = fill.time.replace(tzinfo=IST)
    return TimedFill(
        fill, signal_time, OrderTimes.from_durations(decided, latency_ms / 4, latency_ms * 3 / 4, decided)
    )
