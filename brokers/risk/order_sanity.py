"""Deny orders that cannot be meant: a stop on the wrong side, broken lots, prices off the tick."""

from __future__ import annotations

import datetime as dt
import math

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["OrderSanity"]


class OrderSanity:
    """Checks of size and prices before anything leaves.

    * the size is a finite number of whole lots, not 0;
    * the size is at most the freeze quantity times the slices an order may be cut into;
    * the last price is finite and above 0;
    * stop and target, where given, lie above 0 and on their side of the last price (a stop below it for a
      long), are multiples of the tick, and the stop is not further away than a limit.

    Parameters
    ----------
    max_order_slices : int
        Orders of the freeze quantity that one entry may need.
    max_stop_distance_percent : float
        Percent of the price between the last price and the stop.
    """

    name = "order_sanity"

    def __init__(self, max_order_slices: int, max_stop_distance_percent: float) -> None:
        self._max_slices = max_order_slices
        self._max_distance_percent = max_stop_distance_percent

    def describe(self) -> str:
        """Return the limits in words."""
        return (
            f"order sanity: whole lots, at most {self._max_slices} orders of the freeze quantity, prices on "
            f"the tick, stop and target on their side, stop within {self._max_distance_percent:g} %"
        )

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny with the first thing that is wrong."""
        del state
        reason = self._size_fault(request) or self._price_fault(request)
        return Verdict("deny", 0.0, self.name, reason) if reason else ALLOWED

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return nothing: there is no limit to use up, only orders that are right or wrong."""
        del state, now
        return LimitUse()

    def _size_fault(self, request: EntryRequest) -> str:
        size, lot = abs(request.size), request.lot
        if not 0.0 < size < math.inf or not lot > 0 or size % lot:
            return f"{request.size:g} units, expected a multiple of the lot of {lot} and not 0"
        if size > request.largest_order * self._max_slices:
            return (
                f"{size:g} units, the most are {self._max_slices} orders of {request.largest_order:g} "
                "(freeze quantity)"
            )
        return ""

    def _price_fault(self, request: EntryRequest) -> str:
        price, stop, target = request.price, request.stop_price, request.target_price
        if not 0.0 < price < math.inf:
            return f"the last price is {price}, expected above 0"
        side = 1.0 if request.size > 0.0 else -1.0
        if stop is not None:
            distance = (price - stop) * side
            if not 0.0 < distance < math.inf or stop <= 0.0:
                where = "below" if side > 0.0 else "above"
                return f"the stop is {stop:g} with the price at {price:g}, expected above 0 and {where} it"
            if distance > price * self._max_distance_percent / 100.0:
                return (
                    f"the stop is {distance / price * 100.0:.3f} % away, the most are "
                    f"{self._max_distance_percent:g} %"
                )
            if _off_tick(stop, request.tick):
                return f"the stop is {stop:g}, expected a multiple of the tick of {request.tick:g}"
        if target is not None:
            if not 0.0 < (target - price) * side < math.inf or target <= 0.0:
                where = "above" if side > 0.0 else "below"
                return (
                    f"the target is {target:g} with the price at {price:g}, expected above 0 and {where} it"
                )
            if _off_tick(target, request.tick):
                return f"the target is {target:g}, expected a multiple of the tick of {request.tick:g}"
        return ""


def _off_tick(price: float, tick: float) -> bool:
    """Whether a price is no multiple of the tick; a millionth of a tick is binary dust."""
    if not tick:
        return False
    ticks = price / tick
    return abs(ticks - round(ticks)) > 1e-6
