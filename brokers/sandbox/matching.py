"""When an order fills, at which price and how much of it. Pure, one rule per function.

``side`` is +1 for a buy and -1 for a sell throughout; prices are index points.
"""

from __future__ import annotations

import math
import random

__all__ = [
    "automatic_band_percent",
    "executed_units",
    "fill_price",
    "is_on_tick",
    "is_reached",
    "is_triggered",
    "protected_limit",
    "to_tick",
]

_TOLERANCE = 1e-6  # of a tick: forms carry decimal text, prices are binary


def is_reached(side: int, limit: float, price: float) -> bool:
    """Whether a print at ``price`` is at or through the limit."""
    return price <= limit if side > 0 else price >= limit


def is_triggered(side: int, trigger: float, price: float) -> bool:
    """Whether a print at ``price`` is at or through the trigger of a stop."""
    return price >= trigger if side > 0 else price <= trigger


def fill_price(limit: float, price: float, *, is_aggressive: bool) -> float:
    """Return what a reached order pays.

    An order that came to a market already at its limit or better takes the print's price; one that was
    resting is hit at its own.
    """
    return price if is_aggressive else limit


def automatic_band_percent(price: float) -> float:
    """Return the market protection that ``-1`` stands for on futures, percent of the price."""
    if price < 100.0:
        return 2.0
    return 1.0 if price <= 500.0 else 0.5


def protected_limit(side: int, price: float, percent: float, tick: float) -> float:
    """Return the limit of a protected market order: ``percent`` beyond ``price``, on the tick."""
    ticks = price * (1.0 + side * percent / 100.0) / tick
    whole = math.floor(ticks + _TOLERANCE) if side > 0 else math.ceil(ticks - _TOLERANCE)
    return round(whole * tick, 2)


def is_on_tick(price: float, tick: float) -> bool:
    """Whether a price is a multiple of the tick."""
    ticks = price / tick
    return abs(ticks - round(ticks)) < _TOLERANCE


def to_tick(price: float, tick: float) -> float:
    """Return the multiple of the tick next to a price."""
    return round(round(price / tick) * tick, 2)


def executed_units(units: int, lot: int, probability: float, draw: random.Random) -> int:
    """Return how many of ``units`` one execution takes: with ``probability`` only some of several lots."""
    lots = units // lot
    if lots < 2 or draw.random() >= probability:
        return units
    return draw.randint(1, lots - 1) * lot
