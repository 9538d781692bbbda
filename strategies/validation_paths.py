"""The same settings through many histories: the paths of combinatorial purged validation, each one traded.

A walk-forward test is one history, and its result one draw. Combinations of test blocks put several whole
histories of answers out of sample together (López de Prado 2018, chapter 12); each goes through the engine
with costs and risk rules. The prices are the same in all of them and models of some paths have learned from
later bars than they judge, so the spread is that of the models, not of markets.
"""

from __future__ import annotations

from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd

from analyzers.metrics import Metrics
from feeds.errors import SettingsError
from feeds.settings import make_calendar
from ml.answers import RecordedAnswers
from ml.arrays import FloatArray
from ml.factory import cross_validate
from ml.features import FeatureSet
from ml.purged import CombinatorialPurgedSplit
from ml.thresholds import thresholds_of
from ml.train import JudgedWindow, OnProgress, WindowReport
from strategies.loading import RunBars
from strategies.plugins import load_strategy
from strategies.settings import Settings
from strategies.simulation import prepare_simulation
from strategies.trade_cost import choosing_cost

__all__ = ["Spread", "ValidationPaths", "validation_paths"]


class Spread(NamedTuple):
    """How a figure is spread over the paths.

    Attributes
    ----------
    low, first_quartile, median, third_quartile, high : float
        In the figure's own unit.
    below_zero : float
        Share of the paths, 0 to 1.
    paths : int
        In which the figure is defined.
    """

    low: float
    first_quartile: float
    median: float
    third_quartile: float
    high: float
    below_zero: float
    paths: int


class ValidationPaths(NamedTuple):
    """What came of the paths.

    Attributes
    ----------
    paths : tuple of dict
        The metrics of each, see :func:`analyzers.metrics.compute_metrics`.
    windows : tuple of WindowReport
        Of each split, in the order of :meth:`ml.purged.CombinatorialPurgedSplit.tested_blocks`.
    """

    paths: tuple[Metrics, ...]
    windows: tuple[WindowReport, ...]

    def spread(self, name: str) -> Spread | None:
        """Return how a metric is spread over the paths that have it; None where none has."""
        values = [float(value) for path in self.paths if isinstance(value := path[name], (int, float))]
        if not values:
            return None
        low, first, median, third, high = np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0]).tolist()
        return Spread(low, first, median, third, high, float(np.mean(np.less(values, 0.0))), len(values))


def validation_paths(
    settings: Settings,
    bars: RunBars,
    splitter: CombinatorialPurgedSplit,
    on_progress: OnProgress | None = None,
) -> ValidationPaths:
    """Train every combination and trade every path. Nothing is written, and no trial is counted.

    Parameters
    ----------
    settings : Settings
        The model, the strategy that asks it, costs and limits; ``ml.workers`` is the number of paths traded
        at once, 0 for one per core. The result is the same for any number.
    bars : RunBars
        What to train on and to trade.
    splitter : CombinatorialPurgedSplit
        The blocks and their combinations.
    on_progress : callable, optional
        Told (steps done, steps in all): a step is a training or a path.

    Raises
    ------
    SettingsError
        The strategy asks no model, or more than one.
    DataError
        The bars are too few for so many blocks.
    """
    if not load_strategy(settings.strategy.name).needs_model:
        raise SettingsError(
            f"strategy {settings.strategy.name!r} asks no model that could be validated, expected one such "
            "as ml; set strategy.name"
        )
    trainings = splitter.get_n_splits()
    steps = trainings + splitter.paths

    def told(done: int, _: int) -> None:
        if on_progress is not None:
            on_progress(done, steps)

    windows = cross_validate(
        bars.frame, settings.ml, splitter, told, cost_bps=choosing_cost(settings, bars.frame)
    )
    answers = splitter.assemble_paths([_with_thresholds(window) for window in windows], len(bars.frame))
    parallel = joblib.Parallel(n_jobs=settings.ml.workers or -1, return_as="generator")
    paths: list[Metrics] = []
    for metrics in parallel(joblib.delayed(_trade)(settings, bars, path) for path in answers):
        paths.append(metrics)
        told(trainings + len(paths), steps)
    return ValidationPaths(tuple(paths), tuple(window.report for window in windows))


def _with_thresholds(window: JudgedWindow) -> FloatArray:
    """Return the answers of a split beside the thresholds it chose, NaN for none; shape (m, 5)."""
    chosen = window.report.thresholds
    both = (np.nan, np.nan) if chosen is None else thresholds_of(chosen)
    return np.column_stack([window.answers, np.tile(both, (len(window.answers), 1))])


def _trade(settings: Settings, bars: RunBars, path: FloatArray) -> Metrics:
    thresholds = None if np.isnan(path[:, 3:]).all() else path[:, 3:]
    predictor = RecordedAnswers(
        FeatureSet(settings.ml.features), pd.DatetimeIndex(bars.frame.index), path[:, :3], thresholds
    )
    simulation = prepare_simulation(
        settings, make_calendar(settings.market), bars.frame, predictor=predictor, minutes=bars.minutes
    )
    simulation.run()
    return simulation.analyse().analysis.metrics
