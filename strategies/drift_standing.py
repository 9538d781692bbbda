"""What the check after a session found, carried to the next one: ``drift.json`` in the state's folder."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from feeds.errors import DataError, ModelError, ModelNotFoundError
from feeds.log import Log
from ml.registry import ModelRegistry
from strategies.live_request import LiveRequest

__all__ = ["DRIFT_FILE", "DriftStanding", "read_standing", "with_drift", "write_standing"]

DRIFT_FILE = "drift.json"


class DriftStanding(BaseModel):
    """The newest check.

    Attributes
    ----------
    day : datetime.date
        Its session.
    model : str
        Version of the model that was asked; empty where there was none.
    level : {'ok', 'warning', 'alarm', 'unknown'}
        What was found.
    words : str
        The same in a sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    day: dt.date
    model: str
    level: Literal["ok", "warning", "alarm", "unknown"]
    words: str


def write_standing(standing: DriftStanding, state_folder: Path) -> None:
    """Write it so that a reader finds the old or the new one. An older day does not replace a newer one.

    Raises
    ------
    OSError
        It cannot be written.
    """
    try:
        known = read_standing(state_folder)
    except DataError:
        known = None  # what cannot be read is replaced
    if known is not None and known.day > standing.day:
        return
    unfinished = state_folder / f".{DRIFT_FILE}"
    with unfinished.open("w", encoding="utf-8") as file:
        file.write(standing.model_dump_json(indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())  # after a power cut an empty file would lift a stop
    os.replace(unfinished, state_folder / DRIFT_FILE)  # noqa: PTH105 # named after what it promises


def read_standing(state_folder: Path) -> DriftStanding | None:
    """Return the newest check, None where there was none yet.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    path = state_folder / DRIFT_FILE
    try:
        return DriftStanding.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}), expected the last check of the drift; mend it"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DataError(
            f"{path} is damaged ({'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}), expected "
            "the last check of the drift; remove it, the next session writes it anew"
        ) from error


def with_drift(
    request: LiveRequest, state_folder: Path, log: Log, last_day: dt.date | None = None
) -> LiveRequest:
    """Return a request whose risk rules know the level after the last session.

    What cannot be read, and what was found of another model, is not known, which limits nothing; either is
    told where a limit would have hung on it. So is a level of an earlier session than the last.

    Parameters
    ----------
    request : LiveRequest
        Of the session that begins.
    state_folder : pathlib.Path
        Of the process.
    log : Log
        Told ``drift_standing``.
    last_day : datetime.date or None
        The last session before; None where it is not known.
    """
    risk = request.settings.risk
    asked = risk.on_drift.warning != "none" or risk.on_drift.alarm != "none"
    level: Literal["ok", "warning", "alarm", "unknown"] = "unknown"
    standing: DriftStanding | None = None
    reason, is_news = "there was no check yet", False
    try:
        standing = read_standing(state_folder)
        if standing is not None:
            model = _model_of(request)
            reason = f"the last check was of model {standing.model or 'none'}, the day asks {model or 'none'}"
            if model == standing.model:
                level, reason = standing.level, standing.words
                is_news = last_day is None or standing.day >= last_day
                if not is_news:
                    reason = f"as of {standing.day}, the check of {last_day} failed: {reason}"
    except DataError as error:
        reason = str(error)
    if asked:
        tell = log.info if level == "ok" and is_news else log.warning
        tell("drift_standing", drift=level, reason=reason, day=None if standing is None else standing.day)
    on_drift = risk.on_drift.model_copy(update={"level": level})
    settings = request.settings.model_copy(update={"risk": risk.model_copy(update={"on_drift": on_drift})})
    return replace(request, settings=settings)


def _model_of(request: LiveRequest) -> str:
    """Return the version that the day will ask, empty where it cannot be told: the day itself says why."""
    try:
        return ModelRegistry(request.settings.ml.registry).show(request.model or "champion").version
    except (ModelError, ModelNotFoundError):
        return ""
