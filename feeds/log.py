"""The log that everything of a live day is handed: four levels, an event's name, and its fields.

:func:`feeds.live_log.make_log` makes the one that writes; :class:`NullLog` hears nothing. There is no log of
a module's own: who is to log takes a ``log: Log``.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Log", "NamedLog", "NullLog"]


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


class NamedLog:
    """A :class:`Log` that adds the same fields to everything, such as the instrument that it is about.

    Parameters
    ----------
    log : Log
        Told everything.
    **fields : object
        Added, unless an event has fields of these names itself.
    """

    def __init__(self, log: Log, **fields: object) -> None:
        self._log = log
        self._fields = fields

    def debug(self, event: str, /, **fields: object) -> None:
        """Hand it on."""
        self._log.debug(event, **{**self._fields, **fields})

    def info(self, event: str, /, **fields: object) -> None:
        """Hand it on."""
        self._log.info(event, **{**self._fields, **fields})

    def warning(self, event: str, /, **fields: object) -> None:
        """Hand it on."""
        self._log.warning(event, **{**self._fields, **fields})

    def error(self, event: str, /, **fields: object) -> None:
        """Hand it on."""
        self._log.error(event, **{**self._fields, **fields})


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
