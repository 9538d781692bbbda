"""An entry with the exits that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field

from brokers.order import SimulatedOrder

__all__ = ["RoundTrip"]


@dataclass
class RoundTrip:
    """What the broker keeps of one position from its entry to its last exit.

    Attributes
    ----------
    number : int
        Identifies the round trip in the journal, from 1.
    entry : SimulatedOrder
        The order that opens the position.
    protection : list of SimulatedOrder
        Stop and target: at most one of them ever fills, and together never more than the position.
    net_pnl : float
        Rupees realised so far, charges of entry and exits paid.
    """

    number: int
    entry: SimulatedOrder
    protection: list[SimulatedOrder] = field(default_factory=list)
    net_pnl: float = 0.0
