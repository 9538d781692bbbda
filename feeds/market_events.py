"""What a live source of ticks reports, and where it asks for the past."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple, Protocol

import pandas as pd

from feeds.tick_bars import Tick

__all__ = ["EndOfStream", "MarketEvent", "MinuteHistory", "StreamDown", "StreamUp"]


class StreamUp(NamedTuple):
    """The stream is connected and subscribed; ticks follow."""


class StreamDown(NamedTuple):
    """The stream is lost; ticks may have been missed since the last one."""

    reason: str


class EndOfStream(NamedTuple):
    """No tick will follow, for good."""

    reason: str


MarketEvent = Tick | StreamUp | StreamDown | EndOfStream


class MinuteHistory(Protocol):
    """Something that knows the 1-minute bars of the past."""

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        """Return the 1-minute bars that START from ``first`` to ``last``, both included.

        Parameters
        ----------
        first, last : datetime
            Aware.

        Returns
        -------
        pandas.DataFrame
            A bar frame (:mod:`feeds.bars`), Asia/Kolkata; empty when nothing was traded. The minute
            under way may be among the bars.

        Raises
        ------
        BrokerError, DataError
            When it cannot be asked or understood. A failure is never answered with an empty frame.
        """
