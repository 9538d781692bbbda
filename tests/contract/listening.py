"""An official client in a process of its own, which tells each thing it is told as a line of JSON."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

WAIT = 30.0


class ListeningProcess:
    """A script beside this file, for the length of a block."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script)), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._told: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._told.put(json.loads(line))

    def next(self, kind: str) -> Any:
        """Return the next thing of a kind; others are let pass."""
        while True:
            told, value = self._told.get(timeout=WAIT)
            if told == kind:
                return value

    def say(self, *words: Any) -> None:
        """Give the script a line of JSON."""
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
