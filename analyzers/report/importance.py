"""What each window's model rests on, as tables of features by windows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Cell", "HeatTable", "heat_tables"]


class Cell(NamedTuple):
    """A figure as text, and its size as a share of the greatest in the table, −1 to 1."""

    text: str
    share: float


class HeatTable(NamedTuple):
    """One measure of importance.

    Attributes
    ----------
    title, note : str
        What it is called, and what it means.
    columns : list of str
        First days of the test windows, oldest first.
    rows : list of (str, list of Cell)
        A feature and its figure in each window, the one that matters most first; an empty text where a
        window did not have the feature.
    """

    title: str
    note: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


class _Measure(NamedTuple):
    title: str
    note: str
    of_window: Callable[[Mapping[str, Any]], Mapping[str, float] | None]
    text: Callable[[float], str]


_MEASURES = (
    _Measure(
        "Without the feature: by how much the log-loss rises",
        "Its values shuffled among the test rows, thousandths of a nat. Around zero and below: the window "
        "was none the better for it.",
        lambda window: _unseen(window, "permutation"),
        lambda value: f"{round(1000 * value, 1) + 0.0:.1f}",  # no minus zero
    ),
    _Measure(
        "How far the feature moves the answers",
        "Mean absolute contribution (SHAP) to the log-odds on the test rows, whether it was right or not.",
        lambda window: _unseen(window, "shap"),
        lambda value: f"{value:.3f}",
    ),
    _Measure(
        "Share in the gain of the trees",
        "From the rows that were learned: what was only memorised gains as well.",
        lambda window: window.get("importance"),
        lambda value: f"{100 * value:.0f} %",
    ),
)


def heat_tables(windows: Sequence[Mapping[str, Any]]) -> list[HeatTable]:
    """Return a table for each measure that the windows have; none where there is a single window of gains."""
    tables = [table for measure in _MEASURES if (table := _table(measure, windows)) is not None]
    return tables if len(windows) > 1 or len(tables) > 1 else []


def _table(measure: _Measure, windows: Sequence[Mapping[str, Any]]) -> HeatTable | None:
    found = [measure.of_window(window) or {} for window in windows]
    names = list(dict.fromkeys(name for values in found for name in values))
    if not names:
        return None
    mean = {name: float(np.mean([values.get(name, 0.0) for values in found])) for name in names}
    most = max(abs(value) for values in found for value in values.values()) or 1.0
    rows = [
        (
            name,
            [
                Cell(measure.text(values[name]), values[name] / most) if name in values else Cell("", 0.0)
                for values in found
            ],
        )
        for name in sorted(names, key=lambda name: -mean[name])
    ]
    columns = [dt.datetime.fromisoformat(str(window["test_first"])).strftime("%b %y") for window in windows]
    return HeatTable(measure.title, measure.note, columns, rows)


def _unseen(window: Mapping[str, Any], measure: str) -> Mapping[str, float] | None:
    by_feature: Mapping[str, float] | None = (window.get("unseen_importance") or {}).get(measure)
    return by_feature
