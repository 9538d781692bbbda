"""Reads that are tried again: with growing pauses, so many times, and told each time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from brokers.wire import UnreachableError
from feeds.log import Log

__all__ = ["PatientReads"]

_Answer = TypeVar("_Answer")

_FIRST_PAUSE_SECONDS = 0.5


class PatientReads:
    """Asks until there is an answer, or asking again will not help.

    Parameters
    ----------
    attempts : int
        In all.
    event : str
        Name of what is logged.
    log : Log
        Told of every read that is tried again.
    sleep : callable
        How to wait between attempts, seconds.
    """

    def __init__(self, attempts: int, event: str, log: Log, sleep: Callable[[float], None]) -> None:
        self._attempts = attempts
        self._event = event
        self._log = log
        self._sleep = sleep

    def __call__(self, name: str, ask: Callable[[], _Answer]) -> _Answer:
        """Return an answer.

        Parameters
        ----------
        name : str
            What is asked for, for the log.
        ask : callable
            Asks once. :class:`UnreachableError` is tried again, any other error is final.

        Raises
        ------
        BrokerError
            As the last attempt did.
        """
        for attempt in range(1, self._attempts):
            try:
                return ask()
            except UnreachableError as error:
                failure = str(error)
            pause = _FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 # not for secrets
            self._log.warning(
                self._event, call=name, attempt=attempt, error=failure, pause_seconds=round(pause, 3)
            )
            self._sleep(pause)
        return ask()
