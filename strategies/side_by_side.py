"""A backtest of several instruments on one account, put together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pandas as pd

from analyzers.bar_record import BarRecord
from brokers.dealing import Dealing
from brokers.journal import Journal
from brokers.risk.account import AccountRisk
from brokers.risk.gate import RiskGate
from brokers.settings import make_rules
from brokers.simulated import SimulatedBroker
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.history import HistoryFeed, make_history_feed
from feeds.terms import DatedTerms
from strategies.allocation import Allocation
from strategies.arm_predictors import AnyPredictor
from strategies.assembly import assemble, finer_bars_of, make_execution
from strategies.engine import Engine
from strategies.per_instrument import for_instrument
from strategies.session_returns import RollingCorrelation, session_returns
from strategies.settings import Settings

__all__ = ["SideBySide", "TradedBars", "assemble_side_by_side"]


class TradedBars(NamedTuple):
    """What one instrument is traded on.

    Attributes
    ----------
    frame : pandas.DataFrame
        The bar frame to trade on.
    past : pandas.DataFrame
        The same with all bars before it, from which shares and correlations may be worked out.
    predictor : Predictor, ArmPredictors or None
        For strategies that ask a model.
    minutes : pandas.DataFrame or None
        The 1-minute bars that ``frame`` was made of.
    """

    frame: pd.DataFrame
    past: pd.DataFrame
    predictor: AnyPredictor | None = None
    minutes: pd.DataFrame | None = None


class SideBySide(NamedTuple):
    """A run of several instruments that is ready to start.

    Attributes
    ----------
    engine : Engine
        Cerebro with a feed and a strategy for each, and one broker.
    broker : SimulatedBroker
        The account.
    dealings : dict
        How each is traded, by instrument: its gate and its journal.
    account : AccountRisk
        What the gates share.
    allocation : Allocation
        The parts of the cash.
    """

    engine: Engine
    broker: SimulatedBroker
    dealings: dict[str, Dealing]
    account: AccountRisk
    allocation: Allocation


def assemble_side_by_side(
    settings: Settings,
    traded: Mapping[str, TradedBars],
    calendar: TradingCalendar,
    *,
    skip: bool = True,
    verify: bool = False,
    on_progress: Callable[[int], None] | None = None,
    own: Mapping[str, Settings] | None = None,
    returns: pd.DataFrame | None = None,
    on_bar: Callable[[str, BarRecord], None] | None = None,
) -> SideBySide:
    """Put a backtest of several instruments together.

    Parameters
    ----------
    settings : Settings
        Everything; ``market.traded`` names the keys of ``traded``.
    traded : mapping
        Bars and models by instrument. What happens at the same moment is booked in this order.
    calendar : TradingCalendar
        Sessions.
    skip, verify, on_progress
        See :class:`strategies.engine.Engine`.
    own : mapping or None
        Settings by which each is traded; those of the run for each instrument if not given.
    returns : pandas.DataFrame or None
        Of the sessions that shares and correlations are worked out from; those of the bars if not given.
    on_bar : callable or None
        Told the instrument, and what its strategy saw and decided on every bar.
    """
    cash = settings.broker.starting_cash
    own = own or {name: for_instrument(settings, name) for name in traded}
    if returns is None:
        returns = session_returns({name: bars.past for name, bars in traded.items()})
    limits = settings.risk.account
    account = AccountRisk(limits, cash, RollingCorrelation(returns, limits.correlation_sessions))
    allocation = Allocation(settings.strategy.allocation, returns)
    terms = {name: DatedTerms(own[name].market, calendar) for name in traded}
    dealings = {
        name: Dealing(
            make_execution(own[name], terms[name]),
            RiskGate(make_rules(settings.risk), cash, account.seat(name, terms[name])),
            Journal(),
            finer_bars_of(own[name], bars.frame, bars.minutes),
        )
        for name, bars in traded.items()
    }
    first = next(iter(dealings.values()))
    broker = SimulatedBroker(
        cash=cash, execution=first.execution, gate=first.gate, journal=first.journal,
        finer_bars=first.finer_bars, others=dealings,
    )  # fmt: skip
    feeds = {name: _feed(own[name], bars.frame, calendar) for name, bars in traded.items()}
    engine = Engine(skip=skip, verify=verify, on_progress=on_progress)
    for name, bars in traded.items():
        assemble(
            own[name],
            calendar,
            feed=feeds[name],
            broker=broker,
            terms=terms[name],
            predictor=bars.predictor,
            engine=engine,
            peers={other: feed for other, feed in feeds.items() if other != name},
            on_bar=None if on_bar is None else functools.partial(on_bar, name),
            share=None if settings.strategy.allocation.kind == "none" else allocation.of(name),
        )
    return SideBySide(engine, broker, dealings, account, allocation)


def _feed(settings: Settings, frame: pd.DataFrame, calendar: TradingCalendar) -> HistoryFeed:
    bar_minutes = settings.data.bar_minutes
    closes = close_times(pd.DatetimeIndex(frame.index), bar_minutes, calendar)
    return make_history_feed(frame, closes, name=settings.market.instrument, bar_minutes=bar_minutes)
