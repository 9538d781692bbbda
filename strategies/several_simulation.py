"""Bars and models of several instruments through the engine, and what came of it, apart and together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from analyzers.analysis import Analysis, analyze
from analyzers.several import InstrumentJournal, analyze_several
from brokers.charges import latest_date
from brokers.settings import make_charges
from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.terms import DatedTerms
from strategies.loading import RunBars
from strategies.modelling import PreparedModel
from strategies.per_instrument import for_instrument
from strategies.plugins import plugin_of
from strategies.settings import Settings
from strategies.side_by_side import SideBySide, TradedBars, assemble_side_by_side
from strategies.simulation import Simulated, counted_from, cut_off

__all__ = ["SeveralSimulated", "SeveralSimulation"]


class SeveralSimulated(NamedTuple):
    """A finished simulation of several instruments.

    Attributes
    ----------
    account : Analysis
        Of all together.
    by_instrument : dict
        Of each: what its trades alone did to the whole account's cash.
    shares : pandas.DataFrame
        As from :meth:`strategies.allocation.Allocation.table`.
    periods_without_past : int
        Periods whose shares are equal for want of sessions before them.
    """

    account: Analysis
    by_instrument: dict[str, Simulated]
    shares: pd.DataFrame
    periods_without_past: int


class SeveralSimulation:
    """A run of several instruments that is ready.

    Parameters
    ----------
    settings : Settings
        Everything.
    calendar : TradingCalendar
        Sessions.
    bars : mapping
        By instrument, in the order of the settings.
    models : mapping
        What each instrument's strategy asks, None where it asks nothing. An instrument is traded from the
        first bar on that its model has not seen.

    Attributes
    ----------
    bars : int
        Bars of all that the engine will go through, the warm-up included.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: TradingCalendar,
        bars: Mapping[str, RunBars],
        models: Mapping[str, PreparedModel | None],
    ) -> None:
        self._settings = settings
        self._calendar = calendar
        self._first: dict[str, int] = {}
        self._traded: dict[str, TradedBars] = {}
        for name, loaded in bars.items():
            model = models[name]
            begin, warmup, predictor = cut_off(
                loaded.frame, model.predictor if model else None, model.judges_from if model else None
            )
            self._first[name] = warmup
            frame = loaded.frame.iloc[begin - warmup :]
            self._traded[name] = TradedBars(frame, loaded.frame, predictor, loaded.minutes)
        self.bars = sum(len(traded.frame) for traded in self._traded.values())
        self._run: SideBySide | None = None

    def run(
        self,
        on_progress: Callable[[int], None] | None = None,
        *,
        skip: bool = True,
        verify: bool = False,
    ) -> None:
        """Let the engine go through the bars; parameters as of :class:`strategies.engine.Engine`."""
        self._run = assemble_side_by_side(
            self._settings, self._traded, self._calendar, skip=skip, verify=verify, on_progress=on_progress
        )
        self._run.engine.run()

    def analyse(self, trials: Sequence[float | None] = ()) -> SeveralSimulated:
        """Return what came of the run, judged as the next of ``trials`` (annualised Sharpe ratios)."""
        if self._run is None:
            raise DataError("the simulation has not run, expected run() before analyse()")
        settings, today = self._settings, latest_date()
        cash, plan = settings.broker.starting_cash, make_charges(settings.broker)
        arms = plugin_of(settings.strategy).arm_names
        journals: dict[str, InstrumentJournal] = {}
        apart: dict[str, Simulated] = {}
        for name, dealing in self._run.dealings.items():
            journal = counted_from(dealing.journal, self._first[name])
            frame = self._traded[name].frame.iloc[self._first[name] :]
            largest = DatedTerms(for_instrument(settings, name).market, self._calendar)(today).largest_order
            journals[name] = InstrumentJournal(journal, frame, largest)
            analysis = analyze(
                journal, frame, cash, plan=plan, today_rates_date=today, largest_order_today=largest,
                trials=trials, settings=settings.report, arms=arms,
            )  # fmt: skip
            apart[name] = Simulated(journal, frame, analysis, dealing.gate)
        account = analyze_several(
            journals,
            cash,
            plan=plan,
            today_rates_date=today,
            trials=trials,
            settings=settings.report,
            arms=arms,
        )
        allocation = self._run.allocation
        return SeveralSimulated(account, apart, allocation.table(), allocation.periods_without_past)
