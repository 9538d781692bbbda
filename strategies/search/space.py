"""What a search varies: dotted settings with ranges or lists, and groups of features that come and go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from feeds.errors import SettingsError
from feeds.settings_error import settings_error
from ml.search_settings import SearchRange
from strategies.plugins import models_of, plugin_of
from strategies.settings import Settings

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["GROUP_PREFIX", "SearchSpace", "Values"]

Values = Mapping[str, bool | int | float | str]
"""One point of a space: dotted setting, or ``features.GROUP``, to its value."""

GROUP_PREFIX = "features."

_MAY_VARY = ("ml.model.", "ml.label.", "ml.thresholds.", "strategy.")
_OF_MODELS = "ml."


class SearchSpace:
    """The space of ``ml.search`` around some settings.

    A strategy that asks no model leaves out what concerns models.

    Parameters
    ----------
    base : Settings
        Everything that is not varied.

    Raises
    ------
    SettingsError
        The space is empty, varies what it may not, such as costs, or holds a value that its setting refuses.
    """

    def __init__(self, base: Settings) -> None:
        search = base.ml.search
        with_model = bool(models_of(base.strategy))
        self._base = base
        self._entries = {
            name: entry
            for name, entry in search.space.items()
            if with_model or not name.startswith(_OF_MODELS)
        }
        self._groups = search.feature_groups if with_model else {}
        self.names = (*self._entries, *(f"{GROUP_PREFIX}{group}" for group in self._groups))
        self._check()

    def draw(self, trial: Trial) -> Values:
        """Let a trial choose a value for every name."""
        values: dict[str, bool | int | float | str] = {}
        for name, entry in self._entries.items():
            if not isinstance(entry, SearchRange):
                values[name] = trial.suggest_categorical(name, list(entry))  # type: ignore[assignment]
            elif entry.is_whole:
                low, high, step = int(entry.low), int(entry.high), int(entry.step or 1)
                values[name] = trial.suggest_int(name, low, high, step=step, log=entry.log)
            else:
                values[name] = trial.suggest_float(
                    name, entry.low, entry.high, step=entry.step, log=entry.log
                )
        for group in self._groups:
            name = f"{GROUP_PREFIX}{group}"
            values[name] = bool(trial.suggest_categorical(name, [True, False]))
        return values

    def settings_at(self, values: Values) -> Settings:
        """Return the settings of a point.

        Raises
        ------
        SettingsError
            They refuse a value.
        """
        tree = self._base.model_dump(mode="json")
        for name, value in values.items():
            if not name.startswith(GROUP_PREFIX):
                *path, last = name.split(".")
                nested = tree
                for key in path:
                    nested = nested.setdefault(key, {})
                nested[last] = value
        if self._groups:
            tree["ml"]["features"] = self._features(values)
        try:
            settings = Settings.model_validate(tree)
        except ValidationError as error:
            raise settings_error(error, Settings, where="ml.search.space") from None
        plugin_of(settings.strategy)
        return settings

    def _features(self, values: Values) -> list[str]:
        grouped = {name for group in self._groups.values() for name in group}
        chosen = {
            name
            for group, names in self._groups.items()
            if values[f"{GROUP_PREFIX}{group}"]
            for name in names
        }
        known = self._base.ml.features
        more = [name for names in self._groups.values() for name in names if name not in known]
        return [name for name in (*known, *dict.fromkeys(more)) if name not in grouped or name in chosen]

    def _check(self) -> None:
        if not self.names:
            raise SettingsError(
                "ml.search.space holds nothing that concerns the strategy, expected dotted settings with "
                "ranges or lists; add some"
            )
        for name, entry in self._entries.items():
            if not name.startswith(_MAY_VARY) or name in ("strategy.name", "strategy.parameters"):
                raise SettingsError(
                    f"ml.search.space: found {name!r}, expected settings below "
                    f"{', '.join(prefix.rstrip('.') for prefix in _MAY_VARY)}; costs, limits, bars and "
                    "splits are what a search is judged by"
                )
            if not isinstance(entry, SearchRange) and not entry:
                raise SettingsError(f"ml.search.space: {name} is an empty list, expected values; add some")
        if self._groups and not self._features({f"{GROUP_PREFIX}{group}": False for group in self._groups}):
            raise SettingsError(
                "ml.search.feature_groups hold every feature, expected one that always stays; leave one of "
                "ml.features out of the groups"
            )
        for name, entry in self._entries.items():
            for value in (entry.low, entry.high) if isinstance(entry, SearchRange) else entry:
                self._check_value(name, value)

    def _check_value(self, name: str, value: bool | int | float | str) -> None:
        """Raise where a value goes with neither the base, nor the others' low ends, nor their high ones."""
        groups = {f"{GROUP_PREFIX}{group}": True for group in self._groups}
        ends = (
            {
                other: (entry.low, entry.high)[end] if isinstance(entry, SearchRange) else entry[-end]
                for other, entry in self._entries.items()
            }
            for end in (0, 1)
        )
        first: SettingsError | None = None
        for around in ({}, *ends):
            try:
                self.settings_at({**around, name: value, **groups})
            except SettingsError as error:
                first = first or error
            else:
                return
        if first is not None:
            raise first

    def definition(self) -> dict[str, Any]:
        """Return the space as JSON values, for what identifies a study."""
        dumped = self._base.ml.search.model_dump(mode="json")
        return {
            "space": {name: dumped["space"][name] for name in self._entries},
            "groups": {name: list(features) for name, features in self._groups.items()},
        }
