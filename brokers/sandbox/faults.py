"""What the sandbox can be told to do wrong, when, and how often.

A fault waits for its **opportunity**: a request for the faults of HTTP, a frame about to be sent for those of
the stream. It lets some pass (``skip``), may leave it to chance (``probability``), and is used up after
``count``.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import random
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from feeds.section import Section, WallTime

__all__ = [
    "AFTER_KINDS",
    "BEFORE_KINDS",
    "EVENT_KINDS",
    "SOCKET_KINDS",
    "Fault",
    "FaultBoard",
    "FaultKind",
]

FaultKind = Literal[
    "drop_request", "refuse", "too_many_requests", "delay",
    "lost_answer", "late_answer", "bad_gateway", "gateway_timeout", "timed_out", "unreadable", "late_row",
    "clock_skew", "kill_token",
    "silent_socket", "reset", "close", "malformed_frame", "tick_gap", "refuse_upgrade",
    "drop_event", "duplicate_event", "late_event",
]  # fmt: skip
"""What goes wrong; docs/sandbox.md has them one by one."""

BEFORE_KINDS = frozenset({"drop_request", "refuse", "too_many_requests", "delay", "kill_token"})
"""Happen before the request is looked at: nothing is done, but for ``delay``."""

AFTER_KINDS = frozenset(
    {
        "lost_answer", "late_answer", "bad_gateway", "gateway_timeout", "timed_out", "unreadable",
        "late_row", "clock_skew",
    }
)  # fmt: skip
"""Happen after the request was carried out: what was asked for is done."""

SOCKET_KINDS = frozenset({"silent_socket", "reset", "close", "malformed_frame", "tick_gap"})
"""Happen to a connection when the next frame, heartbeats included, would go out on it."""

EVENT_KINDS = frozenset({"drop_event", "duplicate_event", "late_event"})
"""Happen to order updates."""

_DECIDING = frozenset(
    {
        "drop_request", "refuse", "too_many_requests", "lost_answer", "bad_gateway", "gateway_timeout",
        "timed_out", "unreadable", "silent_socket", "reset", "close",
    }
)  # fmt: skip
_WRITES = "POST /*order*/*"  # of Kite, and of Upstox
_EVERYTHING = "*"
_REFUSALS = {"refuse": 500, "refuse_upgrade": 403}
_SECONDS = {
    "delay": 1.0, "late_answer": 1.0, "late_row": 2.0, "clock_skew": 10.0, "tick_gap": 60.0,
    "late_event": 0.5,
}  # fmt: skip


class Fault(Section):
    """One thing to go wrong.

    ``where`` compares fields of the request (form or query) or of the order update as text, so that
    ``{"order_type": "SL"}`` is a fault of stop orders only.
    """

    kind: FaultKind = Field(description="what goes wrong")
    route: str = Field(
        default="",
        max_length=200,
        description="requests it is about, such as 'POST /orders/*' or 'GET /orders'; * stands for anything; "
        "order placements if empty (every request for clock_skew and kill_token)",
    )
    where: dict[str, str] = Field(default_factory=dict, description="fields that have to have these values")
    skip: int = Field(default=0, ge=0, description="opportunities that pass before the first")
    count: int | None = Field(default=1, ge=1, description="how often it happens; null: for ever")
    probability: float = Field(default=1.0, ge=0.0, le=1.0, description="chance at each opportunity")
    after: WallTime | None = Field(default=None, description="not before this time of the market's day")
    seconds: float | None = Field(
        default=None,
        ge=-86_400,
        le=86_400,
        description="length: real seconds for delay, late_answer, late_row, late_event and silent_socket "
        "(null: until the client leaves); market seconds for tick_gap; offset of the Date header for "
        "clock_skew",
    )
    status: int | None = Field(default=None, ge=400, le=599, description="HTTP status of a refusal")
    error_type: str = Field(default="GeneralException", description="error_type of a refusal")
    message: str = Field(default="The sandbox was told to refuse this.", description="text of a refusal")
    code: int = Field(default=1000, ge=1000, le=4999, description="code with which close closes")

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:  # noqa: ANN401 # whatever JSON holds
        if not isinstance(given, Mapping):
            return given
        kind = given.get("kind")
        filled = dict(given)
        if not filled.get("route"):
            filled["route"] = _EVERYTHING if kind in ("clock_skew", "kill_token") else _WRITES
        if filled.get("seconds") is None and kind in _SECONDS:
            filled["seconds"] = _SECONDS[kind]
        if filled.get("status") is None and kind in _REFUSALS:
            filled["status"] = _REFUSALS[kind]
        return filled

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if self.seconds is not None and self.seconds < 0 and self.kind != "clock_skew":
            raise ValueError(f"seconds is {self.seconds:g}, expected 0 or more; correct it")
        return self


class FaultBoard:
    """The faults in force. Safe to use from several threads.

    Parameters
    ----------
    seed : int
        Of the chances.
    """

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 # chance, not a secret
        self._number = 0
        self._entries: dict[int, _Entry] = {}

    def add(self, *faults: Fault) -> list[int]:
        """Put faults up and return their numbers."""
        with self._lock:
            numbers = list(range(self._number + 1, self._number + 1 + len(faults)))
            self._number += len(faults)
            self._entries.update({n: _Entry(fault) for n, fault in zip(numbers, faults, strict=True)})
        return numbers

    def clear(self) -> None:
        """Take all faults down; what has gone wrong stays wrong."""
        with self._lock:
            self._entries.clear()

    def rows(self) -> list[dict[str, Any]]:
        """Return the faults, used-up ones included, with how often each has happened."""
        with self._lock:
            return [
                {"id": number, "happened": entry.happened, **entry.fault.model_dump(mode="json")}
                for number, entry in self._entries.items()
            ]

    def happened(self, number: int) -> int:
        """Return how often a fault has happened; 0 for one that is not up."""
        with self._lock:
            entry = self._entries.get(number)
            return 0 if entry is None else entry.happened

    def take(
        self,
        kinds: Iterable[str],
        now: dt.datetime,
        *,
        route: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> list[Fault]:
        """Offer an opportunity and return the faults that happen at it, oldest first.

        At most one of them decides what becomes of the request or connection.

        Parameters
        ----------
        kinds : iterable of str
            Kinds that can happen here.
        now : datetime.datetime
            The market's time, aware, Asia/Kolkata.
        route : str, optional
            ``METHOD /path`` of a request; None where there is none.
        fields : mapping, optional
            What ``where`` is compared with.
        """
        found: list[Fault] = []
        is_decided = False
        with self._lock:
            for entry in self._entries.values():
                fault = entry.fault
                # One request has one answer: of those that decide it, the later ones wait for their turn.
                if fault.kind not in kinds or (is_decided and fault.kind in _DECIDING):
                    continue
                if entry.fits(now, route, fields or {}) and entry.happens(self._random):
                    found.append(fault)
                    is_decided = is_decided or fault.kind in _DECIDING
        return found


class _Entry:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.happened = 0
        self._passed = 0

    def fits(self, now: dt.datetime, route: str | None, fields: Mapping[str, Any]) -> bool:
        fault = self.fault
        if fault.count is not None and self.happened >= fault.count:
            return False
        if fault.after is not None and now.time() < fault.after:
            return False
        if route is not None and not fnmatch.fnmatchcase(route, fault.route):
            return False
        return all(str(fields.get(name)) == value for name, value in fault.where.items())

    def happens(self, chance: random.Random) -> bool:
        if self._passed < self.fault.skip:
            self._passed += 1
            return False
        if self.fault.probability < 1.0 and chance.random() >= self.fault.probability:
            return False
        self.happened += 1
        return True
