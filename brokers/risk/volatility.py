"""Allow entries only while the market moves neither too little nor too much."""

from __future__ import annotations

import datetime as dt

from brokers.risk.rule import ALLOWED, AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse

__all__ = ["VolatilityBand"]


class VolatilityBand:
    """A band for the ATR in percent of the price, both ends included.

    Parameters
    ----------
    min_atr_percent : float or None
        Below it there is not enough movement to pay the costs. None: no lower end.
    max_atr_percent : float or None
        Above it the market is out of what was tested, or a bar carries a freak print. None: no upper end.
    """

    name = "volatility"

    def __init__(self, min_atr_percent: float | None, max_atr_percent: float | None) -> None:
        self._min = min_atr_percent
        self._max = max_atr_percent

    def describe(self) -> str:
        """Return the band in words."""
        ends = [] if self._min is None else [f"at least {self._min:g} %"]
        if self._max is not None:
            ends.append(f"at most {self._max:g} %")
        return f"volatility: ATR {' and '.join(ends)} of the price"

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Deny outside the band, and where the strategy gives no ATR."""
        del state
        if not request.price > 0.0:
            return Verdict("deny", 0.0, self.name, f"no band can be told at a price of {request.price}")
        percent = request.volatility / request.price * 100.0
        if self._min is not None and not percent >= self._min:
            return Verdict("deny", 0.0, self.name, _reason(percent, f"the least is {self._min:g} %"))
        if self._max is not None and not percent <= self._max:
            return Verdict("deny", 0.0, self.name, _reason(percent, f"the most is {self._max:g} %"))
        return ALLOWED

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Return the upper end of the band; the ATR comes with the entry."""
        del state, now
        return LimitUse(limit=self._max, unit="" if self._max is None else "% of the price")


def _reason(percent: float, limit: str) -> str:
    """Say what was found; NaN means that the strategy has no ATR, and then the rule must be switched off."""
    if percent != percent:  # noqa: PLR0124 # NaN is the one number that differs from itself
        return "the strategy gave no ATR; set risk.min_atr_percent and risk.max_atr_percent to null for it"
    return f"the ATR is {percent:.4f} % of the price, {limit}"
