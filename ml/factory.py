"""From the ``ml`` section of the settings to features, labels, splits, models and a finished training."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from feeds.dotted import load_dotted
from feeds.errors import SettingsError
from feeds.suggest import did_you_mean
from ml.features import FeatureSet
from ml.labels import Labels, check_labels, horizon_labels, triple_barrier_labels
from ml.models import LightGBMModel, Model, SoftVotingModel, XGBoostModel
from ml.settings import LabelSettings, MlSettings, ModelSettings, SplitSettings
from ml.splits import ChronologicalSplit, Splitter, WalkForwardSplit
from ml.train import OnProgress, WalkForward, walk_forward

__all__ = ["SplitKind", "make_labels", "make_model", "make_splitter", "train"]

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


def make_model(settings: ModelSettings, purge_rows: int) -> Model:
    """Make an unfitted model.

    Parameters
    ----------
    settings : ModelSettings
        Kind and knobs.
    purge_rows : int
        Rows between what is learned from and what decides when to stop: the bars a label looks ahead.
    """
    parameters = settings.model_dump(exclude={"kind"}) | {"purge_rows": purge_rows}
    if settings.kind == "xgboost":
        return XGBoostModel(**parameters)
    if settings.kind == "lightgbm":
        return LightGBMModel(**parameters)
    return SoftVotingModel(XGBoostModel(**parameters), LightGBMModel(**parameters))


def train(
    frame: pd.DataFrame,
    settings: MlSettings,
    kind: SplitKind = "walkforward",
    on_progress: OnProgress | None = None,
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
    """
    labels = make_labels(frame, settings.label)
    reach = int((labels.end_index - np.arange(len(frame))).max(initial=0))
    return walk_forward(
        frame,
        FeatureSet(settings.features),
        labels,
        make_splitter(settings.split, kind),
        lambda: make_model(settings.model, purge_rows=reach),
        on_progress=on_progress,
        workers=settings.workers,
    )
