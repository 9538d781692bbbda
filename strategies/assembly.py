"""How a run is put together: the only place that differs from mode to mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from brokers.execution import ExecutionModel
from brokers.finer_bars import FinerBars
from brokers.journal import Journal
from brokers.participation import VolumeParticipation
from brokers.risk.gate import RiskGate
from brokers.settings import make_charges, make_rules, make_slippage
from brokers.simulated import SimulatedBroker
from brokers.slippage import LatencyModel
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.history import make_history_feed
from feeds.terms import DatedTerms
from ml.predict import Predictor
from strategies.base import IntradayStrategy
from strategies.engine import Engine
from strategies.plugins import load_strategy, plugin_settings
from strategies.settings import Settings
from strategies.sizers import FixedSizer, RiskSizer, Sizer
from strategies.windows import DayWindows

__all__ = ["Assembled", "assemble_backtest"]


class Assembled(NamedTuple):
    """A run that is ready to start.

    Attributes
    ----------
    engine : Engine
        Cerebro with feed, broker and strategy.
    broker : SimulatedBroker
        The account.
    journal : Journal
        Receives what happens.
    """

    engine: Engine
    broker: SimulatedBroker
    journal: Journal


def assemble_backtest(
    settings: Settings,
    bars: pd.DataFrame,
    calendar: TradingCalendar,
    *,
    predictor: Predictor | None = None,
    minutes: pd.DataFrame | None = None,
    skip: bool = True,
    verify: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> Assembled:
    """Put a backtest together.

    Parameters
    ----------
    settings : Settings
        Everything.
    bars : pandas.DataFrame
        The bar frame to trade on, ``settings.data.bar_minutes`` long.
    calendar : TradingCalendar
        Sessions.
    predictor : Predictor or None
        For strategies that ask a model.
    minutes : pandas.DataFrame or None
        The 1-minute bars that ``bars`` were made of, to settle stop against target where
        ``data.detail`` says so.
    skip, verify, on_progress
        See :class:`strategies.engine.Engine`.
    """
    bar_minutes = settings.data.bar_minutes
    terms = DatedTerms(settings.market, calendar)
    charges = make_charges(settings.broker)
    journal = Journal()
    broker = SimulatedBroker(
        cash=settings.broker.starting_cash,
        execution=ExecutionModel(
            charges=charges,
            slippage=make_slippage(settings.broker),
            latency=LatencyModel(settings.broker.latency_ms),
            participation=VolumeParticipation(settings.broker.max_percent_of_volume),
            terms=terms,
            bar_seconds=bar_minutes * 60.0,
        ),
        gate=RiskGate(make_rules(settings.risk), settings.broker.starting_cash),
        journal=journal,
        finer_bars=_finer_bars(settings, bars, minutes),
    )
    engine = Engine(skip=skip, verify=verify, on_progress=on_progress)
    closes = close_times(pd.DatetimeIndex(bars.index), bar_minutes, calendar)
    engine.adddata(make_history_feed(bars, closes, name=settings.market.instrument, bar_minutes=bar_minutes))
    engine.broker = broker
    sizer: Sizer
    if settings.strategy.sizer == "fixed":
        sizer = FixedSizer(settings.strategy.fixed_units)
    else:
        sizer = RiskSizer(
            risk_percent=settings.strategy.risk_percent,
            margin_percent_of_cash=settings.strategy.margin_percent_of_cash,
            charges=charges,
            terms=terms,
        )
    _add_strategy(engine, settings, calendar, sizer, predictor)
    return Assembled(engine, broker, journal)


def _add_strategy(
    engine: Engine,
    settings: Settings,
    calendar: TradingCalendar,
    sizer: Sizer,
    predictor: Predictor | None,
) -> None:
    section = settings.strategy
    strategy: type[IntradayStrategy] = load_strategy(section.name)
    engine.addstrategy(
        strategy,
        settings=section,
        windows=DayWindows(
            calendar,
            last_entry=section.last_entry,
            square_off=section.square_off,
            last_entry_before_close_minutes=section.last_entry_before_close_minutes,
            square_off_before_close_minutes=section.square_off_before_close_minutes,
            bar_minutes=settings.data.bar_minutes,
        ),
        sizer=sizer,
        plugin=plugin_settings(section.name, strategy, section.parameters),
        predictor=predictor,
    )


def _finer_bars(settings: Settings, bars: pd.DataFrame, minutes: pd.DataFrame | None) -> FinerBars | None:
    if settings.data.detail == "none" or minutes is None:
        return None
    first = np.searchsorted(minutes.index.to_numpy(), bars.index.to_numpy())
    return FinerBars(
        minutes["high"].to_numpy(dtype=np.float64),
        minutes["low"].to_numpy(dtype=np.float64),
        np.append(first, len(minutes)),
    )
