"""How much of a rule's limit is used, for those who look on: nothing that trades asks for it."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple, Protocol, runtime_checkable

from brokers.risk.rule import AccountState, EntryRequest, RiskRule

__all__ = ["LimitUse", "MeasuredRule", "RuleUse", "entry_at", "why_denied"]


class LimitUse(NamedTuple):
    """How much of a limit is used now.

    Attributes
    ----------
    used, limit : float or None
        In ``unit``; at ``used`` equal to ``limit`` the limit is reached. None: there is no such figure, or it
        is not known without an order.
    unit : str
        What both are counted in.
    blocks : str
        Why any entry would be denied now, in words with figures; empty while one may pass.
    """

    used: float | None = None
    limit: float | None = None
    unit: str = ""
    blocks: str = ""


class RuleUse(NamedTuple):
    """A rule's name, its limit in words, and how much of it is used."""

    name: str
    description: str
    use: LimitUse


@runtime_checkable
class MeasuredRule(RiskRule, Protocol):
    """A rule that can say how much of its limit is used. A rule of one's own need not."""

    def use(self, state: AccountState, now: dt.datetime) -> LimitUse:
        """Measure. Pure, and callable from any thread; ``now`` is the naive exchange wall clock."""
        ...


def entry_at(
    now: dt.datetime, *, size: float = 0.0, lot: int = 0, margin_per_unit: float = 0.0
) -> EntryRequest:
    """Return an entry of which only so much is known, to ask a rule that looks at nothing else of it."""
    return EntryRequest(
        time=now,
        instrument="",
        size=size,
        price=math.nan,
        stop_price=None,
        target_price=None,
        lot=lot,
        margin_per_unit=margin_per_unit,
        volatility=math.nan,
        bar_complete=True,
        data_age_seconds=0.0,
        model_age_days=math.nan,
    )


def why_denied(rule: RiskRule, request: EntryRequest, state: AccountState) -> str:
    """Return why the rule would deny this entry, and until when where it knows; empty when it would not."""
    verdict = rule.check(request, state)
    if verdict.action != "deny":
        return ""
    if verdict.until is None:
        return verdict.reason
    form = "%H:%M:%S" if verdict.until.date() == request.time.date() else "%Y-%m-%d %H:%M:%S"
    return f"{verdict.reason}; entries again from {verdict.until:{form}}"
