"""The live broker as backtrader sees it: orders go to the desk, what becomes of them comes back.

It looks to a strategy as the simulated broker does. Stop and targets exist here as orders; at the exchange
there is a stop for exactly the units held, and the next target is watched for, because an exchange without
reduce-only orders would fill both.
"""

from __future__ import annotations

import datetime as dt
import math
import queue
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

import backtrader as bt
from backtrader.position import Position

from brokers.desk.desk import OrderDesk
from brokers.desk.facts import EntryDecided, EntryDenied, Filled, Intent, TripClosed
from brokers.desk.journal_file import JournalRow
from brokers.desk.ledger import Ledger
from brokers.entry_request import make_entry_request
from brokers.live_group import LiveGroup, restore_group
from brokers.market import Market
from brokers.order import SimulatedOrder, make_order, on_tick
from brokers.risk.gate import RiskGate
from brokers.scaling import resize_group
from feeds.clock import IST, Clock
from feeds.errors import BrokerError
from feeds.terms import ContractTerms

__all__ = ["LiveBroker"]


class LiveBroker(bt.BrokerBase):
    """A broker for one contract at a real exchange.

    Parameters
    ----------
    desk : OrderDesk
        Owns the orders. Its ``on_rows`` has to be :meth:`take`.
    ledger : Ledger
        Fed with what the journal held at the start.
    gate : RiskGate
        Asked before every entry; the ledger tells it the facts.
    terms : ContractTerms
        Lot, tick, freeze quantity and margin of the day's contract.
    clock : Clock
        The market's time.
    bar_minutes : int
        Length of a bar: an entry decided on a bar that closed longer ago than that is refused.
    square_off_at : datetime.datetime
        From then on an open position is left even when no bar arrives; aware.

    Attributes
    ----------
    journal : Journal
        What has happened so far, that of before a restart included.
    bar_received_at : float
        When the last tick of the current bar arrived (``time.perf_counter``); set by the feed's owner.
    """

    def __init__(
        self,
        *,
        desk: OrderDesk,
        ledger: Ledger,
        gate: RiskGate,
        terms: ContractTerms,
        clock: Clock,
        bar_minutes: int,
        square_off_at: dt.datetime,
    ) -> None:
        super().__init__()
        self.gate = gate
        self.journal = ledger.journal
        self.bar_received_at = 0.0
        self.startingcash = ledger.cash
        self._desk = desk
        self._ledger = ledger
        self._terms = terms
        self._clock = clock
        self._bar_length = dt.timedelta(minutes=bar_minutes)
        self._square_off_at = square_off_at
        self._rows: queue.SimpleQueue[JournalRow] = queue.SimpleQueue()
        self._notifications: deque[SimulatedOrder] = deque()
        self._market: Market | None = None
        self._started_at = dt.datetime.min  # noqa: DTZ901 # the exchange's wall clock is kept naive
        self._marked_bar = 0
        self._order_count = 0
        self._held: dict[int, list[SimulatedOrder]] = defaultdict(list)
        self._group: LiveGroup | None = None
        self._signal_time = dt.datetime.min  # noqa: DTZ901 # the exchange's wall clock is kept naive
        self._exit: SimulatedOrder | None = None
        self._square_off_sent = 0
        self._has_restored = False
        self._withdrawn = 0
        self._commission = bt.CommInfoBase(stocklike=False, commission=0.0, mult=1.0, margin=1.0)

    def take(self, rows: Sequence[JournalRow]) -> None:
        """Take journal rows from the desk's thread."""
        for row in rows:
            self._rows.put(row)

    # -- what backtrader asks --------------------------------------------------------------------

    def start(self) -> None:
        """Begin; the desk was started by its owner."""
        self.startingcash = self._ledger.cash
        self._market = Market(self.cerebro.datas[0])
        self._started_at = self._now()

    def stop(self) -> None:
        """Book what the desk has still written; nothing is sent from here."""
        self._book_rows()

    def getcommissioninfo(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's signature
        """Return the profit arithmetic of a future; charges are booked by the ledger."""
        return self._commission

    def getcash(self) -> float:
        """Return realised cash in rupees: what the day began with, profit and charges since."""
        return self._ledger.cash

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:  # noqa: ANN401 # backtrader's signature
        """Return cash plus the open profit at the last close, rupees."""
        position = self._ledger.position
        if not position.size or self._market is None:
            return self._ledger.cash
        return float(self._ledger.cash + position.size * (self._market.close[0] - position.price))

    get_value = getvalue

    def getposition(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's Position, untyped
        """Return backtrader's ``Position``, from executions that the exchange has reported.

        On bars from before the start nothing is held: a strategy that went by today's position there would
        leave it at yesterday's square-off.
        """
        return Position() if self._is_past else self._ledger.position

    def get_notification(self) -> SimulatedOrder | None:
        """Return the next order whose state changed, None when there is none."""
        return self._notifications.popleft() if self._notifications else None

    def get_orders_open(self, safe: bool = False) -> list[SimulatedOrder]:
        """Return the strategy's orders that may still fill; clones when ``safe``."""
        orders = [order for order in self._known_orders() if order.alive()]
        return [order.clone() for order in orders] if safe else orders

    def buy(self, owner: Any, data: Any, size: float, **request: Any) -> SimulatedOrder:  # noqa: ANN401
        """Take a buy order; see :meth:`_take`."""
        return self._take(owner, data, abs(size), request)

    def sell(self, owner: Any, data: Any, size: float, **request: Any) -> SimulatedOrder:  # noqa: ANN401
        """Take a sell order; see :meth:`_take`."""
        return self._take(owner, data, -abs(size), request)

    def cancel(self, order: SimulatedOrder) -> bool:
        """Take back what is left of an entry; what is filled is held, with its protection.

        Protection is never given up on its own, only for an exit that replaces it.
        """
        group = self._group
        if group is None or order.ref != group.entry.ref or not group.entry.alive():
            return False
        self._desk.withdraw(group.trip)
        return True

    def move_stop(self, order: SimulatedOrder, price: float) -> bool:
        """Move the stop of what is held to ``price`` (index points, put on the tick); return whether it did.

        As in simulation it stays where it is when it protects nothing yet, when the price is no tighter than
        the present one, and when the last close has reached it. Where the market comes to it before the
        exchange has it there, the position is left at market.

        Raises
        ------
        BrokerError
            The price is no number.
        """
        group, market, held = self._group, self._market, self._ledger.position.size
        if not math.isfinite(price):
            raise BrokerError(f"a stop is to be moved to {price}, expected a finite number")
        stop = None if group is None else group.stop
        if group is None or stop is None or order.ref != stop.ref or not stop.alive():
            return False
        if market is None or not held:
            return False
        side = 1 if held > 0 else -1
        price = on_tick(price, self._terms.tick)
        if not side * stop.created.price < side * price < side * market.close[0]:
            return False
        stop.price = stop.created.price = price
        self._desk.move_stop(group.trip, price)
        return True

    def next(self) -> None:
        """Book what the desk has written, and look after limits and the square-off; called on every turn."""
        if self._desk.failure is not None:
            raise self._desk.failure
        self._book_rows()
        self._restore_once()
        entry = None if self._group is None else self._group.entry
        if self._ledger.position.size or (entry is not None and entry.alive()):
            self._square_off_by_the_clock()
            self._take_back_what_is_forbidden()
        if not self._ledger.position.size:
            return
        market = self._market
        if market is not None and not self._is_past and len(market.data) != self._marked_bar:
            self._marked_bar = len(market.data)
            self._mark(market)

    # -- orders in -------------------------------------------------------------------------------

    def _take(self, owner: Any, data: Any, size: float, request: dict[str, Any]) -> SimulatedOrder:  # noqa: ANN401
        if self._market is None:
            self._market = Market(data)
        self._order_count += 1
        order = make_order(self._order_count, owner, data, size, request)
        main = order if order.parent is None else order.parent
        group = self._held[main.ref]
        group.append(order)
        if order.transmit:
            del self._held[main.ref]
            for member in group:
                member.round_to(self._terms.tick)
            self._send(self._market, group)
        return order

    def _send(self, market: Market, group: list[SimulatedOrder]) -> None:
        main = group[0]
        held = self._ledger.position.size
        if held and (held > 0) != (main.size > 0):
            self._send_exit(group)
            return
        main.role = "entry"
        for order in group[1:]:
            order.role = order.role or order.kind.replace("limit", "target")
        refusal = LiveGroup(group, 0).problem() or self._obstacle(market)
        if refusal:
            self._refuse(market, group, "", refusal)
        else:
            self._ask_gate(market, group)

    def _send_exit(self, group: list[SimulatedOrder]) -> None:
        """Leave the whole position: the desk gives the protection up and sends what is then missing."""
        order = group[0]
        held = self._ledger.position.size
        if len(group) > 1 or order.exectype != order.Market or abs(order.size) != abs(held):
            for refused in group:
                self._notify(refused, refused.Rejected)
            return
        order.role = "signal" if order.role in ("", "entry") else order.role
        self._exit = order
        self._notify(order, order.Submitted)
        self._notify(order, order.Accepted)
        self._desk.leave(order.role)

    def _obstacle(self, market: Market) -> str:
        if self._group or self._ledger.position.size:
            return "one position at a time: an entry is already working or open"
        if self._clock.now() >= self._square_off_at:
            return f"it is past the square-off at {self._square_off_at:%H:%M on %Y-%m-%d}"
        age = self._now() - market.closed_at()
        if age > self._bar_length:
            return f"decided on a bar that closed {age.total_seconds():.0f} seconds ago"
        return self._desk.obstacle

    def _ask_gate(self, market: Market, group: list[SimulatedOrder]) -> None:
        main = group[0]
        age_seconds = (self._now() - market.closed_at()).total_seconds()
        main.info["data_age_seconds"] = max(0.0, age_seconds)
        verdict = self.gate.check_entry(make_entry_request(market, group, self._terms))
        if verdict.action == "deny":
            self._refuse(market, group, verdict.rule, verdict.reason)
            return
        if verdict.action == "reduce":
            for order in (dropped := resize_group(group, verdict.size, self._terms.lot)):
                self._notify(order, order.Rejected)
            group = [order for order in group if order not in dropped]
        margin = abs(main.size) * main.price * self._terms.margin_percent / 100
        elsewhere = self.gate.elsewhere
        free = self._ledger.cash + elsewhere.realised - elsewhere.margin
        if margin > free:
            self.gate.on_entry_over()
            reason = f"needs {margin:.0f} rupees of margin, {free:.0f} are free"
            self._refuse(market, group, "", reason)
            return
        made = LiveGroup(group, len(self._ledger.state.trips) + 1)
        self._group, self._signal_time = made, market.closed_at()
        self._desk.enter(
            EntryDecided(
                made.trip, int(main.size), main.price, made.stop_price, made.targets[-1].created.price,
                market.closed_at(), float(main.info.get("probability", math.nan)),
                verdict.rule, verdict.reason, main.info.get("arm", ""),
                made.kind, main.plimit or 0.0, made.desk_targets(),
                float(main.info.get("volatility") or 0.0),
            ),
            self.bar_received_at,
        )  # fmt: skip
        for order in made.orders:
            self._notify(order, order.Submitted)

    def _refuse(self, market: Market, group: Sequence[SimulatedOrder], rule: str, reason: str) -> None:
        main = group[0]
        self._desk.deny(
            EntryDenied(
                int(main.size), main.price, market.closed_at(),
                float(main.info.get("probability", math.nan)), rule, reason, main.kind,
            )
        )  # fmt: skip
        for order in group:
            self._notify(order, order.Rejected)

    # -- facts out -------------------------------------------------------------------------------

    def _book_rows(self) -> None:
        while not self._rows.empty():
            row = self._rows.get()
            self._ledger.apply(row)
            match row.fact:
                case EntryDecided():
                    for order in () if self._group is None else self._group.orders:
                        order.round_trip = row.fact.trip
                        self._notify(order, order.Accepted)
                case EntryDenied():
                    self._end_refused_group(row.fact)
                case Filled():
                    self._show_fill(row.fact)
                case TripClosed():
                    self._end_all()
            self._end_entry_that_is_over()

    def _end_refused_group(self, denied: EntryDenied) -> None:
        """Tell the strategy that the desk refused an entry after all: it knew more than it had said."""
        group = self._group
        if group is not None and not group.is_known and denied.signal_time == self._signal_time:
            for order in group.orders:
                self._notify(order, order.Rejected)
            self.gate.on_entry_over()
            self._group = None

    def _show_fill(self, fill: Filled) -> None:
        intent = self._ledger.state.orders[fill.tag].intent
        order = self._order_for(intent)
        if order is None or not order.alive():
            return
        position = self._ledger.position
        entering = intent.role == "entry"
        closed, opened = (0.0, float(fill.size)) if entering else (float(fill.size), 0.0)
        order.comminfo = self._commission
        order.execute(
            order.data.datetime[0], float(fill.size), fill.price,
            closed, abs(closed) * fill.price, 0.0 if entering else fill.charges,
            opened, abs(opened) * fill.price, fill.charges if entering else 0.0,
            0.0, 0.0, position.size, position.price,
        )  # fmt: skip
        done = not order.executed.remsize or not (entering or position.size)
        self._notify(order, order.Completed if done else order.Partial)
        if self._group is not None and self._group.stop is not None and self._group.stop is not order:
            stop = self._group.stop
            stop.resize(stop.executed.size - position.size)

    def _order_for(self, intent: Intent) -> SimulatedOrder | None:
        """Return the strategy's order that executions of an intent belong to; None where it has none."""
        group = self._group
        if group is None:
            return self._exit
        if group.is_known and group.trip != intent.trip:
            return None
        return group.order_of(intent) or self._exit

    def _end_entry_that_is_over(self) -> None:
        """Tell the strategy when no more of its entry will come."""
        if self._group is None or not self._group.is_known or not self._group.entry.alive():
            return
        trip = self._ledger.state.trips[self._group.trip]
        if trip.entries and all(order.over and order.booked == order.filled for order in trip.entries):
            entry = self._group.entry
            refused = not entry.executed.size and any(order.message for order in trip.entries)
            self.gate.on_entry_over()
            self._notify(entry, entry.Rejected if refused else entry.Canceled)

    def _end_all(self) -> None:
        for order in self._known_orders():
            if order.alive():
                self._notify(order, order.Canceled)
        self._group = self._exit = None

    def _restore_once(self) -> None:
        """Tell a strategy that was started anew of its orders, with its first bar since."""
        market = self._market
        if self._has_restored or market is None or self._is_past:
            return
        self._has_restored = True
        trip = next(iter(self._ledger.state.active_trips), None)
        if self._group is not None or trip is None or not trip.orders:
            return
        self._group = restore_group(trip, market.data, self._order_count + 1)
        self._order_count += len(self._group.orders)
        entry = self._group.entry
        if entry.alive():
            self.gate.on_entry_restored(entry.executed.remsize, entry.created.price)
        for order in self._group.orders:
            if order.alive() or order.executed.size:
                clone = order.clone()
                clone.info = {**order.info, "restored": True}
                self._notifications.append(clone)

    def _known_orders(self) -> list[SimulatedOrder]:
        orders = [] if self._group is None else self._group.orders
        return [*orders, *([] if self._exit is None else [self._exit])]

    def _notify(self, order: SimulatedOrder, status: int) -> None:
        order.status = status
        self._notifications.append(order.clone())

    @property
    def _is_past(self) -> bool:
        """Whether the current bar closed before the start, as those do that a feed warms up with."""
        market = self._market
        return market is not None and (not len(market.data) or market.closed_at() <= self._started_at)

    # -- limits and the clock --------------------------------------------------------------------

    def _mark(self, market: Market) -> None:
        if not self.gate.needs_every_bar:
            return
        self.gate.mark(market.closed_at(), market.close[0])
        verdict = self.gate.must_flatten()
        if verdict is not None:
            self._desk.leave(verdict.rule, verdict.reason)

    def _square_off_by_the_clock(self) -> None:
        trip = len(self._ledger.state.trips)
        if self._square_off_sent != trip and self._clock.now() >= self._square_off_at:
            self._square_off_sent = trip
            self._desk.leave("square_off", "the clock, without waiting for a bar")

    def _take_back_what_is_forbidden(self) -> None:
        """Let no entry rest that would not be let pass any more: entries were stopped meanwhile."""
        group = self._group
        if group is None or not group.is_known or not group.entry.alive() or self._withdrawn == group.trip:
            return
        if self.gate.forbids_entries:
            self._withdrawn = group.trip
            self._desk.withdraw(group.trip)

    def _now(self) -> dt.datetime:
        return self._clock.now().astimezone(IST).replace(tzinfo=None)
