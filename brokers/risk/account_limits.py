"""Limits on all instruments of an account together: what an entry may add, when the day is over for all."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import NamedTuple

from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.rule import ALLOWED, EntryRequest, Verdict
from brokers.risk.use import LimitUse, RuleUse

__all__ = ["LOSS", "AccountLimits", "AccountView", "Holding"]

LOSS = "account_daily_loss"
_LOTS = "account_max_lots"
_MARGIN = "account_margin"
_POSITIONS = "account_positions"
_CORRELATION = "account_correlation"


class Holding(NamedTuple):
    """What one instrument takes of the account: the position, and what its working entry may still add.

    Attributes
    ----------
    instrument : str
        Underlying, as in the settings.
    units : float
        Signed, 0.0 where nothing is held or on its way.
    lots : float
        Unsigned.
    margin : float
        Rupees.
    """

    instrument: str
    units: float
    lots: float
    margin: float


class AccountView(NamedTuple):
    """The account at one moment.

    Attributes
    ----------
    equity : float
        Cash and open profit of all instruments, rupees.
    day_start_equity : float
        The same when the day began.
    result_today : float
        What the day has brought so far in all instruments, realised and open, charges included, rupees.
    holdings : tuple of Holding
        One for each instrument.
    """

    equity: float
    day_start_equity: float
    result_today: float
    holdings: tuple[Holding, ...]


class AccountLimits:
    """The limits of ``risk.account``.

    Parameters
    ----------
    settings : AccountRiskSettings
        The limits.
    correlation : callable
        ``correlation(one, other, day)``: correlation of the returns of two instruments over the sessions
        before the day; NaN where it is not known.
    """

    def __init__(
        self, settings: AccountRiskSettings, correlation: Callable[[str, str, dt.date], float]
    ) -> None:
        self._settings = settings
        self._correlation = correlation

    def describe(self) -> list[tuple[str, str]]:
        """Return name and words of each limit that is on."""
        on = self._settings
        lines: list[tuple[str, str]] = []
        if self.ends_days:
            limits = [] if on.daily_loss_percent is None else [f"{on.daily_loss_percent:g} % of the equity"]
            limits += [] if on.daily_loss_rupees is None else [f"{on.daily_loss_rupees:,.2f} rupees"]
            words = f"at {' or '.join(limits)} every position is closed and the day ends"
            lines.append((LOSS, f"account, daily loss: {words}"))
        if on.max_positions is not None:
            lines.append((_POSITIONS, f"account, positions: at most {on.max_positions} at a time"))
        if on.max_correlation is not None:
            words = f"above {on.max_correlation:g} over {on.correlation_sessions} sessions two count as one"
            lines.append((_CORRELATION, f"account, correlation: {words}"))
        if on.max_lots is not None:
            lines.append((_LOTS, f"account, lots: at most {on.max_lots} in all positions"))
        if on.max_margin_percent is not None:
            words = f"at most {on.max_margin_percent:g} % of the equity for all positions"
            lines.append((_MARGIN, f"account, margin: {words}"))
        return lines

    @property
    def ends_days(self) -> bool:
        """Whether a loss of all instruments together ends the day."""
        return self._settings.daily_loss_percent is not None or self._settings.daily_loss_rupees is not None

    def breached(self, view: AccountView) -> str:
        """Return why the day is over for every instrument, empty while it is not."""
        result = view.result_today
        if not self.ends_days or result >= 0.0 or -result < self._loss_limit(view):
            return ""
        limit = self._loss_limit(view)
        return f"all instruments together have lost {-result:,.2f} rupees today, the limit is {limit:,.2f}"

    def check(self, request: EntryRequest, view: AccountView) -> Verdict:
        """Answer one entry; ``view`` holds no entry of the same instrument that is on its way.

        What forbids comes first, then the size; of two limits on the size the smaller one speaks.
        """
        reason = self.breached(view)
        if reason:
            return Verdict("deny", 0.0, LOSS, reason)
        others = [held for held in view.holdings if held.units and held.instrument != request.instrument]
        return self._too_many(others) or self._too_alike(request, others) or self._size(request, view)

    def _too_many(self, others: list[Holding]) -> Verdict | None:
        most = self._settings.max_positions
        if most is None or len(others) < most:
            return None
        names = ", ".join(held.instrument for held in others)
        return Verdict("deny", 0.0, _POSITIONS, f"{names} held already, at most {most} at a time")

    def _too_alike(self, request: EntryRequest, others: list[Holding]) -> Verdict | None:
        most = self._settings.max_correlation
        if most is None:
            return None
        for held in others:
            correlation = self._correlation(request.instrument, held.instrument, request.time.date())
            pair = f"{request.instrument} and {held.instrument}"
            if math.isnan(correlation):
                sessions = self._settings.correlation_sessions
                reason = (
                    f"the correlation of {pair} is not known: fewer than {sessions} sessions before today"
                )
                return Verdict("deny", 0.0, _CORRELATION, reason)
            gain_together = correlation * request.size * held.units > 0.0
            if gain_together and abs(correlation) > most:
                reason = f"{pair} would go the same way at a correlation of {correlation:.4f}, limit {most:g}"
                return Verdict("deny", 0.0, _CORRELATION, reason)
        return None

    def _size(self, request: EntryRequest, view: AccountView) -> Verdict:
        answer = ALLOWED
        for rule, room_units, reason in self._rooms(request, view):
            # The nudge undoes binary dust: room for 1.9999999999 lots is room for two
            units = math.floor(room_units / request.lot + 1e-9) * float(request.lot)
            if not units > 0.0:
                return Verdict("deny", 0.0, rule, f"not one lot fits: {reason}")
            if units < abs(request.size) and (answer is ALLOWED or units < answer.size):
                answer = Verdict("reduce", units, rule, reason)
        return answer

    def _rooms(self, request: EntryRequest, view: AccountView) -> list[tuple[str, float, str]]:
        """Return (rule, units that are still free, words) of each limit on the size."""
        on = self._settings
        rooms: list[tuple[str, float, str]] = []
        if on.max_lots is not None:
            taken = sum(held.lots for held in view.holdings)
            reason = f"{taken:g} of {on.max_lots} lots of the account are taken"
            rooms.append((_LOTS, (on.max_lots - taken) * request.lot, reason))
        if on.max_margin_percent is not None:
            budget = view.equity * on.max_margin_percent / 100.0
            taken = sum(held.margin for held in view.holdings)
            reason = (
                f"{taken:,.2f} of {budget:,.2f} rupees of margin ({on.max_margin_percent:g} % of the equity) "
                f"are taken, a unit needs {request.margin_per_unit:,.2f}"
            )
            known = request.margin_per_unit > 0.0
            rooms.append((_MARGIN, (budget - taken) / request.margin_per_unit if known else 0.0, reason))
        return rooms

    def uses(self, view: AccountView) -> list[RuleUse]:
        """Return how much of each limit is used, in the order of :meth:`describe`."""
        on = self._settings
        held = [holding for holding in view.holdings if holding.units]
        margin = sum(holding.margin for holding in held)
        found: dict[str, Callable[[], LimitUse]] = {
            LOSS: lambda: LimitUse(max(0.0, -view.result_today), self._loss_limit(view), "rupees"),
            _POSITIONS: lambda: LimitUse(len(held), on.max_positions, "positions"),
            _CORRELATION: LimitUse,
            _LOTS: lambda: LimitUse(sum(holding.lots for holding in held), on.max_lots, "lots"),
            _MARGIN: lambda: LimitUse(
                margin / view.equity * 100.0 if view.equity > 0.0 else None,
                on.max_margin_percent,
                "% of the equity as margin",
            ),
        }
        return [RuleUse(name, words, found[name]()) for name, words in self.describe()]

    def _loss_limit(self, view: AccountView) -> float:
        on = self._settings
        limits = [] if on.daily_loss_rupees is None else [on.daily_loss_rupees]
        if on.daily_loss_percent is not None:
            limits.append(max(0.0, view.day_start_equity) * on.daily_loss_percent / 100.0)
        return min(limits)
