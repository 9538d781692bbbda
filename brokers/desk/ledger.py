"""Live facts as the account sees them: risk counters, cash, position, and the records the report is made of.

Fed with the journal's rows, oldest first. After a restart the same rows give the same counters.
"""

from __future__ import annotations

import datetime as dt
import math

from backtrader.position import Position

from brokers.desk.facts import (
    Acknowledged,
    DayOpened,
    EntryDecided,
    EntryDenied,
    ExitWanted,
    Filled,
    Intent,
    OrderSeen,
    Refused,
    Sent,
    TakenOver,
    TripClosed,
)
from brokers.desk.journal_file import JournalRow
from brokers.desk.state import DeskOrder, DeskState
from brokers.journal import Fill, Journal, OrderEvent, TradeContext
from brokers.risk.gate import RiskGate
from feeds.clock import IST

__all__ = ["Ledger"]

_NOT_ON_A_BAR = -1


class Ledger:
    """Books journal rows.

    Parameters
    ----------
    journal : Journal
        Receives fills, order events and decisions. ``Fill.time`` is the moment of the exchange and
        ``Fill.bar`` is -1 until the day's bars are known.
    gate : RiskGate
        Told every fact it counts.
    instrument : str
        The underlying's name, for the records.

    Attributes
    ----------
    state : DeskState
        The same fold that the desk keeps, for the thread that reads it here.
    cash : float
        Rupees: what the day began with, plus realised profit, less charges.
    position : backtrader.position.Position
        Units and average price.
    journal : Journal
        The one given.
    """

    def __init__(self, journal: Journal, gate: RiskGate, instrument: str) -> None:
        self.state = DeskState()
        self.cash = 0.0
        self.position = Position()
        self.journal = journal
        self._gate = gate
        self._instrument = instrument
        self._last_fill = dt.datetime.min  # noqa: DTZ901 # the exchange's wall clock is kept naive

    def apply(self, row: JournalRow) -> None:
        """Book one row."""
        fact = row.fact
        is_told = isinstance(fact, Acknowledged) and self.state.orders[fact.tag].stage == "known"
        was = self.state.orders[fact.tag].book_state if isinstance(fact, OrderSeen) else ""
        self.state.apply(fact)
        time = row.time.astimezone(IST).replace(tzinfo=None)
        match fact:
            case DayOpened():
                self.cash = fact.cash
                self._gate.state.cash = self._gate.state.day_start_equity = fact.cash
                self._gate.start_day(fact.day)
            case EntryDecided():
                self.journal.contexts.append(
                    TradeContext(fact.trip, fact.signal_time, fact.probability, fact.arm)
                )
                self._gate.on_entry(fact.signal_time)
            case EntryDenied():
                self.journal.events.append(_denial(time, fact))
            case Filled():
                self._book(fact)
                self._note(time, self.state.orders[fact.tag], "partial")
            case Acknowledged() if is_told:  # once more, with how long it took
                pass
            case ExitWanted():
                self._gate.halt_day(fact.reason, fact.detail)
            case TakenOver():
                self._give_up(time, fact)
            case TripClosed():
                # What a trip earned that somebody else has closed is not known, and no loss is concluded
                is_known = not math.isnan(fact.net_pnl)
                if is_known and any(order.trades for order in self.state.trips[fact.trip].orders):
                    self._gate.on_trade_closed(self._last_fill, fact.net_pnl)
            case OrderSeen(price=price) if price:
                self._note(time, self.state.orders[fact.tag], "moved")
            case OrderSeen(state="open") if was != "open" and self._has_trigger(fact):
                self._note(time, self.state.orders[fact.tag], "triggered")
            case Sent() | Acknowledged() | Refused() | OrderSeen():
                self._note(time, self.state.orders[fact.tag], _state_name(fact))
            case _:
                pass

    def _book(self, fill: Filled) -> None:
        order = self.state.orders[fill.tag]
        intent = order.intent
        time = fill.time.astimezone(IST).replace(tzinfo=None)
        before = self.position.price
        _, _, _, closed = self.position.update(fill.size, fill.price)
        self.cash += (-closed * (fill.price - before) if closed else 0.0) - fill.charges
        self._last_fill = max(self._last_fill, time)
        self.journal.fills.append(
            Fill(
                order.number, intent.trip, self._instrument, time, _NOT_ON_A_BAR, intent.role,
                float(fill.size), fill.price, intent.reference, fill.charges,
            )
        )  # fmt: skip
        self._gate.on_fill(time, fill.size, fill.price, fill.charges)

    def _give_up(self, time: dt.datetime, taken: TakenOver) -> None:
        """Let go of units that somebody else has closed, at the price they were bought or sold for."""
        price = self.position.price
        self.position.update(-taken.units, price)
        self._gate.on_fill(time, -taken.units, price, 0.0)

    def _has_trigger(self, seen: OrderSeen) -> bool:
        return self.state.orders[seen.tag].intent.kind == "stop_limit"

    def _note(self, time: dt.datetime, order: DeskOrder, state: str) -> None:
        """Write an order's change down, once for each state it goes through."""
        intent: Intent = order.intent
        name = "completed" if state == "partial" and not order.remaining else state
        if not name:
            return
        sign = 1 if intent.size > 0 else -1
        decided = self.state.trips[intent.trip].decided if intent.role == "entry" else None
        self.journal.events.append(
            OrderEvent(
                time, order.number, intent.trip, intent.role, intent.kind, name, float(intent.size),
                order.price or intent.reference, float(sign * order.booked), _average(order),
                decided.rule if decided and name == "submitted" else "",
                order.message or (decided.reason if decided and name == "submitted" else ""),
            )
        )  # fmt: skip


def _denial(time: dt.datetime, fact: EntryDenied) -> OrderEvent:
    state = "denied" if fact.rule else "rejected"
    return OrderEvent(
        time, 0, 0, "entry", fact.kind, state, float(fact.size), fact.price, 0.0, 0.0, fact.rule, fact.reason
    )


def _state_name(fact: Sent | Acknowledged | Refused | OrderSeen) -> str:
    """Return the journal's name for what happened; empty where fills or nothing of note tell it."""
    match fact:
        case Sent():
            return "submitted"
        case Acknowledged():
            return "accepted"
        case Refused():
            return "rejected"
        case OrderSeen(state="cancelled"):
            return "canceled"
        case OrderSeen(state="rejected"):
            return "rejected"
    return ""


def _average(order: DeskOrder) -> float:
    units = sum(size for size, _, _ in order.trades.values())
    return sum(size * price for size, price, _ in order.trades.values()) / units if units else 0.0
