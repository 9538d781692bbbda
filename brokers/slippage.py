"""What a market or stop order loses against the price it saw: slippage models and latency.

Every model answers in index points, never negative; the simulated broker adds the points to what is bought
and takes them from what is sold. Limit orders are never slipped. The result may lie beyond the bar's range: a
bar of one-lot prints does not show what a larger order would have paid.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

from feeds.errors import DataError, SettingsError

__all__ = [
    "FillContext",
    "LatencyModel",
    "NoSlippage",
    "PercentSlippage",
    "SlippageModel",
    "SquareRootImpact",
    "TickSlippage",
    "VolatilitySlippage",
]


class FillContext(NamedTuple):
    """What a slippage model may look at.

    Attributes
    ----------
    price : float
        Price the order would get without slippage, index points.
    size : float
        Units, positive bought, negative sold.
    bar_high, bar_low : float
        Range of the bar in which the order fills, index points.
    bar_volume : float
        Units traded in that bar.
    recent_range : float
        Mean high − low of the 14 bars before it (of fewer where there are not as many), index points; NaN
        on the first bar of a run and for models whose ``needs_recent_range`` is False.
    tick : float
        Price step of the contract, index points; 0.0 where prices are not rounded.
    """

    price: float
    size: float
    bar_high: float
    bar_low: float
    bar_volume: float
    recent_range: float
    tick: float


class SlippageModel(Protocol):
    """A rule for how much worse than its reference price a market or stop order fills.

    Attributes
    ----------
    needs_recent_range : bool
        False lets the broker leave ``FillContext.recent_range`` at NaN and save its upkeep.
    """

    needs_recent_range: bool

    def adverse_points(self, context: FillContext) -> float:
        """Return how many index points the fill is worse, never negative."""
        ...


class NoSlippage:
    """Fill at the reference price."""

    needs_recent_range = False

    def adverse_points(self, context: FillContext) -> float:
        """Return 0.0."""
        del context
        return 0.0


class PercentSlippage:
    """A fixed part of the price.

    Parameters
    ----------
    percent : float
        Percent of the price, e.g. 0.02 for 2 basis points a side.
    """

    needs_recent_range = False

    def __init__(self, percent: float) -> None:
        self._fraction = _non_negative(percent, "percent") / 100.0

    def adverse_points(self, context: FillContext) -> float:
        """Return ``price × percent / 100``."""
        return context.price * self._fraction


class TickSlippage:
    """A fixed number of price steps.

    Parameters
    ----------
    ticks : float
        Price steps a side. The step is the contract's on that day, so one tick is 0.05 points on NIFTY
        futures until 2025-04-14 and 0.10 points at an index level of 15,000 to 30,000 since.
    """

    needs_recent_range = False

    def __init__(self, ticks: float) -> None:
        self._ticks = _non_negative(ticks, "ticks")

    def adverse_points(self, context: FillContext) -> float:
        """Return ``ticks × tick``."""
        if self._ticks and not context.tick > 0.0:
            msg = (
                f"slippage in ticks: the tick size is {context.tick}, expected above 0; set market.tick_size "
                "or choose another broker.slippage.model"
            )
            raise SettingsError(msg)
        return self._ticks * context.tick


class VolatilitySlippage:
    """A fixed part of the recent range: dear when the market runs, cheap when it sleeps.

    Parameters
    ----------
    fraction : float
        Part of the mean bar range of the 14 bars before (0.1 = a tenth).
    """

    needs_recent_range = True

    def __init__(self, fraction: float) -> None:
        self._fraction = _non_negative(fraction, "fraction")

    def adverse_points(self, context: FillContext) -> float:
        """Return ``fraction × recent range``."""
        return self._fraction * _range(context)


class SquareRootImpact:
    """Impact that grows with the square root of the share of the bar's volume taken.

    ``coefficient × recent range × sqrt(min(1, |size| / bar volume))``: the square-root law of market impact
    (Almgren et al. 2005; Tóth et al. 2011) with the bar range as the measure of volatility. The law is
    observed for shares up to some ten percent; an order larger than the bar's volume is charged as the
    whole bar.

    Parameters
    ----------
    coefficient : float
        Dimensionless, of the order of one when the range is measured over the time of execution.
    """

    needs_recent_range = True

    def __init__(self, coefficient: float) -> None:
        self._coefficient = _non_negative(coefficient, "coefficient")

    def adverse_points(self, context: FillContext) -> float:
        """Return ``coefficient × recent range × sqrt(share of volume)``."""
        size = abs(context.size)
        # Where nobody traded the order is the whole bar; this also keeps a zero volume out of the division
        share = size / context.bar_volume if context.bar_volume > size else 1.0
        return self._coefficient * _range(context) * math.sqrt(share)


class LatencyModel:
    """The move between a market order's decision and its arrival, charged as if always adverse.

    For a Brownian price ``E|ΔP| = σ sqrt(2 L / π)`` over a latency ``L`` and
    ``E[high − low] = σ sqrt(8 T / π)`` over a bar ``T`` (Feller 1951), hence
    ``E|ΔP| = ½ (high − low) sqrt(L / T)``. A real move goes either way; taking its size as a cost each time
    is the cautious reading, for orders that chase.

    Parameters
    ----------
    latency_ms : float
        From decision to the exchange, milliseconds.
    """

    def __init__(self, latency_ms: float) -> None:
        self._latency_seconds = _non_negative(latency_ms, "latency_ms") / 1000.0

    def adverse_points(self, bar_high: float, bar_low: float, bar_seconds: float) -> float:
        """Return how much worse a market order fills, never negative.

        Parameters
        ----------
        bar_high, bar_low : float
            Range of the bar in which the order fills, index points.
        bar_seconds : float
            Length of that bar, above 0.
        """
        return 0.5 * (bar_high - bar_low) * math.sqrt(self._latency_seconds / bar_seconds)


def _range(context: FillContext) -> float:
    """Recent range; on the first bar of a run, where there is none, the bar's own."""
    recent = context.recent_range
    if recent >= 0.0:
        return recent
    if not math.isnan(recent):
        msg = f"slippage: the recent range is {recent} points, expected 0 or more; check the highs and lows"
        raise DataError(msg)
    return context.bar_high - context.bar_low


def _non_negative(value: float, name: str) -> float:
    """Refuse a parameter that would turn a cost into a gift."""
    if not 0.0 <= value < math.inf:
        msg = f"slippage: {name} is {value}, expected a number of 0 or more"
        raise SettingsError(msg)
    return float(value)
