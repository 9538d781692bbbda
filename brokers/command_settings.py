"""The part of the settings that the commands around a broker read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from brokers.settings import BrokerSettings
from feeds.errors import SettingsError
from feeds.settings import MarketSettings
from feeds.settings_error import settings_error
from feeds.settings_file import parse_value, read_settings_file

__all__ = ["CommandSettings", "read_settings"]

_SETTINGS_FILE = Path(__file__).resolve().parents[1] / "settings.yaml"


class CommandSettings(BaseModel):
    """The market and the broker; the rest of the file is left to the commands that read it."""

    model_config = ConfigDict(frozen=True)

    market: MarketSettings = MarketSettings()
    broker: BrokerSettings = BrokerSettings()


def read_settings(path: Path | None, overrides: Sequence[str] = ()) -> CommandSettings:
    """Read a YAML settings file and lay overrides over it.

    Parameters
    ----------
    path : pathlib.Path or None
        None takes the project's own, or the defaults where there is none.
    overrides : sequence of str
        Each ``broker.kite.key=value`` or ``market.key=value``.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a value is unknown, of the wrong type or out of range.
    """
    if path is None and _SETTINGS_FILE.exists():
        path = _SETTINGS_FILE
    tree = {} if path is None else read_settings_file(path)
    for override in overrides:
        name, equals, value = override.partition("=")
        *sections, key = name.split(".")
        if not equals or not sections or sections[0] not in CommandSettings.model_fields:
            raise SettingsError(
                f"--set {override}: found no setting of the sections market or broker, expected one such as "
                "broker.kite.callback_port=8910"
            )
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise SettingsError(
                    f"--set {override}: {section} is no section, expected one; see settings.yaml"
                )
        place[key] = parse_value(value, f"--set {override}")
    try:
        return CommandSettings.model_validate(tree)
    except ValidationError as error:
        where = "settings" if path is None else f"settings file {path}"
        raise settings_error(error, CommandSettings, where=where) from None
