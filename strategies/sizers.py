"""How many units an entry buys or sells."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Protocol

from brokers.charges import ChargePlan
from feeds.terms import ContractTerms

__all__ = ["FixedSizer", "LotSizer", "RiskSizer", "Sizer"]


class Sizer(Protocol):
    """Anything that can size an entry."""

    def units(self, *, day: int, price: float, stop_points: float, cash: float) -> float:
        """Return unsigned units, a multiple of the lot; 0 when not even one lot is affordable.

        Parameters
        ----------
        day : int
            Proleptic Gregorian ordinal of the trading day.
        price : float
            Last price, index points.
        stop_points : float
            Distance to the stop, index points.
        cash : float
            Rupees of realised cash.
        """
        ...


class FixedSizer:
    """Always the same number of units.

    Parameters
    ----------
    fixed_units : int
        Units of every entry; the risk gate refuses what is not a multiple of the lot.
    """

    def __init__(self, fixed_units: int) -> None:
        self._fixed_units = fixed_units

    def units(
        self, *, day: int, price: float, stop_points: float, cash: float
    ) -> float:  # the Sizer signature
        """Return the fixed units."""
        return self._fixed_units


class LotSizer:
    """Always the same number of lots, of the day's size.

    Parameters
    ----------
    lots : int
        Lots of every entry.
    terms : callable
        ``terms(day)`` gives the contract's lot.
    """

    def __init__(self, lots: int, terms: Callable[[dt.date], ContractTerms]) -> None:
        self._lots = lots
        self._terms = terms

    def units(
        self, *, day: int, price: float, stop_points: float, cash: float
    ) -> float:  # the Sizer signature
        """Return the lots in units of the day's contract."""
        return self._lots * self._terms(dt.date.fromordinal(day)).lot


class RiskSizer:
    """Units that lose a given part of the cash when the stop is hit, charges included.

    ``units = risk / (stop_points + round-trip charges per unit)``, rounded down to lots, and never more
    than the margin allows.

    Parameters
    ----------
    risk_percent : float
        Percent of the cash put at risk in a trade.
    margin_percent_of_cash : float
        Most of the cash that the position's margin may bind, percent.
    charges : ChargePlan
        The plan that also books the fills.
    terms : callable
        ``terms(day)`` gives the contract's lot and margin.
    """

    def __init__(
        self,
        *,
        risk_percent: float,
        margin_percent_of_cash: float,
        charges: ChargePlan,
        terms: Callable[[dt.date], ContractTerms],
    ) -> None:
        self._risk_fraction = risk_percent / 100
        self._margin_fraction = margin_percent_of_cash / 100
        self._charges = charges
        self._terms = terms

    def units(self, *, day: int, price: float, stop_points: float, cash: float) -> float:
        """Return unsigned units, a multiple of the day's lot."""
        date = dt.date.fromordinal(day)
        terms = self._terms(date)
        lot = terms.lot
        round_trip = self._charges.order_charges(date, lot, price) + self._charges.order_charges(
            date, -lot, price
        )
        by_risk = cash * self._risk_fraction / (stop_points + round_trip / lot)
        by_margin = cash * self._margin_fraction / (price * terms.margin_percent / 100)
        return max(0, math.floor(min(by_risk, by_margin) / lot) * lot)
