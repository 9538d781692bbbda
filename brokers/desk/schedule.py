"""When the order book is read: when something moves, when it is asked for, and now and then in any case."""

from __future__ import annotations

from dataclasses import dataclass

from brokers.desk.state import DeskState
from brokers.desk.timing import Watch

__all__ = ["BookSchedule"]

_LOOK_AGAIN_SECONDS = 2.0
_NEXT_TRY_SECONDS = 1.0
_LONGEST_UNREAD = 3  # times the pause between two reads


@dataclass
class BookSchedule:
    """What was read when (monotonic seconds), and what is wanted.

    Attributes
    ----------
    wanted : bool
        Orders and trades are to be read as soon as possible.
    full_wanted : bool
        Positions as well.
    """

    watch: Watch
    wanted: bool = False
    full_wanted: bool = False
    _is_reading: bool = False
    _last_try: float = 0.0
    _last_read: float = 0.0
    _last_full_read: float = 0.0

    def due(self, state: DeskState, now: float) -> bool:
        """Whether the book is to be read now; then it counts as being read."""
        if self._is_reading:
            return False
        is_due = self.is_full(now) or self.wanted or now >= self.watch.next_look(state, self._last_try)
        if self._last_try > self._last_read:  # it could not be read
            is_due = is_due and now - self._last_try >= _NEXT_TRY_SECONDS
        return is_due

    def is_full(self, now: float) -> bool:
        """Whether positions are to be read as well."""
        pause = self.watch.patience.resync_seconds
        if self.watch.differs:
            pause = min(_LOOK_AGAIN_SECONDS, pause)
        return self.full_wanted or now - self._last_full_read >= pause

    def begun(self) -> None:
        """Note that a read is under way."""
        self._is_reading, self.wanted, self.full_wanted = True, False, False

    def ended(self, now: float, *, has_read: bool, is_full: bool) -> None:
        """Note what became of it."""
        self._is_reading = False
        self._last_try = now
        if has_read:
            self._last_read = now
            if is_full:
                self._last_full_read = now

    def too_old(self, now: float) -> str:
        """Return in words that the book could not be read for too long; empty while it is known."""
        seconds = now - self._last_read
        if seconds <= _LONGEST_UNREAD * self.watch.patience.resync_seconds:
            return ""
        return f"the order book could not be read for {seconds:.0f} seconds"
