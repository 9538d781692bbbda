"""What the desk thread is told, each stamped with the moment it arrived (``time.perf_counter`` seconds)."""

from __future__ import annotations

from typing import NamedTuple

from brokers.desk.facts import EntryDecided, EntryDenied
from brokers.reconcile import Book
from brokers.wire import BookOrder
from feeds.errors import BrokerError

__all__ = [
    "BookRead",
    "CancelAnswered",
    "ChangeAnswered",
    "Crashed",
    "Deny",
    "Enter",
    "Leave",
    "Message",
    "MoveStop",
    "OrderUpdate",
    "PlaceAnswered",
    "Resync",
    "SessionRenewed",
    "Shutdown",
    "StopTouched",
    "TargetTouched",
    "Withdraw",
]


class Enter(NamedTuple):
    """The strategy enters; the risk gate has let it pass."""

    arrived: float
    decided: EntryDecided


class Deny(NamedTuple):
    """An entry was refused before it came here: to be written down."""

    arrived: float
    denied: EntryDenied


class Leave(NamedTuple):
    """The position is to be left; nothing happens where there is none."""

    arrived: float
    reason: str
    detail: str


class MoveStop(NamedTuple):
    """The strategy moves the stop of its trip to ``price``, index points."""

    arrived: float
    trip: int
    price: float


class Withdraw(NamedTuple):
    """The strategy takes its entry back and holds what it has."""

    arrived: float
    trip: int


class TargetTouched(NamedTuple):
    """The market traded at ``price``, at the next target of the trip or beyond."""

    arrived: float
    trip: int
    price: float


class StopTouched(NamedTuple):
    """The market traded at the stop of the trip."""

    arrived: float
    trip: int


class OrderUpdate(NamedTuple):
    """A row that the broker pushed; a hint, never the whole truth."""

    arrived: float
    row: BookOrder


class Resync(NamedTuple):
    """Something may have been missed: read the whole book."""

    arrived: float
    reason: str


class SessionRenewed(NamedTuple):
    """There was a new login."""

    arrived: float


class PlaceAnswered(NamedTuple):
    """What became of sending an order: its number, or the error."""

    arrived: float
    tag: str
    answer: str | BrokerError
    wire_ms: float
    answer_ms: float


class CancelAnswered(NamedTuple):
    """What became of sending a cancel: None means taken for processing."""

    arrived: float
    tag: str
    error: BrokerError | None


class ChangeAnswered(NamedTuple):
    """What became of sending a change: None means taken for processing."""

    arrived: float
    tag: str
    error: BrokerError | None


class BookRead(NamedTuple):
    """What a read of the book brought. ``requested`` is the monotonic second at which it was asked for."""

    arrived: float
    requested: float
    answer: Book | BrokerError


class Crashed(NamedTuple):
    """A worker ended with an error that nobody expected."""

    arrived: float
    error: BaseException


class Shutdown(NamedTuple):
    """End: leave the position first, or keep it with its protection."""

    arrived: float
    flatten: bool
    reason: str


Message = (
    Enter
    | Deny
    | Leave
    | MoveStop
    | Withdraw
    | TargetTouched
    | StopTouched
    | OrderUpdate
    | Resync
    | SessionRenewed
    | PlaceAnswered
    | CancelAnswered
    | ChangeAnswered
    | BookRead
    | Crashed
    | Shutdown
)
