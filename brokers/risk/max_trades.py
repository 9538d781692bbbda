"""Allow so many entries a day."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, entry_at, why_denied

__all__ = ["MaxTrades"]


class MaxTrades:
    """A limit on the entries sent in one day, filled or not.

    Parameters
    ----------
    max_entries_per_day : int
        The last entry that is allowed has this number.
    """

    name = "max_trades"

    def __init__(self, max_entries_per_day: int) -> None:
        self._max = max_entries_per_day

    def describe(self) -> str:
        """Return the limit in words."""
        return f"maximum trades: {self._max} entries a day"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny when the day has had its entries."""
        del request
        if state.entries_today < self._max:
            return ALLOWED
        return Verdict(
            "deny", 0.0, self.name, f"{state.entries_today} entries today, the limit is {self._max}"
        )

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the entries of the day."""
        blocks = why_denied(self, entry_at(now), state)
        return LimitUse(state.entries_today, self._max, "entries", blocks)
