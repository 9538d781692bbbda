"""Allow entries only between two times of the day."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, entry_at, why_denied

__all__ = ["TradingWindow"]


class TradingWindow:
    """Entries from one time of the day until another.

    Parameters
    ----------
    entries_from : datetime.time or None
        First allowed moment of decision, exchange wall clock, inclusive. None: from the first bar on.
    entries_until : datetime.time or None
        End of the window, exclusive: a bar that closes at this time decides no entry. None: until the last
        bar.
    """

    name = "trading_window"

    def __init__(self, entries_from: dt.time | None, entries_until: dt.time | None) -> None:
        self._from = entries_from
        self._until = entries_until

    def describe(self) -> str:
        """Return the limit in words."""
        start = f"from {self._from:%H:%M:%S}" if self._from is not None else "from the open"
        end = f"before {self._until:%H:%M:%S}" if self._until is not None else "until the close"
        return f"trading window: entries decided {start} and {end}"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny outside the window; before it, ``until`` is its beginning."""
        del state
        time = request.time.time()
        if self._from is not None and time < self._from:
            opens = dt.datetime.combine(request.time.date(), self._from)
            reason = f"{time:%H:%M:%S} is before {self._from:%H:%M:%S}"
            return Verdict("deny", 0.0, self.name, reason, opens)
        if self._until is not None and time >= self._until:
            reason = f"{time:%H:%M:%S} is not before {self._until:%H:%M:%S}"
            return Verdict("deny", 0.0, self.name, reason)
        return ALLOWED

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return whether the window is closed; there is nothing to measure."""
        return LimitUse(blocks=why_denied(self, entry_at(now), state))
