"""A limit on all of what is done over a connection, however slowly the other side talks.

The time-out of a socket is for one read: a server that sends a byte now and then is never too late for it.
A :class:`Deadline` shuts the connection down from outside, whatever is being read or written at that moment.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

__all__ = ["Deadline"]


class Deadline:
    """A context in which connections end after a given time at the latest.

    Parameters
    ----------
    seconds : float
        Counted from entering the context, by the monotonic clock.

    Notes
    -----
    Looking up a host's name is not a connection: it is bounded by the resolver of the system.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._is_cut = False
        self._ends_at = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self.cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._ends_at = time.monotonic() + self.seconds
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        with self._lock:
            for watched in self._watched:
                watched.close()
            self._watched.clear()

    @property
    def remaining_seconds(self) -> float:
        """What is left, never less than a millisecond: 0 would mean "without limit" to a socket."""
        return max(0.001, self._ends_at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether the time has passed, or somebody has cut it short."""
        return self._is_cut or time.monotonic() >= self._ends_at

    def watch(self, connection: socket.socket) -> None:
        """Have the deadline end this connection; also once TLS has taken the socket over."""
        handle = connection.dup()
        with self._lock:
            self._watched.append(handle)
            if self._is_cut:
                _shut(handle)

    def cut(self) -> None:
        """End the connections now; any thread."""
        with self._lock:
            self._is_cut = True
            for watched in self._watched:
                _shut(watched)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # not connected any more: that is what was wanted
        return
