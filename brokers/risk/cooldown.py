"""Pause after consecutive losses."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, entry_at, why_denied

__all__ = ["Cooldown"]


class Cooldown:
    """A pause after a number of losses in a row.

    The count runs over days and ends with the first round trip that does not lose. Every further loss beyond
    the number starts a new pause.

    Parameters
    ----------
    losses : int
        Losing round trips in a row that start a pause.
    minutes : float
        Length of the pause, counted from the end of the last round trip. In a simulation that is the start
        of the bar in which it ended.
    """

    name = "cooldown"

    def __init__(self, losses: int, minutes: float) -> None:
        self._losses = losses
        self._pause = dt.timedelta(minutes=minutes)

    def describe(self) -> str:
        """Return the limit in words."""
        minutes = self._pause.total_seconds() / 60.0
        return f"cooldown: {minutes:g} minutes without entries after {self._losses} losses in a row"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny during the pause; ``until`` is its end."""
        if state.consecutive_losses < self._losses or state.last_exit_time is None:
            return ALLOWED
        until = state.last_exit_time + self._pause
        if request.time >= until:
            return ALLOWED
        reason = f"{state.consecutive_losses} losses in a row, the last at {state.last_exit_time:%H:%M:%S}"
        return Verdict("deny", 0.0, self.name, reason, until)

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the losses in a row; they block during the pause only."""
        blocks = why_denied(self, entry_at(now), state)
        return LimitUse(state.consecutive_losses, self._losses, "losses in a row", blocks)
