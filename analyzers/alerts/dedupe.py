"""The same alert twice within minutes is told once; the next one says how many there were in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from analyzers.alerts.alert import Alert

__all__ = ["Dedupe"]

_MOST_KEYS = 1000


class Dedupe:
    """Decides which alerts are worth sending.

    Parameters
    ----------
    window_seconds : float
        Time after an alert in which its like is held back; 0 holds back nothing.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, window_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_seconds = window_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: dict[tuple[str, str], tuple[float, int]] = {}

    def admit(self, alert: Alert) -> Alert | None:
        """Return what is to be sent: the alert, perhaps with a count of those held back; None for nothing.

        An alert that is more severe than before is another alert.
        """
        if not alert.key:
            return alert
        name = (alert.severity, alert.key)
        with self._lock:
            now = self._clock()
            sent_at, held_back = self._sent.get(name, (None, 0))
            if sent_at is not None and now - sent_at < self._window_seconds:
                self._sent[name] = (sent_at, held_back + 1)
                return None
            self._sent.pop(name, None)  # to the end of the dictionary: the oldest are at its front
            self._sent[name] = (now, 0)
            if len(self._sent) > _MOST_KEYS:
                del self._sent[next(iter(self._sent))]
        if not held_back:
            return alert
        return alert.with_note(f"({held_back} more like this since the last message)")
