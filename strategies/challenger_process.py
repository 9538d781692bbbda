"""The process of the challengers as the trading one keeps it; only the end of the day waits for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from feeds.log import Log
from strategies.kept_process import KeptProcess, environment_beside
from strategies.settings import Settings

__all__ = ["ChallengerProcess"]

_LONGEST_WORDS = 300


class ChallengerProcess:
    """A process that judges the challengers as long as the block lasts. Trading never waits for it.

    Parameters
    ----------
    settings : Settings
        ``live.challengers`` says who they are.
    folder : pathlib.Path
        Of the day.
    starting_cash : float
        Rupees of each challenger's own account.
    log : Log
        Told when the process dies.
    """

    def __init__(self, settings: Settings, folder: Path, starting_cash: float, log: Log) -> None:
        self._log = log
        self._last_words = ""
        configuration = {
            "folder": str(folder.resolve()),
            "settings": settings.model_dump(mode="json"),
            "starting_cash": starting_cash,
        }
        self._child = KeptProcess(
            [sys.executable, "-m", "strategies", "challengers"],
            json.dumps(configuration),
            name="challengers",
            on_line=self._hear,
            on_death=self._tell_death,
            environment=environment_beside(),
            hears_errors=True,
        )

    def __enter__(self) -> Self:
        self._child.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it judge the last bars, and end it."""
        self._child.__exit__(kind, error, trace)

    def _hear(self, line: str) -> None:
        """Keep what it said last: it speaks when it fails, and its last line says how."""
        self._last_words = line.strip()[:_LONGEST_WORDS] or self._last_words

    def _tell_death(self, code: int | None, pause_seconds: float) -> None:
        self._log.warning(
            "challengers_died", code=code, error=self._last_words, next_try_seconds=pause_seconds
        )
        self._last_words = ""
