"""The part of a settings file that the command line of the models reads."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from feeds.errors import SettingsError
from feeds.settings import DataSettings, MarketSettings
from feeds.settings_error import settings_error
from feeds.settings_file import read_settings_file
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
        If it cannot be read, a value is unknown, of the wrong type or out of range, or the name of a section
        is nearly one of these.
    """
    tree = {} if path is None else read_settings_file(path)
    own = list(CommandSettings.model_fields)
    for name in tree:
        # A section of another command is none of ours; a misspelt one would leave its defaults in silence.
        meant = get_close_matches(str(name).lower(), own, n=1, cutoff=0.6)
        if name not in own and meant:
            raise SettingsError(f"settings file {path}: unknown section {name!r}; did you mean {meant[0]!r}?")
    try:
        return CommandSettings.model_validate(tree)
    except ValidationError as error:
        raise settings_error(error, CommandSettings, where=f"settings file {path}") from None
