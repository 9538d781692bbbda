"""What an executed order costs: brokerage, taxes and fees, by date and side.

One function serves sizing, fills and reports. The rates are data (:mod:`brokers.charge_table`); nothing
is rounded here. Brokers round the STT to the rupee on each day's contract note, which an order cannot know;
the difference is at most half a rupee a day and left out.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple, Protocol

from brokers.charge_table import ChargeTable, Rates
from feeds.errors import DataError, SettingsError

__all__ = [
    "ChargeBreakdown",
    "ChargePlan",
    "DatedCharges",
    "OrderCharges",
    "PercentCharges",
    "UpstoxCharges",
    "ZerodhaCharges",
    "latest_date",
    "sliced_charges",
]


class ChargeBreakdown(NamedTuple):
    """The parts of one executed order's charges, rupees, none negative.

    Attributes
    ----------
    brokerage : float
        The broker's own fee, capped per order.
    stt : float
        Securities transaction tax; on futures the seller pays it.
    exchange, ipft, sebi : float
        Exchange transaction charge, investor protection fund trust, SEBI turnover fee.
    stamp : float
        Stamp duty; since 2020-07-01 the buyer pays it.
    gst : float
        Service tax until 2017-06-30, goods and services tax since.
    """

    brokerage: float
    stt: float
    exchange: float
    ipft: float
    sebi: float
    stamp: float
    gst: float

    @property
    def total(self) -> float:
        """Sum of the parts, rupees."""
        brokerage, stt, exchange, ipft, sebi, stamp, gst = self
        return brokerage + stt + exchange + ipft + sebi + stamp + gst


class OrderCharges(Protocol):
    """What an executed order costs."""

    def order_charges(self, day: dt.date, size: float, price: float) -> float:
        """Return the charges of one executed order.

        Parameters
        ----------
        day : datetime.date
            Trading day (a date, not a datetime).
        size : float
            Units executed, positive bought, negative sold.
        price : float
            Average price of the execution, index points.

        Returns
        -------
        float
            Rupees, never negative. Bit for bit ``breakdown(day, size, price).total``.
        """
        ...


class ChargePlan(OrderCharges, Protocol):
    """Who charges what, by component."""

    def breakdown(self, day: dt.date, size: float, price: float) -> ChargeBreakdown:
        """Return the same charges by component."""
        ...


def sliced_charges(
    plan: OrderCharges, day: dt.date, size: float, price: float, largest_order: float
) -> float:
    """Return the charges of an order that goes to the exchange in slices, each an order of its own.

    Parameters
    ----------
    plan : OrderCharges
        What an order costs.
    day : datetime.date
        Trading day.
    size : float
        Units executed in all, positive bought, negative sold.
    price : float
        Average price, index points.
    largest_order : float
        Most units in a slice, above 0; ``inf`` where the exchange sets no limit.

    Returns
    -------
    float
        Rupees, never negative.
    """
    left, charges = abs(size), 0.0
    while left > 0:
        units = min(left, largest_order)
        charges += plan.order_charges(day, math.copysign(units, size), price)
        left -= units
    return charges


def latest_date() -> dt.date:
    """Return the newest date in the shipped table: a plan asked for it answers with today's charges."""
    return ChargeTable().latest_date


class DatedCharges:
    """Charges of a broker by the dated table.

    Parameters
    ----------
    broker : str
        Prefix of the broker's brokerage rows in the table.
    table : ChargeTable or None
        None for the shipped one.
    """

    def __init__(self, broker: str, table: ChargeTable | None = None) -> None:
        self.broker = broker
        self._table = table if table is not None else ChargeTable()
        self._rates: dict[dt.date, Rates] = {}
        self._table.first_date(broker)  # a broker without rows is refused now, not at the first fill

    def order_charges(self, day: dt.date, size: float, price: float) -> float:
        """Return the charges of one executed order, rupees; see :class:`ChargePlan`."""
        brokerage, stt, exchange, ipft, sebi, stamp, gst = self._parts(day, size, price)
        return brokerage + stt + exchange + ipft + sebi + stamp + gst

    def breakdown(self, day: dt.date, size: float, price: float) -> ChargeBreakdown:
        """Return the charges of one executed order by component, rupees."""
        return ChargeBreakdown._make(self._parts(day, size, price))

    def _parts(
        self, day: dt.date, size: float, price: float
    ) -> tuple[float, float, float, float, float, float, float]:
        rates = self._rates.get(day)
        if rates is None:
            rates = self._rates[day] = self._table.rates_on(day, self.broker)
        (
            brokerage_rate, brokerage_cap, stt_buy, stt_sell, stamp_buy, stamp_sell,
            exchange_rate, ipft_rate, sebi_rate, gst_rate, gst_on_ipft, gst_on_sebi,
        ) = rates  # fmt: skip
        turnover = _turnover(size, price)
        bought = size > 0.0
        brokerage = min(turnover * brokerage_rate, brokerage_cap)
        exchange = turnover * exchange_rate
        ipft = turnover * ipft_rate
        sebi = turnover * sebi_rate
        return (
            brokerage,
            turnover * (stt_buy if bought else stt_sell),
            exchange,
            ipft,
            sebi,
            turnover * (stamp_buy if bought else stamp_sell),
            gst_rate * (brokerage + exchange + sebi * gst_on_sebi + ipft * gst_on_ipft),
        )


class ZerodhaCharges(DatedCharges):
    """Zerodha on NSE index futures: 0.03 % and at most 20 rupees an order, plus what everybody pays."""

    def __init__(self, table: ChargeTable | None = None) -> None:
        super().__init__("zerodha", table)


class UpstoxCharges(DatedCharges):
    """Upstox on NSE index futures: 0.05 % and at most 20 rupees an order, plus what everybody pays."""

    def __init__(self, table: ChargeTable | None = None) -> None:
        super().__init__("upstox", table)


class PercentCharges:
    """A plain percentage of the turnover on each side and on every day, booked as brokerage.

    Parameters
    ----------
    percent : float
        Percent of the order's value, e.g. 0.02.
    """

    def __init__(self, percent: float) -> None:
        if not 0.0 <= percent < math.inf:
            msg = f"broker.charges.percent is {percent}, expected 0 or more"
            raise SettingsError(msg)
        self._fraction = percent / 100.0

    def order_charges(self, day: dt.date, size: float, price: float) -> float:
        """Return ``|size| × price × percent / 100``, rupees."""
        del day
        return _turnover(size, price) * self._fraction

    def breakdown(self, day: dt.date, size: float, price: float) -> ChargeBreakdown:
        """Return the same as brokerage, all other parts 0.0."""
        return ChargeBreakdown(self.order_charges(day, size, price), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _turnover(size: float, price: float) -> float:
    """Value of an order in rupees; refuses what would make a charge negative or NaN."""
    turnover = abs(size) * price
    if not 0.0 <= turnover < math.inf:
        msg = f"charges of {size} units at {price}: expected a finite size and a price of 0 or more"
        raise DataError(msg)
    return turnover
