"""What the tests of the alerts share: a log that remembers, a clock to turn, a channel to hold."""

from __future__ import annotations

import threading
from typing import Any

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline
from analyzers.alerts.settings import AlertsSettings
from analyzers.alerts.worker import Pauses
from feeds.secrets import Secrets
from tests.telegram_server import CHAT, TOKEN, WAIT

AT_ONCE = Pauses(0.001, 0.01)
"""Waits between tries that no test notices."""


class MemoryLog:
    """A log that can be waited on."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self._changed = threading.Condition()

    def _note(self, level: str, event: str, fields: dict[str, object]) -> None:
        with self._changed:
            self.records.append({"level": level, "event": event, **fields})
            self._changed.notify_all()

    def debug(self, event: str, /, **fields: object) -> None:
        self._note("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        self._note("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        self._note("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        self._note("error", event, fields)

    def of(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["event"] == event]

    def wait(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.of(event)) >= count, WAIT), (event, self.records)
        return self.of(event)


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class GatedChannel:
    """A channel whose every delivery waits to be let through, and fails as often as told."""

    def __init__(self, name: str = "gated", least: Severity = "info", *, is_open: bool = True) -> None:
        self.name = name
        self.least: Severity = least
        self.gate = threading.Event()
        self.delivered: list[Alert] = []
        self.tries: list[Alert] = []
        self.errors: list[DeliveryError] = []
        self.standing_error: DeliveryError | None = None
        self.begun = threading.Semaphore(0)
        if is_open:
            self.gate.set()

    def deliver(self, alert: Alert, deadline: Deadline) -> None:
        self.tries.append(alert)
        self.begun.release()
        assert self.gate.wait(WAIT)
        if self.errors:
            raise self.errors.pop(0)
        if self.standing_error is not None:
            raise self.standing_error
        self.delivered.append(alert)


def alert_of(title: str, severity: Severity = "info", key: str = "", **fields: Any) -> Alert:
    return Alert(severity=severity, title=title, key=key, **fields)


def settings_of(**fields: Any) -> AlertsSettings:
    return AlertsSettings(**{"timeout_seconds": 5.0, **fields})


def telegram_secrets(**more: str) -> Secrets:
    return Secrets({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT, **more})
