"""Cut entries down to what the account may carry."""

from __future__ import annotations

import datetime as dt
import math

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, entry_at, why_denied

__all__ = ["Exposure"]


class Exposure:
    """A limit on the position in lots and in margin; orders are reduced to it, in whole lots.

    Parameters
    ----------
    max_lots : int or None
        Lots the position may have after the entry. None: not limited in lots.
    max_margin_percent : float or None
        Percent of the equity (cash and open profit) that the position's margin may take. None: not limited.
    """

    name = "exposure"

    def __init__(self, max_lots: int | None, max_margin_percent: float | None) -> None:
        self._max_lots = max_lots
        self._max_margin_percent = max_margin_percent

    def describe(self) -> str:
        """Return the limits in words."""
        limits = [] if self._max_lots is None else [f"{self._max_lots} lots"]
        if self._max_margin_percent is not None:
            limits.append(f"{self._max_margin_percent:g} % of the equity as margin")
        return f"exposure: at most {' and '.join(limits)}"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Reduce to the limits, deny when not one lot fits."""
        side = 1.0 if request.size > 0.0 else -1.0
        held = side * state.open_size
        if not request.lot > 0:
            return Verdict("deny", 0.0, self.name, f"the lot is {request.lot} units, expected above 0")
        limit, reason = math.inf, ""
        if self._max_lots is not None:
            limit = self._max_lots * request.lot
            reason = f"at most {self._max_lots} lots of {request.lot}"
        if self._max_margin_percent is not None:
            budget = state.equity * self._max_margin_percent / 100.0
            if not request.margin_per_unit > 0.0:
                reason = f"the margin is {request.margin_per_unit} rupees a unit, expected above 0"
                return Verdict("deny", 0.0, self.name, reason)
            affordable = budget / request.margin_per_unit
            if affordable < limit:
                limit = affordable
                reason = (
                    f"margin of {request.margin_per_unit:,.2f} rupees a unit within {budget:,.2f} "
                    f"({self._max_margin_percent:g} % of the equity)"
                )
        room = limit - held
        if abs(request.size) <= room:
            return ALLOWED
        # The nudge undoes binary dust: room for 1.9999999999 lots is room for two
        units = math.floor(room / request.lot + 1e-9) * float(request.lot)
        if units <= 0.0:
            return Verdict("deny", 0.0, self.name, f"not one lot fits: {reason}")
        if units >= abs(request.size):
            return ALLOWED
        return Verdict("reduce", units, self.name, reason)

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return how much of the tighter limit the position takes.

        Not known while something is held and nobody has told lot and margin. It blocks when not one lot more
        fits, whichever side it is on.
        """
        held = abs(state.open_size)
        uses: list[LimitUse] = []
        if self._max_margin_percent is not None:
            percent = _margin_percent(held, state)
            uses.append(LimitUse(percent, self._max_margin_percent, "% of the equity as margin"))
        if self._max_lots is not None:
            lots = held / state.lot if state.lot else None
            uses.append(LimitUse(lots if held else 0.0, self._max_lots, "lots"))
        return max(uses, key=_ratio)._replace(blocks=self._why_full(state, now))

    def _why_full(self, state: AccountState, now: dt.datetime) -> str:
        if not state.lot or (self._max_margin_percent is not None and not state.margin_per_unit > 0.0):
            return ""
        one_lot = float(state.lot)
        request = entry_at(
            now,
            size=-one_lot if state.open_size > 0.0 else one_lot,  # against what is held there is more room
            lot=state.lot,
            margin_per_unit=state.margin_per_unit,
        )
        return why_denied(self, request, state)


def _margin_percent(held: float, state: AccountState) -> float | None:
    """Return the margin of the position in percent of the equity; None where it cannot be told."""
    if not held:
        return 0.0
    if not state.margin_per_unit > 0.0 or not state.equity > 0.0:
        return None
    return held * state.margin_per_unit / state.equity * 100.0


def _ratio(use: LimitUse) -> float:
    return -1.0 if use.used is None or not use.limit else use.used / use.limit
