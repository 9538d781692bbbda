"""An entry with its protection, as the risk gate is asked about it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from brokers.market import Market
from brokers.order import SimulatedOrder
from brokers.risk.rule import EntryRequest
from feeds.terms import ContractTerms

__all__ = ["make_entry_request"]


def make_entry_request(market: Market, group: Sequence[SimulatedOrder], terms: ContractTerms) -> EntryRequest:
    """Describe an entry.

    Parameters
    ----------
    market : Market
        On the bar of the decision.
    group : sequence of SimulatedOrder
        The entry first, its stop and target behind it. What only the strategy knows (``volatility``,
        ``bar_complete``, ``data_age_seconds``, ``model_age_days``) stands in the entry's ``info``.
    terms : ContractTerms
        Of that day.
    """
    entry = group[0]
    info = entry.info
    prices = {order.exectype: order.created.price for order in group[1:]}
    price = entry.created.price
    return EntryRequest(
        time=market.closed_at(),
        instrument=market.name,
        size=entry.size,
        price=price,
        stop_price=prices.get(entry.Stop),
        target_price=prices.get(entry.Limit),
        lot=terms.lot,
        margin_per_unit=price * terms.margin_percent / 100,
        volatility=info.get("volatility", math.nan),
        bar_complete=info.get("bar_complete", True),
        data_age_seconds=info.get("data_age_seconds", 0.0),
        model_age_days=info.get("model_age_days", math.nan),
        tick=terms.tick,
        largest_order=terms.largest_order,
    )
