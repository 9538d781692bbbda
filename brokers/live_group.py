"""An entry and its protection as a strategy of the live broker sees them, and the trip they became."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import backtrader as bt

from brokers.desk.facts import Intent, Target
from brokers.desk.state import DeskOrder, Trip
from brokers.order import SimulatedOrder
from brokers.wire import OrderKind

__all__ = ["LiveGroup", "restore_group"]

_ENTRY_KINDS: dict[int, OrderKind] = {
    bt.Order.Market: "market", bt.Order.Limit: "limit", bt.Order.StopLimit: "stop_limit",
}  # fmt: skip
_EXECUTION_TYPES = {kind: execution for execution, kind in _ENTRY_KINDS.items()}


class LiveGroup:
    """One entry, its stop, and its targets.

    Parameters
    ----------
    orders : sequence of SimulatedOrder
        The entry first.
    trip : int
        Number of the trip it is to become, or is.

    Attributes
    ----------
    entry : SimulatedOrder
        The entry.
    trip : int
        As given.
    stop, targets
        The stop, None where there is not exactly one, and the targets, nearest first.
    """

    def __init__(self, orders: Sequence[SimulatedOrder], trip: int) -> None:
        self.entry = orders[0]
        self.trip = trip
        exits = orders[1:]
        stops = [order for order in exits if order.exectype == order.Stop]
        self.stop = stops[0] if len(stops) == 1 else None
        side = 1 if self.entry.size > 0 else -1
        limits = (order for order in exits if order.exectype == order.Limit)
        self.targets = sorted(limits, key=lambda order: side * order.created.price)

    @property
    def orders(self) -> list[SimulatedOrder]:
        """All of them, the entry first."""
        return [self.entry, *([] if self.stop is None else [self.stop]), *self.targets]

    @property
    def stop_price(self) -> float:
        """Trigger of its stop, index points; NaN where it has none."""
        return math.nan if self.stop is None else float(self.stop.created.price)

    @property
    def is_known(self) -> bool:
        """Whether the desk has written down that it was decided."""
        return bool(self.entry.round_trip)

    def problem(self) -> str:
        """Return in words what keeps it from going live; empty where nothing does."""
        if self.entry.exectype not in _ENTRY_KINDS:
            return f"an entry goes live as a market, limit or stop-limit order, found {self.entry.kind}"
        if self.stop is None or not self.targets:
            stops, targets = int(self.stop is not None), len(self.targets)
            return f"an entry goes live with one stop and at least one target, found {stops} and {targets}"
        taken = sum(abs(order.size) for order in self.targets)
        if taken != abs(self.entry.size) or abs(self.stop.size) != taken:
            return (
                f"targets over {taken:g} and a stop over {abs(self.stop.size):g} units, expected both to be "
                f"the entry's {abs(self.entry.size):g}"
            )
        return ""

    @property
    def kind(self) -> OrderKind:
        """How it enters."""
        return _ENTRY_KINDS[self.entry.exectype]

    def desk_targets(self) -> tuple[Target, ...]:
        """Return its targets as the desk has them; none where there is only one."""
        if len(self.targets) == 1:
            return ()
        return tuple(Target(int(abs(order.size)), order.created.price) for order in self.targets)

    def order_of(self, intent: Intent) -> SimulatedOrder | None:
        """Return the order that executions of an intent belong to; None for an exit that none of them is."""
        if intent.role == "entry":
            return self.entry
        if intent.role == "stop":
            return self.stop
        if intent.role == "target" and self.targets:
            return self.targets[(intent.level or len(self.targets)) - 1]
        return None


def restore_group(trip: Trip, data: Any, first_ref: int) -> LiveGroup:  # noqa: ANN401 # a backtrader feed
    """Make the orders of a trip once more, as they stand, for a strategy that was started anew.

    Parameters
    ----------
    trip : Trip
        Held, or its entry still works.
    data
        The feed it is traded on.
    first_ref : int
        Number of the entry; the others follow.
    """
    decided = trip.decided
    refs = itertools.count(first_ref)
    entry = _order(next(refs), data, trip, None, "entry", decided.size, decided.price)
    _show_fills(entry, trip.entries)
    if all(order.over for order in trip.entries):
        entry.status = entry.Canceled if entry.executed.remsize else entry.Completed
    stop = _order(next(refs), data, trip, entry, "stop", -trip.position, trip.stop_price)
    _show_fills(stop, [order for order in trip.exits if order.intent.role == "stop"])
    stop.resize(stop.executed.size - trip.position)
    targets = []
    for level, target in enumerate(trip.targets, start=1):
        order = _order(next(refs), data, trip, entry, "target", -trip.side * target.units, target.price)
        levels = (0, level) if len(trip.targets) == 1 else (level,)
        _show_fills(
            order, [one for one in trip.exits if one.intent.role == "target" and one.intent.level in levels]
        )
        targets.append(order)
    to_leave = -trip.position - sum(order.executed.remsize for order in targets[:-1])
    targets[-1].resize(targets[-1].executed.size + to_leave)
    return LiveGroup([entry, stop, *targets], trip.number)


def _order(
    ref: int,
    data: Any,  # noqa: ANN401 # a backtrader feed
    trip: Trip,
    entry: SimulatedOrder | None,
    role: str,
    size: int,
    price: float,
) -> SimulatedOrder:
    decided = trip.decided
    kinds = {"entry": _EXECUTION_TYPES[decided.kind], "stop": bt.Order.Stop, "target": bt.Order.Limit}
    # An order reads the last price and time off its feed, and these are those of its own bar
    then = SimpleNamespace(
        lines=SimpleNamespace(close=[decided.price], datetime=[bt.date2num(decided.signal_time)])
    )
    order = SimulatedOrder(
        ref=ref, owner=None, data=then, size=size, price=price,
        plimit=decided.limit if role == "entry" and decided.limit else None,
        exectype=kinds[role], tradeid=0, parent=entry, transmit=True,
        info={
            "role": role, "arm": decided.arm, "probability": decided.probability,
            "volatility": decided.volatility or None,
        },
    )  # fmt: skip
    order.data, order.round_trip, order.status = data, trip.number, order.Accepted
    return order


def _show_fills(order: SimulatedOrder, sent: Sequence[DeskOrder]) -> None:
    """Note on a strategy's order what was filled of those that stood for it."""
    trades = [trade for one in sent for trade in one.trades.values()]
    units = sum(size for size, _, _ in trades)
    if not units:
        return
    order.executed.size, order.executed.remsize = units, order.size - units
    order.executed.price = sum(size * price for size, price, _ in trades) / units
    order.charged = sum(charges for _, _, charges in trades)
    order.status = order.Partial if order.executed.remsize else order.Completed
