"""The same fills at the charges of another day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from brokers.journal import Fill

__all__ = ["ChargesOfADay", "at_todays_charges"]


class ChargesOfADay(Protocol):
    """What is needed of a plan of charges (see :mod:`brokers.charges`)."""

    def order_charges(self, day: dt.date, size: float, price: float) -> float:
        """Return the rupees that one executed order costs on a day; size in units, signed."""
        ...


def at_todays_charges(fills: Sequence[Fill], plan: ChargesOfADay, day: dt.date) -> list[Fill]:
    """Return the fills with every order charged at the rates of one day.

    Parameters
    ----------
    fills : sequence of Fill
        Executions of a run.
    plan : ChargesOfADay
        The broker's charges.
    day : datetime.date
        Whose rates apply; prices and sizes stay those of the fills.

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
        rupees_per_rupee[order_id] = plan.order_charges(day, size, value / size) / abs(value)
    return [
        fill._replace(charges=rupees_per_rupee[fill.order_id] * abs(fill.size * fill.price)) for fill in fills
    ]
