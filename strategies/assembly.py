"""How a run is put together: the only place that differs from mode to mode."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from brokers.execution import ExecutionModel
from brokers.finer_bars import FinerBars
from brokers.journal import Journal
from brokers.participation import VolumeParticipation
from brokers.risk.account import AccountRisk
from brokers.risk.gate import RiskGate
from brokers.settings import make_charges, make_rules, make_slippage
from brokers.simulated import SimulatedBroker
from brokers.slippage import LatencyModel
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.history import make_history_feed
from feeds.terms import ContractTerms, DatedTerms
from strategies.arm_predictors import AnyPredictor
from strategies.base import IntradayStrategy
from strategies.engine import Engine
from strategies.plugins import load_strategy, plugin_settings
from strategies.settings import Settings
from strategies.sizers import FixedSizer, LotSizer, RiskSizer, Sizer
from strategies.windows import DayWindows

__all__ = [
    "Assembled",
    "assemble",
    "assemble_backtest",
    "finer_bars_of",
    "make_execution",
    "make_gate",
    "make_windows",
]


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


def assemble(
    settings: Settings,
    calendar: TradingCalendar,
    *,
    feed: Any,  # noqa: ANN401 # a backtrader feed, untyped
    broker: Any,  # noqa: ANN401 # a backtrader broker, untyped
    terms: Callable[[dt.date], ContractTerms],
    predictor: AnyPredictor | None = None,
    engine: Engine | None = None,
    on_bar: Callable[[BarRecord], None] | None = None,
    peers: Mapping[str, Any] = MappingProxyType({}),
    share: Callable[[int], float] | None = None,
) -> Engine:
    """Put feed, broker and strategy together: the same in a backtest, on paper and live.

    Once for each instrument, where several are traded with one engine.

    Parameters
    ----------
    settings : Settings
        Everything.
    calendar : TradingCalendar
        Sessions.
    feed : feeds.history.HistoryFeed or feeds.live.LiveFeed
        Bars of ``settings.data.bar_minutes``.
    broker : SimulatedBroker, PaperBroker or LiveBroker
        Takes the orders.
    terms : callable
        ``terms(day)`` gives lot, tick, freeze quantity and margin of that day, for the sizer.
    predictor : Predictor, ArmPredictors or None
        For strategies that ask a model.
    engine : Engine or None
        To put them into; an ordinary one when left out.
    on_bar : callable or None
        Told what the strategy saw and decided on every bar.
    peers : mapping
        Feeds of the other instruments by name, for strategies that look at them.
    share : callable or None
        ``share(day)`` gives the part of the cash that entries are sized by on the day of that ordinal.
    """
    engine = engine or Engine()
    engine.adddata(feed)
    if engine.broker is not broker:
        engine.broker = broker
    section = settings.strategy
    strategy: type[IntradayStrategy] = load_strategy(section.name)
    engine.addstrategy(
        strategy,
        settings=section,
        windows=make_windows(settings, calendar),
        sizer=_make_sizer(settings, terms),
        plugin=plugin_settings(section.name, strategy, section.parameters),
        predictor=predictor,
        terms=terms,
        on_bar=on_bar,
        peers=peers,
        share=share,
    )
    return engine


def assemble_backtest(
    settings: Settings,
    bars: pd.DataFrame,
    calendar: TradingCalendar,
    *,
    predictor: AnyPredictor | None = None,
    minutes: pd.DataFrame | None = None,
    skip: bool = True,
    verify: bool = False,
    on_progress: Callable[[int], None] | None = None,
    on_bar: Callable[[BarRecord], None] | None = None,
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
    predictor : Predictor, ArmPredictors or None
        For strategies that ask a model.
    minutes : pandas.DataFrame or None
        The 1-minute bars that ``bars`` were made of, to settle stop against target where
        ``data.detail`` says so.
    skip, verify, on_progress
        See :class:`strategies.engine.Engine`.
    on_bar : callable or None
        See :func:`assemble`; every bar is visited then.
    """
    bar_minutes = settings.data.bar_minutes
    terms = DatedTerms(settings.market, calendar)
    journal = Journal()
    broker = SimulatedBroker(
        cash=settings.broker.starting_cash,
        execution=make_execution(settings, terms),
        gate=make_gate(settings, terms),
        journal=journal,
        finer_bars=finer_bars_of(settings, bars, minutes),
    )
    closes = close_times(pd.DatetimeIndex(bars.index), bar_minutes, calendar)
    feed = make_history_feed(bars, closes, name=settings.market.instrument, bar_minutes=bar_minutes)
    engine = assemble(
        settings,
        calendar,
        feed=feed,
        broker=broker,
        terms=terms,
        predictor=predictor,
        engine=Engine(skip=skip and on_bar is None, verify=verify, on_progress=on_progress),
        on_bar=on_bar,
    )
    return Assembled(engine, broker, journal)


def make_gate(settings: Settings, terms: Callable[[dt.date], ContractTerms]) -> RiskGate:
    """Return the gate of an instrument that is alone on its account, with the account's limits if any."""
    cash, limits = settings.broker.starting_cash, settings.risk.account
    seat = AccountRisk(limits, cash).seat(settings.market.instrument, terms) if limits.is_on else None
    return RiskGate(make_rules(settings.risk), cash, seat)


def make_execution(settings: Settings, terms: Callable[[dt.date], ContractTerms]) -> ExecutionModel:
    """Return what a simulated execution takes and costs, for backtests and paper."""
    broker = settings.broker
    return ExecutionModel(
        charges=make_charges(broker),
        slippage=make_slippage(broker),
        latency=LatencyModel(broker.latency_ms),
        participation=VolumeParticipation(broker.max_percent_of_volume),
        terms=terms,
        bar_seconds=settings.data.bar_minutes * 60.0,
    )


def make_windows(settings: Settings, calendar: TradingCalendar) -> DayWindows:
    """Return when entries end and positions are squared off, by day."""
    section = settings.strategy
    return DayWindows(
        calendar,
        last_entry=section.last_entry,
        square_off=section.square_off,
        last_entry_before_close_minutes=section.last_entry_before_close_minutes,
        square_off_before_close_minutes=section.square_off_before_close_minutes,
        bar_minutes=settings.data.bar_minutes,
    )


def _make_sizer(settings: Settings, terms: Callable[[dt.date], ContractTerms]) -> Sizer:
    section = settings.strategy
    if section.sizer == "fixed":
        return FixedSizer(section.fixed_units)
    if section.sizer == "lots":
        return LotSizer(section.fixed_lots, terms)
    return RiskSizer(
        risk_percent=section.risk_percent,
        margin_percent_of_cash=section.margin_percent_of_cash,
        charges=make_charges(settings.broker),
        terms=terms,
    )


def finer_bars_of(settings: Settings, bars: pd.DataFrame, minutes: pd.DataFrame | None) -> FinerBars | None:
    """Return the 1-minute bars that settle stop against target in ``bars``; None where none are wanted."""
    if settings.data.detail == "none" or minutes is None:
        return None
    first = np.searchsorted(minutes.index.to_numpy(), bars.index.to_numpy())
    return FinerBars(
        minutes["high"].to_numpy(dtype=np.float64),
        minutes["low"].to_numpy(dtype=np.float64),
        np.append(first, len(minutes)),
    )
