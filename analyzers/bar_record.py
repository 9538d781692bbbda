"""What a strategy saw and answered on one bar: the unit in which two runs of one day are compared."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

__all__ = ["BarRecord"]


class BarRecord(NamedTuple):
    """One bar, seen by the strategy.

    Attributes
    ----------
    start : datetime.datetime
        START of the bar, naive exchange wall clock.
    position : float
        Units held when it was asked, signed.
    working : bool
        Whether an order of its own was still on its way: an entry, or an exit at market.
    asked : bool
        Whether the strategy was asked for an entry.
    side : int
        The entry decided, +1 or -1; 0 for none.
    probability : float
        The model's probability of that side, NaN without a model.
    units : float
        Units of the entry that was handed to the broker, unsigned; 0 where none was.
    leaves : str
        Why the position was left on this bar (``signal``, ``square_off``), empty where it was not.
    inputs : dict of str to float
        What the decision rests on, by name.
    arm : str
        Which of several arms on one account decided the entry; empty where there are none, and in a record
        that was read from a file.
    """

    start: dt.datetime
    position: float
    working: bool
    asked: bool
    side: int
    probability: float
    units: float
    leaves: str
    inputs: dict[str, float]
    arm: str = ""
