"""What the logs are counted into for the metrics: orders, denials, steps, controls, latencies."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from analyzers.status.day_fold import number

__all__ = ["Counted", "Histogram", "LogCounts"]

_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_OUTCOMES_OF_BOOK = {"complete": "filled", "cancelled": "cancelled", "rejected": "rejected"}
_OUTCOMES_ON_PAPER = {
    "submitted": "sent",
    "completed": "filled",
    "canceled": "cancelled",
    "expired": "cancelled",
    "margin": "rejected",
    "rejected": "rejected",
}


class Histogram(NamedTuple):
    """Durations by upper bound; ``counts`` has one entry more, for what is above all bounds."""

    bounds_seconds: tuple[float, ...]
    counts: tuple[int, ...]
    sum_seconds: float


class Counted(NamedTuple):
    """Everything counted at one moment; keys are the label values of the metric."""

    orders: dict[tuple[str, str], int]
    denials: dict[str, int]
    bars: dict[bool, int]
    records: dict[str, int]
    controls: dict[tuple[str, str], int]
    trades: dict[str, int]
    reconnects: int
    steps_missed: int
    decision_latency: Histogram
    order_answer: Histogram


class LogCounts:
    """Counts the records of logs. Callable from any thread.

    Notes
    -----
    Counted is what the files hold, also from before this process: a restart of it changes no figure.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._orders: Counter[tuple[str, str]] = Counter()
        self._denials: Counter[str] = Counter()
        self._bars: dict[str, bool] = {}
        self._records: Counter[str] = Counter()
        self._controls: Counter[tuple[str, str]] = Counter()
        self._trades: dict[tuple[str, int], str] = {}
        self._reconnects = 0
        self._steps_missed = 0
        self._is_stream_known = False
        self._roles: dict[str, str] = {}
        self._outcomes: set[tuple[str, str]] = set()
        self._decision_latency = _Durations()
        self._order_answer = _Durations()

    def take(self, record: Mapping[str, Any]) -> None:
        """Count a record."""
        with self._lock:
            self._records[str(record.get("level", ""))] += 1
            self._take(str(record.get("event", "")), record)

    def take_trade(self, folder: str, trade_id: int, net_pnl: float | None) -> None:
        """Count a round trip of a day that is over; the same one again changes nothing."""
        result = "unknown" if net_pnl is None else "win" if net_pnl > 0 else "loss"
        with self._lock:
            self._trades[folder, trade_id] = result

    def counted(self) -> Counted:
        """Return the figures of this moment."""
        with self._lock:
            bars = Counter(self._bars.values())
            return Counted(
                orders=dict(self._orders),
                denials=dict(self._denials),
                bars={True: bars[True], False: bars[False]},
                records=dict(self._records),
                controls=dict(self._controls),
                trades=dict(Counter(self._trades.values())),
                reconnects=self._reconnects,
                steps_missed=self._steps_missed,
                decision_latency=self._decision_latency.histogram(),
                order_answer=self._order_answer.histogram(),
            )

    def _take(self, event: str, record: Mapping[str, Any]) -> None:
        tag = str(record.get("tag", ""))
        match event:
            case "bar":
                self._bars[str(record.get("start"))] = bool(record.get("complete"))
            case "intent":
                self._roles[tag] = str(record.get("role", ""))
            case "sent" | "refused" | "unresolved" | "not_found":
                self._count_order(tag, event)
            case "order_seen":
                outcome = _OUTCOMES_OF_BOOK.get(str(record.get("state")))
                if outcome is not None:
                    self._count_order(tag, outcome)
            case "acknowledged":
                self._order_answer.add(number(record.get("answer_ms")))
                if self._roles.get(tag) == "entry":
                    self._decision_latency.add(number(record.get("wire_ms")))
            case "entry_denied":
                self._denials[str(record.get("rule") or "desk")] += 1
            case "paper_order":
                self._take_paper_order(record)
            case "connected":
                self._is_stream_known = False
            case "stream" if record.get("state") == "up":
                self._reconnects += self._is_stream_known
                self._is_stream_known = True
            case "step_missed":
                self._steps_missed += 1
            case "control":
                self._controls[str(record.get("command", "")), str(record.get("outcome", ""))] += 1

    def _take_paper_order(self, record: Mapping[str, Any]) -> None:
        state, role = str(record.get("state")), str(record.get("role", ""))
        if state == "denied":
            self._denials[str(record.get("rule") or "desk")] += 1
        elif state in _OUTCOMES_ON_PAPER:
            self._orders[role, _OUTCOMES_ON_PAPER[state]] += 1

    def _count_order(self, tag: str, outcome: str) -> None:
        """Count an outcome of an order once, however often it is told."""
        if (tag, outcome) not in self._outcomes:
            self._outcomes.add((tag, outcome))
            self._orders[self._roles.get(tag, "unknown"), outcome] += 1


class _Durations:
    """A histogram being filled."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BUCKETS_SECONDS) + 1)
        self._sum_seconds = 0.0

    def add(self, milliseconds: float | None) -> None:
        if milliseconds is not None and milliseconds >= 0.0:
            seconds = milliseconds / 1000.0
            self._counts[bisect_left(_BUCKETS_SECONDS, seconds)] += 1
            self._sum_seconds += seconds

    def histogram(self) -> Histogram:
        return Histogram(_BUCKETS_SECONDS, tuple(self._counts), self._sum_seconds)
