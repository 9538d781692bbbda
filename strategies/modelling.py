"""The model of a run: trained window by window, trained once, or taken from the registry."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from feeds.errors import DataError
from ml.card import training_card
from ml.factory import train
from ml.features import FeatureSet
from ml.hit_rate import HitRateReference
from ml.registry import CHAMPION, ModelRegistry
from ml.settings import LabelSettings, MlSettings
from ml.train import OnProgress, WalkForward
from strategies.arm_predictors import AnyPredictor
from strategies.loading import RunBars
from strategies.plugins import models_of
from strategies.settings import Settings
from strategies.trade_cost import choosing_cost

__all__ = ["PreparedModel", "load_stored", "prepare_model", "store_model", "trial_id"]


# Where things lie and how many work at once makes no other trial.
_SHAPES_TRADES: Any = {
    "market": True,
    "data": {"bar_minutes", "detail"},
    "strategy": True,
    "broker": True,
    "risk": True,
}


class PreparedModel(NamedTuple):
    """What a strategy asks, and what the report says of it.

    Attributes
    ----------
    predictor : Predictor or ArmPredictors
        Answers NaN before ``judges_from``.
    judges_from : datetime.datetime
        START of the first bar that no model has seen, aware.
    info : dict
        For the report's model section.
    windows : list of dict
        One for each training window, for the report.
    """

    predictor: AnyPredictor
    judges_from: dt.datetime
    info: dict[str, Any]
    windows: list[dict[str, Any]]


def prepare_model(
    settings: Settings,
    bars: RunBars,
    choice: str,
    *,
    now: dt.datetime,
    on_progress: OnProgress | None = None,
) -> PreparedModel:
    """Train or load the model.

    Parameters
    ----------
    settings : Settings
        The ``ml`` section decides.
    bars : RunBars
        What to train on and what to trade.
    choice : str
        ``walkforward``, ``train`` or a version in the registry (``champion`` for the promoted one).
    now : datetime.datetime
        Written into the card of a model that is stored, aware.
    on_progress : callable, optional
        Told (windows done, windows in all).

    Raises
    ------
    DataError
        The bars are too short, or all lie within the time the stored model was trained on.
    ModelError, ModelNotFoundError
        The stored model is damaged, expects other features, or does not exist.
    """
    if choice == "walkforward":
        return _trained(
            settings,
            train(
                bars.frame,
                settings.ml,
                "walkforward",
                on_progress,
                cost_bps=choosing_cost(settings, bars.frame),
            ),
            {"split": _split_text(settings.ml)},
        )
    if choice == "train":
        cost_bps = choosing_cost(settings, bars.frame)
        result = train(bars.frame, settings.ml, "chronological", on_progress, cost_bps=cost_bps)
        version = store_model(settings, bars, result, now)
        percent = 100 * settings.ml.split.train_fraction
        return _trained(
            settings,
            result,
            {"split": f"first {percent:g} % of the bars, then judged on the rest", "version": version},
        )
    return _stored(settings, bars, choice)


def trial_id(settings: Settings, bars: RunBars, choice: str, *, with_model: bool | None = None) -> str:
    """Return what identifies a trial: the same settings on the same bars are one trial, however often run.

    Parameters
    ----------
    settings, bars
        Of the trial.
    choice : str
        As of :func:`prepare_model`. A champion is the version that it is now: the next one is another trial.
    with_model : bool, optional
        Whether the model belongs to it, as to a training; whether the strategy asks one without it.
    """
    parts: dict[str, Any] = {
        "bars": [bars.info["sha256"], bars.info["first"], bars.info["last"]],
        "settings": settings.model_dump(mode="json", include=_SHAPES_TRADES),
    }
    asked = models_of(settings.strategy)
    if bool(asked) if with_model is None else with_model:
        makes_no_trial = {"importance", "registry", "workers", "retrain", "search"}
        parts["model"] = [
            _version_of(settings, choice),
            settings.ml.model_dump(mode="json", exclude=makes_no_trial),
        ]
    if CHAMPION in asked.values():
        parts["champion"] = _version_of(settings, CHAMPION)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _version_of(settings: Settings, choice: str) -> str:
    return (ModelRegistry(settings.ml.registry).champion or choice) if choice == CHAMPION else choice


def _trained(settings: Settings, result: WalkForward, more: dict[str, Any]) -> PreparedModel:
    windows = [window.as_dict() for window in result.windows]
    ml = settings.ml
    info = _info(result.windows[0].kind, ml.features, ml.label) | more
    if ml.thresholds.kind != "none":
        info["thresholds"] = "chosen in each training window by expected net, or that a side is not traded"
    return PreparedModel(result.predictor, result.windows[0].test_first, info, windows)


def load_stored(settings: Settings, version: str) -> PreparedModel:
    """Load a stored model for the instrument, bars and features of the settings.

    Raises
    ------
    DataError
        It was trained on another instrument or on bars of another length.
    ModelError, ModelNotFoundError
        It is damaged, expects other features, or does not exist.
    """
    features = FeatureSet(settings.ml.features)
    stored = ModelRegistry(settings.ml.registry).load(version, features)
    card = stored.card
    if card.instrument != settings.market.instrument:
        raise DataError(
            f"model {card.version} was trained on {card.instrument}, the run trades "
            f"{settings.market.instrument}; set market.instrument={card.instrument} or choose another model"
        )
    if card.bar_minutes != settings.data.bar_minutes:
        raise DataError(
            f"model {card.version} was trained on {card.bar_minutes}-minute bars, the run uses "
            f"{settings.data.bar_minutes}; set data.bar_minutes={card.bar_minutes} or choose another model"
        )
    info = _info(card.kind, card.features, LabelSettings.model_validate(card.label)) | {
        "version": card.version,
        "registry": str(Path(settings.ml.registry).resolve()),
        "trained_until": card.trained_until.isoformat(),
        "split": f"stored: trained on bars up to {card.trained_until:%Y-%m-%d}, judges later ones",
    }
    if card.thresholds is not None:
        info["thresholds"] = ", ".join(
            f"{side} from {least:.3f}" if least is not None else f"{side} never"
            for side, least in card.thresholds.items()
        )
    return PreparedModel(stored.predictor(features), card.valid_from, info, [])


def _stored(settings: Settings, bars: RunBars, version: str) -> PreparedModel:
    model = load_stored(settings, version)
    last = pd.DatetimeIndex(bars.frame.index)[-1]
    if last < model.judges_from:
        raise DataError(
            f"model {model.info['version']} was trained on bars up to {model.info['trained_until'][:10]} and "
            f"may judge from {model.judges_from:%Y-%m-%d}, the bars end on {last:%Y-%m-%d}; "
            "give newer bars or another model"
        )
    return model


def store_model(
    settings: Settings,
    bars: RunBars,
    result: WalkForward,
    now: dt.datetime,
    hit_rate: HitRateReference | None = None,
) -> str:
    """Store the model of a single training, and return its version.

    Parameters
    ----------
    settings : Settings
        What it was trained by.
    bars : RunBars
        What it was trained on.
    result : WalkForward
        Of one window.
    now : datetime.datetime
        Time of storing, aware.
    hit_rate : HitRateReference, optional
        Trades of its backtest on the bars it has not learned.
    """
    registry = ModelRegistry(settings.ml.registry)
    card = training_card(
        result,
        settings.ml,
        bars.frame,
        instrument=settings.market.instrument,
        bar_minutes=settings.data.bar_minutes,
        source=bars.info["source"],
        sha256=bars.info["sha256"],
        trials=len(registry.trials()) + 1,
        created_at=now,
        hit_rate=hit_rate,
    )
    return registry.save(result.models[-1], card)


def _info(kind: str, features: Sequence[str], label: LabelSettings) -> dict[str, Any]:
    text = (
        f"return over {label.horizon_bars} bars beyond ±{label.threshold_percent:g} %"
        if label.kind == "horizon"
        else label.kind
    )
    return {"name": kind, "features": list(features), "label": text}


def _split_text(settings: MlSettings) -> str:
    split = settings.split
    start = "from the first bar" if split.anchored else f"{split.train_months} months"
    return (
        f"walk-forward: trained on {start}, judged on the next {split.test_months} months, "
        f"purged by label end, {split.embargo_bars} bars of embargo"
    )
