"""All settings: one section from each package, a YAML file, and ``--set`` on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from analyzers.alerts.settings import AlertsSettings
from analyzers.settings import ReportSettings
from analyzers.status.settings import StatusSettings
from brokers.settings import BrokerSettings, RiskSettings
from feeds.errors import SettingsError
from feeds.section import Section
from feeds.settings import DataSettings, MarketSettings
from feeds.settings_error import settings_error
from feeds.settings_file import parse_value, read_settings_file
from feeds.suggest import did_you_mean
from ml.settings import MlSettings
from strategies.live_settings import LiveSettings
from strategies.settings_section import StrategySettings

__all__ = ["Settings", "load_settings"]


class Settings(Section):
    """Every setting of a run, by section."""

    market: MarketSettings = Field(default_factory=MarketSettings, description="what is traded, and when")
    data: DataSettings = Field(default_factory=DataSettings, description="where bars come from")
    ml: MlSettings = Field(default_factory=MlSettings, description="the model")
    strategy: StrategySettings = Field(default_factory=StrategySettings, description="what is traded on")
    live: LiveSettings = Field(default_factory=LiveSettings, description="how a live day is run")
    broker: BrokerSettings = Field(default_factory=BrokerSettings, description="account and costs")
    risk: RiskSettings = Field(default_factory=RiskSettings, description="limits on entries")
    report: ReportSettings = Field(default_factory=ReportSettings, description="what a run writes")
    status: StatusSettings = Field(default_factory=StatusSettings, description="the status page")
    alerts: AlertsSettings = Field(default_factory=AlertsSettings, description="what the owner is told")


def load_settings(
    path: Path | None,
    overrides: Sequence[str] = (),
    arguments: Mapping[str, tuple[str, Any]] = MappingProxyType({}),
) -> Settings:
    """Read a settings file and lay ``section.key=value`` overrides over it.

    Parameters
    ----------
    path : pathlib.Path or None
        YAML file; what it leaves out has its default. None for defaults only.
    overrides : sequence of str
        Each ``section.key=value``; the value is read as YAML, a dotted key goes as deep as it says.
    arguments : mapping of str to (str, value), optional
        Dotted setting to the argument of its own that set it and its value, which is taken as it is. Laid
        over everything else.

    Raises
    ------
    SettingsError
        The file cannot be read, a name is unknown, or a value has the wrong type or range.
    """
    tree = {} if path is None else read_settings_file(path)
    assignments = [_parse(override) for override in overrides]
    for name, (argument, value) in arguments.items():
        assignments.append(_Assignment(tuple(name.split(".")), value, argument))
    for assignment in assignments:
        _apply(tree, assignment)
    file = "settings" if path is None else f"settings file {path}"
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise settings_error(
            error, Settings, where=lambda place: _origin(place, assignments) or file
        ) from None


class _Assignment(NamedTuple):
    """One setting from the command line, and the words that set it."""

    keys: tuple[str, ...]
    value: Any
    argument: str


def _parse(override: str) -> _Assignment:
    argument = f"--set {override!r}"
    name, equals, text = override.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise SettingsError(f"{argument}: expected section.key=value, such as data.bar_minutes=5")
    if keys[0] not in Settings.model_fields:
        raise SettingsError(
            f"{argument}: unknown section {keys[0]!r}{did_you_mean(keys[0], Settings.model_fields)}"
        )
    if len(keys) == 1:
        raise SettingsError(f"{argument}: {keys[0]!r} is a section, expected section.key=value")
    return _Assignment(keys, parse_value(text, argument), argument)


def _apply(tree: dict[str, Any], assignment: _Assignment) -> None:
    for key in assignment.keys[:-1]:
        nested = tree.setdefault(key, {})
        if not isinstance(nested, dict):
            raise SettingsError(
                f"{assignment.argument}: {key!r} is {nested!r}, expected a section with keys below it"
            )
        tree = nested
    tree[assignment.keys[-1]] = assignment.value


def _origin(path: Sequence[str], assignments: Sequence[_Assignment]) -> str | None:
    """Return the argument that set the setting at a path, or something within the section at it."""
    for assignment in reversed(assignments):
        shared = min(len(path), len(assignment.keys))
        if tuple(path[:shared]) == assignment.keys[:shared]:
            return assignment.argument
    return None
