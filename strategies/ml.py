"""Trade the model's class probabilities."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from feeds.clock import IST
from feeds.errors import SettingsError
from ml.thresholds import Thresholds
from strategies.base import Decision, IntradayStrategy, PluginSettings, whole_line
from strategies.indicators import Prediction, bars_of

__all__ = ["Strategy"]

_SECONDS_PER_DAY = 86_400


class Settings(PluginSettings):
    """Settings of the ``ml`` strategy."""

    buy_probability: float = Field(0.5, gt=0, lt=1, description="Enter long when P(buy) is at least this.")
    sell_probability: float = Field(0.5, gt=0, lt=1, description="Enter short when P(sell) is at least this.")
    thresholds: Literal["fixed", "trained"] = Field(
        "fixed", description="fixed: the two above; trained: those chosen in the model's training window."
    )


class Strategy(IntradayStrategy):
    """Enter when the probability of a class passes its threshold; the likelier side where both do."""

    Settings = Settings
    needs_model = True

    def __init__(self) -> None:
        super().__init__()
        self.prediction = Prediction(self.data, predictor=self.p.predictor)
        if self.p.plugin.thresholds == "trained" and not self.p.predictor.has_thresholds:
            raise SettingsError(
                "strategy ml has thresholds: trained, and the model was stored without any; train it with "
                "ml.thresholds.kind: expected_net, or set strategy.parameters.thresholds to fixed"
            )

    def decide(self) -> Decision | None:
        """Compare the probabilities of the current bar with their thresholds."""
        least = self._thresholds()
        buy, sell = self.prediction.buy[0], self.prediction.sell[0]
        may_buy, may_sell = buy >= least.buy, sell >= least.sell
        if not may_buy and not may_sell:  # NaN, where there is no model, compares false
            return None
        side, probability = (1, buy) if may_buy and (not may_sell or buy >= sell) else (-1, sell)
        return Decision(side, probability, self._model_age_days())

    def inputs(self) -> dict[str, float]:
        """Name the class probabilities and every feature the model saw."""
        predictor = self.p.predictor
        row = predictor.features.compute_last(bars_of(self.data, min(len(self.data), predictor.warmup_bars)))
        prediction = self.prediction
        return (
            super().inputs()
            | {"p_sell": prediction.sell[0], "p_hold": prediction.hold[0], "p_buy": prediction.buy[0]}
            | dict(zip(predictor.features.names, row.tolist(), strict=True))
        )

    def _thresholds(self) -> Thresholds:
        """Return those of the current bar; before a model is valid any will do, as nothing is predicted."""
        settings: Settings = self.p.plugin
        fixed = Thresholds(settings.buy_probability, settings.sell_probability)
        if settings.thresholds == "fixed":
            return fixed
        return self.p.predictor.thresholds_at(self.data.opened_at().replace(tzinfo=IST)) or fixed

    def _model_age_days(self) -> float:
        """Return the days from the newest bar the model knows to the current bar."""
        opened = self.data.opened_at().replace(tzinfo=IST)
        trained_until = self.p.predictor.model_trained_until(opened)
        return (opened - trained_until).total_seconds() / _SECONDS_PER_DAY

    def entry_bars(self) -> npt.NDArray[np.bool_]:
        """Return the bars on which a probability passes its threshold."""
        settings: Settings = self.p.plugin
        buy, sell = whole_line(self.prediction.lines.buy), whole_line(self.prediction.lines.sell)
        if settings.thresholds == "fixed":
            return (buy >= settings.buy_probability) | (sell >= settings.sell_probability)
        least = self.p.predictor.thresholds_frame(bars_of(self.data, self.data.buflen()))
        return (buy >= least[:, 0]) | (sell >= least[:, 1])
