"""Market protection: how a market order becomes the limit order that the exchange sees."""

from __future__ import annotations

from brokers.sandbox.matching import automatic_band_percent, protected_limit
from brokers.sandbox.rules import AUTOMATIC_PROTECTION, OrderTerms

__all__ = ["protected"]


def protected(
    terms: OrderTerms, side: int, base: float, tick: float, circuit: tuple[float, float]
) -> tuple[OrderTerms, list[str]]:
    """Return the terms as the exchange works them, and the tags that tell of it.

    Parameters
    ----------
    terms : OrderTerms
        What was asked for; anything without protection comes back as it is.
    side : int
        +1 or -1.
    base : float
        Last price, or the trigger of a stop that waits, index points.
    tick : float
        Price step, index points.
    circuit : tuple of float
        Lower and upper limit of the day, index points; the order's limit stays inside.

    Returns
    -------
    tuple of OrderTerms and list of str
        MARKET becomes LIMIT and SL-M becomes SL, with a price and without protection, as the real book shows
        them. The tags are empty where nothing changed.
    """
    percent = terms.protection
    if percent == 0.0:
        return terms, []
    if percent == AUTOMATIC_PROTECTION:
        percent = automatic_band_percent(base)
    limit = protected_limit(side, base, percent, tick)
    lower, upper = circuit
    if upper:
        limit = min(max(limit, lower), upper)
    order_type = "LIMIT" if terms.order_type == "MARKET" else "SL"
    changed = terms._replace(order_type=order_type, price=limit, protection=0.0)
    return changed, ["mktp", f"mktp:{percent:.2f}"]
