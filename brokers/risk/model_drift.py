"""Cut or deny the entries of a model whose inputs no longer look like those it learned from."""

from __future__ import annotations

import datetime as dt
import math
from typing import Literal

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["ModelDrift"]

Level = Literal["ok", "warning", "alarm", "unknown"]
Action = Literal["none", "reduce", "stop"]


class ModelDrift:
    """What the last check of the drift means for entries of this day.

    Parameters
    ----------
    level : {'ok', 'warning', 'alarm', 'unknown'}
        What the check after the last session found. Only a warning and an alarm limit anything: what is not
        known blocks nobody, and the line of the rule says that it is not known.
    warning, alarm : {'none', 'reduce', 'stop'}
        What to do at either level.
    reduce_to_percent : float
        Percent of the units asked for that are left, in whole lots, one lot at least.
    """

    name = "model_drift"

    def __init__(self, level: Level, warning: Action, alarm: Action, reduce_to_percent: float) -> None:
        actions: dict[Level, Action] = {"warning": warning, "alarm": alarm}
        self._level = level
        self._action = actions.get(level, "none")
        self._percent = reduce_to_percent

    def describe(self) -> str:
        """Return the level in words, and what follows from it."""
        left = f"entries are cut to {self._percent:g} % of their size, one lot at least"
        effects = {"none": "entries as ever", "reduce": left, "stop": "no entries"}
        return f"model drift: {self._level} after the last session, {effects[self._action]}"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny or reduce; a strategy without a model (its age is NaN) is not concerned."""
        del state
        if self._action == "none" or math.isnan(request.model_age_days):
            return ALLOWED
        reason = f"the model's inputs have moved ({self._level} after the last session)"
        if self._action == "stop":
            return Verdict("deny", 0.0, self.name, f"{reason}; train the model anew or set risk.on_drift")
        units = abs(request.size)
        # The nudge undoes binary dust, as in the exposure
        left = max(1, math.floor(units * self._percent / 100.0 / request.lot + 1e-9)) * float(request.lot)
        if left >= units:
            return ALLOWED
        return Verdict("reduce", left, self.name, f"{self._percent:g} % of the size: {reason}")

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return that it blocks, where it stops entries."""
        del state, now
        stops = self._action == "stop"
        return LimitUse(blocks=f"the model's inputs have moved ({self._level})" if stops else "")
