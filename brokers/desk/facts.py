"""The facts a live order journal consists of. Nothing else is remembered: every state is a fold over them.

A fact is written before it is acted upon. ``Sent`` stands in the journal before the order is on the wire, so
an intent without it was certainly never sent, and one with it may be at the exchange whatever the answer was.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from typing import Any, NamedTuple

from brokers.wire import OrderKind, OrderState
from feeds.errors import DataError

__all__ = [
    "Acknowledged",
    "CancelFailed",
    "CancelSent",
    "ChangeFailed",
    "ChangeSent",
    "DayOpened",
    "EntryDecided",
    "EntryDenied",
    "EntryWithdrawn",
    "ExitWanted",
    "Fact",
    "Filled",
    "ForeignAccepted",
    "Halted",
    "Intent",
    "NeverSent",
    "NotFound",
    "OrderSeen",
    "Refused",
    "Resumed",
    "Sent",
    "StopMoved",
    "TakenOver",
    "Target",
    "TargetReached",
    "TripClosed",
    "Unresolved",
    "event_of",
    "fact_from_json",
    "fact_to_json",
]


class DayOpened(NamedTuple):
    """The journal begins: what is traded, with how much, and the mark all our tags begin with."""

    day: dt.date
    symbol: str
    product: str
    cash: float
    mark: str


class Target(NamedTuple):
    """One part of a position (unsigned ``units``) and the price, index points, at which it is taken."""

    units: int
    price: float


class EntryDecided(NamedTuple):
    """A strategy's entry that the risk gate let pass.

    ``size`` in signed units as allowed; ``price`` of the decision, index points: the last price for a market
    order, the limit, or the trigger of a ``stop_limit``, whose limit is ``limit``; ``signal_time`` is the
    close of the bar it was decided on, naive exchange wall clock; ``probability`` NaN without a model;
    ``arm`` is empty where no arms share the account. ``targets``, nearest first, are empty where all of it is
    taken at ``target_price``; the last of them takes whatever is left. ``volatility`` is what the strategy
    measures its distances in, index points, 0.0 where it has not said.
    """

    trip: int
    size: int
    price: float
    stop_price: float
    target_price: float
    signal_time: dt.datetime
    probability: float
    rule: str = ""
    reason: str = ""
    arm: str = ""
    kind: OrderKind = "market"
    limit: float = 0.0
    targets: tuple[Target, ...] = ()
    volatility: float = 0.0


class EntryDenied(NamedTuple):
    """A strategy's entry that was not sent; ``rule`` is empty where the desk and no risk rule refused it."""

    size: int
    price: float
    signal_time: dt.datetime
    probability: float
    rule: str
    reason: str
    kind: str = "market"


class Intent(NamedTuple):
    """An order that is about to be sent.

    ``role`` as in :class:`brokers.journal.Fill`; ``reference`` is the price that slippage is measured from;
    ``limit`` is that of a ``stop_limit``; ``level`` says which target it takes, from 1, and 0 where it takes
    none or the only one.
    """

    tag: str
    trip: int
    role: str
    size: int
    kind: OrderKind
    price: float
    reference: float
    limit: float = 0.0
    level: int = 0


class NeverSent(NamedTuple):
    """An intent that a crash kept from being sent."""

    tag: str


class Sent(NamedTuple):
    """From here on the order may be at the exchange."""

    tag: str


class Acknowledged(NamedTuple):
    """The broker gave the order a number.

    ``wire_ms`` runs from what caused the order (last tick of the bar, arrival of the fill) to the request
    leaving this machine, ``answer_ms`` from there to the answer; NaN where the order was found in the book.
    """

    tag: str
    order_id: str
    wire_ms: float = float("nan")
    answer_ms: float = float("nan")


class Refused(NamedTuple):
    """The broker said no: the order does not exist. ``passing`` when the same may be asked again later."""

    tag: str
    reason: str
    passing: bool = False


class Unresolved(NamedTuple):
    """The answer was lost: the order may exist."""

    tag: str
    reason: str


class NotFound(NamedTuple):
    """The order book excluded an unresolved order for long enough; it is still watched for."""

    tag: str


class OrderSeen(NamedTuple):
    """The order book (or an update) shows the order: ``filled`` in unsigned units.

    ``units`` (unsigned) and ``price`` are a waiting stop's where they were changed; else 0: as they were.
    """

    tag: str
    state: OrderState
    filled: int
    average_price: float
    message: str = ""
    units: int = 0
    price: float = 0.0


class Filled(NamedTuple):
    """One execution, applied once: ``size`` in signed units, ``charges`` rupees, the exchange's ``time``."""

    tag: str
    trade_id: str
    size: int
    price: float
    time: dt.datetime
    charges: float


class CancelSent(NamedTuple):
    """From here on the cancel may be at the exchange."""

    tag: str


class CancelFailed(NamedTuple):
    """The cancel was refused, or nothing came of it; the order is as before."""

    tag: str
    reason: str


class ChangeSent(NamedTuple):
    """From here on the change of a waiting stop may be at the exchange: ``units`` (unsigned) and price."""

    tag: str
    units: int
    price: float


class ChangeFailed(NamedTuple):
    """The change was refused, or nothing came of it; ``passing`` when the same may be asked again later."""

    tag: str
    reason: str
    passing: bool = False


class StopMoved(NamedTuple):
    """The strategy has moved the stop of a trip towards the market: what is held is protected there."""

    trip: int
    price: float


class EntryWithdrawn(NamedTuple):
    """The strategy took its entry back: what is filled stays, with its protection; no more is to come."""

    trip: int


class TargetReached(NamedTuple):
    """The market traded at a target (``level``, from 1) that is not the last: its part is to be taken."""

    trip: int
    level: int


class ExitWanted(NamedTuple):
    """The position is to be left, for ``reason`` (a role, as in :class:`brokers.journal.Fill`)."""

    trip: int
    reason: str
    detail: str = ""


class TripClosed(NamedTuple):
    """Flat again and nothing of the trip works any more.

    ``net_pnl`` in rupees, charges paid; NaN where somebody else closed a part of it.
    """

    trip: int
    net_pnl: float


class TakenOver(NamedTuple):
    """Somebody else closed a position of ours, or part of it.

    ``units`` (signed) are no longer ours, and what they earned is not known; ``foreign`` are the signed units
    in the account that are none of ours.
    """

    trip: int
    units: int
    foreign: int


class Halted(NamedTuple):
    """No entries until :class:`Resumed`."""

    reason: str


class Resumed(NamedTuple):
    """Entries are allowed again, and who said so."""

    reason: str


class ForeignAccepted(NamedTuple):
    """The user knows of a position (signed units) and orders that are none of ours; they are left alone."""

    size: int
    orders: tuple[str, ...] = ()


Fact = (
    DayOpened
    | EntryDecided
    | EntryDenied
    | Intent
    | NeverSent
    | Sent
    | Acknowledged
    | Refused
    | Unresolved
    | NotFound
    | OrderSeen
    | Filled
    | CancelSent
    | CancelFailed
    | ChangeSent
    | ChangeFailed
    | StopMoved
    | EntryWithdrawn
    | TargetReached
    | ExitWanted
    | TripClosed
    | TakenOver
    | Halted
    | Resumed
    | ForeignAccepted
)

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in Fact.__args__}
_LOUD = (Halted, TakenOver)
_UNEXPECTED = (NeverSent, Refused, Unresolved, NotFound, CancelFailed, ChangeFailed)
_TIMES = {"signal_time": dt.datetime.fromisoformat, "time": dt.datetime.fromisoformat,
          "day": dt.date.fromisoformat}  # fmt: skip


def event_of(fact: Fact) -> tuple[str, str]:
    """Return the level and the name under which a fact is logged, ``("info", "entry_decided")``."""
    kind = type(fact)
    level = "error" if kind in _LOUD else "warning" if kind in _UNEXPECTED else "info"
    return level, re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def fact_to_json(fact: Fact) -> tuple[str, str]:
    """Return a fact's kind and its fields as JSON; times as ISO text, NaN as ``null``."""
    fields = {
        name: value.isoformat()
        if isinstance(value, dt.date)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for name, value in fact._asdict().items()
    }
    return type(fact).__name__, json.dumps(fields, allow_nan=False)


def fact_from_json(kind: str, text: str) -> Fact:
    """Return the fact that :func:`fact_to_json` wrote.

    Raises
    ------
    DataError
        The kind is unknown, or fields are missing or of another version.
    """
    if kind not in _KINDS:
        raise DataError(
            f"found a journal entry of kind {kind!r}, expected one of {', '.join(_KINDS)}; "
            "the journal was written by another version: start with a new --out folder"
        )
    try:
        fields = json.loads(text)
        for name, value in fields.items():
            if name in _TIMES:
                fields[name] = _TIMES[name](value)
            elif name == "targets":
                fields[name] = tuple(Target(*target) for target in value)
            elif isinstance(value, list):
                fields[name] = tuple(value)
            elif value is None:
                fields[name] = float("nan")
        made: Fact = _KINDS[kind](**fields)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"found a damaged journal entry {kind} {text[:80]!r} ({error}); keep the file for inspection and "
            "start with a new --out folder once the account is flat"
        ) from error
    return made
