"""Which model a recorded day asked, as its report says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from feeds.errors import DataError

__all__ = ["OF_ARMS", "RecordedModel", "recorded_model"]


class RecordedModel(NamedTuple):
    """Where a model lies, and which it is."""

    registry: str
    version: str


OF_ARMS = RecordedModel("", "")
"""Where each arm asks a model of its own."""


def recorded_model(folder: Path) -> RecordedModel | None:
    """Return the model of a day that came to its end; None where its strategy asks none.

    Raises
    ------
    DataError
        The day has no report, or it names no model.
    """
    path = folder / "summary.json"
    try:
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        if model is not None and "arms" in model:
            return OF_ARMS
        return None if model is None else RecordedModel(str(model["registry"]), str(model["version"]))
    except OSError as error:
        raise DataError(
            f"no summary.json in {folder} ({error.strerror}), expected the folder of a day that came to its "
            "end: there is no telling which model it asked"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} names no model ({type(error).__name__}: {error}), expected its registry and version; it "
            "is damaged or of another version"
        ) from error
