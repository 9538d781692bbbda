"""A training beside the days that run themselves: in a process of its own, last in line for the processors.

Nobody waits for it. A thread listens and tells what came of it; the process is ended with the one that
started it, and before a session unless it may go on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from feeds.log import Log
from feeds.store.chosen import DATABASE, DSN_SECRET
from strategies.kept_process import environment_beside
from strategies.settings import Settings

__all__ = ["RETRAIN_LOG", "RetrainingProcess"]

RETRAIN_LOG = "retrain.log"
"""What the last training said, in the state's folder."""

_SETTINGS_FILE = "retrain-settings.json"
_NICE = 19
_END_SECONDS = 5.0


class RetrainingProcess:
    """At most one training at a time; ends it when the block is left.

    Parameters
    ----------
    folder : pathlib.Path
        Of the state: settings and log of the training.
    log : Log
        Told ``retraining`` at the start and ``retrained`` at the end.
    """

    def __init__(self, folder: Path, log: Log) -> None:
        self._folder = folder.resolve()
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop("the program ends")

    @property
    def is_running(self) -> bool:
        """Whether a training is on."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, settings: Settings, reason: str) -> bool:
        """Start a training, unless one is on; return whether one was started."""
        if self.is_running:
            return False
        self._join()
        self._stopped = ""
        try:
            path = self._write_settings(settings)
            with (self._folder / RETRAIN_LOG).open("w", encoding="utf-8") as errors:
                process = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        "ml",
                        "retrain",
                        "--settings",
                        path,
                        "--nice",
                        str(_NICE),
                        "--json",
                        "--beside",
                    ],
                    stdin=subprocess.PIPE,  # its end tells it that we are gone, however we went
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    errors="replace",
                    # It reads the bars of the store, which may be in the database
                    env=environment_beside(*([DSN_SECRET] if settings.data.store == DATABASE else [])),
                    start_new_session=True,  # Ctrl-C is for us, who end it
                )
        except OSError as error:  # no room, no memory, no process left
            self._log.error("retrained", outcome="failed", reason=f"{error.strerror} at {error.filename}")
            return False
        self._log.info("retraining", reason=reason, process_id=process.pid)
        self._process = process
        self._thread = threading.Thread(target=self._listen, args=(process,), name="retraining", daemon=True)
        self._thread.start()
        return True

    def stop(self, reason: str) -> None:
        """End a training that is on; what it has not stored is lost."""
        process = self._process
        if process is not None and self.is_running:
            self._stopped = reason
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = self._process = None

    def _listen(self, process: subprocess.Popen[str]) -> None:
        said = process.stdout.read() if process.stdout is not None else ""
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        if self._stopped:
            self._log.warning("retrained", outcome="ended", reason=self._stopped)
        elif code:
            self._log.error("retrained", outcome="failed", reason=self._last_words(code))
        else:
            self._log.warning("retrained", outcome="stored", **_told(said))

    def _last_words(self, code: int) -> str:
        path = self._folder / RETRAIN_LOG
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        words = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"exit code {code}: {words[:300]}; see {path}"

    def _write_settings(self, settings: Settings) -> Path:
        """Write the settings of this process down for the other; they hold no secrets."""
        own = settings.model_dump(mode="json")
        own["data"]["source"] = settings.ml.retrain.data
        own["ml"]["workers"] = 1
        path = self._folder / _SETTINGS_FILE
        path.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")
        return path


def _told(said: str) -> dict[str, object]:
    """Return what the training said of itself; its last line is JSON."""
    try:
        told = json.loads(said.strip().split("\n")[-1])
    except ValueError:
        return {}
    return {str(name): value for name, value in told.items()} if isinstance(told, dict) else {}
