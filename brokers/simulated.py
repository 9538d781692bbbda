"""The simulated broker: fills on bars, with charges, slippage, latency and the risk gate.

Paper trading uses the same class on a live feed. What fills when is in :mod:`brokers.matching`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import backtrader as bt

from brokers.entry_request import make_entry_request
from brokers.execution import ExecutionModel
from brokers.finer_bars import FinerBars
from brokers.journal import Fill, Journal, TradeContext
from brokers.market import Market
from brokers.matching import reached_at_open, reached_in_range
from brokers.order import SimulatedOrder, make_order
from brokers.order_log import OrderLog
from brokers.risk.gate import RiskGate
from brokers.risk.rule import ALLOWED, Verdict
from brokers.round_trip import RoundTrip
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
    ) -> None:
        super().__init__()
        self.startingcash = self.cash = cash
        self.journal = journal
        self.gate = gate
        self._log = OrderLog(journal)
        self._execution = execution
        self._finer_bars = finer_bars
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
        self._end_if_unfilled(market, live)
        return True

    def next(self) -> None:
        """Match all working orders against the bar that has just ended."""
        for market in self._markets.values():
            if market.working:
                self._expire(market)
                self._match(market)
            if market.position.size:
                self._mark(market)

    # -- what the engine asks --------------------------------------------------------------------

    def next_active_bar(self, data: Any, bar: int) -> int:  # noqa: ANN401 # a backtrader feed
        """Return the first bar after ``bar`` on which this broker can do anything at all."""
        market = self._market(data)
        if self._log.notifications or (market.position.size and self.gate.needs_every_bar):
            return bar + 1
        return market.next_active_bar(bar)

    # -- orders in -------------------------------------------------------------------------------

    def _market(self, data: Any) -> Market:  # noqa: ANN401 # a backtrader feed
        market = self._markets.get(data)
        if market is None:
            market = self._markets[data] = Market(data)
        return market

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
        terms = self._execution.terms(market.day)
        for order in group:
            order.round_to(terms.tick)
        if position and (position > 0) != (main.size > 0):
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
        verdict = self.gate.check_entry(make_entry_request(market, group, terms))
        if verdict.action == "deny":
            self._log.refuse(market, group, "denied", verdict.reason, verdict.rule)
            return
        if verdict.action == "reduce":
            for order in group:
                order.resize(math.copysign(verdict.size, order.size))
        margin = abs(main.size) * main.price * terms.margin_percent / 100
        if margin > self.cash:
            self._log.refuse(
                market, group, "margin", f"needs {margin:.0f} rupees of margin, {self.cash:.0f} are free"
            )
            return
        now = market.closed_at()
        market.trip = RoundTrip(self._round_trip_count, main, group[1:])
        self.journal.contexts.append(
            TradeContext(
                self._round_trip_count, now, main.info.get("probability", _NAN), main.info.get("arm", "")
            )
        )
        self.gate.on_entry(now)
        for order in group:
            self._log.accept(market, order, verdict)

    # -- orders out ------------------------------------------------------------------------------

    def _expire(self, market: Market) -> None:
        """End what is left of an entry of an earlier day: orders of the exchange are good for the day."""
        trip = market.trip
        if trip is None or not trip.entry.alive() or int(trip.entry.created.dt) == int(market.datetime[0]):
            return
        self._log.expire(market, trip.entry)
        self._end_if_unfilled(market, trip.entry)

    def _match(self, market: Market) -> None:
        market.units_taken = 0.0
        open_price, high, low = market.open[0], market.high[0], market.low[0]
        for order in tuple(market.working):
            if self._is_live(market, order) and (
                order.triggered
                or reached_at_open(order.kind, order.size > 0, order.created.price, open_price)
            ):
                self._reach(market, order, open_price, at_open=True)
        held_after_open = abs(market.position.size)
        for order in self._by_urgency(market):
            entered_inside = abs(market.position.size) > held_after_open
            if entered_inside and order.role != "entry" and order.exectype == order.Limit:
                continue  # whether the target came after the entry is unknown
            if self._is_live(market, order) and reached_in_range(
                order.kind, order.size > 0, order.created.price, high, low
            ):
                self._reach(market, order, order.created.price, at_open=False)

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
        if self._finer_bars is None or not market.position.size:
            return orders
        resting = [order for order in orders if order in market.open_trip.protection]
        if [order.kind for order in resting] == ["stop", "limit"] and self._finer_bars.target_comes_first(
            market.bar,
            is_long=market.position.size > 0,
            stop=resting[0].created.price,
            target=resting[1].created.price,
        ):
            orders.reverse()
        return orders

    def _reach(self, market: Market, order: SimulatedOrder, reference: float, *, at_open: bool) -> None:
        """Fill an order that was reached, as far as the bar's volume goes; an exit ends the entry first."""
        order.triggered = order.exectype == order.Stop
        wanted = order.executed.remsize
        if order.role != "entry":
            entry = market.open_trip.entry
            if entry.alive():
                self.cancel(entry)
            wanted = math.copysign(min(abs(wanted), abs(market.position.size)), wanted)
        units = math.copysign(self._execution.units(market, abs(wanted)), wanted)
        if not units:
            return
        market.units_taken += abs(units)
        price = self._execution.price(market, order, units, reference, at_open=at_open)
        self._book(market, order, units, reference, price)

    def _book(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, price: float
    ) -> None:
        trip = market.open_trip
        charges = self._execution.charges(market, order, units, price)
        order.comminfo = self._commission
        self.cash += market.book(order, units, price, charges, market.datetime[0])
        self.journal.fills.append(
            Fill(order.ref, order.round_trip, market.name, market.opened_at(), market.bar, order.role,
                 units, price, reference, charges)
        )  # fmt: skip
        self.gate.on_fill(market.opened_at(), units, price, charges)
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
            for protective in trip.protection:
                if protective is not order and protective.alive():
                    protective.resize(protective.executed.size - position)
            return
        self._cancel_rest(market)
        self.gate.on_trade_closed(market.opened_at(), trip.net_pnl)
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
        if not self.gate.needs_every_bar:
            return
        self.gate.start_day(market.closed_at().date())
        self.gate.mark(market.closed_at(), market.close[0])
        verdict = self.gate.must_flatten()
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
        price = self._execution.price(market, order, size, reference, at_open=False)
        self._book(market, order, size, reference, price)
