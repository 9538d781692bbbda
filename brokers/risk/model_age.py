"""Deny entries decided by a model that was trained too long ago."""

from __future__ import annotations

import datetime as dt
import math

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["ModelAge"]


class ModelAge:
    """No entry on the word of an old model.

    Parameters
    ----------
    max_days : float
        Days since the last bar the model was trained on. A strategy without a model (NaN) is not concerned.
    """

    name = "model_age"

    def __init__(self, max_days: float) -> None:
        self._max_days = max_days

    def describe(self) -> str:
        """Return the limit in words."""
        return f"model age: no entry when the model has seen nothing of the last {self._max_days:g} days"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny when the model is older than the limit."""
        del state
        age = request.model_age_days
        if math.isnan(age) or age <= self._max_days:
            return ALLOWED
        reason = f"the model was trained {age:.1f} days ago, the limit is {self._max_days:g}; train it anew"
        return Verdict("deny", 0.0, self.name, reason)

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the limit; which model it will be is known with the entry."""
        del state, now
        return LimitUse(limit=self._max_days, unit="days")
