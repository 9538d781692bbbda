"""Drift of the last recorded days: what the strategy saw, against the card of the model it asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analyzers.parity.files import DECISIONS_FILE, read_records
from feeds.errors import DataError
from ml.card import read_card
from ml.drift import DRIFT_SESSIONS, PROBABILITY_SERIES, Drift, check_drift

__all__ = ["recorded_drift"]


def recorded_drift(folder: Path, earlier: Sequence[Path]) -> Drift:
    """Check the drift as of a day.

    Features of all days are compared. Probabilities are only compared when one and the same model gave
    them all.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day; its model is the one that counts.
    earlier : sequence of pathlib.Path
        Folders of the days before, oldest first. Those that hold no decisions are passed over.

    Raises
    ------
    DataError
        The day has no report, or its decisions or its model's card cannot be read.
    """
    model = _model_of(folder)
    if model is None:
        return Drift("unknown", "not known: the strategy asks no model", {})
    card = read_card(Path(model.registry) / model.version)
    sessions = [_inputs(folder)]
    for other in reversed(earlier):
        if len(sessions) == DRIFT_SESSIONS:
            break
        try:
            same, inputs = _model_of(other) == model, _inputs(other)
        except DataError:
            continue  # a day that was broken off, or was cleared away
        if not same:
            inputs = {name: values for name, values in inputs.items() if name not in PROBABILITY_SERIES}
        sessions.append(inputs)
    return check_drift(card.drift, sessions[::-1])


class _Model(NamedTuple):
    registry: str
    version: str


def _model_of(folder: Path) -> _Model | None:
    path = folder / "summary.json"
    try:
        model = json.loads(path.read_text(encoding="utf-8"))["model"]
        return None if model is None else _Model(str(model["registry"]), str(model["version"]))
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


def _inputs(folder: Path) -> dict[str, list[float]]:
    """Return what was seen on the bars of the day itself, by name; those before it are its warm-up."""
    records = list(read_records(folder / DECISIONS_FILE).values())
    if not records:
        raise DataError(f"{folder / DECISIONS_FILE} holds no row, expected one for each bar of the day")
    day = records[-1].start.date()
    seen = [record.inputs for record in records if record.start.date() == day]
    return {name: [inputs[name] for inputs in seen] for name in seen[0]}
