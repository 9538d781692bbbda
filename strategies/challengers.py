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
from analyzers.challengers import ChallengerNow, ChallengersNow, ChallengerTrade
from analyzers.parity.files import BARS_FILE, read_bars
from brokers.journal import Journal
from feeds.bars import BAR_COLUMNS
from feeds.clock import IST
from feeds.errors import DataError, MuhuratError
from feeds.settings import make_calendar
from ml.registry import CHAMPION, ModelRegistry
from strategies.arm_models import load_models
from strategies.challenger_settings import ChallengerSettings
from strategies.modelling import PreparedModel
from strategies.plugins import PLUGIN_BUGS, load_strategy
from strategies.settings import Settings
from strategies.simulation import prepare_simulation, without_todays_limits

__all__ = [
    "Challenger", "challenger_settings", "judge_challengers", "read_live_bars", "with_fixed_models",
]  # fmt: skip

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
            self._model = load_models(self._settings, section.model or CHAMPION)
        except (MuhuratError, *PLUGIN_BUGS) as error:
            self._trouble = _words(error)

    def judge(self, bars: pd.DataFrame) -> ChallengerNow:
        """Return what it would have done on these bars, of which the last are those of the day.

        Parameters
        ----------
        bars : pandas.DataFrame
            A bar frame with ``origin``; entries are decided on bars built from ticks only.
        """
        name, strategy = self._section.name, self._section.strategy
        version = "" if self._model is None else str(self._model.info["version"])
        empty = ChallengerNow(name=name, strategy=strategy, model=version, error=self._trouble)
        if self._trouble:
            return empty
        try:
            self._check_history(bars)
            journal, analysis = self._simulated(bars)
        except (MuhuratError, *PLUGIN_BUGS) as error:
            return empty.model_copy(update={"error": _words(error)})
        trades = analysis.trades
        decided = [event for event in journal.events if event.role == "entry" and event.state == "submitted"]
        last = decided[-1] if decided else None
        return empty.model_copy(
            update={
                "trades": len(trades),
                "wins": int((trades["net_pnl"] > 0).sum()),
                "gross_pnl": float(trades["gross_pnl"].sum()),
                "net_pnl": float(trades["net_pnl"].sum()),
                "open_units": float(sum(fill.size for fill in journal.fills)),
                "last_side": 0 if last is None else int(np.sign(last.size)),
                "last_decided_at": None if last is None else last.time.replace(tzinfo=IST),
                "fingerprint": analysis.fingerprint,
                "round_trips": _round_trips(trades),
            }
        )

    def _check_history(self, bars: pd.DataFrame) -> None:
        """Refuse a day that began with less history than the model needs: it would be silent, not idle."""
        live = np.flatnonzero((bars["origin"] == _TICKS).to_numpy())
        needed = 0 if self._model is None else self._model.predictor.warmup_bars
        if live.size and live[0] < needed:
            raise DataError(
                f"found {live[0]} bars of history at the day's start, expected {needed} for model "
                f"{self._section.model or CHAMPION}; a day begins with "
                "what the champion needs"
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

    Raises
    ------
    SettingsError
        The strategy is unknown.
    """
    load_strategy(section.strategy)
    strategy = {"name": section.strategy, "parameters": dict(section.parameters)}
    return without_todays_limits(settings).model_copy(
        update={
            "strategy": settings.strategy.model_copy(update=strategy),
            "broker": settings.broker.model_copy(update={"starting_cash": starting_cash}),
        }
    )


def with_fixed_models(settings: Settings, version: str) -> Settings:
    """Return settings whose challengers name the model that they have for the day.

    A promotion in the midst of it then changes nothing. One whose model cannot be told stays as it is, and
    says itself what it lacks. Nothing of a challenger's own is loaded for it, so that one that asks no model
    names one as well.

    Parameters
    ----------
    version : str
        The champion's, for those that name none; may be ``champion``.
    """
    sections = tuple(_with_fixed_model(section, settings, version) for section in settings.live.challengers)
    return settings.model_copy(update={"live": settings.live.model_copy(update={"challengers": sections})})


def _with_fixed_model(section: ChallengerSettings, settings: Settings, version: str) -> ChallengerSettings:
    try:
        known = ModelRegistry(settings.ml.registry).show(section.model or version).version
    except (MuhuratError, OSError):
        return section
    return section.model_copy(update={"model": known})


def judge_challengers(challengers: Sequence[Challenger], bars: pd.DataFrame) -> ChallengersNow:
    """Return what all of them would have done on the recorded bars of a day, warm-up first."""
    live = bars.index[bars["origin"] == _TICKS]
    as_of: dt.datetime | None = live[-1].to_pydatetime() if len(live) else None
    return ChallengersNow(
        as_of=as_of, bars=len(live), challengers=tuple(one.judge(bars) for one in challengers)
    )


def read_live_bars(folder: Path) -> pd.DataFrame | None:
    """Return the recorded bars of a day that is on; None where there are none, or a row is being written.

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = folder / BARS_FILE
    if not path.exists():
        return None
    try:
        bars = read_bars(path)
    except DataError:
        if not path.read_bytes().endswith(b"\n"):
            return None
        bars = read_bars(path)  # its row has come meanwhile, or it is damaged
    return bars if len(bars) else None


def _round_trips(trades: pd.DataFrame) -> tuple[ChallengerTrade, ...]:
    units = trades["size"]
    named = trades.assign(side=np.sign(units).astype(int), units=units.abs())
    rows = named[list(ChallengerTrade.model_fields)].to_dict("records")
    return tuple(ChallengerTrade.model_validate(row) for row in rows)


def _words(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if isinstance(error, MuhuratError) else f"{type(error).__name__}: {words} (a bug in it)"
