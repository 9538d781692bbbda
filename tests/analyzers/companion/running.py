"""A trading process as its companion sees it: its state folder, and the two pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from analyzers.alerts.settings import AlertsSettings
from analyzers.status.now import write_now
from analyzers.status.settings import StatusSettings
from feeds.clock import WallClock
from tests.analyzers.status.examples import log, now_of, record
from tests.telegram_server import CHAT, TOKEN, TelegramServer

WAIT = 60.0
_ROOT = Path(__file__).resolve().parents[3]
_EVERY_SECONDS = 0.5


class TradingProcess:
    """Says once in a while that it lives, and logs what a test wants. A context manager.

    Parameters
    ----------
    state : pathlib.Path
        Its folder, which is that of the day too.
    changes : dict
        What ``now.json`` says otherwise than :func:`tests.analyzers.status.examples.now_of`.
    """

    def __init__(self, state: Path, **changes: Any) -> None:
        self.state = state
        self.changes = {"folder": str(state), **changes}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def say(self, **changes: Any) -> None:
        """Write ``now.json``."""
        fields = {"written_at": WallClock().now(), **self.changes, **changes}
        write_now(now_of(**fields), self.state)

    def log(self, event: str, *, file: str = "live.log", **fields: Any) -> None:
        log(self.state / file, record(event, **fields))

    def stop(self) -> None:
        """Say nothing more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self.say()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            self.say()


class Companion:
    """The child process, and what it has said. A context manager, which kills what has not ended."""

    def __init__(self, first_line: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "analyzers", "companion"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=_ROOT,
            env={name: value for name, value in os.environ.items() if name != "STATUS_TOKEN"},
        )  # fmt: skip
        self.told: list[dict[str, Any]] = []
        self._complaints: list[str] = []
        self._changed = threading.Condition()
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_complaints)]
        for reader in self._readers:
            reader.start()
        self.say(first_line)

    def say(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def wait_told(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first line that was waited for."""
        with self._changed:
            self._changed.wait_for(lambda: any(holds(told) for told in self.told) or self._is_over, WAIT)
            found = [told for told in self.told if holds(told)]
        assert found, (self.told, self._complaints)
        return found[0]

    def wait_event(self, name: str) -> dict[str, Any]:
        return self.wait_told(lambda told: told.get("event") == name)

    def wait_command(self, name: str) -> dict[str, Any]:
        return self.wait_told(lambda told: told.get("command") == name)

    def lose_parent(self) -> int:
        """Close its standard input as a dead parent does, and return its exit code."""
        self.process.stdin.close()
        return self.process.wait(WAIT)

    def end(self) -> int:
        """End it in order, and return its exit code."""
        self.say("end")
        return self.process.wait(WAIT)

    @property
    def complaints(self) -> str:
        """What stood on its standard error; for one that has ended."""
        for reader in self._readers:
            reader.join()
        return "".join(self._complaints)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if not pipe.closed:
                pipe.close()

    @property
    def _is_over(self) -> bool:
        return not self._readers[0].is_alive()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self.told.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _read_complaints(self) -> None:
        self._complaints.extend(self.process.stderr)


def configuration(
    state: Path,
    *,
    telegram: TelegramServer | None = None,
    status: dict[str, Any] | None = None,
    alerts: dict[str, Any] | None = None,
    **secrets: str,
) -> dict[str, Any]:
    """Return what a trading process tells its companion first."""
    known = dict(secrets)
    of_alerts: dict[str, Any] = {"timeout_seconds": 20.0}
    if telegram is not None:
        known = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHAT_ID": CHAT, **known}
        of_alerts["telegram_api_root"] = telegram.root
    return {
        "state": str(state),
        "mode": "live",
        "status": StatusSettings(**{"port": 0, **(status or {})}).model_dump(mode="json"),
        "alerts": AlertsSettings(**{**of_alerts, **(alerts or {})}).model_dump(mode="json"),
        "secrets": known,
    }


def companion(state: Path, **options: Any) -> Companion:
    return Companion(json.dumps(configuration(state, **options)))


def first_line(text: str) -> str:
    """Return what a chat shows of a message before it is opened."""
    return text.partition("\n")[0]
