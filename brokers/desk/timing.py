"""How long things may take: the desk's patience, and its watch over what takes longer.

Only durations on the monotonic clock; the market's clock may stand still while the network does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from brokers.desk.state import DeskOrder, DeskState

__all__ = ["Patience", "Watch"]

_FIRST_LOOK_SECONDS = 0.25
_NEXT_LOOK_SECONDS = 1.0
_CANCEL_SECONDS = 5.0
_CHANGE_SECONDS = 5.0
_BLOCKED_CANCEL_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_READS_TO_BELIEVE = 3


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long an order may rest, and how often the book is read.

    Attributes
    ----------
    entry_seconds : float
        Then what is left of a market entry is cancelled; others rest until the strategy takes them back.
    target_seconds : float
        Then a limit exit at the target gives way to a market order.
    exit_seconds : float
        Then a market order (or a triggered stop) that rests unfilled is sent anew at a new price.
    resync_seconds : float
        Between two reads of orders, trades and positions when nothing moves.
    unresolved_seconds : float
        A lost order that the book does not show for this long is taken for not placed.
    difference_seconds : float
        The account has to differ from the journal for this long, in three reads, to be believed.
    settle_seconds : float
        And this long after our last fill: a broker's list of positions may lag behind its trades.
    """

    entry_seconds: float = 10.0
    target_seconds: float = 3.0
    exit_seconds: float = 3.0
    resync_seconds: float = 60.0
    unresolved_seconds: float = 120.0
    difference_seconds: float = 6.0
    settle_seconds: float = 10.0


@dataclass
class Watch:
    """Since when what is so.

    Attributes
    ----------
    stale_entries : set of str
        Entries that a restart found working: their moment is over.
    """

    patience: Patience
    stale_entries: set[str] = field(default_factory=set)
    _sent: dict[str, float] = field(default_factory=dict)
    _resting: dict[str, float] = field(default_factory=dict)
    _cancelled: dict[str, float] = field(default_factory=dict)
    _changed: dict[str, float] = field(default_factory=dict)
    _blocked: dict[str, float] = field(default_factory=dict)
    _refusals: int = 0
    _differs: tuple[int, float, int] | None = None  # units, since when, in how many reads
    _last_fill: float = -math.inf
    _no_exit_before: float = 0.0

    def observe(self, orders: Iterable[DeskOrder], now: float) -> None:
        """Note what rests since when; call it after every change."""
        for order in orders:
            if order.stage in ("sent", "unresolved"):
                self._sent.setdefault(order.tag, now)
            if _may_rest_too_long(order):
                self._resting.setdefault(order.tag, now)
            else:  # a stop that was on its way begins anew when it is triggered
                self._resting.pop(order.tag, None)
            if order.cancel_sent and order.exposure:
                self._cancelled.setdefault(order.tag, now)
            if order.change is None:
                self._changed.pop(order.tag, None)
            else:
                self._changed.setdefault(order.tag, now)

    def impatient(self, orders: Iterable[DeskOrder], now: float) -> set[str]:
        """Return the tags of orders that have rested for longer than they may."""
        return {
            order.tag
            for order in orders
            if order.tag in self.stale_entries
            or (_may_rest_too_long(order) and now - self._resting.get(order.tag, now) >= self._limit(order))
        }

    def blocked(self, now: float) -> set[str]:
        """Return the tags whose cancel was refused a moment ago."""
        return {tag for tag, until in self._blocked.items() if now < until}

    def cancels_without_effect(self, orders: Iterable[DeskOrder], now: float) -> list[str]:
        """Return the tags of orders that still work long after their cancel was sent."""
        return [
            order.tag
            for order in orders
            if order.cancel_sent
            and order.exposure
            and now - self._cancelled.get(order.tag, now) >= _CANCEL_SECONDS
        ]

    def changes_without_effect(self, orders: Iterable[DeskOrder], asked: float) -> list[str]:
        """Return the tags of orders that a book asked for at ``asked`` should have shown changed by then."""
        return [
            order.tag
            for order in orders
            if order.change is not None
            and order.book_state != "pending"
            and asked - self._changed.get(order.tag, asked) >= _CHANGE_SECONDS
        ]

    def change_failed(self, order: DeskOrder, now: float) -> float:
        """Leave an order alone for a while: its change failed; return the seconds: 1, 2, 4 … 30."""
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** max(0, order.failures - 1))
        self._blocked[order.tag] = now + pause
        return pause

    def cancel_failed(self, tag: str, now: float) -> None:
        """Leave an order alone for a moment: its cancel was refused."""
        self._cancelled.pop(tag, None)
        self._blocked[tag] = now + _BLOCKED_CANCEL_SECONDS

    def exit_refused(self, now: float) -> float:
        """Note an exit that was refused or rejected; return the seconds until the next: 1, 2, 4 … 30.

        Those that were on their way together are one attempt: the pause is not lengthened while it lasts.
        """
        if now < self._no_exit_before:
            return self._no_exit_before - now
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0**self._refusals)
        self._refusals += 1
        self._no_exit_before = now + pause
        return pause

    def exit_taken(self) -> None:
        """Note that an exit was executed: the next refusal starts from one second again."""
        self._refusals = 0

    def filled(self, now: float) -> None:
        """Note an execution."""
        self._last_fill = now

    @property
    def differs(self) -> bool:
        """Whether the account differed from the journal when it was read last."""
        return self._differs is not None

    def believed_difference(self, held: int | None, now: float) -> int | None:
        """Take what a read says of the account; return it once it is to be believed, else None."""
        if held is None:
            self._differs = None
            return None
        known, since, reads = self._differs or (held, now, 0)
        if known != held:
            since, reads = now, 0
        self._differs = (held, since, reads + 1)
        is_old = now - since >= self.patience.difference_seconds
        has_settled = now - self._last_fill >= self.patience.settle_seconds
        return held if reads + 1 >= _READS_TO_BELIEVE and is_old and has_settled else None

    def may_exit(self, now: float) -> bool:
        """Whether an exit may be sent now."""
        return now >= self._no_exit_before

    def overdue(self, orders: Iterable[DeskOrder], asked: float) -> list[str]:
        """Return the tags of lost orders that a book asked for at ``asked`` should have shown by then."""
        return [
            order.tag
            for order in orders
            if asked - self._sent.get(order.tag, asked) >= self.patience.unresolved_seconds
        ]

    def next_look(self, state: DeskState, last: float) -> float:
        """Return when the book should be read again, given when it was read last (monotonic seconds)."""
        moving = [order for order in state.orders.values() if _is_moving(order)]
        if not moving:
            return last + self.patience.resync_seconds
        started = max(self._sent.get(order.tag, last) for order in moving)
        first = started + _FIRST_LOOK_SECONDS
        return first if last < first else last + _NEXT_LOOK_SECONDS

    def _limit(self, order: DeskOrder) -> float:
        if order.intent.role == "entry":
            return self.patience.entry_seconds if order.intent.kind == "market" else math.inf
        return self.patience.target_seconds if order.intent.kind == "limit" else self.patience.exit_seconds


def _may_rest_too_long(order: DeskOrder) -> bool:
    """Whether the order is at the exchange and could have filled by now; a stop waits for its trigger."""
    return order.stage == "known" and order.exposure > 0 and order.book_state in ("open", "pending")


def _is_moving(order: DeskOrder) -> bool:
    """Whether news of the order is to be expected within seconds."""
    if order.over:
        return order.stage != "absent" and order.booked != order.filled
    if order.intent.role == "entry":  # what fills has no protection yet, and a pushed update may be lost
        return True
    return order.book_state != "waiting" or order.cancel_sent or order.change is not None
