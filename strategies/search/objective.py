"""What a trial is worth: the net Sharpe ratio of trades that no model of it had seen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyzers.equity import daily_returns
from analyzers.metrics import Metrics
from feeds.settings import make_calendar
from ml.factory import train
from ml.registry import ModelRegistry
from strategies.loading import RunBars
from strategies.modelling import trial_id
from strategies.plugins import models_of
from strategies.search.space import chosen_settings, suggest
from strategies.settings import Settings
from strategies.simulation import prepare_simulation

__all__ = ["Judged", "SearchPart", "judge", "objective", "split_holdout"]

PLANNED, RETURNS, FIGURES = "planned", "returns", "figures"
"""User attributes of a trial: that it was asked for, its daily returns, and what it earned."""

_FIGURES = ("net_pnl", "gross_pnl", "trades", "sharpe", "max_drawdown", "win_rate")


class SearchPart(NamedTuple):
    """The bars that trials see, and where the others begin.

    Attributes
    ----------
    bars : RunBars
        All bars; ``info`` identifies them.
    end : int
        Position of the first bar of the holdout.
    """

    bars: RunBars
    end: int

    @property
    def frame(self) -> pd.DataFrame:
        """The bars that trials may see."""
        return self.bars.frame.iloc[: self.end]


class Judged(NamedTuple):
    """A trial's run over the sessions that its models had not seen.

    Attributes
    ----------
    value : float
        What is maximised.
    returns : numpy.ndarray, shape (sessions,)
        Daily returns, oldest first.
    metrics : dict
        Of the run.
    """

    value: float
    returns: np.ndarray
    metrics: Metrics


def split_holdout(bars: RunBars, fraction: float) -> SearchPart:
    """Set the newest ``fraction`` of the sessions aside."""
    days = pd.DatetimeIndex(bars.frame.index).tz_localize(None).normalize()
    firsts = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
    kept = max(1, round(len(firsts) * (1.0 - fraction)))
    return SearchPart(bars, int(firsts[kept]) if kept < len(firsts) else len(bars.frame))


def judge(settings: Settings, frame: pd.DataFrame, minutes: pd.DataFrame | None, *, begin: int = 0) -> Judged:
    """Run settings over the bars from ``begin`` on that their models have not seen, window by window.

    Parameters
    ----------
    settings : Settings
        Of the trial.
    frame : pandas.DataFrame
        A bar frame.
    minutes : pandas.DataFrame or None
        The 1-minute bars it was made of.
    begin : int
        Position of the first bar that may count.
    """
    calendar = make_calendar(settings.market)
    predictor, counts_from = None, frame.index[begin]
    if models_of(settings.strategy):
        trained = train(frame, settings.ml, "walkforward")
        predictor = trained.predictor
        counts_from = max(counts_from, pd.Timestamp(trained.windows[0].test_first))
    simulation = prepare_simulation(
        settings, calendar, frame, predictor=predictor, counts_from=counts_from.to_pydatetime(), minutes=minutes
    )
    simulation.run()
    analysis = simulation.analyse().analysis
    returns = daily_returns(analysis.equity, settings.broker.starting_cash).returns.to_numpy(np.float64)
    return Judged(_value(analysis.metrics, settings.ml.search.minimum_trades), returns, analysis.metrics)


def objective(trial: Any, settings: Settings, part: SearchPart) -> float:  # noqa: ANN401 # optuna, imported late
    """Judge one trial, keep its returns and figures with it, and count it in the registry."""
    import optuna

    if not trial.user_attrs.get(PLANNED):
        raise optuna.TrialPruned  # made by a process that found no planned one left
    values = suggest(trial, settings)
    chosen = chosen_settings(settings, values)
    judged = judge(chosen, part.frame, part.bars.minutes)
    trial.set_user_attr(RETURNS, [float(one) for one in judged.returns])
    trial.set_user_attr(FIGURES, {name: judged.metrics[name] for name in _FIGURES})
    ModelRegistry(settings.ml.registry).record_trial(
        {
            "id": trial_id(chosen, part.bars, f"search to {part.frame.index[-1].isoformat()}"),
            "data": part.bars.info["sha256"],
            "strategy": chosen.strategy.name,
            "sharpe": judged.metrics["sharpe"],
            "what": "search",
        }
    )
    return judged.value


def _value(metrics: Metrics, minimum_trades: int) -> float:
    """Return the annualised net Sharpe ratio, a good one in proportion to the trades it rests on."""
    sharpe, trades = metrics["sharpe"], metrics["trades"]
    if not isinstance(sharpe, float) or not isinstance(trades, int):
        return 0.0
    return sharpe * min(1.0, trades / minimum_trades) if sharpe > 0.0 else sharpe
