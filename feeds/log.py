"""The log that everything of a live day is handed: four levels, an event's name, and its fields.

:func:`feeds.live_log.make_log` makes the one that writes; :class:`NullLog` hears nothing. There is no log of
a module's own: who is to log takes a ``log: Log``.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Log", "NullLog"]


class Log(Protocol):
    """Something that writes an event down. Callable from any thread; never raises for a full disk."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Tell what only a developer asks for."""

    def info(self, event: str, /, **fields: object) -> None:
        """Tell what happened as it should."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Tell what is not as it should be, and is dealt with."""

    def error(self, event: str, /, **fields: object) -> None:
        """Tell what a person has to look at."""


class NullLog:
    """A :class:`Log` that forgets everything."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Do nothing."""

    def info(self, event: str, /, **fields: object) -> None:
        """Do nothing."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Do nothing."""

    def error(self, event: str, /, **fields: object) -> None:
        """Do nothing."""
