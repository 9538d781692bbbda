"""The card that a stored model carries: where it came from, what it expects, how well it did."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feeds.errors import ModelError
from ml.drift_reference import DriftReference, drift_reference
from ml.features import FeatureSet
from ml.hit_rate import HitRateReference
from ml.predict import CLASSES
from ml.settings import MlSettings
from ml.thresholds import thresholds_of
from ml.train import WalkForward

__all__ = ["CARD_FILE", "ModelCard", "check_features", "library_versions", "read_card", "training_card"]

CARD_FILE = "card.json"


class ModelCard(BaseModel):
    """What is known of a stored model.

    Attributes
    ----------
    kind : str
        As :func:`ml.model_files.load_model` knows it.
    created_at : datetime
        When it was stored, aware.
    instrument : str
        Underlying of the bars, ``NIFTY``.
    data_source, data_sha256 : str
        The bars it was trained on: path or name, and fingerprint.
    first_bar, last_bar : datetime
        START of the first and last of all those bars, test part included, aware.
    bars, bar_minutes : int
        Their number and length.
    trained_until : datetime
        START of the newest bar it learned from, aware.
    valid_from : datetime
        First bar START it may judge honestly: the beginning of its test part.
    features : tuple of str
        In the model's order.
    feature_hash : str
        See :class:`ml.features.FeatureSet`.
    label, split, parameters : dict
        Definitions, as in the settings.
    metrics : dict
        On the test part.
    trials : int
        Trials in the registry when it was stored, this one included.
    libraries : dict of str to str
        Versions.
    version : str
        Given by the registry.
    files : dict of str to str
        SHA-256 of each file beside the card, written by the registry.
    drift : DriftReference or None
        What live bars are compared with; None in cards of versions that did not write it.
    hit_rate : HitRateReference or None
        What live trades are compared with; None where the model was stored without a backtest.
    thresholds : dict of str to float or None
        From which probability on ``buy`` and ``sell`` are traded, None in it for never; None where none were
        chosen in training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    created_at: AwareDatetime
    instrument: str
    data_source: str
    data_sha256: str
    first_bar: AwareDatetime
    last_bar: AwareDatetime
    bars: int
    bar_minutes: int
    trained_until: AwareDatetime
    valid_from: AwareDatetime
    features: tuple[str, ...]
    feature_hash: str
    label: dict[str, Any]
    split: dict[str, Any]
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    trials: int
    libraries: dict[str, str]
    version: str = ""
    files: dict[str, str] = {}
    drift: DriftReference | None = None
    hit_rate: HitRateReference | None = None
    thresholds: dict[Literal["buy", "sell"], float | None] | None = None


def training_card(
    trained: WalkForward,
    settings: MlSettings,
    frame: pd.DataFrame,
    *,
    instrument: str,
    bar_minutes: int,
    source: str,
    sha256: str,
    trials: int,
    created_at: dt.datetime,
    hit_rate: HitRateReference | None = None,
) -> ModelCard:
    """Return the card of the one model of a chronological training.

    Parameters
    ----------
    trained : WalkForward
        What came of the training; its first window is described.
    settings : MlSettings
        What it was trained by.
    frame : pandas.DataFrame
        All of its bars, test part included.
    instrument : str
        Their underlying.
    bar_minutes : int
        Their length, minutes.
    source, sha256 : str
        Where they come from, and their fingerprint.
    trials : int
        Trials in the registry, this one included.
    created_at : datetime
        Time of storing, aware.
    hit_rate : HitRateReference, optional
        Trades of the backtest on the test part, where there was one.
    """
    window, features = trained.windows[0], trained.predictor.features
    definition = settings.model_dump(mode="json")
    return ModelCard(
        kind=window.kind,
        created_at=created_at,
        instrument=instrument,
        data_source=source,
        data_sha256=sha256,
        first_bar=frame.index[0],
        last_bar=frame.index[-1],
        bars=len(frame),
        bar_minutes=bar_minutes,
        trained_until=window.train_last,
        valid_from=window.test_first,
        features=features.names,
        feature_hash=features.hash,
        label=definition["label"],
        split={"kind": "chronological", **definition["split"]},
        parameters=definition["model"],
        metrics=window.as_dict(),
        trials=trials,
        libraries=library_versions(),
        drift=_drift_reference(trained, frame),
        hit_rate=hit_rate,
        thresholds=None if window.thresholds is None else thresholds_of(window.thresholds).as_plain(),
    )


def read_card(folder: Path) -> ModelCard:
    """Read the card in a model's folder.

    Raises
    ------
    ModelError
        If it is missing or not a card.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; roll back or train again") from error
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise ModelError(
            f"damaged model card {path}: {where}: {problem['msg']}; roll back or train again"
        ) from error


def check_features(card: ModelCard, expected: FeatureSet) -> None:
    """Raise unless the model was trained on exactly these features.

    Raises
    ------
    ModelError
        Naming what differs: features that are missing, added, in another order, or computed by another
        formula.
    """
    if card.feature_hash == expected.hash and card.features == expected.names:
        return
    lacking = [name for name in card.features if name not in expected.names]
    added = [name for name in expected.names if name not in card.features]
    differences = []
    if lacking:
        differences.append(f"the settings lack {', '.join(lacking)}")
    if added:
        differences.append(f"the settings add {', '.join(added)}")
    if not differences:
        differences.append(
            "the order differs"
            if card.features != expected.names
            else f"a formula has changed (hash {card.feature_hash[:12]}, now {expected.hash[:12]})"
        )
    raise ModelError(
        f"model {card.version} was trained on other features: {' and '.join(differences)}; set "
        f"ml.features to [{', '.join(card.features)}] or train again"
    )


def _drift_reference(trained: WalkForward, frame: pd.DataFrame) -> DriftReference:
    index, features = pd.DatetimeIndex(frame.index), trained.predictor.features
    _, sessions = np.unique(index.tz_localize(None).normalize(), return_inverse=True)
    matrix = features.compute(frame)
    known = np.isfinite(matrix).all(axis=1)
    answers = np.full((len(frame), len(CLASSES)), np.nan)
    answers[known] = trained.models[0].predict_proba(matrix[known])
    learned = np.asarray(index <= pd.Timestamp(trained.windows[0].train_last))
    return drift_reference(features.names, matrix, answers, sessions, learned)


def library_versions() -> dict[str, str]:
    """Return the versions of the installed libraries that shape a model."""
    names = ("numpy", "pandas", "scikit-learn", "lightgbm", "xgboost", "xgboost-cpu")
    installed = {distribution.name.lower(): distribution.version for distribution in _distributions(names)}
    return dict(sorted(installed.items()))


def _distributions(names: tuple[str, ...]) -> list[importlib.metadata.Distribution]:
    # XGBoost is installed under one of two names.
    return [found for name in names for found in importlib.metadata.distributions(name=name)]
