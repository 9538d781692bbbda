"""Three-class logistic regression on log-probabilities: what calibrates a model, and what joins several.

The probability of class c is softmax over c of ``intercept[c] + sum_i weight[c, i] x ln p[i]``. With one
model's probabilities this is Dirichlet calibration (Kull et al. 2019, *Beyond temperature scaling*), of which
temperature and Platt scaling are special cases; with several models' it is stacking by multinomial logistic
regression (Wolpert 1992, *Stacked generalization*).
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from feeds.errors import DataError
from ml.arrays import FloatArray, IntArray
from ml.predict import CLASSES

__all__ = ["MultinomialLogistic", "log_probabilities"]

_LEAST_PROBABILITY = 1e-6
_STEPS = 50
_SETTLED = 1e-10
_SIZE = len(CLASSES)


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """Return natural logarithms, same shape; what is below one in a million counts as that."""
    return _one_by_one(math.log, np.maximum(probabilities, _LEAST_PROBABILITY))


class MultinomialLogistic:
    """The regression.

    Attributes
    ----------
    weights_ : numpy.ndarray, shape (3, k)
        Of each class, by input.
    intercepts_ : numpy.ndarray, shape (3,)
    """

    def fit(self, inputs: FloatArray, target: IntArray, row_weights: FloatArray | None = None) -> Self:
        """Learn by Newton's method.

        Without rows, or where they say nothing, the answer is the geometric mean of the models asked: the
        penalty pulls there, with the force of one row.

        Parameters
        ----------
        inputs : numpy.ndarray, shape (n, k)
            Log-probabilities sell, hold, buy of one model after the other; k is a multiple of 3.
        target : numpy.ndarray of int, shape (n,)
            Class positions 0 to 2.
        row_weights : numpy.ndarray, shape (n,), optional
            Mean 1; equal without it.
        """
        models = inputs.shape[1] // _SIZE
        start = np.hstack([np.tile(np.eye(_SIZE) / models, models), np.zeros((_SIZE, 1))])
        design = np.column_stack([inputs, np.ones(len(inputs))])
        weights = np.ones(len(target)) if row_weights is None else row_weights
        happened = np.eye(_SIZE)[target]
        found = start
        loss = _loss(design, happened, weights, found, start)
        for _ in range(_STEPS):
            step = _newton_step(design, happened, weights, found, start)
            length = 1.0
            while (new_loss := _loss(design, happened, weights, found - length * step, start)) > loss:
                length /= 2.0
                if length < _SETTLED:
                    break
            if new_loss >= loss - _SETTLED * (1.0 + abs(loss)):
                break
            found, loss = found - length * step, new_loss
        else:
            raise DataError(
                f"the logistic regression did not settle within {_STEPS} steps on {len(target)} rows, "
                "expected probabilities that vary; give more data or set ml.model.calibration to none"
            )
        self.weights_, self.intercepts_ = found[:, :-1].copy(), found[:, -1].copy()
        return self

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Return probabilities of shape (n, 3); a row's result does not depend on the other rows."""
        return _softmax(_margins(np.column_stack([inputs, np.ones(len(inputs))]), self._all()))

    def contributions(self, added: FloatArray) -> FloatArray:
        """Carry contributions to the margins of the models asked over to the classes answered.

        A log-probability is a margin less the logarithm of the sum of all exponentiated margins; for the
        latter their mean is taken, its first-order value where the three classes are equally probable. So
        the features' sum is close to the log-odds answered, and not equal to it.

        Parameters
        ----------
        added : numpy.ndarray, shape (n, i, k)
            Of each of the k features to sell, hold, buy of one model after the other; i inputs as in
            :meth:`fit`.

        Returns
        -------
        numpy.ndarray, shape (n, 3, k)
        """
        rows, inputs, features = added.shape
        by_model = added.reshape(rows, inputs // _SIZE, _SIZE, features)
        centred = by_model - by_model.mean(axis=2, keepdims=True)
        return np.einsum("ci,nif->ncf", self.weights_, centred.reshape(added.shape))

    def as_plain(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"weights": self.weights_.tolist(), "intercepts": self.intercepts_.tolist()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Return what :meth:`as_plain` described; raise ValueError, KeyError or TypeError where it cannot."""
        made = cls()
        made.weights_ = np.array(plain["weights"], dtype=np.float64)
        made.intercepts_ = np.array(plain["intercepts"], dtype=np.float64)
        if made.weights_.ndim != 2 or len(made.weights_) != _SIZE or made.intercepts_.shape != (_SIZE,):
            raise ValueError(f"found weights {made.weights_.shape}, expected ({_SIZE}, k)")
        return made

    def _all(self) -> FloatArray:
        return np.column_stack([self.weights_, self.intercepts_])


def _margins(design: FloatArray, coefficients: FloatArray) -> FloatArray:
    # Column by column and not by a matrix product, whose order of sums depends on rows and cores.
    margins = np.zeros((len(design), _SIZE))
    for column, of_classes in zip(design.T, coefficients.T, strict=True):
        margins += column[:, np.newaxis] * of_classes
    return margins


def _softmax(margins: FloatArray) -> FloatArray:
    raised = _one_by_one(math.exp, margins - margins.max(axis=1, keepdims=True))
    return raised / (raised[:, 0] + raised[:, 1] + raised[:, 2])[:, np.newaxis]


def _one_by_one(function: Any, values: FloatArray) -> FloatArray:  # noqa: ANN401 # math.exp or math.log
    # A vectorised exponential may differ in its last bit with the array's length.
    return np.array([function(value) for value in values.ravel().tolist()]).reshape(values.shape)


def _loss(
    design: FloatArray, happened: FloatArray, weights: FloatArray, found: FloatArray, start: FloatArray
) -> float:
    margins = _margins(design, found)
    margins -= margins.max(axis=1, keepdims=True)
    spread = np.log(np.exp(margins).sum(axis=1)) - (margins * happened).sum(axis=1)
    return float((weights * spread).sum() + 0.5 * ((found - start) ** 2).sum())


def _newton_step(
    design: FloatArray, happened: FloatArray, weights: FloatArray, found: FloatArray, start: FloatArray
) -> FloatArray:
    """Return the step in the coefficients, shape (3, k + 1); sums in one order, as in :func:`_margins`."""
    margins = _margins(design, found)
    raised = np.exp(margins - margins.max(axis=1, keepdims=True))
    probabilities = raised / raised.sum(axis=1, keepdims=True)
    slope = np.einsum("nc,ni->ci", weights[:, np.newaxis] * (probabilities - happened), design)
    width = design.shape[1]
    curvature = np.empty((_SIZE, width, _SIZE, width))
    for one in range(_SIZE):
        for other in range(_SIZE):
            share = weights * probabilities[:, one] * ((one == other) - probabilities[:, other])
            curvature[one, :, other, :] = np.einsum("ni,nj->ij", share[:, np.newaxis] * design, design)
    square = curvature.reshape(_SIZE * width, -1) + np.eye(_SIZE * width)
    step = np.linalg.solve(square, (slope + found - start).ravel())
    return np.asarray(step, dtype=np.float64).reshape(_SIZE, width)
