"""The part of a settings file that the command line of the models reads."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from feeds.errors import SettingsError
from feeds.settings import DataSettings, MarketSettings
from ml.settings import MlSettings

__all__ = ["CommandSettings", "read_settings"]


class CommandSettings(BaseModel):
    """The sections that concern data and models.

    The other sections of the file are left to the commands that read them.
    """

    model_config = ConfigDict(frozen=True)

    market: MarketSettings = MarketSettings()
    data: DataSettings = DataSettings()
    ml: MlSettings = MlSettings()


def read_settings(path: Path | None) -> CommandSettings:
    """Read a YAML settings file; None gives the defaults.

    Raises
    ------
    SettingsError
        If it cannot be read, or a value is unknown, of the wrong type or out of range.
    """
    if path is None:
        return CommandSettings()
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot read settings file {path}: {error}; give another with --settings"
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(
            f"settings file {path} is not YAML: {str(error).splitlines()[0]}; mend it"
        ) from error
    if not isinstance(tree, dict):
        raise SettingsError(
            f"found {type(tree).__name__} in settings file {path}, expected sections with keys"
        )
    try:
        return CommandSettings.model_validate(tree)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(
            f"settings file {path}: {name}: {problem['msg']}, found {problem['input']!r}"
        ) from error
