"""What a leakage check says of somebody it caught."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

__all__ = ["Finding"]


class Finding(NamedTuple):
    """A leak.

    Attributes
    ----------
    check : str
        The check that found it.
    guilty : str
        The feature, the fitted part, the split or the order that leaks.
    bar : datetime.datetime or None
        START of the first bar on which it shows, aware; None where it is no matter of one bar.
    amount : float
        How far: the largest difference, bars of overlap, or the score that is too good.
    words : str
        What was found and what was expected.
    """

    check: str
    guilty: str
    bar: dt.datetime | None
    amount: float
    words: str

    def line(self) -> str:
        """Return it in one line."""
        place = f" at {self.bar:%Y-%m-%d %H:%M}" if self.bar else ""
        return f"{self.check}: {self.guilty}{place}: {self.words}"
