"""What follows from a strategy's wish about its trip, or from a price the trip waits for. Pure."""

from __future__ import annotations

from brokers.desk.facts import EntryWithdrawn, ExitWanted, Fact, StopMoved, TargetReached
from brokers.desk.messages import MoveStop, StopTouched, TargetTouched, Withdraw
from brokers.desk.state import DeskState, Trip
from brokers.desk.view import DeskContract

__all__ = ["Wish", "facts_of_wish"]

Wish = MoveStop | Withdraw | TargetTouched | StopTouched


def facts_of_wish(state: DeskState, wish: Wish, contract: DeskContract, last_price: float) -> list[Fact]:
    """Return what a wish changes; nothing where its trip is over, or being left.

    Parameters
    ----------
    state : DeskState
        Of the journal; not changed.
    wish : Wish
        As it arrived: what it was meant for may have passed.
    contract : DeskContract
        Gives the tick.
    last_price : float
        Index points, 0.0 where none is known.
    """
    trip = state.trips.get(wish.trip)
    if trip is None or trip.closed or trip.exit_reason:
        return []
    match wish:
        case MoveStop():
            return _move_stop(trip, contract.on_tick(wish.price), contract, last_price)
        case Withdraw():
            works = any(not order.over for order in trip.entries)
            return [EntryWithdrawn(trip.number)] if works and not trip.withdrawn else []
        case TargetTouched():
            return _touch_target(trip, wish.price, contract)
        case StopTouched():
            is_missed = trip.position and not trip.stop_is_set
            return [_missed(trip)] if is_missed else []


def _move_stop(trip: Trip, price: float, contract: DeskContract, last_price: float) -> list[Fact]:
    """Move it towards the market only; leave where the market has come to it already."""
    if (price - contract.on_tick(trip.stop_price)) * trip.side <= 0.0:
        return []
    is_reached = bool(last_price) and (last_price - price) * trip.side <= 0.0
    moved = StopMoved(trip.number, price)
    return [moved, _missed(trip)] if is_reached and trip.position else [moved]


def _missed(trip: Trip) -> ExitWanted:
    return ExitWanted(trip.number, "stop", "the market is at the moved stop before the exchange has it there")


def _touch_target(trip: Trip, price: float, contract: DeskContract) -> list[Fact]:
    reached = [
        level
        for level, target in enumerate(trip.targets, start=1)
        if level > trip.levels and (price - contract.on_tick(target.price)) * trip.side >= 0.0
    ]
    if not reached or not trip.position:
        return []
    if reached[-1] == len(trip.targets):
        return [ExitWanted(trip.number, "target")]
    return [TargetReached(trip.number, reached[-1])]
