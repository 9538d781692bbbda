"""The sandbox's account: positions by contract and product, cash, charges and margin."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from brokers.charges import ChargePlan
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.instruments import SandboxInstrument
from brokers.sandbox.order import Order

__all__ = ["Account", "OpenUnits", "Position"]


class OpenUnits(NamedTuple):
    """What an order may still add: unsigned ``units`` on one ``side`` (+1 or -1)."""

    token: int
    product: str
    side: int
    units: int


class Position:
    """Units of one contract held under one product.

    Attributes
    ----------
    quantity : int
        Signed units.
    average_price : float
        Of the open units, index points; 0.0 when flat.
    realised : float
        Rupees of the closed units, without charges.
    bought, sold : int
        Units of the day.
    bought_value, sold_value : float
        Rupees of the day.
    """

    def __init__(self, instrument: SandboxInstrument, product: str) -> None:
        self.instrument, self.product = instrument, product
        self.quantity = self.bought = self.sold = 0
        self.average_price = self.realised = 0.0
        self.bought_value = self.sold_value = 0.0

    def book(self, units: int, price: float) -> None:
        """Apply an execution of signed ``units`` at ``price``."""
        if units > 0:
            self.bought += units
            self.bought_value += units * price
        else:
            self.sold -= units
            self.sold_value -= units * price
        before = self.quantity
        closed = min(abs(units), abs(before)) if before * units < 0 else 0
        self.realised += math.copysign(closed, before) * (price - self.average_price)
        self.quantity += units
        if self.quantity == 0:
            self.average_price = 0.0
        elif before * self.quantity <= 0:  # opened or turned around
            self.average_price = price
        elif not closed:
            self.average_price = (abs(before) * self.average_price + abs(units) * price) / abs(self.quantity)

    def move_to(self, other: Position, units: int) -> None:
        """Give ``units`` (unsigned) of the open quantity to another product, at their average price."""
        signed, price = math.copysign(units, self.quantity), self.average_price
        for position, change in ((self, -int(signed)), (other, int(signed))):
            if signed > 0:
                position.bought += change
                position.bought_value += change * price
            else:
                position.sold -= change
                position.sold_value -= change * price
        was = other.quantity
        closed = min(units, abs(was)) if was * signed < 0 else 0
        other.realised += math.copysign(closed, was) * (price - other.average_price)
        if was * signed >= 0:
            other.average_price = (abs(was) * other.average_price + units * price) / (abs(was) + units)
        elif units > abs(was):
            other.average_price = price
        other.quantity += int(signed)
        if other.quantity == 0:
            other.average_price = 0.0
        self.quantity -= int(signed)
        if self.quantity == 0:
            self.average_price = 0.0

    def unrealised(self, last_price: float) -> float:
        """Return the profit of the open units at ``last_price``, rupees."""
        return self.quantity * (last_price - self.average_price)


class Account:
    """One client's money and positions.

    Parameters
    ----------
    cash : float
        Rupees at the start of the day.
    margin_percent : float
        Margin of a future, percent of its value.
    charges : ChargePlan
        What an executed order costs.
    day : datetime.date
        Trading day, for the charges.

    Attributes
    ----------
    positions : dict of (int, str) to Position
        By token and product, flat ones of the day included, in the order they were first traded.
    """

    def __init__(self, *, cash: float, margin_percent: float, charges: ChargePlan, day: dt.date) -> None:
        self.cash = cash
        self.margin_fraction = margin_percent / 100.0
        self.positions: dict[tuple[int, str], Position] = {}
        self._plan, self._day = charges, day
        self._charges: dict[str, float] = {}

    @property
    def charges(self) -> float:
        """Rupees of all orders executed so far; brokerage counts by order, not by fill."""
        return math.fsum(self._charges.values())

    @property
    def realised(self) -> float:
        """Rupees of all closed units, before charges."""
        return math.fsum(position.realised for position in self.positions.values())

    def unrealised(self, prices: Mapping[int, float]) -> float:
        """Return the open profit at the last prices (by token), rupees."""
        return math.fsum(
            position.unrealised(prices[token]) for (token, _), position in self.positions.items()
        )

    def position(self, instrument: SandboxInstrument, product: str) -> Position:
        """Return the position, made flat if there was none."""
        key = (instrument.token, product)
        if key not in self.positions:
            self.positions[key] = Position(instrument, product)
        return self.positions[key]

    def book(self, order: Order, units: int, price: float) -> None:
        """Book one fill; ``order.filled`` and its value hold it already. Unsigned units, index points."""
        self.position(order.instrument, order.product).book(order.side * units, price)
        average = order.filled_value / order.filled
        self._charges[order.order_id] = self._plan.order_charges(
            self._day, order.side * order.filled, average
        )

    def blocked(
        self, waiting: Iterable[OpenUnits], prices: Mapping[int, float], *, with_positions: bool = True
    ) -> float:
        """Return the margin of positions and open orders, rupees.

        By contract and product the worse case counts: all open buys filled, or all open sells. An order that
        only reduces a position blocks nothing. Without ``with_positions`` the orders stand alone.
        """
        buys: dict[tuple[int, str], int] = {}
        sells: dict[tuple[int, str], int] = {}
        for units in waiting:
            side = buys if units.side > 0 else sells
            key = (units.token, units.product)
            side[key] = side.get(key, 0) + units.units
        total = 0.0
        positions = self.positions if with_positions else {}
        # In a fixed order: a sum of floats must not depend on the hashes of text.
        for key in sorted({*positions, *buys, *sells}):
            held = positions[key].quantity if key in positions else 0
            most = max(held + buys.get(key, 0), sells.get(key, 0) - held)
            total += most * prices[key[0]] * self.margin_fraction
        return total

    def debits(self, waiting: Iterable[OpenUnits], prices: Mapping[int, float]) -> float:
        """Return what is taken off the cash: margin, losses, less realised profit, and charges; rupees.

        An open loss counts, an open profit does not.
        """
        return (
            self.blocked(waiting, prices) - self.realised - min(0.0, self.unrealised(prices)) + self.charges
        )

    def convert(
        self, instrument: SandboxInstrument, side: int, units: int, old_product: str, new_product: str
    ) -> None:
        """Move ``units`` of an open position to another product.

        Raises
        ------
        ExchangeError
            If not so many are open on that side.
        """
        position = self.positions.get((instrument.token, old_product))
        if position is None or old_product == new_product or not 0 < units <= position.quantity * side:
            raise input_error("Invalid conversion: the position to convert does not exist in this quantity.")
        position.move_to(self.position(instrument, new_product), units)
