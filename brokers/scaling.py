"""How a position is divided among its targets, in whole lots."""

from __future__ import annotations

import math
from collections.abc import Sequence

from brokers.order import SimulatedOrder

__all__ = ["resize_group", "target_parts"]

_DUST = 1e-9  # 0.29 of 100 lots is 28.999999999999996 in binary


def target_parts(units: float, fractions: Sequence[float], lot: float) -> list[float]:
    """Return what each target takes of an entry.

    Parameters
    ----------
    units : float
        Units of the entry, unsigned.
    fractions : sequence of float
        Part of each target, the nearest first.
    lot : float
        Units in a lot.

    Returns
    -------
    list of float
        Unsigned units. All but the last are rounded down to lots, which may leave them nothing; the last
        takes the rest.
    """
    parts = [math.floor(units * fraction / lot + _DUST) * lot for fraction in fractions[:-1]]
    return [*parts, units - sum(parts)]


def resize_group(group: Sequence[SimulatedOrder], units: float, lot: float) -> list[SimulatedOrder]:
    """Give an entry and its exits another size before any of them has gone out.

    Parameters
    ----------
    group : sequence of SimulatedOrder
        The entry first. A target's part of it is its ``fraction`` in the order's ``info``, else what its size
        is of the entry's.
    units : float
        Units of the entry, unsigned.
    lot : float
        Units in a lot.

    Returns
    -------
    list of SimulatedOrder
        Targets that are left without a lot; they are not to be sent.
    """
    entry = group[0]
    targets = [order for order in group[1:] if order.exectype == order.Limit]
    fractions = [order.info.get("fraction", order.planned / entry.planned) for order in targets]
    parts = target_parts(units, fractions, lot) if targets else []
    sizes = dict(zip((order.ref for order in targets), parts, strict=True))
    for order in group:
        order.planned = sizes.get(order.ref, units)
        order.resize(math.copysign(order.planned, order.size))
    return [order for order in targets if not order.planned]
