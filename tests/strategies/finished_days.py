"""Finished days for the tests of what comes after the market: backtests with all the files of a live day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from analyzers.settings import ReportSettings
from feeds.bars import close_times
from strategies.assembly import assemble_backtest
from strategies.live_result import write_day
from strategies.modelling import PreparedModel
from strategies.recording import DayRecorder
from strategies.settings import Settings
from tests.parity.recorded import CALENDAR, CASH, as_live_bar, last_day, timed


def finish_day(
    folder: Path,
    bars: pd.DataFrame,
    settings: Settings,
    *,
    model: PreparedModel | None = None,
    backfilled: tuple[pd.Timestamp, ...] = (),
    mode: str = "paper",
) -> dt.date:
    """Write the last day of the bars down as the live process does, report included, and return its date."""
    first = last_day(bars)
    settings = settings.model_copy(
        update={
            "broker": settings.broker.model_copy(update={"starting_cash": CASH}),
            "report": ReportSettings(tearsheet=False),
        }
    )
    seen = bars.copy()
    seen.loc[(seen.index < first) | seen.index.isin(backfilled), "complete"] = False
    ends = close_times(pd.DatetimeIndex(bars.index), settings.data.bar_minutes, CALENDAR)
    with DayRecorder(folder) as recorder:
        for (start, row), end in zip(bars.iterrows(), ends, strict=True):
            origin = "warmup" if start < first else "backfill" if start in backfilled else "ticks"
            recorder.bar(as_live_bar(start, end, row, origin))
        predictor = model.predictor if model else None
        assembled = assemble_backtest(settings, seen, CALENDAR, predictor=predictor, on_bar=recorder.record)
        assembled.engine.run()
    journal = assembled.journal
    signals = {context.trade_id: context.signal_time for context in journal.contexts}
    account = SimpleNamespace(
        journal=journal,
        timed_fills=[timed(fill, signals[fill.trade_id], 40.0) for fill in journal.fills],
        gate=assembled.broker.gate,
    )
    assert write_day(settings, account, model, folder, CALENDAR, day=first.date(), mode=mode, synthetic=True)
    return first.date()
