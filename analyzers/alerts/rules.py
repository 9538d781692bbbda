"""Which records of the logs are worth an alert, and its words.

Records are facts: an order is told of when it was filled, not when it was wanted. Every message has the mode
and the time of the market.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

from analyzers.alerts.alert import Alert
from analyzers.alerts.day_alerts import DAY_ALERTS, login_link
from analyzers.alerts.draft import Draft
from analyzers.alerts.order_alerts import OrderAlerts

__all__ = ["AlertRules"]

_OWN_EVENTS = ("alert", "heartbeat", "telegram")
_NO_FIELDS = ("time", "level", "event", "uptime_seconds", "traceback")


class AlertRules:
    """Makes alerts of records, in the order of the log. For one thread.

    After a restart in the middle of a day, records of before may be given once more, and what is returned for
    them thrown away: then the orders that are under way are known.

    Parameters
    ----------
    mode : {'demo', 'paper', 'live'}
        Stands in every message.
    public_url : str or None
        How the user reaches the status page, for the link to the login.
    patience_seconds : float
        Time for which the stream may be down before it is told.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self,
        mode: Literal["demo", "paper", "live"],
        public_url: str | None = None,
        *,
        patience_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mode = mode
        self._link = login_link(public_url)
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._orders = OrderAlerts()
        self._symbol = ""
        self._notes: tuple[str, ...] = ()
        self._down_since: float | None = None
        self._down: Mapping[str, Any] = {}
        self._is_down_told = False

    def alert_of(self, record: Mapping[str, Any]) -> Alert | None:
        """Return what is to be told of a record, None for nothing.

        An error that no rule knows, or whose fields are not as expected, is told as it stands.
        """
        event = str(record.get("event", ""))
        try:
            draft = self._draft_of(event, record)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError):
            draft = _as_it_stands(event, record)
        return None if draft is None else self._finished(draft, record)

    def due(self) -> Alert | None:
        """Return what time alone makes worth telling: that the stream stays down. For a call each second."""
        if self._down_since is None or self._is_down_told:
            return None
        if self._clock() - self._down_since < self._patience_seconds:
            return None
        self._is_down_told = True
        return self._finished(
            Draft(
                "warning",
                "no prices: the stream is down",
                [
                    f"{self._down.get('reason') or 'No reason was given'}.",
                    "It is connected anew all the time; an open position keeps its stop.",
                ],
                "stream_down",
            ),
            self._down,
        )  # fmt: skip

    def _draft_of(self, event: str, record: Mapping[str, Any]) -> Draft | None:
        match event:
            case "connected" | "day_begins" | "day_opened":
                self._symbol = str(record.get("symbol") or self._symbol)
                return None
            case "plan":
                self._notes = tuple(str(note) for note in record.get("notes") or ())
                return None
            case "stream":
                return self._stream(record)
            case "day_over" | "stopping":
                self._down_since = None
                return None
        if self._orders.knows(event):
            return self._orders.draft_of(record)
        if event in DAY_ALERTS:
            draft = DAY_ALERTS[event](record, self._link)
            if draft is not None and event == "preflight":
                return draft._replace(lines=[*draft.lines, *self._notes])
            return draft
        return _as_it_stands(event, record)

    def _stream(self, record: Mapping[str, Any]) -> Draft | None:
        if record["state"] == "down" and self._down_since is None:
            self._down_since, self._down, self._is_down_told = self._clock(), record, False
        if record["state"] != "up" or self._down_since is None:
            return None
        seconds = self._clock() - self._down_since
        was_told, self._down_since = self._is_down_told, None
        if not was_told:
            return None
        return Draft("info", f"prices are back after {seconds:,.0f} seconds", (), "stream_up")

    def _finished(self, draft: Draft, record: Mapping[str, Any]) -> Alert:
        urgent = "CRITICAL " if draft.severity == "critical" else ""
        title = draft.title.replace("{symbol}", self._symbol or "units")
        lines = [line for line in (*draft.lines, _time(record)) if line]
        return Alert(
            severity=draft.severity,
            title=f"{urgent}{self._mode.upper()}: {title}",
            text="\n".join(lines),
            key=f"{str(record.get('time') or '')[:10]} {draft.key}",  # trade 1 of the next day is another one
            attachments=draft.attachments,
            told_on=draft.told_on,
        )


def _as_it_stands(event: str, record: Mapping[str, Any]) -> Draft | None:
    if record.get("level") != "error" or event.startswith(_OWN_EVENTS):
        return None
    lines = [f"{name}: {value}" for name, value in record.items() if name not in _NO_FIELDS]
    return Draft("critical", event.replace("_", " ") or "an error without a name", lines, f"error:{event}")


def _time(record: Mapping[str, Any]) -> str:
    """Return the market's time of a record, ``2026-09-24 14:36:02 IST``."""
    text = str(record.get("time") or "")
    return f"{text[:10]} {text[11:19]} IST" if len(text) >= 19 else ""
