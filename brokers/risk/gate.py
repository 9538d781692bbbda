"""The gate every entry passes on its way to the broker; exits and cancels never do."""

from __future__ import annotations

import copy
import datetime as dt
import math
from collections.abc import Sequence

from brokers.risk.account import AccountSeat, Elsewhere
from brokers.risk.account_limits import LOSS
from brokers.risk.file_switch import FileSwitch
from brokers.risk.rule import (
    ALLOWED,
    AccountState,
    EntryRequest,
    FlatteningRule,
    RiskRule,
    Verdict,
)
from brokers.risk.use import LimitUse, MeasuredRule, RuleUse
from feeds.clock import IST
from feeds.errors import DataError
from feeds.terms import ContractTerms

__all__ = ["RiskGate"]


class RiskGate:
    """Rules, and the account's counters they look at.

    The counters change only through the four facts that the journal also holds: an accepted entry, a fill,
    the end of a round trip, a price. Telling a new gate the same facts again gives the same counters.

    Parameters
    ----------
    rules : sequence of RiskRule
        Asked in this order.
    cash : float
        Starting cash, rupees; with a ``seat`` that of the whole account.
    seat : AccountSeat, optional
        Its instrument's place on an account that several instruments share. It is told every fact, and asked
        about an entry after all rules.

    Attributes
    ----------
    state : AccountState
        The counters. To be read by others, changed only here.
    """

    def __init__(self, rules: Sequence[RiskRule], cash: float, seat: AccountSeat | None = None) -> None:
        self.rules = tuple(rules)
        self.seat = seat
        self.state = AccountState(day=dt.date.min, cash=cash, day_start_equity=cash)
        self._checks = tuple(rule.check for rule in self.rules)
        self._flattening = tuple(rule for rule in self.rules if isinstance(rule, FlatteningRule))

    @property
    def needs_every_bar(self) -> bool:
        """Whether somebody watches the open position, so that :meth:`mark` must see every bar of it."""
        return bool(self._flattening) or self.seat is not None

    def describe(self) -> list[str]:
        """Return one line per rule, for the start-up log and the report."""
        account = [] if self.seat is None else self.seat.account.describe()
        return [rule.describe() for rule in self.rules] + [words for _, words in account]

    @property
    def elsewhere(self) -> Elsewhere:
        """What other instruments have done to the account; nothing where this one is alone on it."""
        return Elsewhere() if self.seat is None else self.seat.elsewhere()

    # -- questions -------------------------------------------------------------------------------

    def check_entry(self, request: EntryRequest) -> Verdict:
        """Ask every rule about an entry.

        The first rule that denies decides. A rule that reduces hands the smaller order on to the next one,
        so that what leaves the gate has passed the later rules at the size it has, and the smallest size
        wins. No answer enlarges an order.

        Returns
        -------
        Verdict
            ``allow``; ``deny``; or ``reduce`` with the units, unsigned, and the rule that allowed the least.
        """
        self.start_day(request.time.date())
        state = self.state
        self._look_elsewhere()
        if state.halted_by:
            return Verdict("deny", 0.0, state.halted_by, state.halted)
        answer = ALLOWED
        for check in self._checks:
            verdict = check(request, state)
            if verdict.action == "allow":
                continue
            if verdict.action == "reduce":
                asked = abs(request.size)
                if verdict.size >= asked:
                    continue
                # Not "size <= 0": a NaN from a rule of one's own must not slip through
                if verdict.size > 0.0:
                    request = request._replace(size=verdict.size if request.size > 0.0 else -verdict.size)
                    answer = verdict
                    continue
            return verdict._replace(action="deny", size=0.0)
        if self.seat is not None:
            # Last of all: what it lets pass is reserved
            shared = self.seat.check(request)
            return answer if shared.action == "allow" else shared
        return answer

    @property
    def forbids_entries(self) -> str:
        """Why no entry at all may be sent, and none may rest; empty while that depends on the entry.

        A limit that flattens was passed, here or by all instruments together, or a person stopped entries.
        """
        shared = "" if self.seat is None else self.seat.account.breached()
        switches = (rule.why_on() for rule in self.rules if isinstance(rule, FileSwitch))
        halted = self.state.halted or self.state.halted_by
        return halted or shared or next((reason for reason in switches if reason), "")

    def must_flatten(self) -> Verdict | None:
        """Return why the open position must be closed now, or None.

        The first time a limit is passed it also ends the day for entries, whatever the exit then brings.
        """
        for rule in self._flattening:
            reason = rule.breached(self.state)
            if reason:
                if not self.state.halted_by:
                    self.state.halted_by, self.state.halted = rule.name, reason
                return Verdict("deny", 0.0, rule.name, reason) if self.state.open_size else None
        return self._must_flatten_with_all()

    def _must_flatten_with_all(self) -> Verdict | None:
        reason = "" if self.seat is None else self.seat.account.breached()
        if not reason:
            return None
        if not self.state.halted_by:
            self.state.halted_by, self.state.halted = LOSS, reason
        return Verdict("deny", 0.0, LOSS, reason) if self.state.open_size else None

    def uses(self, now: dt.datetime, terms: ContractTerms | None = None) -> list[RuleUse]:
        """Return how much of each limit is used, in the order of the rules; for those who look on.

        Any thread may call it. It works on a copy of the counters, which may hold half of a fact that is
        being told at this moment; the next call sees all of it.

        Parameters
        ----------
        now : datetime.datetime
            The market's time, aware or naive exchange wall clock. On a day that no fact has begun yet the
            counters of the day are zero.
        terms : ContractTerms, optional
            Of the contract held; without them the exposure of an open position is not known.
        """
        if now.tzinfo is not None:
            now = now.astimezone(IST).replace(tzinfo=None)
        state = copy.copy(self.state)
        if now.date() > state.day:
            _begin_day(state, now.date())
        if terms is not None:
            state.lot = terms.lot
            state.margin_per_unit = state.last_price * terms.margin_percent / 100.0
        uses = [RuleUse(rule.name, rule.describe(), _use(rule, state, now)) for rule in self.rules]
        return uses if self.seat is None else uses + self.seat.uses()

    # -- facts -----------------------------------------------------------------------------------

    def start_day(self, day: dt.date) -> None:
        """Begin a trading day: its counters start from zero. Nothing happens when it has begun already.

        Called by every question and fact that has a time, so that a forgotten call cannot carry yesterday's
        counters over.
        """
        state = self.state
        if day == state.day:
            return
        if day < state.day:
            msg = f"risk gate: {day} comes after {state.day}; facts must arrive in the order of time"
            raise DataError(msg)
        if self.seat is not None:
            state.elsewhere = self.seat.earned_elsewhere_before(day)
        _begin_day(state, day)
        self._tell()

    def halt_day(self, rule: str, reason: str) -> None:
        """End the day for entries where a limit that flattens was passed, as a journal says it was.

        A name that is none of the flattening rules changes nothing.
        """
        if rule == LOSS and self.seat is not None:
            self.seat.halt(self.state.day, reason)
        if rule in {flattening.name for flattening in self._flattening} and not self.state.halted_by:
            self.state.halted_by, self.state.halted = rule, reason

    def on_entry(self, time: dt.datetime) -> None:
        """Count an entry that was sent, whether or not it fills."""
        self.start_day(time.date())
        self.state.entries_today += 1

    def on_entry_restored(self, units: float, price: float) -> None:
        """Take note that an entry of before a restart may still add units (signed) at a price (points)."""
        if self.seat is not None:
            self.seat.reserve(units, price)

    def on_entry_over(self) -> None:
        """Take note that the entry which was let pass can fill no more, however much of it has filled."""
        if self.seat is not None:
            self.seat.entry_over()

    def on_fill(self, time: dt.datetime, size: float, price: float, charges: float) -> None:
        """Book an execution: ``size`` in signed units, ``price`` in points, ``charges`` in rupees."""
        self.start_day(time.date())
        state = self.state
        held = state.open_size
        remaining = held + size
        profit = 0.0
        if held * size >= 0.0:
            if remaining:
                state.open_price = (held * state.open_price + size * price) / remaining
        else:
            closed = -size if abs(size) <= abs(held) else held
            profit = closed * (price - state.open_price)
            if remaining * held < 0.0:
                state.open_price = price
        state.open_size = remaining
        if not remaining:
            state.open_price = 0.0
        state.last_price = price
        state.cash += profit - charges
        state.realised_today += profit - charges
        self._tell(size)

    def on_trade_closed(self, time: dt.datetime, net_pnl: float) -> None:
        """Count the end of a round trip; a loss is a net profit below zero rupees."""
        self.start_day(time.date())
        self.state.consecutive_losses = self.state.consecutive_losses + 1 if net_pnl < 0.0 else 0
        self.state.last_exit_time = time

    def mark(self, time: dt.datetime, price: float) -> None:
        """Take note of the last price, index points."""
        self.start_day(time.date())
        self.state.last_price = price
        self._tell()

    # -- the account that is shared ----------------------------------------------------------------

    def _tell(self, filled: float = 0.0) -> None:
        if self.seat is not None:
            self.seat.tell(self.state, filled)

    def _look_elsewhere(self) -> None:
        if self.seat is not None:
            elsewhere = self.seat.elsewhere()
            self.state.elsewhere = elsewhere.realised + elsewhere.unrealised


def _begin_day(state: AccountState, day: dt.date) -> None:
    state.day = day
    state.day_start_equity = state.equity
    state.carried_profit = state.unrealised
    state.entries_today = 0
    state.realised_today = 0.0
    state.halted_by = state.halted = ""


def _use(rule: RiskRule, state: AccountState, now: dt.datetime) -> LimitUse:
    use = rule.use(state, now) if isinstance(rule, MeasuredRule) else LimitUse()
    blocks = state.halted if rule.name == state.halted_by else use.blocks
    return LimitUse(_finite(use.used), _finite(use.limit), use.unit, blocks)


def _finite(value: float | None) -> float | None:
    """Leave out what is no number: a page cannot show it, and JSON cannot hold it."""
    return value if value is None or math.isfinite(value) else None
