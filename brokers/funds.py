"""The money of an account that futures can be traded with."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Funds"]


class Funds(NamedTuple):
    """Rupees of the segment that futures belong to.

    Attributes
    ----------
    available : float
        For new positions. The broker's own figure: its documented parts do not always add up to it.
    used : float
        Blocked by positions and orders.
    """

    available: float
    used: float
