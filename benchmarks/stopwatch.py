"""What a live run leaves behind for its timing: the journal, and when things happened on both sides."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from brokers.desk.desk import OrderDesk
from brokers.desk.dispatcher import Dispatcher
from brokers.desk.facts import Acknowledged, ExitWanted, Intent
from brokers.desk.journal_file import JournalRow
from brokers.wire import BookOrder, OrderRequest

__all__ = ["LiveRun", "Protection", "Stopwatch"]


class Stopwatch:
    """Notes what caused an order and when updates came, in this process and as long as its block lasts.

    Attributes
    ----------
    causes : dict
        ``time.perf_counter`` of an order's cause, by tag, seconds.
    updates : list of tuple
        Order updates as they came: ``time.perf_counter``, order id, units filled.
    """

    def __init__(self) -> None:
        self.causes: dict[str, float] = {}
        self.updates: list[tuple[float, str, int]] = []

    def __enter__(self) -> Self:
        self._place, self._on_update = place, on_update = Dispatcher.place, OrderDesk.on_order_update

        def noted_place(dispatcher: Dispatcher, request: OrderRequest, cause: float) -> None:
            self.causes[request.tag] = cause
            place(dispatcher, request, cause)

        def noted_update(desk: OrderDesk, row: BookOrder) -> None:
            self.updates.append((time.perf_counter(), row.order_id, row.filled))
            on_update(desk, row)

        Dispatcher.place = noted_place  # type: ignore[method-assign]
        OrderDesk.on_order_update = noted_update  # type: ignore[method-assign]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Dispatcher.place = self._place  # type: ignore[method-assign]
        OrderDesk.on_order_update = self._on_update  # type: ignore[method-assign]


class Protection(NamedTuple):
    """What became of the fills of entries.

    Attributes
    ----------
    milliseconds : list of float
        From the arrival of a fill until the exchange had read the stop that covers it.
    left_instead : int
        Fills of positions that were to be left at once: they need an exit, not a stop.
    uncovered : list of str
        All others, by order and units: there must be none.
    """

    milliseconds: list[float]
    left_instead: int
    uncovered: list[str]


class LiveRun(NamedTuple):
    """What a run left.

    Attributes
    ----------
    rows : list of JournalRow
        Its journal.
    watch : Stopwatch
        What was noted in the process that trades.
    arrivals : dict
        ``time.perf_counter`` at which the exchange had read an order, by tag, seconds.
    seen : dict
        What else the exchange saw.
    """

    rows: list[JournalRow]
    watch: Stopwatch
    arrivals: dict[str, float]
    seen: dict[str, Any]

    @property
    def intents(self) -> dict[str, Intent]:
        """Every order that was meant to be sent, by tag."""
        return {row.fact.tag: row.fact for row in self.rows if isinstance(row.fact, Intent)}

    def at_wire(self, role: str) -> list[float]:
        """Return what the journal says of orders of a role, from their cause to the wire, milliseconds."""
        intents = self.intents
        answered = [row.fact for row in self.rows if isinstance(row.fact, Acknowledged)]
        return [fact.wire_ms for fact in answered if intents[fact.tag].role == role and fact.wire_ms >= 0]

    def at_exchange(self, role: str) -> list[float]:
        """Return the same until the exchange had read the order, by the clock of neither journal."""
        causes = self.watch.causes
        return [
            1e3 * (self.arrivals[tag] - causes[tag])
            for tag, intent in self.intents.items()
            if intent.role == role and tag in self.arrivals and tag in causes
        ]

    def protection(self) -> Protection:
        """Hold every fill of an entry against the stops that followed it."""
        intents = self.intents
        tags = {row.fact.order_id: row.fact.tag for row in self.rows if isinstance(row.fact, Acknowledged)}
        left = {row.fact.trip for row in self.rows if isinstance(row.fact, ExitWanted)}
        milliseconds: list[float] = []
        uncovered: list[str] = []
        left_instead = 0
        filled: dict[int, dict[str, int]] = {}
        for arrived, order_id, units in sorted(self.watch.updates):
            entry = intents.get(tags.get(order_id, ""))
            if entry is None or entry.role != "entry":
                continue
            of_trip = filled.setdefault(entry.trip, {})
            if units <= of_trip.get(entry.tag, 0):
                continue
            of_trip[entry.tag] = units
            covered_at = self._covered_at(entry.trip, sum(of_trip.values()))
            if covered_at is not None:
                # The list of trades may have told the fill before the update did
                milliseconds.append(max(0.0, 1e3 * (covered_at - arrived)))
            elif entry.trip in left:
                left_instead += 1
            else:
                uncovered.append(f"{entry.tag}: {units} units")
        return Protection(milliseconds, left_instead, uncovered)

    def _covered_at(self, trip: int, units: int) -> float | None:
        """Return when the exchange had read stops over at least so many units of a trip."""
        stops = [
            (self.arrivals[tag], abs(intent.size))
            for tag, intent in self.intents.items()
            if intent.trip == trip and intent.kind == "stop" and tag in self.arrivals
        ]
        covered = 0
        for arrived, size in sorted(stops):
            covered += size
            if covered >= units:
                return arrived
        return None
