"""Alerts that wait for one channel: a bounded queue that keeps the order and drops the least severe first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from analyzers.alerts.alert import SEVERITIES, Alert

__all__ = ["AlertQueue", "Waiting"]


class Waiting(NamedTuple):
    """An alert in the queue; ``since`` in seconds of the queue's clock."""

    number: int
    alert: Alert
    since: float


class AlertQueue:
    """A queue between who tells and who sends. Putting never waits for sending.

    The oldest alert stays in the queue while it is being sent, so that the queue never holds more than its
    size; it may be dropped between two tries, and not during one.

    Parameters
    ----------
    size : int
        Most alerts held, the one being sent included.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._changed = threading.Condition()
        self._items: list[Waiting] = []
        self._next_number = 0
        self._is_sending = False
        self._is_closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._items)

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._is_closed

    def put(self, alert: Alert) -> Alert | None:
        """Take an alert, and return the one that has to go for it: the oldest of the least severe ones.

        It may be the given one itself, if it is the least severe, or if the queue was closed.
        """
        with self._changed:
            if self._is_closed:
                return alert
            self._items.append(Waiting(self._next_number, alert, self._clock()))
            self._next_number += 1
            self._changed.notify_all()
            if len(self._items) <= self._size:
                return None
            loose = self._items[1:] if self._is_sending else self._items
            least = min(loose, key=lambda item: SEVERITIES.index(item.alert.severity))
            self._items.remove(least)
            return least.alert

    def begin(self) -> Waiting | None:
        """Wait for an alert and keep it from being dropped; None once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_closed)
            if self._is_closed:
                return None
            self._is_sending = True
            return self._items[0]

    def done(self) -> None:
        """Take out what :meth:`begin` returned."""
        with self._changed:
            self._is_sending = False
            del self._items[0]
            self._changed.notify_all()

    def release(self) -> None:
        """Keep what :meth:`begin` returned for another try; until then it may be dropped like the others."""
        with self._changed:
            self._is_sending = False

    def pause(self, seconds: float) -> None:
        """Wait; a close ends the wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, timeout=seconds)

    def wait_empty(self, seconds: float) -> bool:
        """Return whether nothing is left to be sent, after at most ``seconds``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._items, timeout=seconds)

    def close(self) -> None:
        """Take nothing more, and hand out nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def clear(self) -> int:
        """Forget what is left, and return how many that were."""
        with self._changed:
            left = len(self._items)
            self._items.clear()
            self._is_sending = False
            self._changed.notify_all()
            return left
