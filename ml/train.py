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
from ml.importance import UnseenImportance, measure_importance
from ml.inner_folds import answers_out_of_fold
from ml.labels import Labels
from ml.models import Model
from ml.predict import CLASSES, ModelWindow, Predictor
from ml.splits import Splitter
from ml.thresholds import SideChoice, ThresholdRows, ThresholdRule, choose_thresholds, thresholds_of

__all__ = [
    "JudgedWindow", "MakeModel", "OnProgress", "WalkForward", "WindowReport", "judge_windows", "walk_forward",
]  # fmt: skip

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
    notes : tuple of str
        What a reader should know of this fit.
    thresholds : dict of str to SideChoice or None
        What was chosen for ``buy`` and ``sell`` within the training window; None where nothing was.
    unseen_importance : dict of str to dict of str to float, or None
        ``permutation`` and ``shap`` (see :class:`ml.importance.UnseenImportance`), each by feature; None
        where it was not asked for.
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
    notes: tuple[str, ...] = ()
    thresholds: dict[str, SideChoice] | None = None
    unseen_importance: dict[str, dict[str, float]] | None = None

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
                "notes": list(self.notes),
                "thresholds": None
                if self.thresholds is None
                else {side: choice.as_dict() for side, choice in self.thresholds.items()},
            }
            | ({} if self.unseen_importance is None else {"unseen_importance": self.unseen_importance})
        )


class JudgedWindow(NamedTuple):
    """One window's model and what it said out of sample.

    Attributes
    ----------
    test : numpy.ndarray of int, shape (m,)
        Positions of the bars it was asked about.
    answers : numpy.ndarray, shape (m, 3)
        Sell, hold, buy for each of them; NaN where a feature is missing.
    model : Model
        Fitted.
    report : WindowReport
        How well it answered.
    """

    test: IntArray
    answers: FloatArray
    model: Model
    report: WindowReport


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
    thresholds: ThresholdRule | None = None,
    unseen_importance: bool = False,
    on_progress: OnProgress | None = None,
    workers: int = 0,
) -> WalkForward:
    """Train and judge window by window, as :func:`judge_windows`; test windows follow on one another."""
    judged = judge_windows(
        frame,
        features,
        labels,
        splitter,
        make_model,
        thresholds=thresholds,
        unseen_importance=unseen_importance,
        on_progress=on_progress,
        workers=workers,
    )
    probabilities = np.full((len(frame), len(CLASSES)), np.nan)
    for window in judged:
        probabilities[window.test] = window.answers
    models, reports = [window.model for window in judged], [window.report for window in judged]
    predictor = Predictor(features, _model_windows(models, reports))
    return WalkForward(probabilities, tuple(reports), tuple(models), predictor)


def judge_windows(
    frame: pd.DataFrame,
    features: FeatureSet,
    labels: Labels,
    splitter: Splitter,
    make_model: MakeModel,
    *,
    thresholds: ThresholdRule | None = None,
    unseen_importance: bool = False,
    on_progress: OnProgress | None = None,
    workers: int = 0,
) -> tuple[JudgedWindow, ...]:
    """Train a model on each window of a splitter and ask it about the window's test, whatever their order.

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
    thresholds : ThresholdRule, optional
        By what each window chooses thresholds; none are chosen without it.
    unseen_importance : bool
        Measure on each test window what its model rests on; takes about as long as the training.
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
    choice = None
    if thresholds is not None:
        priced = ThresholdRows.of_bars(frame, labels.end_index, thresholds.cost_bps)
        choice = _Choice(priced, thresholds.minimum_trades)
    parallel = joblib.Parallel(n_jobs=workers or -1, prefer="threads", return_as="generator")
    jobs = (
        joblib.delayed(_fit_window)(
            matrix, complete, labels, train, test, make_model, times, choice, unseen_importance
        )
        for train, test in windows
    )
    judged: list[JudgedWindow] = []
    for (train, test), fitted in zip(windows, parallel(jobs), strict=True):
        model = fitted.model
        importance = dict(zip(features.names, model.importance().tolist(), strict=True))
        report = WindowReport(
            train_first=times[train[0]].to_pydatetime(),
            train_last=times[train[-1]].to_pydatetime(),
            test_first=times[test[0]].to_pydatetime(),
            test_last=times[test[-1]].to_pydatetime(),
            rows_train=fitted.rows_train,
            rows_test=fitted.evaluation.rows,
            evaluation=fitted.evaluation,
            importance=importance,
            best_iteration=model.best_iteration_,
            kind=model.kind,
            notes=model.notes_,
            thresholds=fitted.thresholds,
            unseen_importance=_by_feature(features.names, fitted.importance),
        )
        judged.append(JudgedWindow(test, fitted.answers, model, report))
        if on_progress is not None:
            on_progress(len(judged), len(windows))
    return tuple(judged)


class _Choice(NamedTuple):
    """All bars with what a trade on them would have earned and cost, and how many trades it takes."""

    rows: ThresholdRows
    minimum_trades: int


class _Fitted(NamedTuple):
    model: Model
    answers: FloatArray
    evaluation: Evaluation
    rows_train: int
    thresholds: dict[str, SideChoice] | None
    importance: UnseenImportance | None


def _fit_window(
    matrix: FloatArray,
    complete: np.ndarray[Any, np.dtype[np.bool_]],
    labels: Labels,
    train: IntArray,
    test: IntArray,
    make_model: MakeModel,
    times: pd.DatetimeIndex,
    choice: _Choice | None,
    unseen_importance: bool,
) -> _Fitted:
    rows = train[(complete & labels.valid)[train]]
    try:
        model = make_model().fit(matrix[rows], labels.values[rows])
        thresholds = None if choice is None else _choose(matrix, labels, rows, make_model, choice)
    except DataError as error:
        raise DataError(
            f"window {times[train[0]]:%Y-%m-%d} to {times[train[-1]]:%Y-%m-%d}: {error}"
        ) from error
    answers = np.full((len(test), len(CLASSES)), np.nan)
    known = complete[test]
    if known.any():
        answers[known] = model.predict_proba(matrix[test[known]])
    judged = known & labels.valid[test]
    evaluation = evaluate(labels.values[test[judged]], answers[judged])
    importance = None
    if unseen_importance:
        importance = measure_importance(model, matrix[test[judged]], labels.values[test[judged]])
    return _Fitted(model, answers, evaluation, len(rows), thresholds, importance)


def _by_feature(
    names: tuple[str, ...], importance: UnseenImportance | None
) -> dict[str, dict[str, float]] | None:
    if importance is None:
        return None
    by_measure = importance._asdict().items()
    return {measure: dict(zip(names, values.tolist(), strict=True)) for measure, values in by_measure}


def _choose(
    matrix: FloatArray, labels: Labels, rows: IntArray, make_model: MakeModel, choice: _Choice
) -> dict[str, SideChoice]:
    """Choose thresholds by answers to training rows of models that have not learned them."""
    reach = int((labels.end_index - np.arange(len(labels.end_index))).max(initial=0))
    answers = answers_out_of_fold(make_model, matrix[rows], labels.values[rows], reach)
    tradable = np.isfinite(choice.rows.move_bps[rows])
    return choose_thresholds(answers[tradable], choice.rows.at(rows[tradable]), choice.minimum_trades)


def _model_windows(models: list[Model], reports: list[WindowReport]) -> list[ModelWindow]:
    ends = [report.test_first for report in reports[1:]]
    return [
        ModelWindow(
            model,
            report.test_first,
            end,
            report.train_last,
            None if report.thresholds is None else thresholds_of(report.thresholds),
        )
        for model, report, end in zip(models, reports, [*ends, None], strict=True)
    ]
