"""Paper trading: the simulated broker on a live feed, with its account kept over restarts.

What fills when is the backtest's (:mod:`brokers.matching`), bar by bar. What differs comes from the clock:
the feed may have no bar, the bars of a break arrive late, and the day ends whether or not anybody trades.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import backtrader as bt
from backtrader.position import Position

from brokers.execution import ExecutionModel
from brokers.journal import Journal, OrderEvent, TradeContext
from brokers.market import Market
from brokers.order import SimulatedOrder, make_order
from brokers.paper_book import PaperBook, StoredBook
from brokers.paper_gate import NotingGate
from brokers.paper_records import BookState, GateFact, KeptFill, Record, order_from_json, order_to_json
from brokers.risk.gate import RiskGate
from brokers.round_trip import RoundTrip
from brokers.simulated import SimulatedBroker
from feeds.clock import Clock
from feeds.errors import BrokerError
from feeds.terms import ContractTerms

__all__ = ["PaperBroker"]

_SECONDS_PER_DAY = 86_400


class PaperBroker(SimulatedBroker):
    """A simulated account that outlives its process. One instrument, one book.

    Parameters
    ----------
    cash : float
        Rupees of a new account; a stored one goes on with what it has.
    execution, gate, journal
        As for :class:`SimulatedBroker`. The gate's rules are used; its counters come from the book. The
        journal gets back the day so far, and an open round trip from its beginning.
    book : PaperBook
        The account on disk. Closed by :meth:`close`.
    clock : Clock
        The market's time.
    bar_seconds : float
        Length of a bar. No entry is taken on a bar that closed longer ago than that.
    square_off_at : callable
        ``square_off_at(day)`` gives the close (aware) of the bar on which the strategy squares off, None
        where the day has no session.
    square_off_grace_seconds : float
        What has no exit working so long after it is closed at the last price, bar or no bar. An exit that
        found no bar to fill on within a bar's length and this is treated the same.
    last_price : callable or None
        Gives the price last traded, index points, NaN where unknown; None: the close of the last bar.

    Attributes
    ----------
    startingcash : float
        Rupees before the first fill in the journal.

    Notes
    -----
    The feed begins with bars that closed before now. Those the account was matched against before it was
    stored are only passed over: there is no position to be seen and no order is taken. With the first bar
    after them the strategy is told of its orders again (clones with ``restored`` in their ``info``), and what
    rests is matched bar by bar. Everything one moment changes is written together; a cancelled protection is
    written with the exit that follows it, so that no crash leaves a position with neither.
    """

    gate: NotingGate

    def __init__(
        self,
        *,
        cash: float,
        execution: ExecutionModel,
        gate: RiskGate,
        journal: Journal,
        book: PaperBook,
        clock: Clock,
        bar_seconds: float,
        square_off_at: Callable[[dt.date], dt.datetime | None],
        square_off_grace_seconds: float = 20.0,
        last_price: Callable[[], float] | None = None,
    ) -> None:
        stored = book.load()
        if stored is not None:
            cash = stored.state.starting_cash
        super().__init__(cash=cash, execution=execution, gate=NotingGate(gate, cash), journal=journal)
        self._book_file = book
        self._clock = clock
        self._bar_seconds = bar_seconds
        self._square_off_at = square_off_at
        self._grace = dt.timedelta(seconds=square_off_grace_seconds)
        self._last_price = last_price
        self._traded: Market | None = None
        self._bars = 0
        self._is_behind = self._is_whole = True
        self._is_current = self._is_closed = False
        self._halted = ""
        self._flatten_request: tuple[str, str] | None = None
        self._filled_orders: dict[int, SimulatedOrder] = {}
        self._fills_to_keep: list[KeptFill] = []
        self._fills_to_number: dict[dt.datetime, list[int]] = defaultdict(list)
        self._trip_fills: list[KeptFill] = []
        self._state = self._kept_state = BookState("", cash, cash, 0, 0, self._now(), math.nan)
        if stored is not None:
            self._recall(stored)
        self._events_kept, self._contexts_kept = len(journal.events), len(journal.contexts)

    # -- what the session asks and says ----------------------------------------------------------

    @property
    def held(self) -> float:
        """Units of the position, signed, also while the feed is still behind."""
        return self._traded.position.size if self._traded is not None else 0.0

    @property
    def wants_bars_after(self) -> dt.datetime | None:
        """CLOSE of the last bar that an open or working trip was matched against, naive; None without a trip.

        The feed's warm-up should reach back that far, else what rests misses the bars in between.
        """
        return self._state.seen_until if self._state.trip else None

    def flatten(self, role: str, reason: str = "") -> None:
        """Cancel what works and close the position at the last price. May be called from any thread.

        It happens with the loop's next turn that has no old bars to work off, or in :meth:`stop`.

        Parameters
        ----------
        role : str
            The exit's reason, as in :class:`brokers.journal.Fill`.
        reason : str
            In words, for the journal.
        """
        self._flatten_request = (role, reason)

    def halt(self, reason: str) -> None:
        """Deny every entry from now on, in this process. May be called from any thread."""
        self._halted = reason

    # -- what backtrader asks --------------------------------------------------------------------

    def start(self) -> None:
        """Put the stored position and orders on the feed.

        Raises
        ------
        BrokerError
            The book is of another instrument, or there is not exactly one feed.
        """
        datas = self.cerebro.datas
        if len(datas) != 1:
            raise BrokerError(
                f"paper trading found {len(datas)} feeds, expected one; run one process for each"
            )
        name, kept = datas[0]._name, self._state.instrument
        if kept and kept != name:
            raise BrokerError(
                f"paper book {self._book_file.path} is of {kept}, expected {name}; "
                "give each instrument a book of its own"
            )
        self._traded = market = self._market(datas[0])
        self._restore(market)
        self._kept_state = self._state_of(market)

    def stop(self) -> None:
        """Do what :meth:`flatten` or the clock demands; the rest stays open, in the book. May be repeated."""
        market = self._traded
        if market is None or self._is_closed or not (self._is_current and self._is_whole):
            return
        if market.datetime.lencount != self._bars:
            market.data.backwards(force=True)  # an error in the feed left half a bar
        self._act_by_clock(market)
        self._keep(market)

    def close(self) -> None:
        """Stop, and let go of the book. Does nothing the second time."""
        try:
            self.stop()
        finally:
            self._is_closed = True
            self._book_file.close()

    def next(self) -> None:
        """Match a new bar, if there is one; then do what the clock or the session demands."""
        market = self._traded
        if market is None or not market.datetime.lencount:
            return
        is_new = market.datetime.lencount != self._bars
        self._bars = market.datetime.lencount
        if is_new:
            closed_at = market.closed_at()
            if self._is_behind:
                if closed_at <= self._state.seen_until:
                    self._number_fills(market)
                    return
                self._catch_up(market)
            self._is_whole = False
            super().next()
            self._is_whole = True
            self._state = self._state._replace(seen_until=closed_at, last_close=market.close[0])
        # Without a new bar there is none waiting: what has closed is known
        self._is_current = not is_new or self._age_seconds(market) <= self._bar_seconds
        if self._is_current:
            self._act_by_clock(market)
            self._take_back_what_is_forbidden(market)
        self._keep(market)

    def getposition(self, data: Any) -> Any:  # noqa: ANN401 # backtrader's Position, untyped
        """Return backtrader's ``Position``; nothing is held on bars of before the restart."""
        return Position() if self._is_behind else super().getposition(data)

    def getvalue(self, datas: Any = None) -> float:  # noqa: ANN401 # backtrader's signature
        """Return cash plus the open profit at the last close that was matched, rupees."""
        if not self._is_behind:
            return super().getvalue(datas)
        if self._traded is None or not self._traded.position.size:
            return self.cash
        position = self._traded.position
        return float(self.cash + position.size * (self._state.last_close - position.price))

    get_value = getvalue

    # -- orders in -------------------------------------------------------------------------------

    def cancel(self, order: SimulatedOrder) -> bool:
        """Cancel an order; an entry that was taken back stays so, whatever happens before the next turn.

        A cancelled protection waits for what replaces it.
        """
        if not super().cancel(order):
            return False
        market = self._market(order.data)
        is_safe = market.trip is None or any(exiting.alive() for exiting in market.trip.protection)
        if order.role == "entry" and is_safe and self._is_whole:
            self._keep(market)
        return True

    def move_stop(self, order: SimulatedOrder, price: float) -> bool:
        """Move the stop as :meth:`SimulatedBroker.move_stop` does, and write it down; never on old bars."""
        if self._is_behind or not super().move_stop(order, price):
            return False
        self._keep(self._market(order.data))
        return True

    def _take(self, owner: Any, data: Any, size: float, request: dict[str, Any]) -> SimulatedOrder:  # noqa: ANN401
        if self._is_behind:
            # No fact of the account: the same bars come again with every restart
            order = make_order(0, owner, data, size, request)
            order.status = order.Rejected
            self._log.notifications.append(order.clone())
            return order
        order = super()._take(owner, data, size, request)
        if order.transmit and self._is_whole:
            self._keep(self._market(data))
        return order

    def _send_entry(self, market: Market, group: list[SimulatedOrder], terms: ContractTerms) -> None:
        age_seconds = self._age_seconds(market)
        if self._halted:
            self._log.refuse(market, group, "denied", self._halted, "halt")
        elif age_seconds > self._bar_seconds:
            self._log.refuse(
                market, group, "rejected",
                f"decided on a bar that closed {age_seconds:.0f} s ago, "
                f"expected at most {self._bar_seconds:.0f} s",
            )  # fmt: skip
        else:
            group[0].info.setdefault("data_age_seconds", max(0.0, age_seconds))
            super()._send_entry(market, group, terms)

    def _book(
        self, market: Market, order: SimulatedOrder, units: float, reference: float, price: float
    ) -> None:
        cash_before = self.cash
        self._filled_orders[order.ref] = order
        super()._book(market, order, units, reference, price)
        self._fills_to_keep.append(KeptFill(self.journal.fills[-1], market.datetime[0], cash_before))

    def _free_cash(self, market: Market) -> float:
        # Each instrument's book knows its own profit only
        return super()._free_cash(market) + self.gate.elsewhere.realised

    # -- the clock -------------------------------------------------------------------------------

    def _now(self) -> dt.datetime:
        return self._clock.now().replace(tzinfo=None)

    def _age_seconds(self, market: Market) -> float:
        return (self._now() - market.closed_at()).total_seconds()

    def _act_by_clock(self, market: Market) -> None:
        request, self._flatten_request = self._flatten_request, None
        if request is not None:
            self._close(market, *request)
        elif (market.position.size or market.working) and self._is_overdue(market):
            self._close(market, "square_off", "by the clock: no bar squared it off")

    def _take_back_what_is_forbidden(self, market: Market) -> None:
        """Let no entry rest that would not be let pass any more."""
        entry = None if market.trip is None else market.trip.entry
        if entry is None or not entry.alive():
            return
        if entry.exectype == entry.Market and not entry.executed.size:
            return  # at an exchange it has filled already: here only its bar is missing
        if self._halted or self.gate.forbids_entries:
            market.moment = self._now()
            self.cancel(entry)
            market.moment = None

    def _is_overdue(self, market: Market) -> bool:
        now = self._clock.now()
        due = self._square_off_at(now.date())
        if due is None or now < due + self._grace:
            return False
        patience_days = (self._bar_seconds + self._grace.total_seconds()) / _SECONDS_PER_DAY
        youngest = bt.date2num(self._now()) - patience_days
        return not any(order.leaves_at_market and order.created.dt > youngest for order in market.working)

    def _close(self, market: Market, role: str, reason: str) -> None:
        if self._is_behind:
            self._catch_up(market)
        reference = math.nan if self._last_price is None else self._last_price()
        if not reference > 0:
            reference = market.close[0]
        market.moment = self._now()
        self._close_at_last_price(market, role, reference, reason)
        market.moment = None

    # -- the book --------------------------------------------------------------------------------

    def _recall(self, stored: StoredBook) -> None:
        """Take over everything that does not need the feed."""
        state, today = stored.state, self._now().date()
        self.cash, self._order_count, self._round_trip_count = state.cash, state.order_count, state.trip_count
        # A flat account has nothing to match on the bars of a break
        self._state = state if state.trip else state._replace(seen_until=max(state.seen_until, self._now()))
        self.gate.replay(record for record in stored.records if isinstance(record, GateFact))
        self.startingcash = state.cash
        fills: list[KeptFill] = []
        for record in stored.records:
            match record:
                case KeptFill(fill) if _belongs(fill.time, fill.trade_id, today, state):
                    fills.append(record)
                case OrderEvent(time=time) if _belongs(time, record.trade_id, today, state):
                    self.journal.events.append(record)
                case TradeContext(signal_time=time) if _belongs(time, record.trade_id, today, state):
                    self.journal.contexts.append(record)
        if fills:
            self.startingcash = fills[0].cash_before
        for kept in fills:
            self._fills_to_number[kept.fill.time].append(len(self.journal.fills))
            self.journal.fills.append(kept.fill._replace(bar=-1))
        self._trip_fills = [kept for kept in fills if kept.fill.trade_id == state.trip]

    def _restore(self, market: Market) -> None:
        """Make the orders and apply the fills of the open round trip to them once more."""
        state = self._state
        orders: dict[int, SimulatedOrder] = {}
        for fields in state.orders:
            orders[fields["ref"]] = order_from_json(fields, market.data, orders)
        if state.trip:
            market.trip = RoundTrip(
                state.trip, orders[state.entry], [orders[ref] for ref in state.protection]
            )
        for fill, time_number, _ in self._trip_fills:
            order = self._filled_orders[fill.order_id] = orders[fill.order_id]
            order.comminfo = self._commission
            order.charged += fill.charges
            market.book(order, fill.size, fill.price, fill.charges, time_number)
        for fields in state.orders:
            orders[fields["ref"]].status = fields["status"]
        market.working = [orders[ref] for ref in state.working]
        if market.trip is not None and market.trip.entry.alive():
            entry = market.trip.entry
            self.gate.on_entry_restored(entry.executed.remsize, entry.created.price)

    def _catch_up(self, market: Market) -> None:
        """From here on bars are new: tell the strategy what it has."""
        self._is_behind = False
        for order in _orders_of(market, self._filled_orders):
            if order.alive() or order.executed.size:
                clone = order.clone()
                clone.info = {**order.info, "restored": True}
                self._log.notifications.append(clone)

    def _number_fills(self, market: Market) -> None:
        """Give fills of before the restart the number their bar has in this run."""
        for position in self._fills_to_number.pop(market.opened_at(), ()):
            self.journal.fills[position] = self.journal.fills[position]._replace(bar=market.bar)

    def _keep(self, market: Market) -> None:
        """Write what has changed since the last time, together; nothing where nothing has."""
        if market.trip is None:
            self._filled_orders.clear()
        journal = self.journal
        records: list[Record] = [
            *journal.contexts[self._contexts_kept :],
            *journal.events[self._events_kept :],
            *self._fills_to_keep,
            *self.gate.facts,
        ]
        state = self._state_of(market)
        if not records and state == self._kept_state:
            return
        self._book_file.write(records, state)
        self._state = self._kept_state = state
        self._contexts_kept, self._events_kept = len(journal.contexts), len(journal.events)
        self._fills_to_keep.clear()
        self.gate.facts.clear()

    def _state_of(self, market: Market) -> BookState:
        trip = market.trip
        return self._state._replace(
            instrument=market.name,
            cash=self.cash,
            order_count=self._order_count,
            trip_count=self._round_trip_count,
            trip=trip.number if trip is not None else 0,
            entry=trip.entry.ref if trip is not None else 0,
            protection=tuple(order.ref for order in trip.protection) if trip is not None else (),
            working=tuple(order.ref for order in market.working),
            orders=tuple(order_to_json(order) for order in _orders_of(market, self._filled_orders)),
        )


def _belongs(time: dt.datetime, trade_id: int, today: dt.date, state: BookState) -> bool:
    return time.date() == today or (state.trip != 0 and trade_id == state.trip)


def _orders_of(market: Market, filled: dict[int, SimulatedOrder]) -> Sequence[SimulatedOrder]:
    """Return every order of the round trip that is working or open, in the order of their numbers."""
    trip = market.trip
    if trip is None:
        return ()
    orders = {order.ref: order for order in (trip.entry, *trip.protection, *market.working, *filled.values())}
    return [orders[ref] for ref in sorted(orders)]
