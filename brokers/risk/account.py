"""What the gates of several instruments share: one account, its limits, and what each takes of it."""

from __future__ import annotations

import datetime as dt
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from brokers.risk.account_limits import LOSS, AccountLimits, AccountView, Holding
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.rule import AccountState, EntryRequest, Verdict
from brokers.risk.use import LimitUse, RuleUse
from feeds.errors import DataError
from feeds.terms import ContractTerms

__all__ = ["AccountRisk", "AccountSeat", "Elsewhere"]


class Elsewhere(NamedTuple):
    """What the other instruments have done to the account.

    Attributes
    ----------
    realised : float
        Their profit since the account began, charges paid, rupees.
    unrealised : float
        The profit of their open positions at the last prices, rupees.
    margin : float
        Rupees that their positions and working entries bind.
    """

    realised: float = 0.0
    unrealised: float = 0.0
    margin: float = 0.0


@dataclass
class _Part:
    """One instrument, as its gate last told it."""

    terms: Callable[[dt.date], ContractTerms]
    day: dt.date = dt.date.min
    earned_before: float = 0.0  # realised on days before ``day``
    realised_today: float = 0.0
    carried_profit: float = 0.0
    unrealised: float = 0.0
    units: float = 0.0
    last_price: float = 0.0
    reserved: float = 0.0  # units that the entry which was let pass may still add
    reserved_price: float = 0.0


class AccountRisk:
    """The account that several gates trade on; every method may be called from any thread.

    An entry is let pass and reserved in one step, so that two instruments that ask at the same moment cannot
    both take the last room. The reservation shrinks with each fill and ends with
    :meth:`AccountSeat.entry_over`, the end of the round trip, or the day.

    Parameters
    ----------
    settings : AccountRiskSettings
        The limits; none need be on.
    cash : float
        Rupees of the whole account before any profit that the gates will tell.
    correlation : callable, optional
        See :class:`brokers.risk.account_limits.AccountLimits`; without it none is known.

    Attributes
    ----------
    cash : float
        The one given. A restart that learns from a journal what the day began with may set it.
    """

    def __init__(
        self,
        settings: AccountRiskSettings,
        cash: float,
        correlation: Callable[[str, str, dt.date], float] = lambda one, other, day: math.nan,
    ) -> None:
        self.cash = cash
        self._limits = AccountLimits(settings, correlation)
        self._parts: dict[str, _Part] = {}
        self._halted_on = dt.date.min
        self._halted = ""
        self._lock = threading.Lock()

    def seat(self, instrument: str, terms: Callable[[dt.date], ContractTerms]) -> AccountSeat:
        """Return what the gate of an instrument is given; once for each.

        Parameters
        ----------
        instrument : str
            Underlying, as in the settings and in the gate's requests.
        terms : callable
            ``terms(day)`` gives its lot and margin.
        """
        with self._lock:
            if instrument in self._parts:
                raise DataError(f"account: {instrument} has a seat already, expected one for each instrument")
            self._parts[instrument] = _Part(terms)
        return AccountSeat(self, instrument)

    def describe(self) -> list[tuple[str, str]]:
        """Return name and words of each limit that is on."""
        return self._limits.describe()

    def view(self) -> AccountView:
        """Return how the account stands, working entries included."""
        with self._lock:
            return self._view()

    def breached(self) -> str:
        """Return why the day is over for every instrument, empty while it is not.

        Once the limit was reached it stays so for the day, whatever the exits then bring.
        """
        with self._lock:
            return self._breached()

    def _breached(self) -> str:
        day = self._day()
        if self._halted_on == day:
            return self._halted
        reason = self._limits.breached(self._view())
        if reason:
            self._halted_on, self._halted = day, reason
        return reason

    def _day(self) -> dt.date:
        return max(part.day for part in self._parts.values())

    def _view(self, *, without_entry_of: str = "") -> AccountView:
        day = self._day()
        started_with, result = self.cash, 0.0
        holdings: list[Holding] = []
        for name, part in self._parts.items():
            is_current = part.day == day
            started_with += part.earned_before
            if is_current:
                started_with += part.carried_profit
                result += part.realised_today + part.unrealised - part.carried_profit
            else:
                started_with += part.realised_today + part.unrealised
            holdings.append(_holding(name, part, with_entry=name != without_entry_of))
        return AccountView(started_with + result, started_with, result, tuple(holdings))

    # -- what a seat hands on ---------------------------------------------------------------------

    def _check(self, instrument: str, request: EntryRequest) -> Verdict:
        with self._lock:
            part = self._parts[instrument]
            reason = self._breached()
            if reason:
                return Verdict("deny", 0.0, LOSS, reason)
            request = request._replace(instrument=instrument)
            verdict = self._limits.check(request, self._view(without_entry_of=instrument))
            if verdict.action != "deny":
                units = verdict.size if verdict.action == "reduce" else abs(request.size)
                part.reserved = math.copysign(units, request.size)
                part.reserved_price = request.price
            return verdict

    def _tell(self, instrument: str, state: AccountState, filled: float) -> None:
        with self._lock:
            part = self._parts[instrument]
            if state.day != part.day:
                part.earned_before += part.realised_today
                part.reserved = 0.0  # orders are good for the day
                part.day = state.day
            part.realised_today = state.realised_today
            part.carried_profit = state.carried_profit
            part.unrealised = state.unrealised
            part.units = state.open_size
            part.last_price = state.last_price
            if filled * part.reserved > 0.0:
                left = abs(part.reserved) - abs(filled)
                part.reserved = math.copysign(left, part.reserved) if left > 0.0 else 0.0

    def _reserve(self, instrument: str, units: float, price: float) -> None:
        with self._lock:
            part = self._parts[instrument]
            part.reserved, part.reserved_price = units, price

    def _entry_over(self, instrument: str) -> None:
        with self._lock:
            self._parts[instrument].reserved = 0.0

    def _halt(self, day: dt.date, reason: str) -> None:
        with self._lock:
            self._halted_on, self._halted = day, reason

    def _elsewhere(self, instrument: str) -> Elsewhere:
        with self._lock:
            others = [(name, part) for name, part in self._parts.items() if name != instrument]
            return Elsewhere(
                sum((part.earned_before + part.realised_today for _, part in others), 0.0),
                sum((part.unrealised for _, part in others), 0.0),
                sum((_holding(name, part, with_entry=True).margin for name, part in others), 0.0),
            )

    def _earned_elsewhere_before(self, instrument: str, day: dt.date) -> float:
        """Return what the other instruments had earned when the day began, realised and open, rupees.

        Whether they were told of the day already makes no difference.
        """
        with self._lock:
            earned = 0.0
            for name, part in self._parts.items():
                if name != instrument:
                    today = part.carried_profit if part.day >= day else part.realised_today + part.unrealised
                    earned += part.earned_before + today
            return earned

    def _uses(self) -> list[RuleUse]:
        with self._lock:
            uses = self._limits.uses(self._view())
            halted = self._halted if self._halted_on == self._day() else ""
        return [
            rule._replace(use=LimitUse(*rule.use[:3], halted)) if rule.name == LOSS else rule for rule in uses
        ]


class AccountSeat:
    """One instrument's place on an :class:`AccountRisk`, held by its gate."""

    def __init__(self, account: AccountRisk, instrument: str) -> None:
        self.account = account
        self._instrument = instrument

    def check(self, request: EntryRequest) -> Verdict:
        """Answer an entry that passed every rule of its own instrument, and reserve what is allowed."""
        return self.account._check(self._instrument, request)

    def tell(self, state: AccountState, filled: float = 0.0) -> None:
        """Take the counters of the instrument's gate, after a fill of ``filled`` units (signed) if any."""
        self.account._tell(self._instrument, state, filled)

    def reserve(self, units: float, price: float) -> None:
        """Reserve what an entry that was let pass before a restart may still add, units signed."""
        self.account._reserve(self._instrument, units, price)

    def entry_over(self) -> None:
        """Give back what the entry has reserved and not filled: it can fill no more."""
        self.account._entry_over(self._instrument)

    def halt(self, day: dt.date, reason: str) -> None:
        """End the day for every instrument, as a journal says it was ended."""
        self.account._halt(day, reason)

    def elsewhere(self) -> Elsewhere:
        """Return what the other instruments have earned and bind now."""
        return self.account._elsewhere(self._instrument)

    def earned_elsewhere_before(self, day: dt.date) -> float:
        """Return what the other instruments had earned, open profit included, when the day began; rupees."""
        return self.account._earned_elsewhere_before(self._instrument, day)

    def uses(self) -> list[RuleUse]:
        """Return how much of each limit of the account is used."""
        return self.account._uses()


def _holding(name: str, part: _Part, *, with_entry: bool) -> Holding:
    reserved = part.reserved if with_entry else 0.0
    if not part.units and not reserved:
        return Holding(name, 0.0, 0.0, 0.0)
    terms = part.terms(part.day)
    value = abs(part.units) * part.last_price + abs(reserved) * part.reserved_price
    units = math.copysign(abs(part.units) + abs(reserved), part.units or reserved)
    return Holding(name, units, abs(units) / terms.lot, value * terms.margin_percent / 100.0)
