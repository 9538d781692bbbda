"""What other threads may know of the desk: what is open, in words, and which prices matter. Pure."""

from __future__ import annotations

from typing import NamedTuple

from brokers.desk.state import DeskState, Trip

__all__ = ["ONE_POSITION", "DeskContract", "WatchedPrices", "describe_open", "prices_to_watch"]

ONE_POSITION = "one position at a time"
"""How the reason begins that is none for concern."""


class DeskContract(NamedTuple):
    """The contract: prices stand on ``tick`` points, one order has at most ``largest_order`` units."""

    symbol: str
    product: str
    tick: float
    largest_order: float

    def on_tick(self, price: float) -> float:
        """Return the price on the tick nearest to it."""
        return round(round(price / self.tick) * self.tick, 10) if self.tick else price


class WatchedPrices(NamedTuple):
    """Stop and next target (index points) of the trip that is held, and its side (+1, -1).

    ``stop_is_set`` says that the exchange has the stop at that price.
    """

    trip: int
    side: int
    stop: float
    target: float
    stop_is_set: bool = True


def prices_to_watch(state: DeskState, contract: DeskContract) -> WatchedPrices | None:
    """Return what to watch for; None while nothing is held, or it is being left."""
    trip = next(iter(state.active_trips), None)
    if trip is None or not trip.position or trip.exit_reason:
        return None
    stop = contract.on_tick(trip.stop_price)
    target = contract.on_tick(trip.targets[min(trip.levels, len(trip.targets) - 1)].price)
    return WatchedPrices(trip.number, trip.side, stop, target, trip.stop_is_set)


def describe_open(state: DeskState, contract: DeskContract) -> str:
    """Return what is held and what works at the exchange, in words; empty when nothing does."""
    lines = [_describe(trip, contract) for trip in state.active_trips]
    return "; ".join(line for line in lines if line)


def _describe(trip: Trip, contract: DeskContract) -> str:
    stops = [
        f"stop order {order.order_id or order.tag} over {order.exposure} at {order.price:g}"
        for order in trip.exits
        if order.intent.kind == "stop" and order.exposure
    ]
    others = [
        f"{order.intent.role} order {order.order_id or order.tag} over {order.exposure} units"
        for order in trip.orders
        if order.intent.kind != "stop" and order.exposure
    ]
    if not trip.position and not others:
        return ""
    protection = ", ".join([*stops, *others]) or "NO order protects it"
    return f"{trip.position:+d} {contract.symbol} {contract.product}: {protection}"
