"""From a trial of Optuna to the settings of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from feeds.errors import SettingsError
from feeds.settings_error import settings_error
from ml.search_settings import SearchDimension
from strategies.settings import Settings

__all__ = ["chosen_settings", "dotted_values", "suggest"]

FEATURES = "ml.features"
_GROUP = "features."


def suggest(trial: Any, settings: Settings) -> dict[str, Any]:  # noqa: ANN401 # optuna is imported late
    """Return the values that a trial proposes, by dotted name of the setting.

    ``ml.features`` is made of the feature groups that the trial takes; all of them where it takes none.
    """
    section = settings.ml.search
    values = {name: _value(trial, name, dimension) for name, dimension in section.space.items()}
    groups = section.feature_groups
    if groups:
        taken = [name for name in groups if trial.suggest_categorical(f"{_GROUP}{name}", [True, False])]
        values[FEATURES] = [feature for name in taken or groups for feature in groups[name]]
    return values


def chosen_settings(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with the values of a trial.

    Raises
    ------
    SettingsError
        A dotted name is unknown, or a value is out of its setting's range.
    """
    tree = settings.model_dump(mode="json")
    for name, value in values.items():
        *above, last = name.split(".")
        place = tree
        for key in above:
            nested = place.get(key) if isinstance(place, dict) else None
            if not isinstance(nested, dict):
                raise SettingsError(f"ml.search.space names {name!r}, which is no setting; mend the name")
            place = nested
        place[last] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise settings_error(error, Settings, where=lambda _: "ml.search.space") from None


def dotted_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as a tree of sections, as a settings file has them."""
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = name.split(".")
        place = tree
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return tree


def _value(trial: Any, name: str, dimension: SearchDimension) -> Any:  # noqa: ANN401 # optuna is imported late
    if dimension.choices is not None:
        return trial.suggest_categorical(name, list(dimension.choices))
    low, high, step = dimension.low, dimension.high, dimension.step
    if low is None or high is None:
        raise SettingsError(f"ml.search.space.{name} has neither a range nor choices; give low and high")
    if step is not None and low.is_integer() and high.is_integer() and step.is_integer():
        return trial.suggest_int(name, int(low), int(high), step=int(step))
    return trial.suggest_float(name, low, high, step=step, log=dimension.log)
