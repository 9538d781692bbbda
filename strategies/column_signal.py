"""Trade a signal that was computed elsewhere: bring your own ``signal`` and, if you like, ``atr`` column."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from feeds.errors import DataError
from strategies.base import Decision, IntradayStrategy, whole_line

__all__ = ["Strategy"]


class Strategy(IntradayStrategy):
    """Enter long where the data's ``signal`` column is above zero, short where it is below.

    Stops, targets and sizes use the ``atr`` column where the data have one, else an ATR of their own.

    Raises
    ------
    DataError
        The data have no ``signal`` column.
    """

    def __init__(self) -> None:
        names = self.data.getlinealiases()
        if "signal" not in names:
            raise DataError(
                f"strategy column_signal: the data have the columns {', '.join(names)}, expected also "
                "'signal' (+1 buy, -1 sell, 0 nothing); add the column or choose another --strategy"
            )
        super().__init__()

    def make_atr(self) -> Any:  # noqa: ANN401 # a backtrader line
        """Return the data's own ``atr`` line, or compute one."""
        return self.data.lines.atr if "atr" in self.data.getlinealiases() else super().make_atr()

    def decide(self) -> Decision | None:
        """Enter in the direction of the signal."""
        signal = self.data.signal[0]
        if signal > 0:
            return Decision(1)
        return Decision(-1) if signal < 0 else None

    def inputs(self) -> dict[str, float]:
        """Name the signal."""
        return super().inputs() | {"signal": self.data.signal[0]}

    def entry_bars(self) -> npt.NDArray[np.bool_]:
        """Return the bars with a signal."""
        signal = whole_line(self.data.lines.signal)
        return (signal > 0) | (signal < 0)
