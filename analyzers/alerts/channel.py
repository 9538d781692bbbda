"""What a way to the owner is, and how it says that an alert did not get through."""

from __future__ import annotations

from typing import Protocol

from analyzers.alerts.alert import Alert, Severity
from analyzers.alerts.deadline import Deadline
from feeds.errors import MuhuratError

__all__ = ["Channel", "DeliveryError"]


class DeliveryError(MuhuratError):
    """An alert was not delivered, as far as is known. The message holds no secret.

    Parameters
    ----------
    words : str
        What happened.
    is_final : bool
        Whether trying again is of no use, because something has to be corrected first.
    remedy : str
        What to correct.
    retry_after_seconds : float
        Time before which the other side wants no further try.
    may_have_arrived : bool
        Whether the alert was sent and only the answer is missing.
    """

    def __init__(
        self,
        words: str,
        *,
        is_final: bool = False,
        remedy: str = "",
        retry_after_seconds: float = 0.0,
        may_have_arrived: bool = False,
    ) -> None:
        super().__init__(f"{words}; {remedy}" if remedy else words)
        self.words = words
        self.is_final = is_final
        self.remedy = remedy
        self.retry_after_seconds = retry_after_seconds
        self.may_have_arrived = may_have_arrived


class Channel(Protocol):
    """A way to the owner. Used by one thread."""

    @property
    def name(self) -> str:
        """Name in counters and logs: ``telegram``, ``email``, ``slack``."""

    @property
    def least(self) -> Severity:
        """Least severity that is sent here."""

    def deliver(self, alert: Alert, deadline: Deadline) -> None:
        """Send it once, and wait for the answer until the deadline at most.

        Raises
        ------
        DeliveryError
            It was not delivered.
        """
