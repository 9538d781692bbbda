"""The simulated broker: fills on bars, with charges, slippage, latency and the risk gate.

Paper trading uses the same class on a live feed. What fills when is in :mod:`brokers.matching`.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import backtrader as bt

from brokers.charges import ChargePlan
from brokers.finer_bars import FinerBars
from brokers.journal import Fill, Journal, OrderEvent, TradeContext
from brokers.market import Market
from brokers.matching import reached_at_open, reached_in_range
from brokers.order import SimulatedOrder
from brokers.participation import VolumeParticipation
from brokers.risk.gate import RiskGate
from brokers.risk.rule import EntryRequest, Verdict
from brokers.round_trip import RoundTrip
from brokers.slippage import FillContext, LatencyModel, SlippageModel
from feeds.errors import BrokerError
from feeds.terms import ContractTerms

__all__ = ["SimulatedBroker"]

_NOT_SIMULATED = ("plimit", "valid", "oco", "trailamount", "trailpercent")
_NO_VERDICT = Verdict("allow")
_NAN = float("nan")


class SimulatedBroker(bt.BrokerBase):
    """A broker for one account and any number of futures.

    Parameters
    ----------
    cash : float
        Rupees at the start.
    charges : ChargePlan
        Brokerage, taxes and fees of an executed order.
    slippage : SlippageModel
        How much worse than the reference price market and stop orders fill.
    latency : LatencyModel
        The expected adverse move until a market order reaches the exchange.
    participation : VolumeParticipation
        How much of a bar's volume an order may take.
    gate : RiskGate
        Asked before every entry, told every fill.
    terms : callable
        ``terms(day)`` gives lot, tick, freeze quantity and margin of that day.
    journal : Journal
        Receives every order event and fill.
    bar_seconds : float
        Length of a bar.
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
        charges: ChargePlan,
        slippage: SlippageModel,
        latency: LatencyModel,
        participation: VolumeParticipation,
        gate: RiskGate,
        terms: Callable[[dt.date], ContractTerms],
        journal: Journal,
        bar_seconds: float,
        finer_bars: FinerBars | None = None,
    ) -> None:
        super().__init__()
        self.startingcash = self.cash = cash
        self.journal = journal
        self.gate = gate
        self.notifs: deque[SimulatedOrder] = deque()
        self._charges = charges
        self._slippage = slippage
        self._latency = latency
        self._participation = participation
        self._terms = terms
        self._bar_seconds = bar_seconds
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
            self._close_at_end_of_data(market)

    def getcommissioninfo(self, data: Any) -> Any:  # noqa: ANN401, ARG002 # backtrader's signature
        """Return the profit arithmetic of a future; charges are booked by this broker itself."""
        return self._commission

    def getcash(self) -> float:
        """Return realised cash in rupees."""
        return self.cash

    get_cash = getcash

    def getvalue(self, datas: Any = None) -> float:  # noqa: ANN401, ARG002 # backtrader's signature
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
        return self.notifs.popleft() if self.notifs else None

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
        market.working.remove(live)
        self._change(market, live, live.Canceled, "canceled")
        trip = market.trip
        if trip is not None and live is trip.entry and not live.executed.size:
            self._cancel_protection(market, trip)
            market.trip = None
        return True

    def next(self) -> None:
        """Match all working orders against the bar that has just ended."""
        for market in self._markets.values():
            if market.working:
                self._match(market)
            if market.position.size:
                self._mark(market)

    # -- what the engine asks --------------------------------------------------------------------

    def next_active_bar(self, data: Any, bar: int) -> int:  # noqa: ANN401 # a backtrader feed
        """Return the first bar after ``bar`` on which this broker can do anything at all."""
        market = self._market(data)
        if self.notifs or (market.position.size and self.gate.needs_every_bar):
            return bar + 1
        return market.next_active_bar(bar)

    # -- orders in -------------------------------------------------------------------------------

    def _market(self, data: Any) -> Market:  # noqa: ANN401 # a backtrader feed
        market = self._markets.get(data)
        if market is None:
            market = self._markets[data] = Market(data)
        return market

    def _take(self, owner: Any, data: Any, size: float, request: dict[str, Any]) -> SimulatedOrder:  # noqa: ANN401
        for name in _NOT_SIMULATED:
            if request.pop(name, None) is not None:
                raise BrokerError(
                    f"order with {name!r} on {data._name}: not simulated; "
                    "use market, stop and limit orders without it"
                )
        exectype = request.pop("exectype", None)
        if exectype not in (None, bt.Order.Market, bt.Order.Stop, bt.Order.Limit):
            raise BrokerError(
                f"order type {bt.Order.ExecTypes[exectype]} on {data._name}: not simulated; "
                "use Market, Stop or Limit"
            )
        self._order_count += 1
        order = SimulatedOrder(
            ref=self._order_count,
            owner=owner,
            data=data,
            size=size,
            exectype=exectype,
            price=request.pop("price", None),
            tradeid=request.pop("tradeid", 0),
            parent=request.pop("parent", None),
            transmit=request.pop("transmit", True),
            info=request,
        )
        group = self._held[order.ref if order.parent is None else order.parent.ref]
        group.append(order)
        if order.transmit:
            del self._held[group[0].ref]
            self._send(self._market(data), group)
        return order

    def _send(self, market: Market, group: list[SimulatedOrder]) -> None:
        main = group[0]
        position = market.position.size
        terms = self._terms(market.day)
        self._round(group, terms)
        if position and (position > 0) != (main.size > 0):
            self._send_exit(market, main)
        else:
            self._send_entry(market, group, terms)

    def _send_exit(self, market: Market, order: SimulatedOrder) -> None:
        trip = market.trip
        leaving = sum(abs(o.executed.remsize) for o in market.working if o.exectype == o.Market)
        if order.exectype == order.Market and abs(order.size) + leaving > abs(market.position.size):
            self._refuse(
                market, [order], "rejected",
                f"would close more than the {market.position.size:g} units held ({leaving:g} are leaving already)",
            )  # fmt: skip
            return
        order.round_trip = trip.number
        order.role = order.role or "signal"
        if order.exectype != order.Market:
            trip.protection.append(order)
        self._accept(market, order)

    def _send_entry(self, market: Market, group: list[SimulatedOrder], terms: ContractTerms) -> None:
        main = group[0]
        if market.trip is not None:
            self._refuse(market, group, "rejected", "one position at a time: an entry is already working or open")
            return
        self._round_trip_count += 1
        for order in group:
            order.round_trip = self._round_trip_count
            order.role = order.role or ("entry" if order is main else order.kind.replace("limit", "target"))
        verdict = self._ask_gate(market, group, terms)
        if verdict.action == "deny":
            self._refuse(market, group, "denied", verdict.reason, verdict.rule)
            return
        if verdict.action == "reduce":
            for order in group:
                order.resize(math.copysign(verdict.size, order.size))
        margin = abs(main.size) * main.price * terms.margin_percent / 100
        if margin > self.cash:
            self._refuse(market, group, "margin", f"needs {margin:.0f} rupees of margin, {self.cash:.0f} are free")
            return
        now = market.closed_at()
        market.trip = RoundTrip(self._round_trip_count, main, group[1:])
        self.journal.contexts.append(
            TradeContext(self._round_trip_count, now, main.info.get("probability", _NAN))
        )
        self.gate.on_entry(now)
        for order in group:
            self._accept(market, order, verdict)

    def _ask_gate(self, market: Market, group: list[SimulatedOrder], terms: ContractTerms) -> Verdict:
        main = group[0]
        info = main.info
        prices = {order.exectype: order.created.price for order in group[1:]}
        now = market.closed_at()
        self.gate.start_day(now.date())
        price = market.close[0]
        return self.gate.check_entry(
            EntryRequest(
                time=now,
                instrument=market.name,
                size=main.size,
                price=price,
                stop_price=prices.get(main.Stop),
                target_price=prices.get(main.Limit),
                lot=terms.lot,
                margin_per_unit=price * terms.margin_percent / 100,
                volatility=info.get("volatility", _NAN),
                bar_complete=info.get("bar_complete", True),
                data_age_seconds=info.get("data_age_seconds", 0.0),
                model_age_days=info.get("model_age_days", _NAN),
                tick=terms.tick,
                largest_order=terms.largest_order,
            )
        )

    @staticmethod
    def _round(group: list[SimulatedOrder], terms: ContractTerms) -> None:
        tick = terms.tick
        if not tick:
            return
        for order in group:
            if order.exectype != order.Market:
                # Ten decimals remove the binary dust of the multiplication, ticks have two.
                order.price = order.created.price = round(round(order.price / tick) * tick, 10)

    def _accept(self, market: Market, order: SimulatedOrder, verdict: Verdict = _NO_VERDICT) -> None:
        order.plen = len(order.data)
        self._change(market, order, order.Submitted, "submitted", verdict.rule, verdict.reason)
        self._change(market, order, order.Accepted, "accepted")
        market.working.append(order)

    def _refuse(
        self, market: Market, group: list[SimulatedOrder], state: str, reason: str, rule: str = ""
    ) -> None:
        for order in group:
            status = order.Margin if state == "margin" else order.Rejected
            order.info["refused"] = reason
            self._change(market, order, status, state, rule, reason)

    def _change(
        self, market: Market, order: SimulatedOrder, status: int, state: str, rule: str = "", reason: str = ""
    ) -> None:
        order.status = status
        executed = order.executed
        self.journal.events.append(
            OrderEvent(
                market.closed_at(),
                order.ref,
                order.round_trip,
                order.role,
                order.kind,
                state,
                order.size,
                order.created.price,
                executed.size,
                executed.price,
                rule,
                reason,
            )
        )
        self.notifs.append(order.clone())

    # -- orders out ------------------------------------------------------------------------------

    def _match(self, market: Market) -> None:
        market.units_taken = 0.0
        open_price, high, low = market.open[0], market.high[0], market.low[0]
        for order in tuple(market.working):
            if self._is_live(market, order) and (
                order.triggered or reached_at_open(order.kind, order.size > 0, order.created.price, open_price)
            ):
                self._reach(market, order, open_price, at_open=True)
        flat_after_open = not market.position.size
        for order in self._by_urgency(market):
            if flat_after_open and order.parent is not None and order.exectype == order.Limit:
                continue  # entered inside this bar: whether the target came after the entry is unknown
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
        orders = sorted(market.working, key=lambda order: (order.role != "entry", order.exectype != order.Stop))
        trip = market.trip
        if self._finer_bars is None or trip is None or len(trip.protection) < 2:
            return orders
        prices = {order.exectype: order.created.price for order in trip.protection}
        if len(prices) == 2 and self._finer_bars.target_comes_first(
            market.bar,
            is_long=market.position.size > 0,
            stop=prices[bt.Order.Stop],
            target=prices[bt.Order.Limit],
        ):
            orders.reverse()
        return orders

    def _reach(self, market: Market, order: SimulatedOrder, reference: float, *, at_open: bool) -> None:
        """Fill an order that was reached, as far as the bar's volume goes; an exit ends the entry first."""
        order.triggered = order.exectype == order.Stop
        wanted = order.executed.remsize
        if order.role != "entry" and market.trip.entry.alive():
            self.cancel(market.trip.entry)
        if order.role != "entry":
            wanted = math.copysign(min(abs(wanted), abs(market.position.size)), wanted)
        units = math.copysign(self._fillable(market, abs(wanted)), wanted)
        if not units:
            return
        market.units_taken += abs(units)
        adverse = self._adverse_points(market, order, units, reference, at_open)
        self._book(market, order, units, reference, reference + math.copysign(adverse, units), order.role)

    def _fillable(self, market: Market, wanted: float) -> float:
        """Return the units that the volume of the bar still has for us."""
        if not self._participation.limited:
            return wanted
        lot = self._terms(market.day).lot
        taken = market.units_taken
        return self._participation.fillable(wanted + taken, market.volume[0], lot) - taken

    def _adverse_points(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, at_open: bool
    ) -> float:
        if order.exectype == order.Limit:
            return 0.0
        high, low = market.high[0], market.low[0]
        points = self._slippage.adverse_points(
            FillContext(
                price=reference,
                size=units,
                bar_high=high,
                bar_low=low,
                bar_volume=market.volume[0],
                recent_range=market.recent_range() if self._slippage.needs_recent_range else _NAN,
                tick=self._terms(market.day).tick,
            )
        )
        if at_open and order.exectype == order.Market:
            points += self._latency.adverse_points(high, low, self._bar_seconds)
        return points

    def _book(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, price: float, role: str
    ) -> None:
        position = market.position
        trip = market.trip
        charges = self._charges_of(market, order, units, price)
        before = position.price
        size, average, opened, closed = position.update(units, price)
        profit = -closed * (price - before) if closed else 0.0
        self.cash += profit - charges
        trip.net_pnl += profit - charges
        order.comminfo = self._commission
        order.execute(
            market.datetime[0], units, price,
            closed, abs(closed) * before, charges if closed else 0.0,
            opened, abs(opened) * price, 0.0 if closed else charges,
            0.0, profit, size, average,
        )  # fmt: skip
        self.journal.fills.append(
            Fill(order.ref, order.round_trip, market.name, market.opened_at(), market.bar, role,
                 units, price, reference, charges)
        )  # fmt: skip
        self.gate.on_fill(market.opened_at(), units, price, charges)
        self._change(market, order, order.status, "completed" if not order.executed.remsize else "partial")
        if not order.alive():
            market.working.remove(order)
        self._adjust_siblings(market, trip, order)

    def _charges_of(self, market: Market, order: SimulatedOrder, units: float, price: float) -> float:
        """Return what a fill adds to its order's charges; orders above the freeze quantity go in slices."""
        executed = order.executed
        filled = abs(executed.size)
        total = filled + abs(units)
        average = (filled * executed.price + abs(units) * price) / total
        freeze = self._terms(market.day).largest_order
        due = 0.0
        while total > 0:
            slice_units = min(total, freeze)
            due += self._charges.order_charges(market.day, math.copysign(slice_units, units), average)
            total -= slice_units
        charges = max(0.0, due - order.charged)
        order.charged += charges
        return charges

    def _adjust_siblings(self, market: Market, trip: RoundTrip, order: SimulatedOrder) -> None:
        """Keep protection at exactly the open units, and end the round trip when it is flat."""
        position = market.position.size
        if order is trip.entry:
            for protective in trip.protection:
                protective.resize(-position)
            return
        if position:
            for protective in trip.protection:
                if protective is not order and protective.alive():
                    protective.resize(-position)
            return
        self._cancel_protection(market, trip)
        self.gate.on_trade_closed(market.opened_at(), trip.net_pnl)
        market.trip = None

    def _cancel_protection(self, market: Market, trip: RoundTrip) -> None:
        for protective in trip.protection:
            if protective in market.working:
                market.working.remove(protective)
                self._change(market, protective, protective.Canceled, "canceled")

    # -- limits that flatten ---------------------------------------------------------------------

    def _mark(self, market: Market) -> None:
        if not self.gate.needs_every_bar:
            return
        self.gate.start_day(market.closed_at().date())
        self.gate.mark(market.closed_at(), market.close[0])
        verdict = self.gate.must_flatten()
        if verdict is not None and not any(order.exectype == order.Market for order in market.working):
            self._flatten(market, verdict)

    def _flatten(self, market: Market, verdict: Verdict) -> None:
        trip = market.trip
        for order in tuple(market.working):
            self.cancel(order)
        size = -market.position.size
        owner = trip.entry.owner
        self._take(owner, market.data, size, {"role": verdict.rule, "refused": verdict.reason})

    def _close_at_end_of_data(self, market: Market) -> None:
        for order in tuple(market.working):
            self.cancel(order)
        size = -market.position.size
        if not size:
            return
        self._order_count += 1
        order = SimulatedOrder(
            ref=self._order_count, owner=market.trip.entry.owner, data=market.data, size=size, price=None,
            exectype=None, tradeid=0, parent=None, transmit=True, info={"role": "end_of_data"},
        )  # fmt: skip
        order.round_trip = market.trip.number
        self._accept(market, order)
        reference = market.close[0]
        adverse = self._adverse_points(market, order, size, reference, at_open=False)
        self._book(market, order, size, reference, reference + math.copysign(adverse, size), order.role)
