"""Finer bars that settle whether a stop or a target was reached first inside one bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FinerBars"]


class FinerBars:
    """Highs and lows of the finer bars that make up each bar of a run.

    Parameters
    ----------
    high, low : numpy.ndarray, shape (m,)
        Highs and lows of the finer bars, in order.
    first : numpy.ndarray of int, shape (n + 1,)
        ``first[i]:first[i + 1]`` are the finer bars of bar ``i``.
    """

    def __init__(
        self,
        high: npt.NDArray[np.float64],
        low: npt.NDArray[np.float64],
        first: npt.NDArray[np.int64],
    ) -> None:
        self._high = high
        self._low = low
        self._first = first

    def target_comes_first(self, bar: int, *, is_long: bool, stop: float, target: float) -> bool:
        """Whether the target is reached in an earlier finer bar than the stop.

        When both are reached within the same finer bar the stop comes first.
        """
        span = slice(self._first[bar], self._first[bar + 1])
        high, low = self._high[span], self._low[span]
        stopped = low <= stop if is_long else high >= stop
        reached = high >= target if is_long else low <= target
        if not reached.any():
            return False
        return not stopped.any() or int(reached.argmax()) < int(stopped.argmax())
