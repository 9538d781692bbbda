"""What has to be done now: a pure function of what is known.

The same function is asked after every event and after every restart; a crash loses nothing but time. It keeps
four promises by construction:

* an entry is sent when it is decided and at no other time: nothing here places entries;
* exits that may fill never add up to more than the position: what is missing is computed after subtracting
  every exit that might still fill, those with an unknown outcome included;
* a position that is to be held has protection for exactly its units;
* no position, no resting order.

Protection is given up before an exit is sent (cancel, confirm, then leave), because an exchange without
reduce-only orders would fill both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from brokers.desk.state import DeskOrder, DeskState, Trip
from brokers.wire import OrderKind

__all__ = ["Action", "Cancel", "Close", "Place", "WantExit", "plan", "slices"]


class Place(NamedTuple):
    """Send an exit: ``size`` in signed units, ``price`` 0.0 for a market order."""

    trip: int
    role: str
    size: int
    kind: OrderKind
    price: float


class Cancel(NamedTuple):
    """Take an order back."""

    tag: str


class WantExit(NamedTuple):
    """Leave the position for a reason that the orders themselves gave."""

    trip: int
    reason: str
    detail: str


class Close(NamedTuple):
    """The trip is over."""

    trip: int


Action = Place | Cancel | WantExit | Close

_CANCELLABLE = ("open", "waiting")


def plan(
    state: DeskState, *, impatient: Collection[str] = (), blocked: Collection[str] = (), largest_order: float
) -> list[Action]:
    """Return what to do, in this order; empty where there is nothing to do but wait.

    Parameters
    ----------
    state : DeskState
        What is known.
    impatient : collection of str
        Tags of orders that have rested for longer than they may.
    blocked : collection of str
        Tags whose cancel was refused a moment ago, to be left alone for now.
    largest_order : float
        Units above which an order goes in slices.
    """
    actions: list[Action] = []
    for trip in state.active_trips:
        actions.extend(_plan_trip(trip, impatient, blocked, largest_order))
    return actions


def _plan_trip(
    trip: Trip, impatient: Collection[str], blocked: Collection[str], largest_order: float
) -> Iterator[Action]:
    if trip.settled:
        yield Close(trip.number)
        return
    failed = _failed_protection(trip, impatient)
    if failed:
        yield WantExit(trip.number, "stop", failed)
        return
    leaving = bool(trip.exit_reason) or trip.closed  # closed: a lost order that filled after all
    left = any(order.filled for order in trip.exits)
    for order in trip.entries:
        if leaving or left or order.tag in impatient:
            yield from _cancel(order, blocked)
    held = trip.position
    if not held:
        for order in trip.exits:
            yield from _cancel(order, blocked)
        return
    if held * trip.side < 0:  # more left than was held: a late order filled after all
        leaving = True
    yield from _protect_or_leave(trip, held, leaving, impatient, blocked, largest_order)


def _protect_or_leave(
    trip: Trip,
    held: int,
    leaving: bool,
    impatient: Collection[str],
    blocked: Collection[str],
    largest_order: float,
) -> Iterator[Action]:
    closing = [order for order in trip.orders if order.intent.size * held < 0 and order.exposure]
    for order in closing:
        if order.intent.kind == "stop":
            if leaving:
                yield from _cancel(order, blocked)
        elif order.tag in impatient:
            yield from _cancel(order, blocked)
    missing = abs(held) - sum(order.exposure for order in closing)
    if missing < 0:  # an exit too many; the newest goes first
        yield from _cancel(closing[-1], blocked)
    if missing <= 0:
        return
    kind, price, role = _way_out(trip, leaving)
    for units in slices(-missing if held > 0 else missing, largest_order):
        yield Place(trip.number, role, units, kind, price)


def slices(size: int, largest: float) -> list[int]:
    """Cut an order (signed units) so that no part is above the freeze quantity."""
    sign = 1 if size > 0 else -1
    rest, parts = abs(size), []
    while rest:
        part = int(min(rest, largest))
        parts.append(sign * part)
        rest -= part
    return parts


def _way_out(trip: Trip, leaving: bool) -> tuple[OrderKind, float, str]:
    """Return kind, price and role of the order that is missing."""
    if not leaving:
        return "stop", trip.decided.stop_price, "stop"
    role = trip.exit_reason or "correction"
    tried = any(order.intent.kind == "limit" for order in trip.exits)
    if role == "target" and not tried:
        return "limit", trip.decided.target_price, role
    return "market", 0.0, role


def _failed_protection(trip: Trip, impatient: Collection[str]) -> str:
    """Return why the stop does not protect (refused, or triggered but unfilled), or nothing."""
    if trip.exit_reason or not trip.position:
        return ""
    for order in trip.exits:
        if order.intent.kind != "stop":
            continue
        if order.stage == "absent" and order.message:
            return f"the stop was refused: {order.message}"
        if order.book_state == "rejected":
            return f"the stop was rejected: {order.message}"
        if order.book_state == "open" and order.tag in impatient:
            return "the stop was triggered, but rests unfilled"
    return ""


def _cancel(order: DeskOrder, blocked: Collection[str]) -> Iterator[Cancel]:
    """Cancel an order that may fill and can be cancelled; what is on its way has to arrive first."""
    if (
        order.exposure
        and order.stage == "known"
        and order.book_state in _CANCELLABLE
        and not order.cancel_sent
        and order.tag not in blocked
    ):
        yield Cancel(order.tag)
