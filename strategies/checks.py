"""What can be refused before any bar is read: a typing mistake must not cost the minutes of a training."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from brokers.settings import make_charges, make_rules, make_slippage
from feeds.errors import SettingsError
from feeds.suggest import did_you_mean
from ml.features import FeatureSet
from ml.registry import ModelRegistry
from strategies.plugins import load_strategy, plugin_settings
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
    strategy = load_strategy(section.name)
    plugin_settings(section.name, strategy, section.parameters)
    make_charges(settings.broker)
    make_slippage(settings.broker)
    make_rules(settings.risk)
    registry = ModelRegistry(settings.ml.registry)
    registry.trials()
    _check_writable(Path(settings.ml.registry))
    if not strategy.needs_model and model != _MODES[0]:
        raise SettingsError(
            f"--model {model}: strategy {section.name} asks no model; leave --model out, "
            "or choose --strategy ml"
        )
    if strategy.needs_model:
        features = FeatureSet(settings.ml.features)
        if model not in _MODES:
            _check_stored(registry, model, features)


def _check_stored(registry: ModelRegistry, model: str, features: FeatureSet) -> None:
    if not _STORED.fullmatch(model):
        known = (*_MODES, "champion", *registry.versions())
        raise SettingsError(f"unknown --model {model!r}{did_you_mean(model, known)}")
    registry.load(model, features)


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
