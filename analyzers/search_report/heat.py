"""The objective over the two settings that matter most."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from analyzers.search_report.page import TrialRow

__all__ = ["HeatCell", "HeatMap", "heat_map", "importances"]

_MOST_BINS = 5


class HeatCell(NamedTuple):
    """Trials of one cell: their mean objective, and how many there are; None without any."""

    mean: float | None
    trials: int


class HeatMap(NamedTuple):
    """Mean objective by two settings.

    Attributes
    ----------
    across, up : str
        Names of the settings.
    columns, rows : list of str
        Values or ranges of each.
    cells : list of list of HeatCell
        One list for each row.
    """

    across: str
    up: str
    columns: list[str]
    rows: list[str]
    cells: list[list[HeatCell]]


class _Bins(NamedTuple):
    """Which bin each trial lies in, and what the bins are called."""

    of_trial: np.ndarray
    labels: list[str]


def importances(trials: Sequence[TrialRow]) -> dict[str, float]:
    """Return how much of the objective's spread each setting alone explains, greatest first.

    ε² (Kelley 1935, An unbiased correlation ratio measure): the share of the variance between at most five
    bins, less what bins of chance explain; 0 to 1.
    """
    judged = [trial for trial in trials if trial.objective is not None]
    names = judged[0].values if judged else {}
    objective = np.array([trial.objective for trial in judged], dtype=np.float64)
    shares = {name: _explained(_binned(judged, name), objective) for name in names}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def heat_map(trials: Sequence[TrialRow]) -> HeatMap | None:
    """Return the mean objective over the two settings that explain most; None for fewer than two settings."""
    judged = [trial for trial in trials if trial.objective is not None]
    names = list(importances(judged))[:2]
    if len(names) < 2:
        return None
    across, up = (_binned(judged, name) for name in names)
    objective = np.array([trial.objective for trial in judged], dtype=np.float64)

    def cell(row: int, column: int) -> HeatCell:
        inside = objective[(up.of_trial == row) & (across.of_trial == column)]
        return HeatCell(float(inside.mean()) if len(inside) else None, len(inside))

    cells = [[cell(row, column) for column in range(len(across.labels))] for row in range(len(up.labels))]
    return HeatMap(names[0], names[1], across.labels, up.labels, cells)


def _explained(bins: _Bins, objective: np.ndarray) -> float:
    count, groups = len(objective), len(bins.labels)
    total = float(((objective - objective.mean()) ** 2).sum())
    if total <= 0.0 or groups < 2 or count <= groups:
        return 0.0
    within = sum(
        float(((inside - inside.mean()) ** 2).sum())
        for number in range(groups)
        if len(inside := objective[bins.of_trial == number])
    )
    return max(0.0, 1.0 - (within / (count - groups)) / (total / (count - 1)))


def _binned(trials: Sequence[TrialRow], name: str) -> _Bins:
    values = [trial.values[name] for trial in trials]
    distinct = sorted(set(values), key=lambda value: (str(type(value)), value))
    is_number = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if not is_number or len(distinct) <= _MOST_BINS:
        return _Bins(np.array([distinct.index(value) for value in values]), [_label(one) for one in distinct])
    numbers = np.array(values, dtype=np.float64)
    edges = np.unique(np.quantile(numbers, np.linspace(0.0, 1.0, _MOST_BINS + 1)))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    labels = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges.tolist())]
    return _Bins(place, labels)


def _label(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
