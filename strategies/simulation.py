"""Bars and a model through the engine, and what came of it; nothing is written and no trial is counted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from analyzers.analysis import Analysis, analyze
from brokers.charges import latest_date
from brokers.journal import Journal
from brokers.risk.gate import RiskGate
from brokers.settings import make_charges
from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.terms import DatedTerms
from strategies.arm_predictors import AnyPredictor, ArmPredictors
from strategies.assembly import assemble_backtest
from strategies.plugins import plugin_of
from strategies.settings import Settings

__all__ = [
    "Simulated",
    "Simulation",
    "counted_from",
    "cut_off",
    "prepare_simulation",
    "without_todays_limits",
]


class Simulated(NamedTuple):
    """A finished simulation.

    Attributes
    ----------
    journal : Journal
        Bars are numbered from the first that counts.
    bars : pandas.DataFrame
        The bars that count, without the warm-up.
    analysis : Analysis
        Trades, equity, metrics, verdict, fingerprint.
    gate : RiskGate
        The rules that were on.
    """

    journal: Journal
    bars: pd.DataFrame
    analysis: Analysis
    gate: RiskGate


class Simulation:
    """A run that is ready; see :func:`prepare_simulation`.

    Attributes
    ----------
    bars : int
        Bars that the engine will go through, the warm-up included.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: TradingCalendar,
        frame: pd.DataFrame,
        first: int,
        predictor: AnyPredictor | None,
        minutes: pd.DataFrame | None,
    ) -> None:
        self._settings = settings
        self._calendar = calendar
        self._frame = frame
        self._first = first
        self._predictor = predictor
        self._minutes = minutes
        self.bars = len(frame)
        self._journal = Journal()
        self._gate: RiskGate | None = None

    def run(self, on_progress: Callable[[int], None] | None = None) -> None:
        """Let the engine go through the bars; ``on_progress`` is told now and then how many are done."""
        assembled = assemble_backtest(
            self._settings,
            self._frame,
            self._calendar,
            predictor=self._predictor,
            minutes=self._minutes,
            on_progress=on_progress,
        )
        assembled.engine.run()
        self._journal, self._gate = assembled.journal, assembled.broker.gate

    def analyse(self, trials: Sequence[float | None] = ()) -> Simulated:
        """Return what came of the run, judged as the next of ``trials`` (annualised Sharpe ratios)."""
        if self._gate is None:
            raise DataError("the simulation has not run, expected run() before analyse()")
        settings = self._settings
        journal, frame = self._counted(), self._frame.iloc[self._first :]
        today = latest_date()
        analysis = analyze(
            journal,
            frame,
            settings.broker.starting_cash,
            plan=make_charges(settings.broker),
            today_rates_date=today,
            largest_order_today=DatedTerms(settings.market, self._calendar)(today).largest_order,
            trials=trials,
            settings=settings.report,
            arms=plugin_of(settings.strategy).arm_names,
        )
        return Simulated(journal, frame, analysis, self._gate)

    def _counted(self) -> Journal:
        """Return the journal with its bars numbered from the first bar that counts."""
        return counted_from(self._journal, self._first)


def counted_from(journal: Journal, first: int) -> Journal:
    """Return a journal with its bars numbered from ``first`` on."""
    counted = Journal()
    counted.fills = [fill._replace(bar=fill.bar - first) for fill in journal.fills]
    counted.events, counted.contexts = journal.events, journal.contexts
    return counted


def without_todays_limits(settings: Settings) -> Settings:
    """Return settings for bars of another day, which switches and levels of this one say nothing about.

    A kill switch or a pause is an order to the champion, and the drift that is known is that of its model.
    """
    drift = settings.risk.on_drift.model_copy(update={"level": "unknown"})
    free = {"kill_switch_file": None, "pause_file": None, "on_drift": drift}
    return settings.model_copy(update={"risk": settings.risk.model_copy(update=free)})


def prepare_simulation(
    settings: Settings,
    calendar: TradingCalendar,
    frame: pd.DataFrame,
    *,
    predictor: AnyPredictor | None = None,
    counts_from: dt.datetime | None = None,
    minutes: pd.DataFrame | None = None,
) -> Simulation:
    """Cut the bars that a model was trained on off, but for the warm-up of its features.

    Parameters
    ----------
    settings : Settings
        Strategy, account, costs and limits.
    calendar : TradingCalendar
        Sessions.
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`) of ``settings.data.bar_minutes``.
    predictor : Predictor, ArmPredictors or None
        For strategies that ask a model.
    counts_from : datetime or None
        START of the first bar that counts, aware; None for all.
    minutes : pandas.DataFrame or None
        The 1-minute bars that ``frame`` was made of.

    Raises
    ------
    DataError
        No bar is left.
    """
    begin, warmup, predictor = cut_off(frame, predictor, counts_from)
    return Simulation(settings, calendar, frame.iloc[begin - warmup :], warmup, predictor, minutes)


def cut_off(
    frame: pd.DataFrame, predictor: AnyPredictor | None, counts_from: dt.datetime | None
) -> tuple[int, int, AnyPredictor | None]:
    """Return the first bar that counts, how many bars of warm-up go before it, and the predictor to ask.

    Raises
    ------
    DataError
        No bar is left.
    """
    begin = 0 if counts_from is None else int(frame.index.searchsorted(pd.Timestamp(counts_from)))
    if begin == len(frame):
        raise DataError("no bar is left to trade after the training window; give more bars")
    warmup = min(begin, predictor.warmup_bars) if predictor is not None else 0
    if isinstance(predictor, ArmPredictors) and counts_from is not None:
        # An arm that needs fewer bars than another would trade in the other's warm-up
        predictor = ArmPredictors(predictor.by_arm, max(predictor.judges_from, counts_from))
    return begin, warmup, predictor
