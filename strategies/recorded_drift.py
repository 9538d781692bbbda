"""Drift of the last recorded days: what the strategy saw, against the card of the model it asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyzers.parity.files import DECISIONS_FILE, read_records
from feeds.errors import DataError
from ml.card import read_card
from ml.drift import Drift, check_drift
from ml.drift_reference import DRIFT_SESSIONS, PROBABILITY_SERIES
from strategies.recorded_model import OF_ARMS, recorded_model

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
    model = recorded_model(folder)
    if model is None:
        return Drift("unknown", "not known: the strategy asks no model", {})
    if model == OF_ARMS:
        return Drift("unknown", "not known: each arm asks a model of its own", {})
    card = read_card(Path(model.registry) / model.version)
    sessions = [_inputs(folder)]
    for other in reversed(earlier):
        if len(sessions) == DRIFT_SESSIONS:
            break
        try:
            same, inputs = recorded_model(other) == model, _inputs(other)
        except DataError:
            continue  # a day that was broken off, or was cleared away
        if not same:
            inputs = {name: values for name, values in inputs.items() if name not in PROBABILITY_SERIES}
        sessions.append(inputs)
    return check_drift(card.drift, sessions[::-1])


def _inputs(folder: Path) -> dict[str, list[float]]:
    """Return what was seen on the bars of the day itself, by name; those before it are its warm-up."""
    records = list(read_records(folder / DECISIONS_FILE).values())
    if not records:
        raise DataError(f"{folder / DECISIONS_FILE} holds no row, expected one for each bar of the day")
    day = records[-1].start.date()
    seen = [record.inputs for record in records if record.start.date() == day]
    return {name: [inputs[name] for inputs in seen] for name in seen[0]}
