"""Everything fitted on a training window must be the same whatever comes after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ml.leakage.finding import Finding
from ml.leakage.futures import other_futures
from ml.train import WalkForward

__all__ = ["Train", "check_fitting"]

Train = Callable[[pd.DataFrame], WalkForward]
"""From a bar frame to trained windows: features, labels, splits, models, thresholds and all."""


def check_fitting(train: Train, frame: pd.DataFrame, seed: int = 0) -> list[Finding]:
    """Find what the first window's training learned from bars of its test.

    Trains once on the bars as they are and once on each of several other futures from the first bar of the
    test window on; scalers, thresholds, early stopping and answers to the training bars must not move by a
    bit. Fitted parts are the attributes whose names end with an underscore, as in scikit-learn.

    Parameters
    ----------
    train : callable
        The training under suspicion.
    frame : pandas.DataFrame
        A bar frame, long enough for a window.
    seed : int
        Of the futures.
    """
    whole = train(frame)
    begin = whole.windows[0].test_first
    position = int(frame.index.searchsorted(pd.Timestamp(begin)))
    generator = np.random.default_rng(seed)
    caught: dict[str, Finding] = {}
    for name, other in other_futures(frame, position - 1, generator):
        if len(other) < len(frame):
            continue  # without test bars there is no window
        again = train(other)
        _compare_windows(caught, whole, again, frame.iloc[:position], name, begin)
    return list(caught.values())


def _compare_windows(
    caught: dict[str, Finding],
    whole: WalkForward,
    again: WalkForward,
    training: pd.DataFrame,
    future: str,
    begin: dt.datetime,
) -> None:
    def tell(part: str, amount: float) -> None:
        words = f"differs by {amount:.3g} when the test bars are {future}; expected the same to the last bit"
        caught.setdefault(part, Finding("fitting", part, begin, amount, words))

    first, second = whole.windows[0], again.windows[0]
    if first.test_first != second.test_first or first.rows_train != second.rows_train:
        tell("training rows", float(abs(first.rows_train - second.rows_train)))
        return
    before, after = dict(_fitted(whole.models[0], "")), dict(_fitted(again.models[0], ""))
    for part in sorted(before.keys() | after.keys()):
        amount = _difference(before.get(part), after.get(part))
        if amount:
            tell(part, amount)
    kept = whole.predictor.windows[0].model
    moved = again.predictor.windows[0].model
    matrix = whole.predictor.features.compute(training)
    rows = matrix[np.isfinite(matrix).all(axis=1)]
    amount = _difference(kept.predict_proba(rows), moved.predict_proba(rows))
    if amount:
        tell("answers to training bars", amount)
    amount = _difference(whole.predictor.windows[0].thresholds, again.predictor.windows[0].thresholds)
    if amount:
        tell("thresholds", amount)


def _fitted(estimator: Any, prefix: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 # any estimator
    """Yield what was fitted in an estimator and in those within it, by name: numbers and words."""
    for name, value in vars(estimator).items():
        if not name.endswith("_") or name.startswith("_"):
            continue
        if isinstance(value, dict):
            members = value
        elif isinstance(value, (tuple, list)):
            members = dict(enumerate(value))
        else:
            members = {None: value}
        for key, member in members.items():
            part = f"{prefix}{name}" if key is None else f"{prefix}{name}[{key}]"
            if isinstance(member, (int, float, str, np.ndarray, tuple, list)):
                yield part, member
            elif hasattr(member, "__dict__"):
                yield from _fitted(member, f"{part}.")


def _difference(first: Any, second: Any) -> float:  # noqa: ANN401 # numbers of any kind
    """Return the largest difference between two numbers or arrays, 0 where they are the same."""
    if first is None or second is None or isinstance(first, str):
        return 0.0 if first == second else float("inf")
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if one.shape != other.shape:
        return float("inf")
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore"):
        difference = np.abs(one - other)[~same]
    return float(np.nanmax(difference)) if np.isfinite(difference).any() else float("inf")
