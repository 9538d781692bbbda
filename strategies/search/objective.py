"""How settings are judged: the walk-forward models of the part that may be seen, through the real engine."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pandas as pd

from analyzers.analysis import Analysis
from analyzers.equity import daily_returns, daily_values
from feeds.errors import DataError, MuhuratError
from feeds.settings import make_calendar
from ml.parallel import one_at_a_time
from strategies.arm_models import prepare_models
from strategies.loading import RunBars
from strategies.modelling import trial_id
from strategies.search.space import SearchSpace, Values
from strategies.settings import Settings
from strategies.simulation import prepare_simulation

__all__ = ["BarParts", "Judged", "cut_bars", "judge_values", "objective_of", "trade_bars"]

_TRIAL_SAMPLES = 200


class BarParts(NamedTuple):
    """The bars of a search.

    Attributes
    ----------
    seen : RunBars
        What trials learn from and are judged on.
    whole : RunBars
        The same with the newest sessions.
    holdout_from : datetime.datetime
        START of the first bar that no trial sees, aware.
    """

    seen: RunBars
    whole: RunBars
    holdout_from: dt.datetime


class Judged(NamedTuple):
    """What came of one trial, on bars that its models had not seen.

    Attributes
    ----------
    sharpe : float or None
        Annualised, of daily returns after all costs; None where the account stood still.
    trades : int
        Round trips.
    net_pnl : float
        Rupees.
    fingerprint : str
        Of the trades.
    returns : list of float
        One for each session, oldest first, as fractions.
    error : str
        Why it could not be judged; empty otherwise.
    """

    sharpe: float | None = None
    trades: int = 0
    net_pnl: float = 0.0
    fingerprint: str = ""
    returns: list[float] = []  # noqa: RUF012 # never changed
    error: str = ""


def cut_bars(bars: RunBars, holdout_fraction: float) -> BarParts:
    """Keep the newest sessions back.

    Raises
    ------
    DataError
        There are too few sessions for two parts.
    """
    days = pd.DatetimeIndex(bars.frame.index).normalize()
    sessions = days.unique()
    kept = int(np.ceil(len(sessions) * holdout_fraction))
    if kept >= len(sessions):
        raise DataError(
            f"found {len(sessions)} sessions, expected more than the {kept} that ml.search.holdout_fraction "
            f"{holdout_fraction:g} keeps back; give more bars"
        )
    boundary = sessions[-kept]
    frame = bars.frame[days < boundary]
    minutes = None if bars.minutes is None else bars.minutes[bars.minutes.index < boundary]
    info = bars.info | {
        "first": frame.index[0].isoformat(),
        "last": frame.index[-1].isoformat(),
        "bars": len(frame),
        "sessions": len(sessions) - kept,
    }
    return BarParts(bars._replace(frame=frame, minutes=minutes, info=info), bars, boundary.to_pydatetime())


def judge_values(space: SearchSpace, values: Values, bars: RunBars) -> tuple[str, Judged]:
    """Judge a point of a space on bars; what the point itself makes impossible is said, not raised.

    Each walk-forward window trades the sessions after its training, purged and with the embargo of
    ``ml.split``. A strategy without a model trades all of them.

    Returns
    -------
    tuple of str and Judged
        What identifies the trial among all trials, and what came of it.
    """
    identity = ""
    try:
        settings = space.settings_at(values)
        identity = trial_id(settings, bars, "walkforward")
        # A trial is ranked by figures; intervals are for the best
        report = settings.report.model_copy(update={"bootstrap_samples": _TRIAL_SAMPLES})
        quick = settings.model_copy(update={"report": report})
        return identity, _judged(settings, trade_bars(quick, bars))
    except MuhuratError as error:
        return identity, Judged(error=str(error))


def _judged(settings: Settings, analysis: Analysis) -> Judged:
    returns = daily_returns(analysis.equity, settings.broker.starting_cash).returns
    sharpe = analysis.metrics["sharpe"]
    return Judged(
        None if sharpe is None else float(sharpe),
        len(analysis.trades),
        float(analysis.metrics["net_pnl"] or 0.0),
        analysis.fingerprint,
        # A ruined account earns nothing any more
        [*returns.tolist(), *[0.0] * (len(daily_values(analysis.equity)) - len(returns))],
    )


def trade_bars(
    settings: Settings,
    bars: RunBars,
    *,
    counts_from: dt.datetime | None = None,
    trials: list[float | None] | None = None,
) -> Analysis:
    """Train window by window, trade the bars after ``counts_from``, and return what came of it."""
    calendar = make_calendar(settings.market)
    with one_at_a_time():
        model = prepare_models(settings, bars, "walkforward", now=bars.frame.index[-1].to_pydatetime())
    begins = [time for time in (counts_from, model.judges_from if model else None) if time is not None]
    simulation = prepare_simulation(
        settings,
        calendar,
        bars.frame,
        predictor=model.predictor if model else None,
        counts_from=max(begins, default=None),
        minutes=bars.minutes,
    )
    simulation.run()
    return simulation.analyse(trials or []).analysis


def objective_of(judged: Judged, minimum_trades: int) -> float:
    """Return what a search maximises.

    The annualised net Sharpe ratio; 0 without trades. Where it is above 0 and there are fewer trades than
    ``minimum_trades``, it counts in proportion to their number.
    """
    sharpe = judged.sharpe or 0.0
    return sharpe * min(1.0, judged.trades / minimum_trades) if sharpe > 0 else sharpe
