"""Bars in the order in which they may be acted upon: none twice, none before an older one."""

from __future__ import annotations

import datetime as dt
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from feeds.tick_bars import Bar

__all__ = ["BarSequence", "LiveBar", "Origin"]

Origin = Literal["warmup", "ticks", "backfill"]


class LiveBar(NamedTuple):
    """A bar, and where it is from.

    Attributes
    ----------
    bar : Bar
        The bar.
    origin : str
        ``warmup``: history from before the start; ``ticks``: built here; ``backfill``: history in place of
        ticks that were lost.
    received : float
        ``time.perf_counter`` when the tick that closed it arrived, seconds; else when the bar was known.
    """

    bar: Bar
    origin: Origin
    received: float


class BarSequence:
    """Holds the bars that are ready, and how far they reach.

    Parameters
    ----------
    on_event : callable
        Told of a bar that came too late to be delivered.

    Attributes
    ----------
    ready : deque of LiveBar
        Oldest first.
    frontier : datetime or None
        No bar that starts before it will follow; None until the first is settled.
    """

    def __init__(self, on_event: Callable[[str, dict[str, Any]], None]) -> None:
        self.ready: deque[LiveBar] = deque()
        self.frontier: dt.datetime | None = None
        self._on_event = on_event
        self._day: dt.date | None = None
        self._quantity: float | None = None

    def add(self, bar: Bar, origin: Origin, received: float | None = None) -> None:
        """Take the next bar; one that starts before the frontier is reported and left out."""
        if self.frontier is not None and bar.start < self.frontier:
            self._on_event("bar_dropped", {"start": bar.start.isoformat(), "origin": origin})
            return
        self.frontier = bar.end
        if bar.start.date() != self._day:
            self._day, self._quantity = bar.start.date(), bar.volume
        elif self._quantity is not None:
            self._quantity += bar.volume
        self.ready.append(LiveBar(bar, origin, time.perf_counter() if received is None else received))

    def reach(self, moment: dt.datetime) -> None:
        """Say that no bar from before ``moment`` will follow."""
        self.frontier = moment if self.frontier is None else max(moment, self.frontier)

    def set_quantity(self, quantity: float | None) -> None:
        """Say what the day's cumulative quantity was at the frontier, units; None where it is not known."""
        self._quantity = quantity

    def quantity_on(self, day: dt.date) -> float | None:
        """Return the cumulative quantity of ``day`` at the frontier, units, None where it is not known."""
        return self._quantity if day == self._day else None
