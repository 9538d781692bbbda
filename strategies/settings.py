"""All settings: one section from each package, a YAML file, and ``--set`` on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from analyzers.settings import ReportSettings
from brokers.settings import BrokerSettings, RiskSettings
from feeds.errors import SettingsError
from feeds.section import Section
from feeds.settings import DataSettings, MarketSettings
from feeds.suggest import did_you_mean
from ml.settings import MlSettings
from strategies.settings_section import StrategySettings
from strategies.validation import settings_error

__all__ = ["Settings", "load_settings"]


class Settings(Section):
    """Every setting of a run, by section."""

    market: MarketSettings = Field(default_factory=MarketSettings)
    data: DataSettings = Field(default_factory=DataSettings)
    ml: MlSettings = Field(default_factory=MlSettings)
    strategy: StrategySettings = Field(default_factory=StrategySettings)
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    risk: RiskSettings = Field(default_factory=RiskSettings)
    report: ReportSettings = Field(default_factory=ReportSettings)


def load_settings(path: Path | None, overrides: Sequence[str] = ()) -> Settings:
    """Read a settings file and lay ``section.key=value`` overrides over it.

    Parameters
    ----------
    path : pathlib.Path or None
        YAML file; what it leaves out has its default. None for defaults only.
    overrides : sequence of str
        Each ``section.key=value``; the value is read as YAML, a dotted key goes as deep as it says.

    Raises
    ------
    SettingsError
        The file cannot be read, a name is unknown, or a value has the wrong type or range.
    """
    tree = {} if path is None else _read(path)
    for override in overrides:
        _apply(tree, override)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        where = str(path) if path is not None else "settings"
        raise settings_error(error, Settings, where=where) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"settings file {path}: not found; give its path with --settings") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file {path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        line = f", line {place.line + 1}" if place else ""
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise SettingsError(f"settings file {path}{line}: {problem}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(f"settings file {path}: found {type(tree).__name__}, expected sections with keys")
    return tree


def _apply(tree: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise SettingsError(f"--set {override!r}: expected section.key=value")
    if keys[0] not in Settings.model_fields:
        raise SettingsError(
            f"--set {override!r}: unknown section {keys[0]!r}{did_you_mean(keys[0], Settings.model_fields)}"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {override!r}: the value is not valid YAML") from error
    for key in keys[:-1]:
        nested = tree.setdefault(key, {})
        if not isinstance(nested, dict):
            raise SettingsError(f"--set {override!r}: {key!r} is {nested!r}, expected a section")
        tree = nested
    tree[keys[-1]] = value if not _is_time(text) else text.strip()


def _is_time(text: str) -> bool:
    """Whether the text is a time of day, which YAML would read as a number to the base of 60."""
    hour, colon, minute = text.strip().partition(":")
    return bool(colon) and hour.isdigit() and minute.replace(":", "").isdigit()
