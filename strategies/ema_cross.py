"""Trade the crossing of two exponential moving averages."""

from __future__ import annotations

import backtrader as bt
import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from strategies.base import Decision, IntradayStrategy, PluginSettings, whole_line

__all__ = ["Strategy"]


class Settings(PluginSettings):
    """Settings of the ``ema_cross`` strategy."""

    fast_bars: int = Field(5, ge=1, le=500, description="Period of the fast average, bars.")
    slow_bars: int = Field(10, ge=2, le=1000, description="Period of the slow average, bars.")

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Settings:
        if self.fast_bars >= self.slow_bars:
            raise ValueError(f"fast_bars {self.fast_bars} is not below slow_bars {self.slow_bars}")
        return self


class Strategy(IntradayStrategy):
    """Enter with the fast average when it crosses the slow one; leave when it crosses back."""

    Settings = Settings

    def __init__(self) -> None:
        super().__init__()
        settings: Settings = self.p.plugin
        self.fast = bt.indicators.EMA(self.data.close, period=settings.fast_bars)
        self.slow = bt.indicators.EMA(self.data.close, period=settings.slow_bars)

    def _crossed(self) -> int:
        """Return +1 where the fast average has just risen above the slow one, -1 where it fell below."""
        now = self.fast[0] - self.slow[0]
        before = self.fast[-1] - self.slow[-1]
        return int(before <= 0 < now) - int(before >= 0 > now)

    def decide(self) -> Decision | None:
        """Enter in the direction of the crossing."""
        crossed = self._crossed()
        return Decision(crossed) if crossed else None

    def wants_exit(self) -> bool:
        """Leave on a crossing against the position."""
        return self._crossed() * self.broker.getposition(self.data).size < 0

    def inputs(self) -> dict[str, float]:
        """Name the averages of this bar and of the one before."""
        averages = {"fast": self.fast[0], "slow": self.slow[0], "fast_before": self.fast[-1],
                    "slow_before": self.slow[-1]}  # fmt: skip
        return super().inputs() | averages

    def entry_bars(self) -> npt.NDArray[np.bool_]:
        """Return the bars with a crossing."""
        difference = whole_line(self.fast) - whole_line(self.slow)
        before, now = difference[:-1], difference[1:]
        return np.append(False, ((before <= 0) & (now > 0)) | ((before >= 0) & (now < 0)))

    def exit_bars(self) -> npt.NDArray[np.bool_]:
        """Return the same bars; the direction is known only when one is visited."""
        return self.entry_bars()
