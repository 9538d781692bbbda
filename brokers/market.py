"""One feed as the simulated broker sees it: its lines, its working orders and its position."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
from backtrader.position import Position

from brokers.matching import first_bar_reaching
from brokers.order import SimulatedOrder
from brokers.round_trip import RoundTrip
from feeds.errors import BrokerError

__all__ = ["Market"]

_RECENT_BARS = 14


class Market:
    """Lines, orders and position of one feed.

    Parameters
    ----------
    data : feeds.history.HistoryFeed or a feed with the same ``opened_at`` and ``closed_at``
        The bars.

    Attributes
    ----------
    working : list of SimulatedOrder
        Orders that may still fill, in the order of arrival.
    trip : RoundTrip or None
        The entry that is working or open.
    units_taken : float
        Units of the current bar's volume that our own orders took.
    moment : datetime.datetime or None
        Set while something happens between two bars: the time of it, naive exchange wall clock.
    """

    def __init__(self, data: Any) -> None:  # noqa: ANN401 # a backtrader feed, untyped
        lines = data.lines
        self.data = data
        self.name: str = data._name
        self.datetime = lines.datetime
        self.open, self.high, self.low, self.close = lines.open, lines.high, lines.low, lines.close
        self.volume = lines.volume
        self.opened_at = data.opened_at
        self._closed_at = (-1, dt.datetime.min)  # noqa: DTZ901 # the exchange's wall clock is kept naive
        self.position = Position()
        self.working: list[SimulatedOrder] = []
        self.trip: RoundTrip | None = None
        self.units_taken = 0.0
        self.moment: dt.datetime | None = None
        self._bars_seen = 0

    @property
    def open_trip(self) -> RoundTrip:
        """The round trip that is working or open, where there must be one.

        Raises
        ------
        BrokerError
            There is none: the broker's books contradict each other.
        """
        if self.trip is None:
            raise BrokerError(
                f"{self.name}: {self.position.size:g} units are held, but no entry is on the books; "
                "this is a bug, please report it"
            )
        return self.trip

    def has_new_bar(self) -> bool:
        """Return whether a bar has come since this was last asked; other feeds have bars of their own."""
        bars = self.datetime.lencount
        is_new: bool = bars != self._bars_seen
        self._bars_seen = bars
        return is_new

    @property
    def bar(self) -> int:
        """Number of the current bar, from 0."""
        return self.datetime.lencount - 1

    def closed_at(self) -> dt.datetime:
        """Return the CLOSE of the current bar, or the moment after it; naive exchange wall clock."""
        if self.moment is not None:
            return self.moment
        bar = self.datetime.lencount
        if bar != self._closed_at[0]:
            self._closed_at = (bar, self.data.closed_at())
        return self._closed_at[1]

    @property
    def day(self) -> dt.date:
        """Trading day of the current bar."""
        return dt.date.fromordinal(int(self.datetime[0]))

    def book(self, order: SimulatedOrder, units: float, price: float, charges: float, time: float) -> float:
        """Apply an execution to the position, the round trip and the order.

        Parameters
        ----------
        order : SimulatedOrder
            What fills.
        units, price, charges : float
            Signed units, index points, rupees.
        time : float
            Backtrader's day number of the execution.

        Returns
        -------
        float
            Rupees that it adds to the cash.
        """
        position, trip = self.position, self.open_trip
        before = position.price
        size, average, opened, closed = position.update(units, price)
        profit = -closed * (price - before) if closed else 0.0
        trip.net_pnl += profit - charges
        order.execute(
            time, units, price,
            closed, abs(closed) * before, charges if closed else 0.0,
            opened, abs(opened) * price, 0.0 if closed else charges,
            0.0, profit, size, average,
        )  # fmt: skip
        return profit - charges

    def recent_range(self) -> float:
        """Mean of high minus low over the bars before this one, index points; NaN on the first bar."""
        bars = min(_RECENT_BARS, self.bar)
        if not bars:
            return math.nan
        return math.fsum(self.high[-ago] - self.low[-ago] for ago in range(1, bars + 1)) / bars

    def next_active_bar(self, bar: int) -> int:
        """Return the first bar after ``bar`` that can fill or end a working order, or the number of bars."""
        columns = self.data.p.columns
        if not self.working:
            return len(columns["low"])
        low_level, high_level = -math.inf, math.inf
        for order in self.working:
            if order.exectype == order.Market or (order.triggered and order.plimit is None):
                return bar + 1
            if order.waits_for_limit == (order.size > 0):
                low_level = max(low_level, order.waits_at)
            else:
                high_level = min(high_level, order.waits_at)
        low: np.ndarray[Any, np.dtype[np.float64]] = columns["low"]
        reached = first_bar_reaching(low, columns["high"], bar + 1, low_level, high_level)
        if self.trip is not None and self.trip.entry.alive():  # it ends with its day
            return min(reached, int(np.searchsorted(columns["datetime"], int(self.datetime[0]) + 1)))
        return reached
