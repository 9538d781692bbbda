"""Bars of two instruments, and runs of both on one account."""

from __future__ import annotations

import datetime as dt
import functools
from typing import Any

import numpy as np
import pandas as pd

from brokers.risk.account_settings import AccountRiskSettings
from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from strategies.settings import Settings
from strategies.side_by_side import SideBySide, TradedBars, assemble_side_by_side
from tests.support import settings_of

NAMES = ("NIFTY", "BANKNIFTY")
COSTS = {"slippage": {"model": "percent"}, "charges": {"plan": "zerodha"}, "latency_ms": 500.0}


@functools.cache
def made_bars(seed: int, sessions: int = 12) -> pd.DataFrame:
    """3-minute bars with a column ``signal``: a tenth of them long, a tenth short."""
    calendar = TradingCalendar()
    settings = SyntheticSettings(sessions=sessions, seed=seed, first_date=dt.date(2024, 1, 1))
    frame = aggregate(make_bars(settings, calendar), 3, calendar)
    draws = np.random.default_rng(seed).random(len(frame))
    frame["signal"] = np.where(draws < 0.1, 1.0, np.where(draws > 0.9, -1.0, 0.0))
    return frame


def two_frames() -> dict[str, pd.DataFrame]:
    """The second instrument starts two sessions later, lacks its sixth session and some bars of others."""
    nifty, banknifty = made_bars(5), made_bars(6)
    days = banknifty.index.normalize()
    missing = (days == days.unique()[5]) | (days < days.unique()[2])
    missing |= np.random.default_rng(1).random(len(banknifty)) < 0.05
    return {"NIFTY": nifty, "BANKNIFTY": banknifty[~missing]}


def two_settings(
    *, account: dict[str, Any] | None = None, strategy: dict[str, Any] | None = None, **sections: Any
) -> Settings:
    """Settings of both, one lot each unless told otherwise, with cash to spare."""
    risk = {**sections.pop("risk", {}), "account": AccountRiskSettings(**(account or {}))}
    return settings_of(
        market={
            "lot_size": "dated",
            "tick_size": "dated",
            "instruments": NAMES,
            **sections.pop("market", {}),
        },
        strategy={"sizer": "lots", **(strategy or {})},
        broker={"starting_cash": 50_000_000.0, **COSTS, **sections.pop("broker", {})},
        risk=risk,
        **sections,
    )


def side_by_side(frames: dict[str, pd.DataFrame], settings: Settings, **options: Any) -> SideBySide:
    """Put both together."""
    traded = {name: TradedBars(frame, frame) for name, frame in frames.items()}
    return assemble_side_by_side(settings, traded, TradingCalendar(), **options)


def journals_of(run: SideBySide) -> dict[str, Any]:
    """Everything that happened, without the numbers that both instruments share."""
    return {
        name: (
            [fill._replace(order_id=0, trade_id=0) for fill in dealing.journal.fills],
            [event._replace(order_id=0, trade_id=0) for event in dealing.journal.events],
        )
        for name, dealing in run.dealings.items()
    }
