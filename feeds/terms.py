"""Lot, tick, freeze quantity and margin of the traded contract on a day, by date or as the settings say."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for, margin_percent_of
from feeds.errors import SettingsError
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
        lot, tick, freeze, margin = (
            market.lot_size, market.tick_size, market.freeze_quantity, market.margin_percent,
        )  # fmt: skip
        if lot == "dated" or tick == "dated" or freeze == "dated":
            # Looked up only then: where all are given, the tables may know nothing of the instrument.
            contract = contract_for(market.instrument, day, self._calendar)
            lot = contract.lot if lot == "dated" else lot
            tick = contract.tick if tick == "dated" else tick
            freeze = contract.freeze_quantity or 0 if freeze == "dated" else freeze
        if 0 < freeze < lot:
            raise SettingsError(
                f"market.freeze_quantity: found {freeze} units on {day}, expected at least the lot of {lot}; "
                "give that much, or 0 for no limit"
            )
        if margin == "dated":
            margin = margin_percent_of(market.instrument, day)
        largest = freeze // lot * lot if freeze else math.inf
        return ContractTerms(lot, float(tick), float(largest), float(margin))
