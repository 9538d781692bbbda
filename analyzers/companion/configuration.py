"""What the trading process tells its companion in the first line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from analyzers.alerts.settings import AlertsSettings
from analyzers.status.settings import StatusSettings
from feeds.errors import SettingsError

__all__ = ["Configuration", "parse_configuration"]


class Configuration(BaseModel):
    """Everything a companion needs.

    Attributes
    ----------
    state : pathlib.Path
        Folder of ``now.json``.
    mode : {'demo', 'paper', 'live'}
        Of the trading process.
    secrets : dict of str to str
        Those of channels and page, by name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: Path
    mode: Literal["demo", "paper", "live"]
    status: StatusSettings
    alerts: AlertsSettings
    secrets: dict[str, str]

    def __repr__(self) -> str:
        """Leave the secrets out: what is shown ends up in a log."""
        return f"Configuration(state={str(self.state)!r}, mode={self.mode!r})"


def parse_configuration(line: str) -> Configuration:
    """Return what a line says.

    Raises
    ------
    SettingsError
        It is not what this version writes; the message never quotes it.
    """
    try:
        return Configuration.model_validate(json.loads(line))
    except (ValueError, ValidationError) as error:
        raise SettingsError(
            f"the first line of the standard input is no configuration ({type(error).__name__}), expected "
            "that of run_live.py, which starts the companion by itself"
        ) from None
