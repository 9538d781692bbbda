"""The process of the challengers as the trading one keeps it; only the end of the day waits for it.

What a challenger is made of is never run in the process that trades, after the market neither: one that hangs
would keep the next day from being traded.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from analyzers.challengers import CHALLENGERS_FILE, ChallengersNow, read_challengers
from feeds.errors import DataError
from feeds.log import Log
from strategies.kept_process import KeptProcess, environment_beside
from strategies.settings import Settings

__all__ = ["ChallengerProcess", "judge_again"]

_COMMAND = (sys.executable, "-m", "strategies", "challengers")
_JUDGE_SECONDS = 60.0
"""A day takes each a second or two; who ends us waits for no longer than ninety."""

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
        self._child = KeptProcess(
            _COMMAND,
            _configuration(settings, folder, starting_cash),
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


def judge_again(settings: Settings, folder: Path, starting_cash: float) -> ChallengersNow:
    """Judge a day that is over in a process of its own, write its files, and return what was found.

    Parameters
    ----------
    settings, folder, starting_cash
        As of :class:`ChallengerProcess`.

    Raises
    ------
    DataError
        It failed, or took too long and was ended.
    OSError
        It cannot be started.
    """
    words = f"{_configuration(settings, folder, starting_cash)}\nend\n"
    try:
        done = subprocess.run(
            _COMMAND, input=words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", env=environment_beside(), start_new_session=True, timeout=_JUDGE_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"the challengers of {folder} were not judged within {_JUDGE_SECONDS:g} seconds, expected a "
            "second or two for each; try them one by one in a backtest"
        ) from error
    if done.returncode:
        said = (done.stdout.strip().split("\n")[-1] or "it said nothing")[:_LONGEST_WORDS]
        raise DataError(
            f"the challengers of {folder} ended with exit code {done.returncode} ({said}), expected 0; try "
            "them one by one in a backtest"
        )
    return read_challengers(folder / CHALLENGERS_FILE)


def _configuration(settings: Settings, folder: Path, starting_cash: float) -> str:
    told = {
        "folder": str(folder.resolve()),
        "settings": settings.model_dump(mode="json"),
        "starting_cash": starting_cash,
    }
    return json.dumps(told)
