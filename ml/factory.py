"""From the ``ml`` section of the settings to features, labels, splits, models and a finished training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from feeds.dotted import load_dotted
from feeds.errors import SettingsError
from feeds.suggest import did_you_mean
from ml.calibration import CalibratedModel
from ml.features import FeatureSet
from ml.labels import Labels, check_labels, horizon_labels, triple_barrier_labels
from ml.models import LightGBMModel, Model, SoftVotingModel, XGBoostModel
from ml.regimes import REGIME_FEATURE, RegimeModel
from ml.settings import LabelSettings, MlSettings, ModelSettings, SplitSettings
from ml.splits import ChronologicalSplit, Splitter, WalkForwardSplit
from ml.stacking import StackingModel
from ml.thresholds import CostBps, ThresholdRule
from ml.train import JudgedWindow, MakeModel, OnProgress, WalkForward, judge_windows, walk_forward

__all__ = ["SplitKind", "cross_validate", "make_labels", "make_model", "make_splitter", "train"]

SplitKind = Literal["walkforward", "chronological"]


def make_labels(frame: pd.DataFrame, settings: LabelSettings) -> Labels:
    """Label every bar of a bar frame.

    A dotted path names a function ``(frame, settings) -> ml.labels.Labels``.

    Raises
    ------
    SettingsError
        If the kind is unknown.
    DataError
        If a function of the user's own returns what cannot be labels.
    """
    if settings.kind == "horizon":
        return horizon_labels(frame, settings.horizon_bars, settings.threshold_percent)
    if settings.kind == "triple_barrier":
        return triple_barrier_labels(frame, settings.horizon_bars, settings.barrier_atr_multiple)
    if ":" not in settings.kind:
        raise SettingsError(
            f"unknown label {settings.kind!r} in ml.label.kind"
            f"{did_you_mean(settings.kind, ('horizon', 'triple_barrier'))}"
        )
    return check_labels(load_dotted(settings.kind, what="label")(frame, settings), len(frame))


def make_splitter(settings: SplitSettings, kind: SplitKind = "walkforward") -> Splitter:
    """Make the splitter for walk-forward or for a single chronological training."""
    if kind == "chronological":
        return ChronologicalSplit(settings.train_fraction, settings.embargo_bars)
    return WalkForwardSplit(
        settings.train_months, settings.test_months, settings.embargo_bars, settings.anchored
    )


def make_model(settings: ModelSettings, purge_rows: int, features: Sequence[str] = ()) -> Model:
    """Make an unfitted model.

    Parameters
    ----------
    settings : ModelSettings
        Kind and knobs.
    purge_rows : int
        Rows between what is learned from and what decides when to stop: the bars a label looks ahead.
    features : sequence of str
        Names in the model's order; only the kind ``regime`` looks at them.

    Raises
    ------
    SettingsError
        The kind is ``regime`` and the volatility is not among the features.
    """
    base = _make_base(settings, purge_rows, features)
    if settings.calibration == "none":
        return base
    return CalibratedModel(base, settings.validation_fraction, purge_rows)


def _make_base(settings: ModelSettings, purge_rows: int, features: Sequence[str]) -> Model:
    parameters = settings.model_dump(exclude={"kind", "calibration"}) | {"purge_rows": purge_rows}
    match settings.kind:
        case "xgboost":
            return XGBoostModel(**parameters)
        case "lightgbm":
            return LightGBMModel(**parameters)
        case "ensemble":
            return SoftVotingModel(XGBoostModel(**parameters), LightGBMModel(**parameters))
        case "stacking":
            return StackingModel(XGBoostModel(**parameters), LightGBMModel(**parameters), purge_rows)
        case "regime":
            if REGIME_FEATURE not in features:
                raise SettingsError(
                    f"ml.model.kind regime tells regimes apart by {REGIME_FEATURE}, found ml.features "
                    f"[{', '.join(features)}]; add {REGIME_FEATURE} or choose another kind"
                )
            return RegimeModel(XGBoostModel(**parameters), list(features).index(REGIME_FEATURE))


def train(
    frame: pd.DataFrame,
    settings: MlSettings,
    kind: SplitKind = "walkforward",
    on_progress: OnProgress | None = None,
    *,
    cost_bps: CostBps | None = None,
) -> WalkForward:
    """Do everything the settings say: features, labels, windows, models, judgement.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`) of the strategy's bar size.
    settings : MlSettings
        The ``ml`` section.
    kind : {"walkforward", "chronological"}
        Many windows, or one.
    on_progress : callable, optional
        Told (windows done, windows in all).
    cost_bps : callable, optional
        ``cost_bps(day)``, what one lot costs from entry to exit on that date, basis points; needed where
        ``ml.thresholds.kind`` is ``expected_net``.

    Raises
    ------
    SettingsError
        A name is unknown, or thresholds are to be chosen and nobody says what trades cost.
    """
    task = _make_task(frame, settings, cost_bps)
    return walk_forward(
        frame,
        task.features,
        task.labels,
        make_splitter(settings.split, kind),
        task.make_model,
        thresholds=task.rule,
        unseen_importance=settings.importance == "all",
        on_progress=on_progress,
        workers=settings.workers,
    )


def cross_validate(
    frame: pd.DataFrame,
    settings: MlSettings,
    splitter: Splitter,
    on_progress: OnProgress | None = None,
    *,
    cost_bps: CostBps | None = None,
) -> tuple[JudgedWindow, ...]:
    """Do what :func:`train` does with the windows of another splitter, which may lie in any order.

    Parameters
    ----------
    frame, settings, on_progress, cost_bps
        As of :func:`train`.
    splitter : Splitter
        For instance one of :mod:`ml.purged`.

    Raises
    ------
    SettingsError
        As of :func:`train`.
    """
    task = _make_task(frame, settings, cost_bps)
    return judge_windows(
        frame,
        task.features,
        task.labels,
        splitter,
        task.make_model,
        thresholds=task.rule,
        on_progress=on_progress,
        workers=settings.workers,
    )


class _Task(NamedTuple):
    """What is learned, from what, and how."""

    features: FeatureSet
    labels: Labels
    make_model: MakeModel
    rule: ThresholdRule | None


def _make_task(frame: pd.DataFrame, settings: MlSettings, cost_bps: CostBps | None) -> _Task:
    rule = _make_rule(settings, cost_bps)
    labels = make_labels(frame, settings.label)
    reach = int((labels.end_index - np.arange(len(frame))).max(initial=0))
    return _Task(
        FeatureSet(settings.features),
        labels,
        lambda: make_model(settings.model, purge_rows=reach, features=settings.features),
        rule,
    )


def _make_rule(settings: MlSettings, cost_bps: CostBps | None) -> ThresholdRule | None:
    if settings.thresholds.kind == "none":
        return None
    if cost_bps is None:
        raise SettingsError(
            f"ml.thresholds.kind is {settings.thresholds.kind}, found nothing that says what trades cost; "
            "give train(..., cost_bps=...), or set it to none"
        )
    return ThresholdRule(cost_bps, settings.thresholds.minimum_trades)
