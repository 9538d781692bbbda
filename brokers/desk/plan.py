"""What has to be done now: a pure function of what is known.

The same function is asked after every event and after every restart; a crash loses nothing but time. It keeps
four promises by construction:

* an entry is sent when it is decided and at no other time: nothing here places entries;
* exits that may fill never add up to more than the position: what is missing is computed after subtracting
  every exit that might still fill, those with an unknown outcome included;
* a position that is to be held has protection for exactly its units;
* no position, no resting order.

Protection is given up before an exit is sent (cancel or shrink, confirm, then leave), because an exchange
without reduce-only orders would fill both. A stop that is moved stays at the exchange at all times: it is
changed there, and only replaced where the exchange would soon refuse to change it once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from brokers.desk.state import DeskOrder, DeskState, Trip
from brokers.wire import OrderKind

__all__ = ["Action", "Cancel", "Change", "Close", "Place", "WantExit", "plan", "slices"]


class Place(NamedTuple):
    """Send an exit: ``size`` in signed units, ``price`` 0.0 for a market order; ``level`` as in an intent."""

    trip: int
    role: str
    size: int
    kind: OrderKind
    price: float
    level: int = 0


class Cancel(NamedTuple):
    """Take an order back."""

    tag: str


class Change(NamedTuple):
    """Give a waiting stop ``units`` (unsigned, of the whole order) and ``price``, index points."""

    tag: str
    units: int
    price: float


class WantExit(NamedTuple):
    """Leave the position for a reason that the orders themselves gave."""

    trip: int
    reason: str
    detail: str


class Close(NamedTuple):
    """The trip is over."""

    trip: int


Action = Place | Cancel | Change | WantExit | Close

_CANCELLABLE = ("open", "waiting")
_MOST_CHANGES = 20
"""Kite refuses to change an order for the 26th time."""


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
        Tags whose cancel or change failed a moment ago, to be left alone for now.
    largest_order : float
        Units above which an order goes in slices.
    """
    actions: list[Action] = []
    for trip in state.active_trips:
        actions.extend(_plan_trip(trip, bool(state.halted), impatient, blocked, largest_order))
    return actions


def _plan_trip(
    trip: Trip, is_halted: bool, impatient: Collection[str], blocked: Collection[str], largest_order: float
) -> Iterator[Action]:
    if trip.settled:
        yield Close(trip.number)
        return
    failed = _failed_protection(trip, impatient)
    if failed:
        yield WantExit(trip.number, "stop", failed)
        return
    leaving = bool(trip.exit_reason) or trip.closed  # closed: a lost order that filled after all
    ends_entry = leaving or is_halted or trip.withdrawn or any(order.filled for order in trip.exits)
    for order in trip.entries:
        if ends_entry or order.tag in impatient:
            yield from _cancel(order, blocked)
    held = trip.position
    if not held:
        for order in trip.exits:
            yield from _cancel(order, blocked)
        return
    if held * trip.side < 0:  # more left than was held: a late order filled after all
        leaving = True
    closing = [order for order in trip.orders if order.intent.size * held < 0 and order.exposure]
    yield from _make_room(trip, closing, leaving, impatient, blocked)
    yield from _protect_or_leave(trip, held, closing, leaving, largest_order)


def _make_room(
    trip: Trip, closing: list[DeskOrder], leaving: bool, impatient: Collection[str], blocked: Collection[str]
) -> Iterator[Action]:
    """Give up what stands in the way, the newest first, and move the stops that stay."""
    stops = [order for order in closing if order.intent.kind == "stop"]
    others = [order for order in closing if order.intent.kind != "stop"]
    for order in others:
        if order.tag in impatient:
            yield from _cancel(order, blocked)
    held = abs(trip.position)
    if leaving:
        for order in stops:
            yield from _cancel(order, blocked)
        keep = 0
    else:
        keep = held - trip.leaving_units
    excess = sum(order.exposure for order in closing) - held
    if excess > 0 and not stops:
        yield from _cancel(closing[-1], blocked)
    if leaving:
        return
    # What other exits may fill is not for the stops to cover
    keep = min(keep, held - sum(order.exposure for order in others))
    too_much = sum(order.exposure_to_be for order in stops) - max(0, keep)
    for order in reversed(stops):
        shrink = max(0, min(too_much, order.exposure_to_be))
        too_much -= shrink
        yield from _change(trip, order, shrink, blocked)


def _change(trip: Trip, order: DeskOrder, shrink: int, blocked: Collection[str]) -> Iterator[Cancel | Change]:
    """Have a stop cover ``shrink`` units less, and rest where the trip's stop is."""
    price = trip.moved_stop or order.price
    is_moved = price not in (order.asked_price, order.price)
    if not shrink and not is_moved:
        return
    is_in_the_way = shrink and (shrink == order.exposure_to_be or order.filled or order.failures)
    if is_in_the_way or order.changes >= _MOST_CHANGES:
        yield from _cancel(order, blocked)
    elif _can_change(order, blocked):
        yield Change(order.tag, order.units - shrink, price)


def _protect_or_leave(
    trip: Trip, held: int, closing: list[DeskOrder], leaving: bool, largest_order: float
) -> Iterator[Action]:
    missing = abs(held) - sum(order.exposure for order in closing)
    if missing <= 0:
        return
    sign = -1 if held > 0 else 1
    taken = 0
    if leaving:
        yield from _leave(
            trip, sign * missing, trip.exit_reason or "correction", len(trip.targets), largest_order
        )
        return
    if trip.leaving_units:
        under_way = sum(order.exposure for order in closing if order.intent.kind != "stop")
        taken = min(missing, max(0, trip.leaving_units - under_way))
        yield from _leave(trip, sign * taken, "target", trip.levels, largest_order)
    for units in slices(sign * (missing - taken), largest_order):
        yield Place(trip.number, "stop", units, "stop", trip.stop_price)


def slices(size: int, largest: float) -> list[int]:
    """Cut an order (signed units) so that no part is above the freeze quantity."""
    sign = 1 if size > 0 else -1
    rest, parts = abs(size), []
    while rest:
        part = int(min(rest, largest))
        parts.append(sign * part)
        rest -= part
    return parts


def _leave(trip: Trip, size: int, role: str, level: int, largest_order: float) -> Iterator[Place]:
    """Leave ``size`` units at market; at a target (``level``, from 1) with a limit order first."""
    kind: OrderKind = "market"
    price = 0.0
    marked = level if role == "target" and trip.decided.targets else 0
    tried = any(order.intent.kind == "limit" and order.intent.level == marked for order in trip.exits)
    if role == "target" and not tried:
        kind, price = "limit", trip.targets[level - 1].price
    for units in slices(size, largest_order):
        yield Place(trip.number, role, units, kind, price, marked)


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


def _can_change(order: DeskOrder, blocked: Collection[str]) -> bool:
    """Whether an order rests, with nothing of it filled and nothing about it on its way."""
    is_at_rest = order.stage == "known" and order.book_state == "waiting" and not order.filled
    return is_at_rest and not order.cancel_sent and order.change is None and order.tag not in blocked


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
