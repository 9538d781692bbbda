"""Recorded days for the tests: a backtest, written down as a live day would be."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from analyzers.parity.day import OrderTimes, TimedFill
from analyzers.parity.files import INSTRUMENTS_FILE, write_fills
from analyzers.trades import trades_frame
from analyzers.writer import orders_frame
from brokers.journal import Journal
from feeds.bars import aggregate, close_times
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.live_bars import LiveBar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.tick_bars import Bar
from strategies.assembly import assemble_backtest
from strategies.past_sessions import RETURNS_FILE
from strategies.per_instrument import for_instrument
from strategies.recording import DayRecorder
from strategies.settings import Settings
from strategies.side_by_side import TradedBars, assemble_side_by_side
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
        market={"lot_size": "dated", "tick_size": "dated", **parts.pop("market", {})},
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
    seen = as_seen(bars, first, backfilled)
    with DayRecorder(folder) as recorder:
        write_bars(recorder, bars, settings, first, backfilled)
        funded = settings.model_copy(
            update={"broker": settings.broker.model_copy(update={"starting_cash": CASH})}
        )
        assembled = assemble_backtest(funded, seen, CALENDAR, predictor=predictor, on_bar=recorder.record)
        assembled.engine.run()
    write_files(folder, bars, settings, assembled.journal, model=model, latency_ms=latency_ms)
    return folder


def record_several(
    folder: Path, frames: dict[str, pd.DataFrame], settings: Settings, returns: pd.DataFrame | None = None
) -> Path:
    """Run a backtest of several instruments, and write it down as a live day of theirs.

    ``returns`` are those of the sessions before it, as a live day keeps them where they are needed.
    """
    folder.mkdir(parents=True)
    (folder / INSTRUMENTS_FILE).write_text(json.dumps(list(frames)), encoding="utf-8")
    if returns is not None:
        returns.to_csv(folder / RETURNS_FILE, lineterminator="\n")
    own = {name: for_instrument(settings, name) for name in frames}
    funded = settings.model_copy(
        update={"broker": settings.broker.model_copy(update={"starting_cash": CASH})}
    )
    seen = {name: as_seen(bars, last_day(bars)) for name, bars in frames.items()}
    with ExitStack() as stack:
        recorders = {name: stack.enter_context(DayRecorder(folder / name)) for name in frames}
        for name, bars in frames.items():
            write_bars(recorders[name], bars, own[name], last_day(bars))
        made = assemble_side_by_side(
            funded, {name: TradedBars(bars, bars) for name, bars in seen.items()}, CALENDAR,
            returns=returns, on_bar=lambda name, bar: recorders[name].record(bar),
        )  # fmt: skip
        made.engine.run()
    for name, bars in frames.items():
        write_files(folder / name, bars, own[name], made.dealings[name].journal)
    return folder


def as_seen(
    bars: pd.DataFrame, first: pd.Timestamp, backfilled: tuple[pd.Timestamp, ...] = ()
) -> pd.DataFrame:
    """Return bars as the strategy was told them: it enters on none that was not built from ticks."""
    seen = bars.copy()
    seen.loc[(seen.index < first) | seen.index.isin(backfilled), "complete"] = False
    return seen


def write_bars(
    recorder: DayRecorder,
    bars: pd.DataFrame,
    settings: Settings,
    first: pd.Timestamp,
    backfilled: tuple[pd.Timestamp, ...] = (),
) -> None:
    ends = close_times(pd.DatetimeIndex(bars.index), settings.data.bar_minutes, CALENDAR)
    for (start, row), end in zip(bars.iterrows(), ends, strict=True):
        origin = "warmup" if start < first else "backfill" if start in backfilled else "ticks"
        recorder.bar(as_live_bar(start, end, row, origin))


def write_files(
    folder: Path,
    bars: pd.DataFrame,
    settings: Settings,
    journal: Journal,
    *,
    model: dict | None = None,
    latency_ms: float = 40.0,
) -> None:
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


def timed(fill, signal_time: dt.datetime, latency_ms: float) -> TimedFill:
    decided = fill.time.replace(tzinfo=IST)
    return TimedFill(
        fill, signal_time, OrderTimes.from_durations(decided, latency_ms / 4, latency_ms * 3 / 4, decided)
    )
