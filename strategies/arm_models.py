"""The models of a run: one, or one for each arm that asks one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from feeds.errors import SettingsError
from ml.predict import Predictor
from ml.train import OnProgress
from strategies.arm_predictors import AnyPredictor, ArmPredictors
from strategies.arm_settings import ArmsSettings
from strategies.base import PluginSettings
from strategies.loading import RunBars
from strategies.modelling import PreparedModel, load_stored, prepare_model
from strategies.plugins import models_of, plugin_of
from strategies.settings import Settings

__all__ = ["load_models", "prepare_models"]


def prepare_models(
    settings: Settings,
    bars: RunBars,
    choice: str,
    *,
    now: dt.datetime,
    on_progress: OnProgress | None = None,
) -> PreparedModel | None:
    """Train or load what the strategy asks; None where it asks no model.

    An arm with a model of its own gets that, the others share the one of ``choice``. The parameters and
    errors are those of :func:`strategies.modelling.prepare_model`.
    """

    def make(version: str | None) -> PreparedModel:
        return prepare_model(settings, bars, version or choice, now=now, on_progress=on_progress)

    return _for_each(settings, make)


def load_models(settings: Settings, version: str) -> PreparedModel | None:
    """Load what the strategy asks; None where it asks no model.

    ``version`` is for those that name none. The errors are those of
    :func:`strategies.modelling.load_stored`; of a strategy by trained thresholds, that the model has none.
    """
    model = _for_each(settings, lambda own: load_stored(settings, own or version))
    if model is not None:
        _check_thresholds(settings, model.predictor)
    return model


def _check_thresholds(settings: Settings, predictor: AnyPredictor) -> None:
    """Refuse a model without the thresholds that its strategy goes by.

    The strategy refuses it as well, but is made when the account is open and a position may be held.
    """
    plugin = plugin_of(settings.strategy)
    asked: list[tuple[PluginSettings, Predictor]] = []
    if isinstance(predictor, ArmPredictors) and isinstance(plugin, ArmsSettings):
        asked = [
            (plugin.plugin(place), predictor.by_arm[name])
            for place, name in enumerate(plugin.arm_names)
            if name in predictor.by_arm
        ]
    elif isinstance(predictor, Predictor):
        asked = [(plugin, predictor)]
    if any(getattr(one, "thresholds", "") == "trained" and not model.has_thresholds for one, model in asked):
        raise SettingsError(
            f"{settings.strategy.name} has thresholds: trained, and its model was stored without any; "
            "promote one that was trained with ml.thresholds.kind: expected_net, or set thresholds to fixed"
        )


def _for_each(settings: Settings, make: Callable[[str | None], PreparedModel]) -> PreparedModel | None:
    asked = models_of(settings.strategy)
    made = {version: make(version) for version in dict.fromkeys(asked.values())}
    if not asked:
        return None
    if "" in asked:
        return made[asked[""]]
    return _joined({arm: made[version] for arm, version in asked.items()})


def _joined(models: Mapping[str, PreparedModel]) -> PreparedModel:
    """Return the models of all arms as one, which judges from the moment on at which each of them does."""
    judges_from = max(model.judges_from for model in models.values())
    by_arm: dict[str, Any] = {arm: model.predictor for arm, model in models.items()}
    distinct = list({id(model): model for model in models.values()}.values())
    infos = {arm: model.info for arm, model in models.items()}
    info: dict[str, Any] = {
        "name": _words(infos, "name"),
        "features": list(dict.fromkeys(name for one in infos.values() for name in one["features"])),
        "label": _words(infos, "label"),
        "split": _words(infos, "split"),
    }
    if all("version" in one for one in infos.values()):
        info["version"] = _words(infos, "version")
    if all("trained_until" in one for one in infos.values()):
        # The oldest, because its age is what has to be watched
        info["trained_until"] = min(one["trained_until"] for one in infos.values())
    return PreparedModel(
        ArmPredictors(by_arm, judges_from),
        judges_from,
        info | {"arms": infos},
        [window for model in distinct for window in model.windows],
    )


def _words(infos: Mapping[str, dict[str, Any]], key: str) -> str:
    """Return what all arms have in common, or else what each of them has."""
    values = {arm: str(info[key]) for arm, info in infos.items()}
    return (
        next(iter(values.values()))
        if len(set(values.values())) == 1
        else "; ".join(f"{arm}: {value}" for arm, value in values.items())
    )
