"""What a risk rule is asked, and what it may answer."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

__all__ = ["ALLOWED", "AccountState", "EntryRequest", "FlatteningRule", "RiskRule", "Verdict"]


class EntryRequest(NamedTuple):
    """An order that would open or enlarge a position.

    Attributes
    ----------
    time : datetime.datetime
        Moment of the decision (close of the signal bar), naive exchange wall clock.
    instrument : str
        Underlying, as in the settings.
    size : float
        Units, positive long, negative short.
    price : float
        Last traded price, index points; of a limit or stop entry its own price.
    stop_price, target_price : float or None
        Prices of the protective orders that go with it.
    lot : int
        Units in a lot on that day.
    margin_per_unit : float
        Rupees of margin for one unit.
    volatility : float
        ATR in index points as the strategy saw it; NaN where it has none.
    bar_complete : bool
        False when the signal bar lacks minutes or crosses a feed gap.
    data_age_seconds : float
        Age of the newest tick or bar at the decision; 0.0 in a backtest.
    model_age_days : float
        Days since the last bar the model was trained on; NaN where no model is used.
    tick : float
        Price step of the contract, index points; 0.0 where prices are not rounded.
    largest_order : float
        Freeze quantity: units above which the exchange holds an order; ``inf`` where none is known.
    """

    time: dt.datetime
    instrument: str
    size: float
    price: float
    stop_price: float | None
    target_price: float | None
    lot: int
    margin_per_unit: float
    volatility: float
    bar_complete: bool
    data_age_seconds: float
    model_age_days: float
    tick: float = 0.0
    largest_order: float = math.inf


@dataclass
class AccountState:
    """What the gate knows of the account, kept by the gate from the journal's facts.

    Attributes
    ----------
    day : datetime.date
        The trading day the counters below belong to.
    cash : float
        Rupees, realised: starting cash plus closed profit minus charges paid.
    open_size, open_price : float
        Position in units (signed) and its average price in index points.
    entries_today : int
        Entries accepted today.
    realised_today : float
        Net profit of today, rupees, charges paid included.
    consecutive_losses : int
        Round trips closed with a net loss in a row, over days.
    last_exit_time : datetime.datetime or None
        When the last round trip ended.
    last_price : float
        Price last marked, index points.
    halted_by, halted : str
        Which rule ended the day for entries, and why; empty while entries are allowed.
    day_start_equity : float
        Cash plus open profit when the day began, rupees: what a daily loss in percent is measured by.
    carried_profit : float
        Open profit when the day began, rupees: a position held overnight earned or lost it before.
    lot : int
        Units in a lot; 0 where nobody has said. Only :meth:`brokers.risk.gate.RiskGate.uses` says so, to
        ``use``: a ``check`` finds it in its request.
    margin_per_unit : float
        Rupees of margin for one unit; 0.0 where nobody has said, as for ``lot``.
    elsewhere : float
        What other instruments have earned on the same account since it began, open profit included, rupees;
        as of the last question or, within ``day_start_equity``, of the day's beginning.
    """

    day: dt.date
    cash: float
    open_size: float = 0.0
    open_price: float = 0.0
    entries_today: int = 0
    realised_today: float = 0.0
    consecutive_losses: int = 0
    last_exit_time: dt.datetime | None = None
    last_price: float = 0.0
    halted_by: str = ""
    halted: str = ""
    day_start_equity: float = 0.0
    carried_profit: float = 0.0
    lot: int = 0
    margin_per_unit: float = 0.0
    elsewhere: float = 0.0

    @property
    def unrealised(self) -> float:
        """Profit of the open position at the last price, rupees, before exit charges."""
        return self.open_size * (self.last_price - self.open_price)

    @property
    def equity(self) -> float:
        """Cash of the account plus the profit of the open positions, rupees."""
        return self.cash + self.unrealised + self.elsewhere


class Verdict(NamedTuple):
    """A rule's answer to an entry.

    Attributes
    ----------
    action : {'allow', 'reduce', 'deny'}
        What may happen.
    size : float
        For ``reduce``: the units (unsigned) that are allowed.
    rule, reason : str
        Which rule spoke, and why, in words with figures.
    until : datetime.datetime or None
        When asking again may help, if known.
    """

    action: Literal["allow", "reduce", "deny"]
    size: float = 0.0
    rule: str = ""
    reason: str = ""
    until: dt.datetime | None = None


ALLOWED = Verdict("allow")


class RiskRule(Protocol):
    """A limit on entries. Exits and cancels are never asked about."""

    name: str

    def describe(self) -> str:
        """Return one line with the limit and its unit, for the start-up log and the report."""
        ...

    def check(self, request: EntryRequest, state: AccountState) -> Verdict:
        """Answer one entry. Pure: changes neither ``request`` nor ``state`` nor the rule."""
        ...


@runtime_checkable
class FlatteningRule(RiskRule, Protocol):
    """A limit that also ends the open position, and is therefore asked on every bar."""

    def breached(self, state: AccountState) -> str:
        """Return why the position must be closed, in words with figures; empty while it may stay."""
        ...
