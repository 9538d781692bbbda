"""The test that a promotion rests on: two stored models through the engine, on bars new to both."""

from __future__ import annotations

import numpy as np
import pandas as pd

from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from ml.arrays import FloatArray
from ml.paired_test import PairedTest, paired_test
from strategies.modelling import load_stored
from strategies.settings import Settings
from strategies.simulation import prepare_simulation, without_todays_limits

__all__ = ["compare_models"]


def compare_models(
    settings: Settings,
    calendar: TradingCalendar,
    frame: pd.DataFrame,
    champion: str,
    challenger: str,
    *,
    minutes: pd.DataFrame | None = None,
    confidence_percent: float = 95.0,
) -> PairedTest:
    """Trade both models over the sessions that neither has learned from, and compare them by session.

    Strategy, sizes, costs and risk rules are those of the settings. Both accounts begin with the same cash at
    the same bar.

    Parameters
    ----------
    settings : Settings
        What both trade by.
    calendar : TradingCalendar
        Sessions.
    frame : pandas.DataFrame
        A bar frame of ``settings.data.bar_minutes``.
    champion, challenger : str
        Versions.
    minutes : pandas.DataFrame or None
        The 1-minute bars that ``frame`` was made of, for ``data.detail``.
    confidence_percent : float
        One-sided.

    Raises
    ------
    DataError
        Fewer than 20 sessions are new to both.
    ModelError, ModelNotFoundError
        A model is damaged, expects other features, or does not exist.
    """
    settings = without_todays_limits(settings)
    models = [load_stored(settings, version) for version in (champion, challenger)]
    begin = max(model.judges_from for model in models)
    sessions = _days(pd.DatetimeIndex(frame.index[frame.index >= pd.Timestamp(begin)])).unique()
    if sessions.empty:
        raise DataError(
            f"found no bar from {begin:%Y-%m-%d} on, before which {champion} or {challenger} learned; give "
            "newer bars"
        )
    nets: list[FloatArray] = []
    for model in models:
        simulation = prepare_simulation(
            settings, calendar, frame, predictor=model.predictor, counts_from=begin, minutes=minutes
        )
        simulation.run()
        trades = simulation.analyse().analysis.trades
        by_day = trades.groupby(_days(pd.DatetimeIndex(trades["exit_time"])))["net_pnl"].sum()
        nets.append(by_day.reindex(sessions, fill_value=0.0).to_numpy(np.float64))
    found = paired_test(nets[0], nets[1], confidence_percent=confidence_percent)
    days = {"first": f"{sessions[0]:%Y-%m-%d}", "last": f"{sessions[-1]:%Y-%m-%d}"}
    return found.model_copy(update=days)


def _days(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return times.tz_localize(None).normalize()
