"""What is known of our orders: a fold over the journal's facts, the same live and after a restart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from brokers.desk.facts import (
    Acknowledged,
    CancelFailed,
    CancelSent,
    ChangeFailed,
    ChangeSent,
    DayOpened,
    EntryDecided,
    EntryDenied,
    EntryWithdrawn,
    ExitWanted,
    Fact,
    Filled,
    ForeignAccepted,
    Halted,
    Intent,
    NeverSent,
    NotFound,
    OrderSeen,
    Refused,
    Resumed,
    Sent,
    StopMoved,
    TakenOver,
    Target,
    TargetReached,
    TripClosed,
    Unresolved,
)
from brokers.wire import OrderState
from feeds.errors import DataError

__all__ = ["DeskOrder", "DeskState", "Trip"]

_FINAL = ("complete", "cancelled", "rejected")

Stage = Literal["intended", "sent", "unresolved", "known", "absent"]
"""How far an order got: ``absent`` means it is not at the exchange (refused, never sent, not found)."""


@dataclass
class DeskOrder:
    """One order of ours at the exchange, or on its way there.

    Attributes
    ----------
    number : int
        Running number in the journal, from 1.
    stage : Stage
        How far it got.
    book_state : OrderState
        As last seen in the book.
    reported : int
        Unsigned units filled, as the book says.
    trades : dict
        Executions by trade id: (signed units, price, charges).
    cancel_sent : bool
        A cancel is on its way or at the exchange.
    message : str
        Why it was refused, if it was.
    units : int
        Unsigned units it asks for, as last seen in the book.
    price : float
        Its trigger or limit, as last seen in the book.
    change : ChangeSent or None
        A change that is on its way or at the exchange, until the book shows it.
    asked_price : float
        The price we asked for last, unless that failed.
    given_up_prices : set of float
        Prices of changes that were believed to have failed: one may still arrive, after a newer one.
    changes : int
        How often a change of it was sent.
    failures : int
        Changes that failed since the last that did not.
    """

    intent: Intent
    number: int
    stage: Stage = "intended"
    order_id: str = ""
    book_state: OrderState = "pending"
    reported: int = 0
    average_price: float = 0.0
    trades: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    cancel_sent: bool = False
    message: str = ""
    change: ChangeSent | None = None
    changes: int = 0
    failures: int = 0
    units: int = field(init=False)
    price: float = field(init=False)
    asked_price: float = field(init=False)
    given_up_prices: set[float] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.units = abs(self.intent.size)
        self.price = self.asked_price = self.intent.price

    @property
    def tag(self) -> str:
        """Our mark on it."""
        return self.intent.tag

    @property
    def booked(self) -> int:
        """Unsigned units whose executions are known."""
        return abs(sum(size for size, _, _ in self.trades.values()))

    @property
    def filled(self) -> int:
        """Unsigned units filled: what the book reports or the trades add up to, whichever is more."""
        return max(self.reported, self.booked)

    @property
    def position(self) -> int:
        """Signed units it brought."""
        return self.filled if self.intent.size > 0 else -self.filled

    @property
    def over(self) -> bool:
        """Whether it can never fill any further, as far as anybody knows."""
        return self.stage == "absent" or self.book_state in _FINAL or self.remaining == 0

    @property
    def remaining(self) -> int:
        """Unsigned units that are not filled."""
        return self.units - self.filled

    @property
    def exposure(self) -> int:
        """Unsigned units that may still fill: 0 once it is over."""
        return 0 if self.over else self.remaining

    @property
    def exposure_to_be(self) -> int:
        """Unsigned units that may still fill once what is on its way has come to pass."""
        if self.cancel_sent:
            return 0
        if self.change is None:
            return self.exposure
        return min(self.exposure, max(0, self.change.units - self.filled))


@dataclass
class Trip:
    """A position from its entry to its last exit.

    Attributes
    ----------
    exit_reason : str
        Why it is to be left; empty while it is to be held.
    closed : bool
        It was found settled.
    taken : int
        Signed units that somebody else has closed.
    moved_stop : float
        Where the strategy has moved its stop to, 0.0 while it has not.
    withdrawn : bool
        The strategy took its entry back.
    levels : int
        How many targets were reached.
    """

    decided: EntryDecided
    orders: list[DeskOrder] = field(default_factory=list)
    exit_reason: str = ""
    closed: bool = False
    taken: int = 0
    moved_stop: float = 0.0
    withdrawn: bool = False
    levels: int = 0

    @property
    def number(self) -> int:
        """Number in the journal, from 1."""
        return self.decided.trip

    @property
    def side(self) -> int:
        """+1 long, -1 short."""
        return 1 if self.decided.size > 0 else -1

    @property
    def stop_price(self) -> float:
        """Where it is protected now."""
        return self.moved_stop or self.decided.stop_price

    @property
    def stop_is_set(self) -> bool:
        """Whether every stop that may fill rests where the strategy has moved it to, if it has."""
        stops = [order for order in self.exits if order.intent.kind == "stop" and order.exposure]
        return not self.moved_stop or all(order.price == self.moved_stop for order in stops)

    @property
    def targets(self) -> tuple[Target, ...]:
        """All its targets, nearest first; the last takes whatever is left."""
        decided = self.decided
        return decided.targets or (Target(abs(decided.size), decided.target_price),)

    @property
    def leaving_units(self) -> int:
        """Unsigned units that targets which were reached have yet to take."""
        due = sum(target.units for target in self.targets[: self.levels])
        taken = sum(order.filled for order in self.exits if order.intent.role == "target")
        return min(abs(self.position), max(0, due - taken))

    @property
    def position(self) -> int:
        """Signed units held."""
        return sum(order.position for order in self.orders) - self.taken

    @property
    def entries(self) -> list[DeskOrder]:
        """The orders that open it."""
        return [order for order in self.orders if order.intent.role == "entry"]

    @property
    def exits(self) -> list[DeskOrder]:
        """The orders that close it, protection included."""
        return [order for order in self.orders if order.intent.role != "entry"]

    @property
    def settled(self) -> bool:
        """Whether nothing can change it any more: flat, every order over, every execution known."""
        return self.position == 0 and all(
            order.over and order.booked == order.filled for order in self.orders
        )

    @property
    def is_protected(self) -> bool:
        """Whether it can be left alone: resting stops cover exactly what is held, nothing else works."""
        working = [order for order in self.orders if order.exposure]
        resting = all(
            order.intent.kind == "stop"
            and order.book_state == "waiting"
            and not order.cancel_sent
            and order.change is None
            for order in working
        )
        covered = sum(order.exposure for order in working)
        is_left_alone = not self.exit_reason and not self.leaving_units
        return is_left_alone and resting and covered == abs(self.position)

    @property
    def is_booked(self) -> bool:
        """Whether every execution that was reported is known by itself, as the day's report needs it."""
        return all(order.booked == order.filled for order in self.orders)

    @property
    def net_pnl(self) -> float:
        """Rupees of all executions, charges paid; meaningful when flat, NaN where a part was not ours."""
        if self.taken:
            return math.nan
        trades = [trade for order in self.orders for trade in order.trades.values()]
        return sum(-size * price - charges for size, price, charges in trades)


class DeskState:
    """All orders and trips of one journal.

    Parameters
    ----------
    facts : iterable of Fact
        What is known so far, oldest first.
    """

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.opened: DayOpened | None = None
        self.orders: dict[str, DeskOrder] = {}
        self.trips: dict[int, Trip] = {}
        self.halted = ""
        self.foreign_size = 0
        self.foreign_orders: tuple[str, ...] = ()
        self._by_id: dict[str, DeskOrder] = {}
        for fact in facts:
            self.apply(fact)

    @property
    def position(self) -> int:
        """Signed units that all our trades add up to."""
        return sum(trip.position for trip in self.trips.values())

    @property
    def active_trips(self) -> list[Trip]:
        """Trips that are not closed, or that a late message has opened again."""
        return [trip for trip in self.trips.values() if not (trip.closed and trip.settled)]

    @property
    def unresolved(self) -> list[DeskOrder]:
        """Orders that may or may not be at the exchange."""
        return [order for order in self.orders.values() if order.stage in ("sent", "unresolved")]

    def order_of(self, order_id: str) -> DeskOrder | None:
        """Return our order with a number of the broker's, None where it is not ours."""
        return self._by_id.get(order_id)

    def apply(self, fact: Fact) -> None:
        """Take one more fact.

        Raises
        ------
        DataError
            It speaks of an order or trip that no earlier fact made.
        """
        match fact:
            case DayOpened():
                self.opened = fact
            case EntryDecided():
                self.trips[fact.trip] = Trip(fact)
            case Intent():
                order = self.orders[fact.tag] = DeskOrder(fact, len(self.orders) + 1)
                self._trip(fact.trip).orders.append(order)
            case ExitWanted():
                self._trip(fact.trip).exit_reason = fact.reason
            case TripClosed():
                self._trip(fact.trip).closed = True
            case StopMoved():
                self._trip(fact.trip).moved_stop = fact.price
            case EntryWithdrawn():
                self._trip(fact.trip).withdrawn = True
            case TargetReached():
                self._trip(fact.trip).levels = max(self._trip(fact.trip).levels, fact.level)
            case TakenOver():
                self._trip(fact.trip).taken += fact.units
                self.foreign_size = fact.foreign
            case Halted():
                self.halted = fact.reason
            case Resumed():
                self.halted = ""
            case ForeignAccepted():
                self.foreign_size, self.foreign_orders = fact.size, fact.orders
            case EntryDenied():
                pass
            case _:
                self._apply_to_order(self._order(fact.tag), fact)

    def _apply_to_order(self, order: DeskOrder, fact: Fact) -> None:
        match fact:
            case Sent():
                order.stage = "sent"
            case Acknowledged():
                order.stage, order.order_id = "known", fact.order_id
                self._by_id[fact.order_id] = order
            case Unresolved():
                order.stage, order.message = "unresolved", fact.reason
            case Refused():
                order.stage, order.message = "absent", "" if fact.passing else fact.reason
            case NeverSent() | NotFound():
                order.stage, order.message = "absent", ""
            case OrderSeen():
                _see(order, fact)
            case Filled():
                order.trades[fact.trade_id] = (fact.size, fact.price, fact.charges)
            case CancelSent():
                order.cancel_sent = True
            case CancelFailed():
                order.cancel_sent = False
            case ChangeSent():
                order.change, order.asked_price = fact, fact.price
                order.changes += 1
            case ChangeFailed():
                if order.change is not None:
                    order.given_up_prices.add(order.change.price)
                order.change, order.asked_price = None, order.price
                order.failures += not fact.passing

    def _order(self, tag: str) -> DeskOrder:
        if tag not in self.orders:
            raise DataError(f"the journal speaks of order {tag!r}, which it never intended; it is damaged")
        return self.orders[tag]

    def _trip(self, number: int) -> Trip:
        if number not in self.trips:
            raise DataError(f"the journal speaks of trip {number}, which it never decided; it is damaged")
        return self.trips[number]


def _see(order: DeskOrder, seen: OrderSeen) -> None:
    """Merge a row: messages come late, twice and out of order, but units filled never fall."""
    if seen.filled >= order.reported:
        order.reported, order.average_price = seen.filled, seen.average_price
    if order.book_state not in _FINAL:
        order.book_state = seen.state
        order.message = seen.message or order.message
    order.units, order.price = seen.units or order.units, seen.price or order.price
    change = order.change
    if change is not None and (change.units, change.price) == (order.units, order.price):
        order.change, order.failures = None, 0
    elif change is None and seen.price in order.given_up_prices:
        # A change of ours that was given up has come after a newer one: what is wanted is asked for again
        order.given_up_prices.discard(seen.price)
        order.asked_price = seen.price
