"""What can be refused before any bar is read: a typing mistake must not cost the minutes of a training."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from brokers.settings import make_charges, make_rules, make_slippage
from feeds.errors import SettingsError
from feeds.suggest import did_you_mean
from ml.card import ModelCard
from ml.factory import make_model
from ml.features import FeatureSet
from ml.registry import ModelRegistry
from strategies.plugins import models_of
from strategies.settings import Settings

__all__ = ["check_before_loading"]

_MODES = ("walkforward", "train")
_STORED = re.compile(r"champion|v\d+")


def check_before_loading(settings: Settings, model: str) -> None:
    """Make everything that the settings name, and throw it away.

    Parameters
    ----------
    settings : Settings
        Everything.
    model : str
        ``walkforward``, ``train`` or a stored version.

    Raises
    ------
    MuhuratError
        A plugin, a parameter, a feature or a model is unknown, damaged or of the wrong kind.
    """
    section = settings.strategy
    asked = models_of(section)
    make_charges(settings.broker)
    make_slippage(settings.broker)
    make_rules(settings.risk)
    registry = ModelRegistry(settings.ml.registry)
    registry.trials()
    _check_writable(Path(settings.ml.registry))
    if not asked and model != _MODES[0]:
        raise SettingsError(
            f"--model {model}: strategy {section.name} asks no model; leave --model out, "
            "or choose --strategy ml"
        )
    if asked:
        features = FeatureSet(settings.ml.features)
        for version in dict.fromkeys(own or model for own in asked.values()):
            if version in _MODES:
                make_model(settings.ml.model, purge_rows=1, features=features.names)
                has_thresholds = settings.ml.thresholds.kind != "none"
            else:
                has_thresholds = _check_stored(registry, version, features).thresholds is not None
            if section.parameters.get("thresholds") == "trained" and not has_thresholds:
                raise SettingsError(
                    f"strategy {section.name} has thresholds: trained, and the model of --model {version} "
                    "has none; set ml.thresholds.kind to expected_net and train, or thresholds to fixed"
                )


def _check_stored(registry: ModelRegistry, model: str, features: FeatureSet) -> ModelCard:
    if not _STORED.fullmatch(model):
        known = (*_MODES, "champion", *registry.versions())
        raise SettingsError(f"unknown --model {model!r}{did_you_mean(model, known)}")
    return registry.load(model, features).card


def _check_writable(registry: Path) -> None:
    """Every run is a trial on record there, so the folder must take files."""
    try:
        registry.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=registry):
            pass
    except OSError as error:
        raise SettingsError(
            f"ml.registry {registry} cannot be written ({error.strerror}), expected a folder with write "
            "permission; set ml.registry to another one"
        ) from error
