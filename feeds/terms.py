"""Lot, tick, freeze quantity and margin of the traded contract on a day, by date or as the settings say."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for, margin_percent_of
from feeds.settings import MarketSettings

__all__ = ["ContractTerms", "DatedTerms"]


class ContractTerms(NamedTuple):
    """What the exchange asks of an order on one day.

    Attributes
    ----------
    lot : int
        Units in a lot.
    tick : float
        Smallest price step, index points; 0.0 rounds nothing.
    largest_order : float
        Most units in one order: whole lots within the freeze quantity, ``inf`` where none is known.
    margin_percent : float
        Margin, percent of the position's value.
    """

    lot: int
    tick: float
    largest_order: float
    margin_percent: float


class DatedTerms:
    """The terms of one instrument by day.

    Parameters
    ----------
    market : MarketSettings
        The instrument, and what overrides the dated tables.
    calendar : TradingCalendar
        Sessions, for expiries.
    """

    def __init__(self, market: MarketSettings, calendar: TradingCalendar) -> None:
        self._market = market
        self._calendar = calendar
        self._known: dict[dt.date, ContractTerms] = {}

    def __call__(self, day: dt.date) -> ContractTerms:
        """Return the terms of the near-month contract on ``day``."""
        terms = self._known.get(day)
        if terms is None:
            terms = self._known[day] = self._look_up(day)
        return terms

    def _look_up(self, day: dt.date) -> ContractTerms:
        market = self._market
        fixed = (market.lot_size, market.tick_size, market.margin_percent)
        if "dated" not in fixed:  # an instrument of which the tables know nothing
            lot, tick, freeze, margin = int(fixed[0]), float(fixed[1]), None, float(fixed[2])
        else:
            contract = contract_for(market.instrument, day, self._calendar)
            lot = contract.lot if market.lot_size == "dated" else market.lot_size
            tick = contract.tick if market.tick_size == "dated" else market.tick_size
            freeze = contract.freeze_quantity
            margin = (
                margin_percent_of(market.instrument, day)
                if market.margin_percent == "dated"
                else market.margin_percent
            )
        largest = math.inf if freeze is None else math.floor(freeze / lot) * lot
        return ContractTerms(lot, tick, largest, margin)
