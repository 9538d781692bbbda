"""How well probabilities foretold labels, in numbers that a chance answer can be held against."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ml.arrays import FloatArray, IntArray
from ml.predict import CLASSES

__all__ = ["CalibrationBin", "ClassFigures", "Evaluation", "evaluate"]

_BINS = 10
_CLASS_NAMES = ("sell", "hold", "buy")


@dataclass(frozen=True)
class CalibrationBin:
    """Bars whose probability of a direction fell into one tenth.

    Attributes
    ----------
    predicted : float
        Their mean probability, 0 to 1.
    observed : float
        How often that direction came, 0 to 1.
    count : int
        Predictions in the bin; every bar gives two, one for sell and one for buy.
    """

    predicted: float
    observed: float
    count: int


@dataclass(frozen=True)
class ClassFigures:
    """One class against the other two.

    Attributes
    ----------
    precision : float or None
        Of the rows for which it was the most probable class, the fraction in which it came; None without
        such rows.
    recall : float or None
        Of the rows in which it came, the fraction for which it was the most probable class; None without
        such rows.
    auc : float or None
        Chance that a row in which it came has the greater probability of it than a row in which it did not,
        ties counting half (Hanley and McNeil 1982); 0.5 knows nothing. None where it always or never came.
    brier : float
        Mean squared distance between its probability and what came, 0 to 1.
    """

    precision: float | None
    recall: float | None
    auc: float | None
    brier: float


class Evaluation(NamedTuple):
    """Answers against labels; None where there is no row to judge.

    Attributes
    ----------
    rows : int
        Labelled predictions.
    accuracy : float or None
        Fraction of rows whose most probable class came true.
    log_loss : float or None
        Mean −ln of the probability given to what came, nats; ln 3 = 1.0986 knows nothing.
    base_rate_log_loss : float or None
        The log-loss of always answering with the frequencies of the judged rows themselves. Models trained
        with balanced classes do not aim at it, and often lie above it.
    brier : float or None
        Mean squared distance between the three probabilities and what came, 0 to 2; 0.6667 knows nothing.
    confusion : list of list of int
        3×3 counts; rows are the truth, columns the most probable class, order −1, 0, 1.
    calibration : tuple of CalibrationBin
        Non-empty tenths, lowest first, over the probabilities of sell and of buy together.
    calibration_error : float or None
        Mean distance of predicted and observed over these, weighted by their counts (Naeini et al. 2015).
    auc_macro : float or None
        Mean AUC of the classes that have one.
    classes : dict of str to ClassFigures
        ``sell``, ``hold``, ``buy``; empty without rows.
    """

    rows: int
    accuracy: float | None
    log_loss: float | None
    base_rate_log_loss: float | None
    brier: float | None
    confusion: list[list[int]]
    calibration: tuple[CalibrationBin, ...]
    calibration_error: float | None
    auc_macro: float | None
    classes: dict[str, ClassFigures]

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values, without the number of rows."""
        plain = self._asdict() | {
            "calibration": [asdict(found) for found in self.calibration],
            "classes": {name: asdict(found) for name, found in self.classes.items()},
        }
        del plain["rows"]
        return plain


def evaluate(values: npt.NDArray[np.int8], probabilities: FloatArray) -> Evaluation:
    """Hold probabilities against labels.

    Parameters
    ----------
    values : numpy.ndarray of int, shape (n,)
        Labels −1, 0, 1.
    probabilities : numpy.ndarray, shape (n, 3)
        Sell, hold, buy; no NaN.
    """
    rows = len(values)
    size = len(CLASSES)
    if rows == 0:
        return Evaluation(0, None, None, None, None, [[0] * size for _ in CLASSES], (), None, None, {})
    truth = values.astype(np.int64) + 1
    answer = np.argmax(probabilities, axis=1)
    happened = np.eye(size)[truth]
    # The smallest positive double keeps an impossible event that came true from being infinite.
    given = np.maximum(probabilities[np.arange(rows), truth], np.finfo(np.float64).tiny)
    frequency = np.bincount(truth, minlength=size) / rows
    confusion = np.bincount(truth * size + answer, minlength=size * size).reshape(size, size)
    calibration = _calibration(probabilities[:, [0, 2]].ravel(), happened[:, [0, 2]].ravel())
    classes = {
        name: _class_figures(place, confusion, probabilities[:, place], truth == place)
        for place, name in enumerate(_CLASS_NAMES)
    }
    areas = [found.auc for found in classes.values() if found.auc is not None]
    return Evaluation(
        rows=rows,
        accuracy=float(np.mean(answer == truth)),
        log_loss=float(-np.mean(np.log(given))),
        base_rate_log_loss=-sum(float(share) * math.log(share) for share in frequency if share > 0),
        brier=float(np.mean(np.sum((probabilities - happened) ** 2, axis=1))),
        confusion=confusion.tolist(),
        calibration=calibration,
        calibration_error=sum(one.count * abs(one.predicted - one.observed) for one in calibration)
        / (2 * rows),
        auc_macro=sum(areas) / len(areas) if areas else None,
        classes=classes,
    )


def _class_figures(
    place: int, confusion: IntArray, probability: FloatArray, came: npt.NDArray[np.bool_]
) -> ClassFigures:
    right = int(confusion[place, place])
    answered, happened = int(confusion[:, place].sum()), int(confusion[place].sum())
    return ClassFigures(
        precision=right / answered if answered else None,
        recall=right / happened if happened else None,
        auc=_area_under_curve(probability, came),
        brier=float(np.mean((probability - came) ** 2)),
    )


def _area_under_curve(probability: FloatArray, came: npt.NDArray[np.bool_]) -> float | None:
    """Return the Mann-Whitney statistic over the number of pairs; None without a pair."""
    positive = int(came.sum())
    negative = len(came) - positive
    if not positive or not negative:
        return None
    _, places, counts = np.unique(probability, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2.0)[places]
    return float((ranks[came].sum() - positive * (positive + 1) / 2.0) / (positive * negative))


def _calibration(predicted: FloatArray, happened: FloatArray) -> tuple[CalibrationBin, ...]:
    tenth = np.minimum((predicted * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(tenth, minlength=_BINS)
    probability = np.bincount(tenth, weights=predicted, minlength=_BINS)
    came = np.bincount(tenth, weights=happened, minlength=_BINS)
    return tuple(
        CalibrationBin(float(probability[place] / count), float(came[place] / count), int(count))
        for place, count in enumerate(counts)
        if count
    )
