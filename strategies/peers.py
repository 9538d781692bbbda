"""Bars of another instrument, as a strategy may look at them: those that have closed, and no other."""

from __future__ import annotations

import datetime as dt
from typing import Any

from feeds.errors import MuhuratError

__all__ = ["PeerBars", "PeerLine"]


class PeerLine:
    """One column of another instrument's bars: ``[0]`` the last that has closed, ``[-1]`` the one before it.

    Parameters
    ----------
    data : feeds.history.HistoryFeed or feeds.live.LiveFeed
        The instrument's feed.
    name : str
        Its line.
    """

    def __init__(self, data: Any, name: str) -> None:  # noqa: ANN401 # a backtrader feed
        self._data = data
        self._name = name

    def __getitem__(self, ago: int) -> float:
        """Return a value.

        Raises
        ------
        MuhuratError
            It has not closed yet, or lies before the first bar: a history knows both, a live day neither.
        """
        bars = len(self._data)
        if not -bars < ago <= 0:
            raise MuhuratError(
                f"{self._data._name}.{self._name}[{ago}] of {bars} bars that have closed, expected "
                f"{f'{1 - bars} to 0' if bars else 'a look at len() first'}"
            )
        return float(getattr(self._data.lines, self._name)[ago])


class PeerBars:
    """The bars of another instrument that have closed by now.

    Parameters
    ----------
    data : feeds.history.HistoryFeed or feeds.live.LiveFeed
        The instrument's feed.

    Attributes
    ----------
    open, high, low, close, volume : PeerLine
        Index points and units.
    """

    def __init__(self, data: Any) -> None:  # noqa: ANN401 # a backtrader feed
        self._data = data
        self.open, self.high, self.low, self.close, self.volume = (
            PeerLine(data, name) for name in ("open", "high", "low", "close", "volume")
        )

    def __len__(self) -> int:
        """Return how many have closed; 0 before the first."""
        return len(self._data)

    def closed_at(self) -> dt.datetime:
        """Return the CLOSE of the last one, naive exchange wall clock; a missing bar leaves it behind."""
        if not len(self._data):
            raise MuhuratError(f"no bar of {self._data._name} has closed yet, expected a look at len() first")
        closed: dt.datetime = self._data.closed_at()
        return closed
