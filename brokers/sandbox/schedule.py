"""What is due when: a queue of actions in market time."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Callable

__all__ = ["Schedule"]

Action = Callable[[dt.datetime], None]


class Schedule:
    """Actions by time; those of one moment run in the order they were added.

    Parameters
    ----------
    now : datetime.datetime
        Aware time it starts at; nothing can be added before the time already reached.
    """

    def __init__(self, now: dt.datetime) -> None:
        self.now = now
        self._count = 0
        self._queue: list[tuple[dt.datetime, int, Action]] = []

    def add(self, time: dt.datetime, action: Action) -> None:
        """Run ``action(time)`` when time reaches ``time``, or next if that has passed."""
        heapq.heappush(self._queue, (max(time, self.now), self._count, action))
        self._count += 1

    def next_due(self) -> dt.datetime | None:
        """Return when the next action is due; None when there is none."""
        return self._queue[0][0] if self._queue else None

    def run(self, now: dt.datetime) -> None:
        """Run everything due up to ``now``, that included; an earlier time than reached changes nothing."""
        now = max(now, self.now)
        while self._queue and self._queue[0][0] <= now:
            self.now, _, action = heapq.heappop(self._queue)
            action(self.now)
        self.now = now
