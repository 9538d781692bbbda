"""What a simulated execution takes from the bar and what it costs."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

from brokers.charges import ChargePlan, sliced_charges
from brokers.market import Market
from brokers.order import SimulatedOrder
from brokers.participation import VolumeParticipation
from brokers.slippage import FillContext, LatencyModel, SlippageModel
from feeds.terms import ContractTerms

__all__ = ["ExecutionModel"]

_NAN = float("nan")


class ExecutionModel:
    """Volume, price and charges of a fill.

    Parameters
    ----------
    charges : ChargePlan
        Brokerage, taxes and fees of an executed order.
    slippage : SlippageModel
        How much worse than the reference price market and stop orders fill.
    latency : LatencyModel
        The expected adverse move until a market order reaches the exchange.
    participation : VolumeParticipation
        How much of a bar's volume an order may take.
    terms : callable
        ``terms(day)`` gives lot, tick, freeze quantity and margin of that day.
    bar_seconds : float
        Length of a bar.
    """

    def __init__(
        self,
        *,
        charges: ChargePlan,
        slippage: SlippageModel,
        latency: LatencyModel,
        participation: VolumeParticipation,
        terms: Callable[[dt.date], ContractTerms],
        bar_seconds: float,
    ) -> None:
        self.terms = terms
        self._charges = charges
        self._slippage = slippage
        self._latency = latency
        self._participation = participation
        self._bar_seconds = bar_seconds

    def units(self, market: Market, wanted: float) -> float:
        """Return how many of the ``wanted`` units (unsigned) the bar's volume still has for us."""
        if not self._participation.limited:
            return wanted
        lot = self.terms(market.day).lot
        taken = market.units_taken
        return max(0.0, self._participation.fillable(wanted + taken, market.volume[0], lot) - taken)

    def price(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, *, at_open: bool
    ) -> float:
        """Return the fill price: ``reference``, worsened for all but limit orders.

        Parameters
        ----------
        market : Market
            On the bar of the fill.
        order : SimulatedOrder
            What fills.
        units : float
            Units that fill, signed.
        reference : float
            Price without slippage and latency, index points.
        at_open : bool
            Whether the order fills at the bar's open; only then does latency matter.
        """
        if order.exectype in (order.Limit, order.StopLimit):
            return reference
        high, low = market.high[0], market.low[0]
        points = self._slippage.adverse_points(
            FillContext(
                price=reference,
                size=units,
                bar_high=high,
                bar_low=low,
                bar_volume=market.volume[0],
                recent_range=market.recent_range() if self._slippage.needs_recent_range else _NAN,
                tick=self.terms(market.day).tick,
            )
        )
        if at_open and order.exectype == order.Market:
            points += self._latency.adverse_points(high, low, self._bar_seconds)
        return reference + math.copysign(points, units)

    def charges(self, market: Market, order: SimulatedOrder, units: float, price: float) -> float:
        """Return what a fill adds to its order's charges, rupees, and book it on the order.

        Charges belong to the order as a whole, because brokerage is capped per order; an order above the
        freeze quantity goes to the exchange in slices, each an order of its own.
        """
        executed = order.executed
        filled = abs(executed.size)
        total = filled + abs(units)
        average = (filled * executed.price + abs(units) * price) / total
        largest = self.terms(market.day).largest_order
        due = sliced_charges(self._charges, market.day, math.copysign(total, units), average, largest)
        charges = max(0.0, due - order.charged)
        order.charged += charges
        return charges
