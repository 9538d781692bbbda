"""Indicators that compute a whole history in one pass, or one bar, through the same functions."""

from __future__ import annotations

from array import array
from typing import Any, ClassVar

import backtrader as bt
import numpy as np
import numpy.typing as npt
import pandas as pd

from ml.features import average_true_range
from ml.rolling import wilder_weights

__all__ = ["AverageTrueRange", "Prediction", "bars_of"]

_TIME_ZONE = "Asia/Kolkata"


def bars_of(data: Any, size: int) -> pd.DataFrame:  # noqa: ANN401 # a backtrader feed
    """Return the last ``size`` delivered bars of a feed as a bar frame, stored ones when none was delivered.

    Parameters
    ----------
    data : feeds.history.HistoryFeed or a feed with the same ``opened``
        The feed.
    size : int
        Bars, at most what the feed holds.
    """
    lines = {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume",
             "open_interest": "openinterest"}  # fmt: skip
    end = len(data) or data.buflen()
    columns = {
        name: np.array(getattr(data.lines, line).array[end - size : end], dtype=np.float64)
        for name, line in lines.items()
    }
    columns["complete"] = np.array(data.lines.complete.array[end - size : end], dtype=np.float64) != 0
    opened = data.opened(end - size, end)
    index = pd.DatetimeIndex(opened.astype("datetime64[us]"), name="datetime").tz_localize(_TIME_ZONE)
    return pd.DataFrame(columns, index=index)


class _WholeHistory(bt.Indicator):
    """An indicator whose ``once`` fills every line from one array computation."""

    def oncestart(self, start: int, end: int) -> None:
        """Leave the first bar to ``once``."""

    def _fill(self, values: npt.NDArray[np.float64]) -> None:
        for line, column in zip(self.lines, values.T, strict=True):
            line.array = array("d", np.ascontiguousarray(column).tobytes())


class AverageTrueRange(_WholeHistory):
    """Wilder's average true range in index points, NaN during its warm-up.

    Parameters
    ----------
    period : int
        Bars.
    """

    lines: ClassVar[Any] = ("atr",)
    params: ClassVar[Any] = (("period", 14),)

    def once(self, start: int, end: int) -> None:  # backtrader's signature
        """Compute every bar in one pass."""
        high, low, close = (
            np.array(line.array, dtype=np.float64)
            for line in (self.data.high, self.data.low, self.data.close)
        )
        self._fill(average_true_range(high, low, close, self.p.period).reshape(-1, 1))

    def next(self) -> None:
        """Compute the newest bar from the trailing window."""
        # One bar more than the window: the first true range needs the close before it
        size = min(len(self.data), len(wilder_weights(self.p.period)) + 1)
        high, low, close = (
            np.array(line.get(size=size), dtype=np.float64)
            for line in (self.data.high, self.data.low, self.data.close)
        )
        self.lines.atr[0] = average_true_range(high, low, close, self.p.period)[-1]


class Prediction(_WholeHistory):
    """Class probabilities of the model that was valid at each bar, NaN where there is none.

    Parameters
    ----------
    predictor : ml.predict.Predictor
        Features and models.
    """

    lines: ClassVar[Any] = ("sell", "hold", "buy")
    params: ClassVar[Any] = (("predictor", None),)

    def once(self, start: int, end: int) -> None:  # backtrader's signature
        """Predict every bar in one pass."""
        self._fill(self.p.predictor.predict_frame(bars_of(self.data, self.data.buflen())))

    def next(self) -> None:
        """Predict the newest bar from the trailing window."""
        predictor = self.p.predictor
        size = min(len(self.data), predictor.warmup_bars)
        probabilities = predictor.predict_last(bars_of(self.data, size))
        for line, value in zip(self.lines, probabilities, strict=True):
            line[0] = value
