"""How many bars of the past a live day begins with."""

from __future__ import annotations

from ml.rolling import wilder_weights
from strategies.arm_predictors import AnyPredictor
from strategies.settings import Settings

__all__ = ["live_warmup_bars"]

_LEAST_BARS = 400


def live_warmup_bars(settings: Settings, predictor: AnyPredictor | None) -> int:
    """Return how many bars must lie before a session so that its first bar can be traded.

    Parameters
    ----------
    settings : Settings
        The strategy's ATR decides.
    predictor : Predictor, ArmPredictors or None
        Of the strategies that ask a model.

    Returns
    -------
    int
        At least 400: enough for the averages of the shipped strategies at their defaults.
    """
    # The first true range needs the close before it, and the first feature the bar before that
    average_true_range = len(wilder_weights(settings.strategy.atr_period_bars)) + 1
    model = 0 if predictor is None else predictor.warmup_bars + 1
    return max(_LEAST_BARS, average_true_range, model)
