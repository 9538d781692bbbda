"""Deny entries on bars that lack minutes, and on old data."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["DataQuality"]


class DataQuality:
    """No entry on an incomplete bar or when the newest data are too old.

    Parameters
    ----------
    deny_incomplete_bars : bool
        Deny when the signal bar lacks minutes or crosses a gap of the feed.
    max_data_age_seconds : float or None
        Deny when the newest tick or bar is older than this at the decision, or of unknown (NaN) age. None: no
        limit.
    """

    name = "data_quality"

    def __init__(self, *, deny_incomplete_bars: bool, max_data_age_seconds: float | None) -> None:
        self._deny_incomplete_bars = deny_incomplete_bars
        self._max_age = max_data_age_seconds

    def describe(self) -> str:
        """Return the limits in words."""
        limits = ["no entry on a bar that lacks minutes"] if self._deny_incomplete_bars else []
        if self._max_age is not None:
            limits.append(f"no entry on data older than {self._max_age:g} s")
        return "data quality: " + ", ".join(limits)

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny incomplete or stale data."""
        del state
        if self._deny_incomplete_bars and not request.bar_complete:
            return Verdict("deny", 0.0, self.name, "the signal bar lacks minutes or crosses a feed gap")
        # Not "age > limit": an age that is not known (NaN) is not a fresh one
        if self._max_age is not None and not request.data_age_seconds <= self._max_age:
            reason = f"data are {request.data_age_seconds:.1f} s old, the limit is {self._max_age:g} s"
            return Verdict("deny", 0.0, self.name, reason)
        return ALLOWED

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the limit; bar and data are those of an entry, so nothing is known before one."""
        del state, now
        return LimitUse(limit=self._max_age, unit="" if self._max_age is None else "seconds")
