"""End the day when it has lost too much: close the position, allow no further entry."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["DailyLoss"]


class DailyLoss:
    """A limit on what one day may lose, realised and open together, charges included.

    Looked at on every bar's close while a position is open: reaching the limit closes the position at the
    market and ends the day for entries, whatever the exit then brings. A fast market can therefore lose more
    than the limit; the limit says when to stop, not what is lost at most.

    Parameters
    ----------
    percent : float or None
        Percent of the equity at the start of the day. None: not limited in percent.
    rupees : float or None
        Rupees. None: not limited in rupees. With both, the smaller one holds.
    """

    name = "daily_loss"

    def __init__(self, percent: float | None, rupees: float | None) -> None:
        self._percent = percent
        self._rupees = rupees

    def describe(self) -> str:
        """Return the limits in words."""
        limits = [] if self._percent is None else [f"{self._percent:g} % of the day's starting equity"]
        if self._rupees is not None:
            limits.append(f"{self._rupees:,.2f} rupees")
        return f"daily loss: at {' or '.join(limits)} the position is closed and the day ends"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny when the day has lost its limit."""
        del request
        reason = self.breached(state)
        return Verdict("deny", 0.0, self.name, reason) if reason else ALLOWED

    def breached(self, state: AccountState) -> str:
        """Return why the day is over, empty while it is not."""
        # Written out and not shared with `use`: this is asked on every bar of a position
        result = state.realised_today + state.unrealised - state.carried_profit
        if result >= 0.0:
            return ""
        limit = self._limit(state)
        if -result < limit:
            return ""
        return f"the day has lost {-result:,.2f} rupees, the limit is {limit:,.2f}"

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the rupees that the day has lost; a day that has won has lost none."""
        del now
        result = state.realised_today + state.unrealised - state.carried_profit
        return LimitUse(max(0.0, -result), self._limit(state), "rupees", self.breached(state))

    def _limit(self, state: AccountState) -> float:
        limits = [] if self._rupees is None else [self._rupees]
        if self._percent is not None:
            limits.append(max(0.0, state.day_start_equity) * self._percent / 100.0)
        return min(limits)
