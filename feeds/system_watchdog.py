"""Telling systemd that the process is ready, what it does, and that it still lives (``sd_notify``).

Without systemd, which is to say without ``NOTIFY_SOCKET`` in the environment, nothing is told to anybody.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from feeds.errors import SettingsError

__all__ = ["SystemWatchdog"]

_SEND_SECONDS = 1.0
"""Longest wait for a service manager that does not read: who tells it is the thread that trades."""


class SystemWatchdog:
    """The line to the service manager. Telling never raises: a manager that is gone is no reason to stop.

    Parameters
    ----------
    environment : mapping, optional
        Where ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` are looked for. Default: that of this
        process.

    Attributes
    ----------
    interval_seconds : float or None
        Longest time between two calls of :meth:`alive`, half of what the manager waits before it kills; None
        where nobody waits.

    Raises
    ------
    SettingsError
        The environment holds what systemd would not put there.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        self._address = _address(given.get("NOTIFY_SOCKET", ""))
        self.interval_seconds = _interval_seconds(given) if self._address else None

    def ready(self) -> bool:
        """Tell that the start is over; return whether somebody was told."""
        return self._tell("READY=1")

    def status(self, words: str) -> bool:
        """Tell what is going on, in one line for ``systemctl status``; return whether somebody was told."""
        return self._tell(f"STATUS={' '.join(words.split())}")  # a second line would be another message

    def alive(self) -> bool:
        """Tell that the process still does its work; return whether somebody was told."""
        return self._tell("WATCHDOG=1")

    def stopping(self) -> bool:
        """Tell that the end has begun; return whether somebody was told."""
        return self._tell("STOPPING=1")

    def _tell(self, message: str) -> bool:
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(_SEND_SECONDS)
                line.sendto(message.encode(), self._address)
        except OSError:
            return False
        return True


def _address(text: str) -> str:
    """Return the socket's address; an abstract one is written with @ and begins with a zero byte."""
    if not text or text.startswith("/"):
        return text
    if text.startswith("@"):
        return "\0" + text[1:]
    raise SettingsError(
        f"NOTIFY_SOCKET is {text!r}, expected a path from / or an abstract socket from @; unset it where the "
        "process is not started by systemd"
    )


def _interval_seconds(given: Mapping[str, str]) -> float | None:
    microseconds = given.get("WATCHDOG_USEC", "")
    whose = given.get("WATCHDOG_PID", "")
    if not microseconds or (whose and whose != str(os.getpid())):
        return None
    if not microseconds.isascii() or not microseconds.isdigit() or not int(microseconds):
        raise SettingsError(
            f"WATCHDOG_USEC is {microseconds!r}, expected microseconds above 0; set WatchdogSec in the unit "
            "and leave the rest to systemd"
        )
    return int(microseconds) / 2e6
