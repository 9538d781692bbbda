"""Whole histories of answers out of sample, each of them traded."""

import numpy as np
import pandas as pd
import pytest

from feeds.errors import SettingsError
from feeds.settings import make_calendar
from ml.answers import RecordedAnswers
from ml.factory import cross_validate
from ml.features import FeatureSet
from ml.purged import CombinatorialPurgedSplit
from strategies.loading import load_run_bars
from strategies.settings import load_settings
from strategies.simulation import prepare_simulation
from strategies.validation_paths import Spread, ValidationPaths, validation_paths

SPLITTER = CombinatorialPurgedSplit(4, 2, embargo_bars=125)


def settings_of(*overrides):
    return load_settings(
        None,
        [
            "data.synthetic.sessions=40", "data.synthetic.edge=momentum", "data.synthetic.edge_bps=40",
            "ml.model.rounds=10", "ml.model.leaf_rows=50", "ml.workers=1",
            "strategy.parameters.buy_probability=0.4", "strategy.parameters.sell_probability=0.4", *overrides,
        ],
    )  # fmt: skip


def bars_of(settings):
    return load_run_bars(settings, make_calendar(settings.market))


def test_each_path_is_what_the_engine_makes_of_its_answers():
    settings = settings_of()
    bars, steps = bars_of(settings), []
    found = validation_paths(settings, bars, SPLITTER, lambda *step: steps.append(step))
    assert (len(found.paths), len(found.windows)) == (3, 6)
    assert steps == [(step, 9) for step in range(1, 10)]
    windows = cross_validate(bars.frame, settings.ml, SPLITTER)
    paths = SPLITTER.assemble_paths([window.answers for window in windows], len(bars.frame))
    for path, metrics in zip(paths, found.paths, strict=True):
        answers = RecordedAnswers(FeatureSet(settings.ml.features), pd.DatetimeIndex(bars.frame.index), path)
        simulation = prepare_simulation(
            settings, make_calendar(settings.market), bars.frame, predictor=answers
        )
        simulation.run()
        assert simulation.analyse().analysis.metrics == metrics
        assert metrics["trades"] > 10
        assert np.isfinite(path).all(axis=1).mean() > 0.9
    assert len({metrics["net_pnl"] for metrics in found.paths}) == 3


@pytest.mark.slow
def test_any_number_of_processes_finds_the_same():
    bars = bars_of(settings_of())
    one, two = (
        validation_paths(settings_of(f"ml.workers={workers}"), bars, SPLITTER).paths for workers in (1, 2)
    )
    assert one == two


def test_thresholds_travel_with_the_answers_of_their_model():
    settings = settings_of(
        "ml.thresholds.kind=expected_net", "ml.thresholds.minimum_trades=10",
        "strategy.parameters.thresholds=trained",
    )  # fmt: skip
    bars = bars_of(settings)
    found = validation_paths(settings, bars, SPLITTER)
    assert all(window.thresholds is not None for window in found.windows)
    fixed = validation_paths(settings_of(), bars, SPLITTER)
    assert found.spread("trades") != fixed.spread("trades")


def test_a_strategy_without_a_model_has_no_paths():
    settings = settings_of("strategy.name=ema_cross")
    with pytest.raises(SettingsError, match="'ema_cross' asks no model"):
        validation_paths(settings, bars_of(settings), SPLITTER)


def test_how_a_figure_is_spread():
    figures = [{"net_pnl": value, "sharpe": None} for value in (5.0, -1.0, 0.0, 2.0, 1.0)]
    found = ValidationPaths((*figures, {"net_pnl": 3, "sharpe": None}), ())
    assert found.spread("sharpe") is None
    spread = found.spread("net_pnl")
    assert spread == Spread(-1.0, 0.25, 1.5, 2.75, 5.0, pytest.approx(1 / 6), 6)
