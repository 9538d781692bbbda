"""Trade the first break out of the session's opening range."""

from __future__ import annotations

from array import array
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt
from pydantic import Field

from strategies.base import Decision, IntradayStrategy, PluginSettings, whole_line

__all__ = ["OpeningRangeBreak", "Strategy"]


class Settings(PluginSettings):
    """Settings of the ``opening_range`` strategy."""

    range_bars: int = Field(10, ge=1, le=125, description="Bars of the session that make the opening range.")


class OpeningRangeBreak(bt.Indicator):
    """+1 on the first close of a session above its opening range, -1 on the first below, else 0.

    Parameters
    ----------
    range_bars : int
        Bars in the opening range.
    """

    lines: ClassVar[Any] = ("side",)
    params: ClassVar[Any] = (("range_bars", 10),)

    def __init__(self) -> None:
        self._day = 0
        self._bars = 0
        self._high = -np.inf
        self._low = np.inf
        self._broken: set[int] = set()

    def _step(self, day: int, high: float, low: float, close: float) -> int:
        if day != self._day:
            self._day, self._bars, self._high, self._low = day, 0, -np.inf, np.inf
            self._broken = set()
        self._bars += 1
        if self._bars <= self.p.range_bars:
            self._high, self._low = max(self._high, high), min(self._low, low)
            return 0
        side = int(close > self._high) - int(close < self._low)
        if side in self._broken:
            return 0
        if side:
            self._broken.add(side)
        return side

    def next(self) -> None:
        """Take in the newest bar."""
        data = self.data
        self.lines.side[0] = self._step(int(data.datetime[0]), data.high[0], data.low[0], data.close[0])

    def oncestart(self, start: int, end: int) -> None:
        """Leave the first bar to ``once``."""

    def once(self, start: int, end: int) -> None:  # backtrader's signature
        """Take in every bar."""
        data = self.data
        bars = zip(data.datetime.array, data.high.array, data.low.array, data.close.array, strict=True)
        self.lines.side.array = array("d", [self._step(int(time), *prices) for time, *prices in bars])


class Strategy(IntradayStrategy):
    """Enter with the first break of the opening range, at most once a side and day."""

    Settings = Settings

    def __init__(self) -> None:
        super().__init__()
        self.broken = OpeningRangeBreak(self.data, range_bars=self.p.plugin.range_bars)  # type: ignore[call-arg] # backtrader's metaclass takes them

    def decide(self) -> Decision | None:
        """Enter in the direction of the break."""
        side = int(self.broken.side[0])
        return Decision(side) if side else None

    def inputs(self) -> dict[str, float]:
        """Name the break."""
        return super().inputs() | {"broken": self.broken.side[0]}

    def entry_bars(self) -> npt.NDArray[np.bool_]:
        """Return the bars with a break."""
        return whole_line(self.broken.lines.side) != 0
