"""One day folded from its files: candles, decisions, fills, equity, events and latencies for the page."""

from __future__ import annotations

import datetime as dt
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analyzers.day_words import has_sentence, words_of

__all__ = ["EVENTS_SHOWN", "DayFold", "event_of_page", "merged_events", "number", "percentile"]

EVENTS_SHOWN = 200

_UNTOLD = ("bar", "status_page")
_ORIGIN_OF_EARLIER_DAYS = "warmup"


class DayFold:
    """What the page shows of one day; grows with its files.

    Parameters
    ----------
    mask : callable
        Hides secrets in what is shown as text.

    Attributes
    ----------
    events : collections.deque
        The last events worth reading, as the page gets them.

    Notes
    -----
    ``bars.csv`` also holds the bars of earlier days that a strategy was warmed up with; they are left out. A
    bar or fill that comes again, as after a restart, replaces the one that was there. For one thread.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._day = ""
        self._candles: dict[str, list[Any]] = {}
        self._ends: dict[str, str] = {}
        self._decisions: dict[str, Mapping[str, str]] = {}
        self._denied: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._fills: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._filled_on_paper: dict[Any, float] = {}
        self._equity: dict[str, list[Any]] = {}
        self._wire_ms: list[float] = []
        self.events: deque[dict[str, str]] = deque(maxlen=EVENTS_SHOWN)

    # -- taking ----------------------------------------------------------------------------------

    def take_bars(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Take rows of ``bars.csv``."""
        for row in rows:
            start = _iso(row.get("start", ""))
            prices = [number(row.get(name)) for name in ("open", "high", "low", "close", "volume")]
            if not start or None in prices:
                continue
            self._candles[start] = [start, *prices, int(row.get("complete") == "1")]
            self._ends[start] = _wall(row.get("end", ""))
            if row.get("origin") != _ORIGIN_OF_EARLIER_DAYS and not self._day:
                self._day = start[:10]

    def take_decisions(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Take rows of ``decisions.csv``."""
        for row in rows:
            start = _iso(row.get("bar_start", ""))
            if start:
                self._decisions[start] = row

    def take_record(self, record: Mapping[str, Any]) -> None:
        """Take a record of ``live.log``."""
        shown = event_of_page(record, self._mask)
        if shown is not None:
            self.events.append(shown)
        match record.get("event"):
            case "day_begins":
                self._day = str(record.get("day", ""))[:10]
            case "bar":
                self._take_equity(record)
            case "intent":
                self._roles[str(record.get("tag"))] = str(record.get("role", ""))
            case "acknowledged":
                self._take_latency(record)
            case "filled":
                self._take_fill(record)
            case "entry_denied":
                self._denied[_wall(record.get("signal_time", ""))] = self._mask(str(record.get("reason", "")))
            case "entry_reasons":
                self._reasons[_iso(record.get("start"))] = self._mask(str(record.get("why", "")))
            case "paper_order":
                self._take_paper_order(record)

    def _take_equity(self, record: Mapping[str, Any]) -> None:
        rupees = number(record.get("net"))
        if rupees is None:
            rupees = number(record.get("pnl"))
        if rupees is not None:
            self._equity[str(record.get("start"))] = [self._mask(str(record.get("time"))), rupees]

    def _take_latency(self, record: Mapping[str, Any]) -> None:
        wire_ms = number(record.get("wire_ms"))
        if wire_ms is not None and self._roles.get(str(record.get("tag"))) == "entry":
            self._wire_ms.append(wire_ms)

    def _take_fill(self, record: Mapping[str, Any]) -> None:
        tag = str(record.get("tag"))
        self._put_fill(
            (tag, record.get("trade_id")),
            record.get("time_") or record.get("time"),
            self._roles.get(tag, ""),
            record.get("size"),
            record.get("price"),
        )

    def _take_paper_order(self, record: Mapping[str, Any]) -> None:
        state, order, role = record.get("state"), record.get("order_id"), str(record.get("role", ""))
        if state == "denied" and role == "entry":
            self._denied[_wall(record.get("time_", ""))] = self._mask(str(record.get("reason", "")))
        filled = number(record.get("filled"))
        if state in ("partial", "completed") and filled is not None:
            # The price is the average of all parts: the last part is shown at it
            new = filled - self._filled_on_paper.get(order, 0.0)
            self._filled_on_paper[order] = filled
            self._put_fill((order, filled), record.get("time"), role, new, record.get("average_price"))

    def _put_fill(self, key: tuple[Any, ...], time: object, role: str, size: object, price: object) -> None:
        units, points = number(size), number(price)
        if units and points is not None:
            self._fills[key] = {
                "time": self._mask(str(time)),
                "role": self._mask(role),
                "size": units,
                "price": points,
            }

    # -- showing ---------------------------------------------------------------------------------

    def shown(self) -> dict[str, Any]:
        """Return candles, decisions, prediction, fills, equity and latency as the page gets them."""
        today = [self._shown_decision(start) for start in self._decisions if self._is_today(start)]
        return {
            "candles": [candle for start, candle in self._candles.items() if self._is_today(start)],
            "decisions": [decision for decision in today if decision["side"]],
            "prediction": today[-1] if today else None,
            "fills": list(self._fills.values()),
            "equity": list(self._equity.values()),
            "latency": {
                "decisions": len(self._wire_ms),
                "p50_ms": percentile(self._wire_ms, 50),
                "p99_ms": percentile(self._wire_ms, 99),
                "last_ms": self._wire_ms[-1] if self._wire_ms else None,
            },
        }

    def _is_today(self, start: str) -> bool:
        return start[:10] == self._day

    def _shown_decision(self, start: str) -> dict[str, Any]:
        row = self._decisions[start]
        side = number(row.get("side")) or 0.0
        return {
            "start": start,
            "side": int(side),
            "probability": number(row.get("probability")),
            "units": number(row.get("units")),
            "p_sell": number(row.get("p_sell")),
            "p_hold": number(row.get("p_hold")),
            "p_buy": number(row.get("p_buy")),
            "denied": self._denied.get(self._ends.get(start, ""), "") if side else "",
            "why": self._reasons.get(start, "") if side else "",
        }


def event_of_page(record: Mapping[str, Any], mask: Callable[[str], str]) -> dict[str, str] | None:
    """Return an event as the page shows it: info with a sentence of its own, and every warning and error."""
    level, event = str(record.get("level", "")), str(record.get("event", ""))
    if not event or event in _UNTOLD or level not in ("info", "warning", "error"):
        return None
    if level == "info" and not has_sentence(record):
        return None
    words = words_of(record)
    if not words:
        return None
    time = mask(str(record.get("time", "")))
    return {"time": time, "level": level, "event": mask(event), "words": mask(words)}


def merged_events(*sources: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Return the last events of several logs, oldest first."""
    events = [event for source in sources for event in source]
    events.sort(key=lambda event: event["time"])
    return events[-EVENTS_SHOWN:]


def number(value: object) -> float | None:
    """Return a finite number from a CSV or a log, None for anything else."""
    if value is None or isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return the smallest value that ``percent`` of all do not exceed, None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(percent / 100.0 * len(ordered)) - 1)]


def _iso(text: object) -> str:
    """Return a time as it stands in a CSV in ISO form, empty where it is none."""
    try:
        return dt.datetime.fromisoformat(str(text)).isoformat()
    except ValueError:
        return ""


def _wall(text: object) -> str:
    """Return the exchange's wall clock of a time, by which a denial finds its bar."""
    return _iso(text)[:19]
