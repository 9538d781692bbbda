"""Small bar frames and runs for the tests of brokers and strategies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from brokers.journal import Journal
from brokers.settings import BrokerSettings, RiskSettings
from feeds.calendar import TradingCalendar
from feeds.settings import DataSettings, MarketSettings
from strategies.assembly import Assembled, assemble_backtest
from strategies.settings import Settings
from strategies.settings_section import StrategySettings

DAY = dt.date(2024, 6, 3)
"""A Monday with ordinary hours."""

NO_RISK_RULES = RiskSettings(
    daily_loss_percent=None, max_entries_per_day=None, cooldown_losses=None, max_atr_percent=None,
    entries_from=None, entries_until=None, max_lots=None, max_margin_percent=None, order_sanity=False,
    deny_incomplete_bars=False, max_data_age_seconds=None, max_model_age_days=None, kill_switch_file=None,
    pause_file=None,
)  # fmt: skip


def frame_of(
    bars: Sequence[tuple[float, float, float, float]],
    *,
    day: dt.date = DAY,
    at: str = "09:15",
    bar_minutes: int = 3,
    volume: float = 75_000.0,
    **columns: Sequence[float],
) -> pd.DataFrame:
    """Return a bar frame of consecutive bars (open, high, low, close) on one day."""
    start = pd.Timestamp(f"{day} {at}", tz="Asia/Kolkata")
    index = pd.date_range(start, periods=len(bars), freq=f"{bar_minutes}min", name="datetime").as_unit("us")
    frame = pd.DataFrame(bars, columns=["open", "high", "low", "close"], index=index, dtype=float)
    frame["volume"] = volume
    frame["open_interest"] = 0.0
    frame["complete"] = True
    for name, values in columns.items():
        frame[name] = np.asarray(values, dtype=float)
    return frame


def settings_of(
    *,
    market: dict[str, Any] | None = None,
    strategy: dict[str, Any] | None = None,
    broker: dict[str, Any] | None = None,
    risk: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
) -> Settings:
    """Return settings without costs or risk rules, 75 units a trade, unless told otherwise."""
    return Settings(
        market=MarketSettings(**{"lot_size": 75, "tick_size": 0.05, "margin_percent": 10, **(market or {})}),
        data=DataSettings(**(data or {})),
        strategy=StrategySettings(**{"name": "column_signal", "sizer": "fixed", **(strategy or {})}),
        broker=BrokerSettings(
            **{
                "charges": {"plan": "percent", "percent": 0.0},
                "slippage": {"model": "none"},
                "latency_ms": 0.0,
                **(broker or {}),
            }
        ),
        risk=NO_RISK_RULES if risk is None else NO_RISK_RULES.model_copy(update=risk),
    )


def assemble(frame: pd.DataFrame, settings: Settings, **options: Any) -> Assembled:
    """Put a backtest together on a fresh calendar."""
    return assemble_backtest(settings, frame, TradingCalendar(), **options)


def run(
    frame: pd.DataFrame, settings: Settings, *, cerebro: dict[str, Any] | None = None, **options: Any
) -> Journal:
    """Run a backtest and return its journal."""
    assembled = assemble(frame, settings, **options)
    assembled.engine.run(**(cerebro or {}))
    return assembled.journal
