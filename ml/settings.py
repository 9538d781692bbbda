"""The ``ml`` section of the settings: what the model sees, what it is taught, and how it is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from feeds.section import Section
from ml.search_settings import SearchSettings

__all__ = [
    "LabelSettings",
    "MlSettings",
    "ModelSettings",
    "RetrainSettings",
    "SplitSettings",
    "ThresholdSettings",
]


class LabelSettings(Section):
    """What counts as buy, hold and sell."""

    kind: str = Field(
        default="horizon",
        description="horizon: return over the next bars; triple_barrier: which side is touched first; or the "
        "dotted path package.module:function of one's own",
    )
    horizon_bars: int = Field(
        default=3, ge=1, le=375, description="bars looked ahead, also the time limit of the triple barrier"
    )
    threshold_percent: float = Field(
        default=0.1,
        ge=0,
        le=10,
        description="horizon: a return beyond this is buy or sell, percent of the close",
    )
    barrier_atr_multiple: float = Field(
        default=2.0,
        gt=0,
        le=50,
        description="triple_barrier: distance of both sides from the close, multiples of ATR(14)",
    )


class SplitSettings(Section):
    """How training and judging are kept apart in time."""

    train_months: int = Field(
        default=24, ge=1, le=240, description="walk-forward: length of a training window, months"
    )
    test_months: int = Field(
        default=3, ge=1, le=60, description="walk-forward: length of a test window, months"
    )
    anchored: bool = Field(
        default=False,
        description="walk-forward: every training window starts at the first bar instead of rolling",
    )
    train_fraction: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        description="single training: the oldest part that is trained on, fraction of the bars",
    )
    embargo_bars: int = Field(
        default=125,
        ge=0,
        le=10_000,
        description="bars left out before each test window, beside those whose label reaches into "
        "it; 125 is one session of 3-minute bars",
    )


class ModelSettings(Section):
    """The learner and its few knobs."""

    kind: Literal["xgboost", "lightgbm", "ensemble", "stacking", "regime"] = Field(
        default="xgboost",
        description="ensemble is the mean of the probabilities of the first two; stacking joins them by "
        "a regression on answers to rows that they have not learned; regime is one xgboost for each third "
        "of the volatility, for which ml.features must hold atr_14_percent",
    )
    calibration: Literal["none", "logistic"] = Field(
        default="none",
        description="logistic: the newest part of each training window turns the model's probabilities "
        "into frequencies; without it sell, hold and buy count as equally frequent",
    )
    seed: int = Field(default=7, ge=0, le=2**31 - 1, description="seed of the row and column sampling")
    rounds: int = Field(default=300, ge=1, le=10_000, description="trees per class, at most")
    learning_rate: float = Field(default=0.05, gt=0, le=1, description="weight of each tree")
    depth: int = Field(default=4, ge=1, le=12, description="levels of a tree")
    leaf_rows: int = Field(default=200, ge=1, description="rows that a leaf must hold, about")
    row_fraction: float = Field(default=0.8, gt=0, le=1, description="rows drawn for each tree, fraction")
    column_fraction: float = Field(
        default=0.8, gt=0, le=1, description="features drawn for each tree, fraction"
    )
    stopping_rounds: int = Field(
        default=30, ge=1, description="stop after so many rounds without improvement on the validation part"
    )
    validation_fraction: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="newest part of each training window, decides when to stop, fraction; the part that "
        "calibrates is as large",
    )


class ThresholdSettings(Section):
    """From which probability on a trade is worth its costs."""

    kind: Literal["none", "expected_net"] = Field(
        default="none",
        description="expected_net: each training window chooses for buy and for sell, by what trades on "
        "rows that the model has not learned earned after that date's costs; used where strategy ml has "
        "thresholds: trained",
    )
    minimum_trades: int = Field(
        default=50, ge=10, le=100_000, description="fewer trades than this within the window prove nothing"
    )


class RetrainSettings(Section):
    """When days that run themselves train a new version, which they never put into use."""

    schedule: Literal["none", "weekly", "monthly"] = Field(
        default="none", description="after the first session of each week or month, or never"
    )
    on_drift: bool = Field(
        default=False, description="also after a drift alarm, once a week at most; false = never"
    )
    data: str = Field(
        default="store", min_length=1, description="bars to train on: store, a file or a folder of them"
    )
    during_session: bool = Field(
        default=False, description="go on training while the next session is on; false = it is ended"
    )


class MlSettings(Section):
    """Everything about the model."""

    features: tuple[str, ...] = Field(
        default=(
            "ema_5",
            "ema_10",
            "ema_cross",
            "ema_slope",
            "vwap_distance",
            "atr_14_percent",
            "rsi_14",
            "return_zscore",
            "volume_ratio_20",
            "hour_sin",
            "hour_cos",
            "weekday_sin",
            "weekday_cos",
        ),
        description="features by name, or package.module:function for one's own, in the model's order",
    )
    label: LabelSettings = Field(default=LabelSettings(), description="what the model is taught")
    split: SplitSettings = Field(default=SplitSettings(), description="training and test windows")
    model: ModelSettings = Field(default=ModelSettings(), description="the learner")
    thresholds: ThresholdSettings = Field(
        default=ThresholdSettings(), description="from which probability on to trade"
    )
    retrain: RetrainSettings = Field(default=RetrainSettings(), description="training on a schedule")
    importance: Literal["gain", "all"] = Field(
        default="gain",
        description="all: measure on each test window by permutation and by contributions as well what the "
        "answers rest on; takes about as long as the training",
    )
    search: SearchSettings = Field(default=SearchSettings(), description="what a search tries")
    registry: str = Field(default="models", min_length=1, description="folder of the model registry")
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="windows trained at once, 0 for one per core; the result is the same",
    )
