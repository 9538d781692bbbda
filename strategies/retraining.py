"""A new version from the bars at hand: trained, traded on bars it has not learned, stored; never promoted."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.clock import IST
from ml.drift import DriftLevel
from ml.factory import train
from ml.hit_rate import HitRateReference
from ml.registry import ModelRegistry
from ml.settings import MlSettings, RetrainSettings
from ml.train import OnProgress
from strategies.loading import RunBars
from strategies.modelling import store_model, trial_id
from strategies.plugins import models_of
from strategies.settings import Settings
from strategies.simulation import prepare_simulation, without_todays_limits
from strategies.trade_cost import choosing_cost

__all__ = ["Retrained", "newest_training", "reason_to_retrain", "retrain"]

_LEAST_DAYS = 7


class Retrained(NamedTuple):
    """What came of it.

    Attributes
    ----------
    version : str
        Of the new model; the champion is what it was.
    trained_until : datetime.datetime
        START of the newest bar it learned from, aware.
    log_loss : float or None
        On the bars it has not learned.
    hit_rate : HitRateReference or None
        Trades on those bars; None where the strategy asks no model.
    net_pnl : float or None
        Rupees of those trades.
    """

    version: str
    trained_until: dt.datetime
    log_loss: float | None
    hit_rate: HitRateReference | None
    net_pnl: float | None


def reason_to_retrain(
    settings: RetrainSettings, day: dt.date, newest: dt.date | None, drift: DriftLevel
) -> str:
    """Return why a training is due after a session, in words; empty where none is.

    Parameters
    ----------
    settings : RetrainSettings
        When one is wanted.
    day : datetime.date
        Of the session.
    newest : datetime.date or None
        Of the newest training; None where there is none.
    drift : {'ok', 'warning', 'alarm', 'unknown'}
        As of the session.
    """
    is_old = newest is None or (day - newest).days >= _LEAST_DAYS
    if settings.on_drift and drift == "alarm" and is_old:
        return "drift alarm"
    if settings.schedule == "weekly" and (newest is None or newest.isocalendar()[:2] < day.isocalendar()[:2]):
        return "first session of the week"
    months = None if newest is None else (newest.year, newest.month)
    if settings.schedule == "monthly" and (months is None or months < (day.year, day.month)):
        return "first session of the month"
    return ""


def newest_training(settings: MlSettings) -> dt.date | None:
    """Return the date (IST) of the newest version in the registry, None where there is none.

    Raises
    ------
    ModelError
        Its card is damaged.
    """
    registry = ModelRegistry(settings.registry)
    versions = registry.versions()
    return registry.show(versions[-1]).created_at.astimezone(IST).date() if versions else None


def retrain(
    settings: Settings,
    bars: RunBars,
    calendar: TradingCalendar,
    *,
    now: dt.datetime,
    on_progress: OnProgress | None = None,
) -> Retrained:
    """Train a version as ``run_backtest.py --model train`` does, and store it with its backtest's trades.

    The run is a trial like any other, and is counted once.

    Raises
    ------
    DataError
        The bars are too short.
    """
    cost_bps = choosing_cost(settings, bars.frame)
    result = train(bars.frame, settings.ml, "chronological", on_progress, cost_bps=cost_bps)
    window = result.windows[0]
    sharpe: object = None
    hit_rate = net_pnl = None
    if models_of(settings.strategy):
        simulation = prepare_simulation(
            without_todays_limits(settings), calendar, bars.frame, predictor=result.predictor,
            counts_from=window.test_first, minutes=bars.minutes,
        )  # fmt: skip
        simulation.run()
        analysis = simulation.analyse().analysis
        won = analysis.trades["net_pnl"] > 0.0
        hit_rate = HitRateReference(trades=len(won), wins=int(won.sum()))
        net_pnl = float(analysis.trades["net_pnl"].sum())
        sharpe = analysis.metrics["sharpe"]
    ModelRegistry(settings.ml.registry).record_trial(
        {
            "id": trial_id(settings, bars, "train", with_model=True),
            "data": bars.info["sha256"],
            "strategy": settings.strategy.name,
            "sharpe": sharpe,
        }
    )
    version = store_model(settings, bars, result, now, hit_rate)
    return Retrained(version, window.train_last, window.evaluation.log_loss, hit_rate, net_pnl)
