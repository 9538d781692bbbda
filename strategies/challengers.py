"""Challengers on the bars of a day: each is backtested on them, as often as a bar is new.

Nothing is carried from one time to the next. The result after the last bar therefore is the backtest of the
day, whatever was restarted in between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analyzers.analysis import Analysis
from analyzers.challengers import ChallengerNow, ChallengersNow
from analyzers.parity.files import BARS_FILE, read_bars
from brokers.journal import Journal
from feeds.bars import BAR_COLUMNS
from feeds.clock import IST
from feeds.errors import DataError, MuhuratError
from feeds.settings import make_calendar
from ml.registry import CHAMPION
from strategies.challenger_settings import ChallengerSettings
from strategies.modelling import PreparedModel, load_stored
from strategies.plugins import load_strategy, models_of
from strategies.settings import Settings
from strategies.simulation import prepare_simulation

__all__ = ["Challenger", "challenger_settings", "judge_challengers", "read_live_bars"]

_TICKS = "ticks"


class Challenger:
    """One challenger with its model, which it keeps for the day.

    Parameters
    ----------
    section : ChallengerSettings
        What it is.
    settings : Settings
        Of the process: market, bars, account, costs and limits are the champion's.
    starting_cash : float
        Rupees of its own account.
    """

    def __init__(self, section: ChallengerSettings, settings: Settings, starting_cash: float) -> None:
        self._section = section
        self._trouble = ""
        self._model: PreparedModel | None = None
        self._settings = settings
        try:
            self._settings = challenger_settings(section, settings, starting_cash)
            if models_of(self._settings.strategy):
                self._model = load_stored(self._settings, section.model or CHAMPION)
        except MuhuratError as error:
            self._trouble = str(error)

    def judge(self, bars: pd.DataFrame) -> ChallengerNow:
        """Return what it would have done on these bars, of which the last are those of the day.

        Parameters
        ----------
        bars : pandas.DataFrame
            A bar frame with ``origin``; entries are decided on bars built from ticks only.
        """
        name, strategy = self._section.name, self._section.strategy
        version = "" if self._model is None else str(self._model.info["version"])
        if self._trouble:
            return ChallengerNow(name=name, strategy=strategy, model=version, error=self._trouble)
        try:
            journal, analysis = self._simulated(bars)
        except MuhuratError as error:
            return ChallengerNow(name=name, strategy=strategy, model=version, error=str(error))
        trades = analysis.trades
        decided = [event for event in journal.events if event.role == "entry" and event.state == "submitted"]
        last = decided[-1] if decided else None
        return ChallengerNow(
            name=name,
            strategy=strategy,
            model=version,
            trades=len(trades),
            wins=int((trades["net_pnl"] > 0).sum()),
            gross_pnl=float(trades["gross_pnl"].sum()),
            net_pnl=float(trades["net_pnl"].sum()),
            open_units=float(sum(fill.size for fill in journal.fills)),
            last_side=0 if last is None else int(np.sign(last.size)),
            last_decided_at=None if last is None else last.time.replace(tzinfo=IST),
            fingerprint=analysis.fingerprint,
        )

    def _simulated(self, bars: pd.DataFrame) -> tuple[Journal, Analysis]:
        frame = bars[list(BAR_COLUMNS)].copy()
        frame["complete"] &= (bars["origin"] == _TICKS).to_numpy()
        simulation = prepare_simulation(
            self._settings,
            make_calendar(self._settings.market),
            frame,
            predictor=None if self._model is None else self._model.predictor,
        )
        simulation.run()
        found = simulation.analyse()
        return found.journal, found.analysis


def challenger_settings(section: ChallengerSettings, settings: Settings, starting_cash: float) -> Settings:
    """Return the settings of a challenger's own run.

    Kill switch and pause are orders to the champion and no part of a comparison.

    Raises
    ------
    SettingsError
        The strategy is unknown.
    """
    load_strategy(section.strategy)
    strategy = {"name": section.strategy, "parameters": dict(section.parameters)}
    return settings.model_copy(
        update={
            "strategy": settings.strategy.model_copy(update=strategy),
            "broker": settings.broker.model_copy(update={"starting_cash": starting_cash}),
            "risk": settings.risk.model_copy(update={"kill_switch_file": None, "pause_file": None}),
        }
    )


def judge_challengers(challengers: Sequence[Challenger], bars: pd.DataFrame) -> ChallengersNow:
    """Return what all of them would have done on the recorded bars of a day, warm-up first."""
    live = bars.index[bars["origin"] == _TICKS]
    as_of: dt.datetime | None = live[-1].to_pydatetime() if len(live) else None
    return ChallengersNow(
        as_of=as_of, bars=len(live), challengers=tuple(one.judge(bars) for one in challengers)
    )


def read_live_bars(folder: Path) -> pd.DataFrame | None:
    """Return the recorded bars of a day that is on; None where there are none, or a row is being written."""
    path = folder / BARS_FILE
    if not path.exists():
        return None
    try:
        bars = read_bars(path)
    except DataError:
        return None
    return bars if len(bars) else None
