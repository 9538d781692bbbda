"""The models that several arms on one account ask, each its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from ml.predict import Predictor

__all__ = ["AnyPredictor", "ArmPredictors"]


class ArmPredictors:
    """A predictor for each arm that asks a model.

    Parameters
    ----------
    by_arm : mapping of str to Predictor
        By the arm's name; arms that ask none are left out.
    judges_from : datetime.datetime
        START of the first bar that none of the models has seen, aware: no arm trades before it, so that all
        are judged on the same bars.

    Attributes
    ----------
    warmup_bars : int
        Bars, the judged one included, that the most demanding of them needs.
    """

    def __init__(self, by_arm: Mapping[str, Predictor], judges_from: dt.datetime) -> None:
        self.by_arm = dict(by_arm)
        self.judges_from = judges_from
        self.warmup_bars = max(predictor.warmup_bars for predictor in by_arm.values())


AnyPredictor = Predictor | ArmPredictors
"""What a strategy asks: a model, or the models of its arms."""
