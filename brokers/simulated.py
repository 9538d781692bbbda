"""The simulated broker: fills on bars, with charges, slippage, latency and the risk gate.

Paper trading uses the same class on a live feed. What fills when is in :mod:`brokers.matching`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import backtrader as bt

from brokers.dealing import Dealing
from brokers.entry_request import make_entry_request
from brokers.execution import ExecutionModel
from brokers.finer_bars import FinerBars
from brokers.journal import Fill, Journal, TradeContext
from brokers.market import Market
from brokers.matching import filled_after_trigger, reached_at_open, reached_in_range
from brokers.order import SimulatedOrder, make_order, on_tick
from brokers.order_log import OrderLog
from brokers.risk.gate import RiskGate
from brokers.risk.rule import ALLOWED, Verdict
from brokers.round_trip import RoundTrip
from brokers.scaling import resize_group
from feeds.errors import BrokerError
from feeds.terms import ContractTerms

__all__ = ["SimulatedBroker"]

_NAN = float("nan")


class SimulatedBroker(bt.BrokerBase):
    """A broker for one account and any number of futures.

    Parameters
    ----------
    cash : float
        Rupees at the start.
    execution : ExecutionModel
        Volume, price and charges of a fill.
    gate : RiskGate
        Asked before every entry, told every fill.
    journal : Journal
        Receives every order event and fill.
    finer_bars : FinerBars or None
        Settle stop against target inside one bar.
    others : mapping
        How a feed of that name is traded, where it is not as the four above say. The cash is that of all.

    Notes
    -----
    Cash changes when a position is closed or charges are paid; the value adds the open profit at the
    last close. Stock backtrader moves cash on every bar, which makes the last digits depend on how many
    bars were looked at.
    """

    def __init__(
        self,
        *,
        cash: float,
        execution: ExecutionModel,
        gate: RiskGate,
        journal: Journal,
        finer_bars: FinerBars | None = None,
        others: Mapping[str, Dealing] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.startingcash = self.cash = cash
        self.journal = journal
        self.gate = gate
        self._dealing = Dealing(execution, gate, journal, finer_bars)
        self._others = dict(others)
        self._log = OrderLog(lambda market: self._of(market).journal)
        self._markets: dict[Any, Market] = {}
        self._held: dict[int, list[SimulatedOrder]] = defaultdict(list)
        self._order_count = 0
        self._round_trip_count = 0
        self._commission = bt.CommInfoBase(stocklike=False, commission=0.0, mult=1.0, margin=1.0)

    # -- what backtrader asks --------------------------------------------------------------------

    def start(self) -> None:
        """Begin a run; the state was made with the broker."""

    def stop(self) -> None:
        """Close what is still open at the last close, so that the account ends flat."""
        for market in self._markets.values():
            self._close_at_last_price(market, "end_of_data", market.close[0])

    def getcommissioninfo(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's signature
        """Return the profit arithmetic of a future; charges are booked by this broker itself."""
        return self._commission

    def getcash(self) -> float:
        """Return realised cash in rupees."""
        return self.cash

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:  # noqa: ANN401 # backtrader's signature
        """Return cash plus the open profit at the last close, rupees."""
        value = self.cash
        for market in self._markets.values():
            position = market.position
            if position.size:
                value += position.size * (market.close[0] - position.price)
        return value

    get_value = getvalue

    def getposition(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's Position, untyped
        """Return backtrader's ``Position`` of a feed."""
        return self._market(data).position

    def get_notification(self) -> SimulatedOrder | None:
        """Return the next order whose state changed, None when there is none."""
        waiting = self._log.notifications
        return waiting.popleft() if waiting else None

    def get_orders_open(self, safe: bool = False) -> list[SimulatedOrder]:
        """Return the orders that may still fill; clones when ``safe``."""
        orders = [order for market in self._markets.values() for order in market.working]
        return [order.clone() for order in orders] if safe else orders

    def buy(self, owner: Any, data: Any, size: float, **request: Any) -> SimulatedOrder:  # noqa: ANN401
        """Take a buy order; see :meth:`_take`."""
        return self._take(owner, data, abs(size), request)

    def sell(self, owner: Any, data: Any, size: float, **request: Any) -> SimulatedOrder:  # noqa: ANN401
        """Take a sell order; see :meth:`_take`."""
        return self._take(owner, data, -abs(size), request)

    def cancel(self, order: SimulatedOrder) -> bool:
        """Cancel an order that is still working; its protection goes with it while nothing has filled."""
        market = self._market(order.data)
        live = next((working for working in market.working if working.ref == order.ref), None)
        if live is None:
            return False
        self._log.cancel(market, live)
        if live.role == "entry":
            self._of(market).gate.on_entry_over()
        self._end_if_unfilled(market, live)
        return True

    def move_stop(self, order: SimulatedOrder, price: float) -> bool:
        """Move the stop of an open position towards the market; the new price counts from the next bar on.

        Parameters
        ----------
        order : SimulatedOrder
            The stop, as the entry's child or as it was told back after a restart.
        price : float
            Its new trigger, index points; rounded to the tick.

        Returns
        -------
        bool
            Whether it has been moved. It stays where it is when it no longer works, was triggered or protects
            nothing yet, when the price is no tighter than the present one, and when the last close has
            reached it: an exchange would refuse it.

        Raises
        ------
        BrokerError
            The price is no number.
        """
        market = self._market(order.data)
        if not math.isfinite(price):
            raise BrokerError(f"stop on {market.name}: to be moved to {price}, expected a finite number")
        stop = next((working for working in market.working if working.ref == order.ref), None)
        if stop is None or stop.exectype != stop.Stop or stop.triggered or not market.position.size:
            return False
        side = 1 if market.position.size > 0 else -1
        price = on_tick(price, self._of(market).execution.terms(market.day).tick)
        if not side * stop.created.price < side * price < side * market.close[0]:
            return False
        stop.price = stop.created.price = price
        self._log.change(market, stop, stop.status, "moved")
        return True

    def next(self) -> None:
        """Match all working orders against the bars that have just ended."""
        for market in self._markets.values():
            if not market.has_new_bar():
                continue
            if market.working:
                self._expire(market)
                self._match(market)
            if market.position.size:
                self._mark(market)
        # Only now: a loss of all instruments together is known once each has its price
        for market in self._markets.values():
            if market.position.size:
                self._flatten_where_due(market)

    @property
    def events(self) -> int:
        """Order events so far, in all journals."""
        journals = [self.journal, *(other.journal for other in self._others.values())]
        return sum(len(journal.events) for journal in journals)

    # -- what the engine asks --------------------------------------------------------------------

    def next_active_bar(self, data: Any, bar: int) -> int:  # noqa: ANN401 # a backtrader feed
        """Return the first bar after ``bar`` on which this broker can do anything at all."""
        market = self._market(data)
        if self._log.notifications or (market.position.size and self._of(market).gate.needs_every_bar):
            return bar + 1
        return market.next_active_bar(bar)

    # -- orders in -------------------------------------------------------------------------------

    def _market(self, data: Any) -> Market:  # noqa: ANN401 # a backtrader feed
        market = self._markets.get(data)
        if market is None:
            market = self._markets[data] = Market(data)
        return market

    def _of(self, market: Market) -> Dealing:
        return self._others.get(market.name, self._dealing)

    def _free_cash(self, market: Market) -> float:
        """Return the rupees that an entry's margin may bind."""
        return self.cash - self._of(market).gate.elsewhere.margin

    def _take(self, owner: Any, data: Any, size: float, request: dict[str, Any]) -> SimulatedOrder:  # noqa: ANN401
        self._order_count += 1
        order = make_order(self._order_count, owner, data, size, request)
        main = order if order.parent is None else order.parent
        if main is not order and main.ref not in self._held:
            self._log.refuse(
                self._market(data), [order], "rejected",
                f"its parent, order {main.ref}, was sent already; send an exit without parent",
            )  # fmt: skip
            return order
        group = self._held[main.ref]
        group.append(order)
        if order.transmit:
            del self._held[main.ref]
            self._send(self._market(data), group)
        return order

    def _send(self, market: Market, group: list[SimulatedOrder]) -> None:
        main = group[0]
        position = market.position.size
        terms = self._of(market).execution.terms(market.day)
        for order in group:
            order.round_to(terms.tick)
        if any(order.exectype == order.StopLimit for order in group[1:]):
            self._log.refuse(
                market, group, "rejected", "an exit that is a stop-limit may never fill; use a stop"
            )
        elif position and (position > 0) != (main.size > 0):
            self._send_exit(market, group)
        else:
            self._send_entry(market, group, terms)

    def _send_exit(self, market: Market, group: list[SimulatedOrder]) -> None:
        order = group[0]
        trip = market.open_trip
        if len(group) > 1:
            self._log.refuse(
                market, group, "rejected",
                f"an entry with protection against the {market.position.size:g} units held; leave them first",
            )  # fmt: skip
            return
        if order.exectype == order.StopLimit:
            self._log.refuse(
                market, group, "rejected", "an exit that is a stop-limit may never fill; use a stop"
            )
            return
        leaving = sum(abs(other.executed.remsize) for other in market.working if other.leaves_at_market)
        if order.exectype == order.Market and abs(order.size) + leaving > abs(market.position.size):
            self._log.refuse(
                market, [order], "rejected",
                f"would close more than the {market.position.size:g} units held, "
                f"of which {leaving:g} are leaving already",
            )  # fmt: skip
            return
        order.round_trip = trip.number
        order.role = "signal" if order.role in ("", "entry") else order.role
        if order.exectype != order.Market:
            trip.protection.append(order)
        elif trip.entry.alive():
            self.cancel(trip.entry)  # its later units would have no protection
        self._log.accept(market, order, order.info.get("verdict", ALLOWED))

    def _send_entry(self, market: Market, group: list[SimulatedOrder], terms: ContractTerms) -> None:
        main = group[0]
        if market.trip is not None:
            self._log.refuse(
                market, group, "rejected", "one position at a time: an entry is already working or open"
            )
            return
        self._round_trip_count += 1
        for order in group:
            order.round_trip = self._round_trip_count
            order.role = order.role or order.kind.replace("limit", "target")
        main.role = "entry"
        gate = self._of(market).gate
        verdict = gate.check_entry(make_entry_request(market, group, terms))
        if verdict.action == "deny":
            self._log.refuse(market, group, "denied", verdict.reason, verdict.rule)
            return
        if verdict.action == "reduce":
            dropped = resize_group(group, verdict.size, terms.lot)
            self._log.refuse(market, dropped, "rejected", "the reduced entry leaves this target no lot")
            group = [order for order in group if order not in dropped]
        margin = abs(main.size) * main.price * terms.margin_percent / 100
        free = self._free_cash(market)
        if margin > free:
            gate.on_entry_over()
            self._log.refuse(
                market, group, "margin", f"needs {margin:.0f} rupees of margin, {free:.0f} are free"
            )
            return
        now = market.closed_at()
        market.trip = RoundTrip(self._round_trip_count, main, group[1:])
        self._of(market).journal.contexts.append(
            TradeContext(
                self._round_trip_count, now, main.info.get("probability", _NAN), main.info.get("arm", "")
            )
        )
        gate.on_entry(now)
        for order in group:
            self._log.accept(market, order, verdict)

    # -- orders out ------------------------------------------------------------------------------

    def _expire(self, market: Market) -> None:
        """End what is left of an entry of an earlier day: orders of the exchange are good for the day."""
        trip = market.trip
        if trip is None or not trip.entry.alive() or int(trip.entry.created.dt) == int(market.datetime[0]):
            return
        self._log.expire(market, trip.entry)
        self._of(market).gate.on_entry_over()
        self._end_if_unfilled(market, trip.entry)

    def _match(self, market: Market) -> None:
        market.units_taken = 0.0
        open_price = market.open[0]
        for order in tuple(market.working):
            if self._is_live(market, order) and self._is_reached_at_open(market, order):
                self._reach(market, order, open_price, at_open=True)
        held_after_open = abs(market.position.size)
        for order in self._by_urgency(market):
            entered_inside = abs(market.position.size) > held_after_open
            if entered_inside and order.role != "entry" and order.exectype == order.Limit:
                continue  # whether the target came after the entry is unknown
            if self._is_live(market, order):
                price = self._price_inside(market, order)
                if price is not None:
                    self._reach(market, order, price, at_open=False)

    def _is_reached_at_open(self, market: Market, order: SimulatedOrder) -> bool:
        is_buy, open_price = order.size > 0, market.open[0]
        if order.exectype != order.StopLimit:
            return order.triggered or reached_at_open(order.kind, is_buy, order.created.price, open_price)
        if not order.triggered and reached_at_open("stop", is_buy, order.created.price, open_price):
            self._trigger(market, order)
        return order.triggered and reached_at_open("limit", is_buy, order.waits_at, open_price)

    def _price_inside(self, market: Market, order: SimulatedOrder) -> float | None:
        """Return the price at which an order fills after the bar's open, None where it does not."""
        is_buy, high, low = order.size > 0, market.high[0], market.low[0]
        if order.exectype != order.StopLimit:
            price = order.created.price
            return price if reached_in_range(order.kind, is_buy, price, high, low) else None
        if order.triggered:
            return order.waits_at if reached_in_range("limit", is_buy, order.waits_at, high, low) else None
        if not reached_in_range("stop", is_buy, order.waits_at, high, low):
            return None
        self._trigger(market, order)
        return filled_after_trigger(is_buy, order.waits_at, high, low, market.close[0])

    def _trigger(self, market: Market, order: SimulatedOrder) -> None:
        """Turn a stop-limit order into the limit order that it is from here on."""
        order.triggered = True
        self._log.change(market, order, order.status, "triggered")

    @staticmethod
    def _is_live(market: Market, order: SimulatedOrder) -> bool:
        """Whether an order may fill: still working, and its entry has units to protect."""
        if not order.alive():
            return False
        return order.parent is None or market.position.size != 0

    def _by_urgency(self, market: Market) -> list[SimulatedOrder]:
        """Return the working orders: entries, then stops, then targets, unless finer bars tell otherwise."""
        orders = sorted(
            market.working, key=lambda order: (order.role != "entry", order.exectype != order.Stop)
        )
        finer_bars = self._of(market).finer_bars
        if finer_bars is None or not market.position.size:
            return orders
        resting = [order for order in orders if order in market.open_trip.protection]
        if [order.exectype == order.Stop for order in resting] != [True, *[False] * (len(resting) - 1)]:
            return orders
        before_stop = [
            target
            for target in resting[1:]
            if finer_bars.target_comes_first(
                market.bar,
                is_long=market.position.size > 0,
                stop=resting[0].created.price,
                target=target.created.price,
            )
        ]
        return [*before_stop, *(order for order in orders if order not in before_stop)]

    def _reach(self, market: Market, order: SimulatedOrder, reference: float, *, at_open: bool) -> None:
        """Fill an order that was reached, as far as the bar's volume goes; an exit ends the entry first."""
        wanted = order.executed.remsize
        order.triggered = order.triggered or order.exectype == order.Stop
        if order.role != "entry":
            entry = market.open_trip.entry
            if entry.alive():
                self.cancel(entry)
            wanted = math.copysign(min(abs(wanted), abs(market.position.size)), wanted)
        units = math.copysign(self._of(market).execution.units(market, abs(wanted)), wanted)
        if not units:
            return
        market.units_taken += abs(units)
        price = self._of(market).execution.price(market, order, units, reference, at_open=at_open)
        self._book(market, order, units, reference, price)

    def _book(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, price: float
    ) -> None:
        trip = market.open_trip
        dealing = self._of(market)
        charges = dealing.execution.charges(market, order, units, price)
        order.comminfo = self._commission
        self.cash += market.book(order, units, price, charges, market.datetime[0])
        dealing.journal.fills.append(
            Fill(order.ref, order.round_trip, market.name, market.opened_at(), market.bar, order.role,
                 units, price, reference, charges)
        )  # fmt: skip
        dealing.gate.on_fill(market.opened_at(), units, price, charges)
        self._log.change(
            market, order, order.status, "completed" if not order.executed.remsize else "partial"
        )
        if not order.alive():
            market.working.remove(order)
        self._adjust_siblings(market, trip, order)

    def _adjust_siblings(self, market: Market, trip: RoundTrip, order: SimulatedOrder) -> None:
        """Keep protection at exactly the open units, and end the round trip when it is flat."""
        position = market.position.size
        if position:
            for exiting, units in trip.shares(position):
                if exiting is not order and exiting.alive():
                    exiting.resize(exiting.executed.size + units)
            return
        self._cancel_rest(market)
        self._of(market).gate.on_trade_closed(market.opened_at(), trip.net_pnl)
        market.trip = None

    def _end_if_unfilled(self, market: Market, order: SimulatedOrder) -> None:
        """End the round trip of an entry that ended without a fill."""
        if market.trip is not None and order is market.trip.entry and not order.executed.size:
            self._cancel_rest(market)
            market.trip = None

    def _cancel_rest(self, market: Market) -> None:
        """Cancel whatever still works: no position, no resting order."""
        for order in tuple(market.working):
            self._log.cancel(market, order)

    # -- limits that flatten ---------------------------------------------------------------------

    def _mark(self, market: Market) -> None:
        gate = self._of(market).gate
        if gate.needs_every_bar:
            gate.start_day(market.closed_at().date())
            gate.mark(market.closed_at(), market.close[0])

    def _flatten_where_due(self, market: Market) -> None:
        gate = self._of(market).gate
        verdict = gate.must_flatten() if gate.needs_every_bar else None
        if verdict is not None and not any(order.leaves_at_market for order in market.working):
            self._flatten(market, verdict)

    def _flatten(self, market: Market, verdict: Verdict) -> None:
        """Cancel everything that works and leave at market."""
        for order in tuple(market.working):
            self.cancel(order)
        request = {"role": verdict.rule, "verdict": verdict._replace(action="allow")}
        self._take(market.open_trip.entry.owner, market.data, -market.position.size, request)

    def _close_at_last_price(self, market: Market, role: str, reference: float, reason: str = "") -> None:
        """Cancel everything that works and leave at ``reference`` without waiting for a bar."""
        for order in tuple(market.working):
            self.cancel(order)
        size = -market.position.size
        if not size:
            return
        trip = market.open_trip
        self._order_count += 1
        order = make_order(self._order_count, trip.entry.owner, market.data, size, {"role": role})
        order.round_trip = trip.number
        self._log.accept(market, order, ALLOWED._replace(reason=reason))
        price = self._of(market).execution.price(market, order, size, reference, at_open=False)
        self._book(market, order, size, reference, price)
