"""Waiting for the next step of a day: by a scheduler, or by setting a replayed clock to it."""

from __future__ import annotations

from typing import Literal, Protocol

from feeds.clock import ReplayClock
from strategies.day import Step

__all__ = ["Arrival", "ReplayTimer", "StepTimer"]

Arrival = Literal["due", "missed", "stopped"]
"""``missed``: its time passed while nobody could act (the machine slept); ``stopped``: a person ended it."""


class StepTimer(Protocol):
    """Something that waits. One wait at a time."""

    @property
    def is_stopped(self) -> bool:
        """Whether no more waiting is wanted."""

    def wait(self, step: Step) -> Arrival:
        """Return when a step is due, has been missed, or nothing more is wanted."""

    def stop(self) -> None:
        """End the wait that is on, and refuse every later one; any thread, and a signal handler."""


class ReplayTimer:
    """A timer that makes it so: it sets a replayed clock to the step's moment.

    Parameters
    ----------
    clock : ReplayClock
        Of the simulated days.
    """

    def __init__(self, clock: ReplayClock) -> None:
        self._clock = clock
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """See :class:`StepTimer`."""
        return self._is_stopped

    def wait(self, step: Step) -> Arrival:
        """See :class:`StepTimer`."""
        if self._is_stopped:
            return "stopped"
        self._clock.set(step.at)
        return "due"

    def stop(self) -> None:
        """See :class:`StepTimer`."""
        self._is_stopped = True
