"""Training and judging: each window's model is fitted on its past and asked about bars it has never seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd

from feeds.errors import DataError
from ml.arrays import FloatArray, IntArray
from ml.evaluation import Evaluation, evaluate
from ml.features import FeatureSet
from ml.labels import Labels
from ml.models import Model
from ml.predict import CLASSES, ModelWindow, Predictor
from ml.splits import Splitter

__all__ = ["MakeModel", "OnProgress", "WalkForward", "WindowReport", "walk_forward"]

MakeModel = Callable[[], Model]
OnProgress = Callable[[int, int], None]


class WindowReport(NamedTuple):
    """One window: what was trained on, what it was asked, and how well it answered.

    Attributes
    ----------
    train_first, train_last, test_first, test_last : datetime
        START of the first and last bar of each part, aware.
    rows_train, rows_test : int
        Labelled bars with complete features.
    evaluation : Evaluation
        Answers against labels on the test part.
    importance : dict of str to float
        Each feature's share in the gain; the shares sum to 1.
    best_iteration : int
        Boosting rounds that early stopping kept.
    kind : str
        The model's kind.
    """

    train_first: dt.datetime
    train_last: dt.datetime
    test_first: dt.datetime
    test_last: dt.datetime
    rows_train: int
    rows_test: int
    evaluation: Evaluation
    importance: dict[str, float]
    best_iteration: int
    kind: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, times as ISO 8601."""
        plain: dict[str, Any] = {
            "train_first": self.train_first.isoformat(),
            "train_last": self.train_last.isoformat(),
            "test_first": self.test_first.isoformat(),
            "test_last": self.test_last.isoformat(),
            "rows_train": self.rows_train,
            "rows_test": self.rows_test,
        }
        return (
            plain
            | self.evaluation.as_dict()
            | {
                "importance": self.importance,
                "best_iteration": self.best_iteration,
                "kind": self.kind,
            }
        )


class WalkForward(NamedTuple):
    """What came of training.

    Attributes
    ----------
    probabilities : numpy.ndarray, shape (n, 3)
        Out of sample only: sell, hold, buy for each bar of a test window; NaN elsewhere and where a feature
        is missing. Equal, bit for bit, to ``predictor.predict_frame`` of the same bars.
    windows : tuple of WindowReport
        Oldest first.
    models : tuple of Model
        Of each window.
    predictor : Predictor
        The models, each from its first test bar until the next one takes over; the last one without end.
    """

    probabilities: FloatArray
    windows: tuple[WindowReport, ...]
    models: tuple[Model, ...]
    predictor: Predictor


def walk_forward(
    frame: pd.DataFrame,
    features: FeatureSet,
    labels: Labels,
    splitter: Splitter,
    make_model: MakeModel,
    *,
    on_progress: OnProgress | None = None,
    workers: int = 0,
) -> WalkForward:
    """Train and judge window by window.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, ...)
        A bar frame (see :mod:`feeds.bars`).
    features : FeatureSet
        What the models see.
    labels : Labels
        What they are taught, for the same bars.
    splitter : Splitter
        The windows; it is given the labels' end positions for purging.
    make_model : callable
        Makes an unfitted model.
    on_progress : callable, optional
        Told (windows done, windows in all) after each.
    workers : int
        Windows trained at the same time, on threads of this process unless a joblib back end is configured;
        0 for one per core. The result is the same for any number.

    Raises
    ------
    DataError
        If the data are too short for a window, or a window holds too few rows.
    """
    matrix = features.compute(frame)
    complete = np.isfinite(matrix).all(axis=1)
    times = pd.DatetimeIndex(frame.index)
    windows = list(splitter.split(frame, groups=labels.end_index))
    parallel = joblib.Parallel(n_jobs=workers or -1, prefer="threads", return_as="generator")
    jobs = (
        joblib.delayed(_fit_window)(matrix, complete, labels, train, test, make_model, times)
        for train, test in windows
    )
    probabilities = np.full((len(frame), len(CLASSES)), np.nan)
    models: list[Model] = []
    reports: list[WindowReport] = []
    for (_, test), (model, answers, evaluation, rows_train) in zip(windows, parallel(jobs), strict=True):
        probabilities[test] = answers
        models.append(model)
        importance = dict(zip(features.names, model.importance().tolist(), strict=True))
        train = windows[len(reports)][0]
        reports.append(
            WindowReport(
                train_first=times[train[0]].to_pydatetime(),
                train_last=times[train[-1]].to_pydatetime(),
                test_first=times[test[0]].to_pydatetime(),
                test_last=times[test[-1]].to_pydatetime(),
                rows_train=rows_train,
                rows_test=evaluation.rows,
                evaluation=evaluation,
                importance=importance,
                best_iteration=model.best_iteration_,
                kind=model.kind,
            )
        )
        if on_progress is not None:
            on_progress(len(reports), len(windows))
    predictor = Predictor(features, _model_windows(models, reports))
    return WalkForward(probabilities, tuple(reports), tuple(models), predictor)


def _fit_window(
    matrix: FloatArray,
    complete: np.ndarray[Any, np.dtype[np.bool_]],
    labels: Labels,
    train: IntArray,
    test: IntArray,
    make_model: MakeModel,
    times: pd.DatetimeIndex,
) -> tuple[Model, FloatArray, Evaluation, int]:
    rows = train[(complete & labels.valid)[train]]
    try:
        model = make_model().fit(matrix[rows], labels.values[rows])
    except DataError as error:
        raise DataError(
            f"window {times[train[0]]:%Y-%m-%d} to {times[train[-1]]:%Y-%m-%d}: {error}"
        ) from error
    answers = np.full((len(test), len(CLASSES)), np.nan)
    known = complete[test]
    if known.any():
        answers[known] = model.predict_proba(matrix[test[known]])
    judged = known & labels.valid[test]
    return model, answers, evaluate(labels.values[test[judged]], answers[judged]), len(rows)


def _model_windows(models: list[Model], reports: list[WindowReport]) -> list[ModelWindow]:
    ends = [report.test_first for report in reports[1:]]
    return [
        ModelWindow(model, report.test_first, end, report.train_last)
        for model, report, end in zip(models, reports, [*ends, None], strict=True)
    ]
