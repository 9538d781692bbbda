"""From the logs of a live process to alerts: each record is looked at once, also over restarts."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from analyzers.alerts.desk import AlertDesk
from analyzers.alerts.rules import AlertRules
from analyzers.log_tail import LogTail
from analyzers.status.day_files import LIVE_LOG, WATCH_LOG
from analyzers.status.now import read_now
from feeds.errors import DataError
from feeds.log import Log

__all__ = ["AlertFeed"]

POSITION_FILE = "alerts.json"
_LOOK_SECONDS = 0.25
_MOST_KEPT = 10


class AlertFeed:
    """Follows the logs in a thread of its own, and hands alerts in. A context manager.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process.
    rules : AlertRules
        Say what is worth an alert.
    desk : AlertDesk
        Sends them.
    outage : callable
        Says why the trading process cannot be relied upon, empty while it can.
    log : Log
        Told where the position cannot be kept.

    Notes
    -----
    How far the logs were read is kept in ``alerts.json``, so that a restart tells nothing twice and leaves
    nothing out that was logged meanwhile. What was told before is heard again without being told: an exit is
    told with the words of its entry.
    """

    def __init__(
        self, state_folder: Path, rules: AlertRules, desk: AlertDesk, outage: Callable[[], str], log: Log
    ) -> None:
        self._folder = state_folder
        self._rules = rules
        self._desk = desk
        self._outage = outage
        self._is_outage_told = False
        self._log = log
        self._kept = self._kept_positions()
        self._tails: dict[str, LogTail] = {}
        self._is_unwritable = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Look once more, then end."""
        self._over.set()
        self._thread.join()
        self.look()

    def hear(self, record: Mapping[str, Any]) -> None:
        """Hand in what a record is worth, behind what the logs tell until now; any thread."""
        self.look()
        with self._lock:
            self._hear(record)

    def look(self) -> None:
        """Read what is new, and hand in what is worth it; any thread."""
        with self._lock:
            news = [record for tail in self._followed() for record in _read(tail)]
            for record in sorted(news, key=_time_of):
                self._hear(record)
            self._look_at_the_process()
            due = self._rules.due()
            if due is not None:
                self._desk.put(due)
            if news:
                self._keep()

    def _hear(self, record: Mapping[str, Any]) -> None:
        alert = self._rules.alert_of(record)
        if alert is not None:
            self._desk.put(alert)

    def _look_at_the_process(self) -> None:
        """Tell once when the process that should write the logs does not."""
        outage = self._outage()
        if outage and not self._is_outage_told:
            self._hear({
                "event": "trading_silent",
                "level": "error",
                "words": outage,
                "remedy": "look at the machine; a stop that rests at the exchange goes on working",
            })  # fmt: skip
        self._is_outage_told = bool(outage)

    def _run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self.look()

    def _followed(self) -> list[LogTail]:
        """Return the tails of the process's own log and of the day's that is on, or was last."""
        paths = [self._folder / WATCH_LOG]
        try:
            folder = read_now(self._folder).folder
        except DataError:
            folder = None
        if folder is not None:
            paths.append(Path(folder) / LIVE_LOG)
        names = [str(path) for path in paths]
        for name in names:
            if name not in self._tails:
                self._tails[name] = self._tail(Path(name), self._kept.get(name))
        self._tails = {name: self._tails[name] for name in names}
        return list(self._tails.values())

    def _tail(self, path: Path, position: Mapping[str, Any] | None) -> LogTail:
        """Return a tail that goes on at a position; of a day the rules hear what was before it."""
        tail = LogTail(path, position)
        if position is not None and path.name == LIVE_LOG:
            told = _read(LogTail(path))
            news = _read(LogTail(path, position))
            for record in told[: told.index(news[0])] if news and news[0] in told else told:
                self._rules.alert_of(record)
        return tail

    def _kept_positions(self) -> dict[str, dict[str, Any]]:
        """Return how far each log was read; nothing where that is not known, and then all is new."""
        try:
            kept = json.loads((self._folder / POSITION_FILE).read_bytes())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _keep(self) -> None:
        """Keep how far we are; a process that has just been restarted comes back to its day's log later."""
        others = {name: place for name, place in self._kept.items() if name not in self._tails}
        newest = [*others.items(), *((name, tail.position) for name, tail in self._tails.items())]
        self._kept = dict(newest[-_MOST_KEPT:])
        unfinished = self._folder / f".{POSITION_FILE}"
        try:
            unfinished.write_text(json.dumps(self._kept), encoding="utf-8")
            os.replace(unfinished, self._folder / POSITION_FILE)  # noqa: PTH105 # one atomic step
        except OSError as error:
            if not self._is_unwritable:
                self._log.warning("alert_position_unwritable", error=f"{error.strerror} at {error.filename}")
            self._is_unwritable = True
        else:
            self._is_unwritable = False


def _read(tail: LogTail) -> list[dict[str, Any]]:
    try:
        return tail.read()
    except OSError:  # it is read again in a moment
        return []


def _time_of(record: dict[str, Any]) -> str:
    return str(record.get("time", ""))
