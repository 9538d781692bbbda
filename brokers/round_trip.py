"""An entry with the exits that belong to it."""

from __future__ import annotations

from collections.abc import Iterator
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
        Stop and targets: together they never fill more than the position.
    net_pnl : float
        Rupees realised so far, charges of entry and exits paid.
    """

    number: int
    entry: SimulatedOrder
    protection: list[SimulatedOrder] = field(default_factory=list)
    net_pnl: float = 0.0

    @property
    def targets(self) -> list[SimulatedOrder]:
        """The limit orders that came with the entry, the nearest first."""
        side = 1 if self.entry.size > 0 else -1
        found = (
            order for order in self.protection if order.exectype == order.Limit and order.parent is self.entry
        )
        return sorted(found, key=lambda order: side * order.created.price)

    def shares(self, position: float) -> Iterator[tuple[SimulatedOrder, float]]:
        """Yield every exit with the units, signed, that it has yet to take.

        The stop takes all of the position. So does a single target; of several the nearest take what they
        were planned for while it lasts, and the last one the rest.

        Parameters
        ----------
        position : float
            Units held, signed.
        """
        targets = self.targets
        left = position
        side = 1 if position > 0 else -1
        for target in targets[:-1]:
            units = side * min(abs(left), target.planned - abs(target.executed.size))
            left -= units
            yield target, -units
        for order in self.protection:
            if order not in targets:
                yield order, -position
        if targets:
            yield targets[-1], -left
