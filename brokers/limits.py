"""A broker's limits on requests, kept on our side, with a part of the orders' share held back for exits.

Beyond its limits a broker refuses exits as well, and whoever runs into them often is suspended. Windows
slide: what holds over any second holds over the calendar second that the server counts.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from brokers.wire import NotNowError, OrderRefusedError

__all__ = ["DayLimit", "Limit", "OrderBudget", "ReadBudget", "ReadKind"]

ReadKind = Literal["quote", "history", "other"]

_LONGEST_WAIT_SECONDS = 2.0


class Limit(NamedTuple):
    """So many requests in any window of ``seconds``; ``reserve`` of them are for exits only."""

    requests: int
    seconds: float
    reserve: int = 0


class DayLimit(NamedTuple):
    """So many orders a day, of which ``reserve`` are for exits only."""

    orders: int
    reserve: int


class _Window:
    """When the latest requests went out, as far as a limit counts them."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._times: deque[float] = deque(maxlen=limit.requests)

    def wait(self, now: float, *, may_use_reserve: bool) -> float:
        """Return the seconds until one more request keeps the limit."""
        limit = self._limit
        allowed = limit.requests if may_use_reserve else limit.requests - limit.reserve
        if len(self._times) < allowed:
            return 0.0
        return max(0.0, self._times[-allowed] + limit.seconds - now)

    def take(self, now: float) -> None:
        self._times.append(now)


class OrderBudget:
    """How many orders and cancels may still go out. Thread-safe.

    Parameters
    ----------
    title : str
        The broker's name, for messages.
    limits : sequence of Limit
        All of them hold.
    day : DayLimit or None
        None where the broker counts no days.
    monotonic, sleep : callable
        The clock of durations and how to wait, seconds.
    """

    def __init__(
        self,
        title: str,
        limits: Sequence[Limit],
        day: DayLimit | None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._title = title
        self._day = day
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._windows = [_Window(limit) for limit in limits]
        self._placed = 0

    @property
    def placed_today(self) -> int:
        """Orders of today, as far as known."""
        with self._lock:
            return self._placed

    def saw_orders(self, count: int) -> None:
        """Take note that the order book of today holds ``count`` orders, those of other programs included."""
        with self._lock:
            self._placed = max(self._placed, count)

    def take(self, *, is_exit: bool, places: bool) -> None:
        """Wait until a request may go out, and count it.

        Parameters
        ----------
        is_exit : bool
            Whether it may use what is held back for exits.
        places : bool
            Whether it places an order; cancels do not count against the limit of the day.

        Raises
        ------
        NotNowError
            The wait would be longer than 2 seconds: by then the market is elsewhere.
        OrderRefusedError
            The day's share is used up.
        """
        deadline = self._monotonic() + _LONGEST_WAIT_SECONDS
        while True:
            with self._lock:
                now = self._monotonic()
                self._check_day(is_exit=is_exit, places=places)
                wait = max(window.wait(now, may_use_reserve=is_exit) for window in self._windows)
                if wait <= 0.0:
                    for window in self._windows:
                        window.take(now)
                    self._placed += places
                    return
            if now + wait > deadline:
                raise NotNowError(
                    f"{self._title}'s limit of order requests is reached, expected fewer; the next one "
                    f"may go out in {wait:.1f} seconds"
                )
            self._sleep(wait)

    def _check_day(self, *, is_exit: bool, places: bool) -> None:
        if self._day is None:
            return
        most = self._day.orders if is_exit else self._day.orders - self._day.reserve
        if places and self._placed >= most:
            raise OrderRefusedError(
                f"found {self._placed} orders of today, expected fewer than {most}; {self._title} takes no "
                f"more than {self._day.orders} a day, of which {self._day.reserve} are kept for exits"
            )


class ReadBudget:
    """Waits so that reads keep a broker's limits. Thread-safe.

    Parameters
    ----------
    limits : mapping of str to sequence of Limit
        By kind of read; all of a kind hold.
    monotonic, sleep : callable
        The clock of durations and how to wait, seconds.
    """

    def __init__(
        self,
        limits: Mapping[ReadKind, Sequence[Limit]],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()
        self._windows = {kind: [_Window(limit) for limit in several] for kind, several in limits.items()}

    def take(self, kind: ReadKind) -> None:
        """Wait until a read of this kind may go out, and count it."""
        windows = self._windows[kind]
        while True:
            with self._lock:
                now = self._monotonic()
                wait = max(window.wait(now, may_use_reserve=True) for window in windows)
                if wait <= 0.0:
                    for window in windows:
                        window.take(now)
                    return
            self._sleep(wait)
