"""The same fills at the charges of another day."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from brokers.charges import OrderCharges, sliced_charges
from brokers.journal import Fill

__all__ = ["at_todays_charges"]


def at_todays_charges(
    fills: Sequence[Fill], plan: OrderCharges, day: dt.date, largest_order: float = math.inf
) -> list[Fill]:
    """Return the fills with every order charged at the rates of one day.

    Parameters
    ----------
    fills : sequence of Fill
        Executions of a run.
    plan : OrderCharges
        The broker's charges.
    day : datetime.date
        Whose rates apply; prices and sizes stay those of the fills.
    largest_order : float
        Units above which an order goes in slices, each charged as an order.

    Returns
    -------
    list of Fill
        In the same order. Brokerage is capped per order, so an order is charged as a whole, at its average
        price, and the amount is shared among its fills by their value.
    """
    orders: dict[int, list[Fill]] = {}
    for fill in fills:
        orders.setdefault(fill.order_id, []).append(fill)
    rupees_per_rupee: dict[int, float] = {}
    for order_id, parts in orders.items():
        size, value = sum(part.size for part in parts), sum(part.size * part.price for part in parts)
        rupees_per_rupee[order_id] = sliced_charges(plan, day, size, value / size, largest_order) / abs(value)
    return [
        fill._replace(charges=rupees_per_rupee[fill.order_id] * abs(fill.size * fill.price)) for fill in fills
    ]
