"""The desk thread: takes messages, writes facts, and does what the plan says.

Everything that happens to an order goes through one queue and one thread, so there is no second writer to
race with. HTTP calls are made by a few worker threads, which report back through the same queue: a call that
hangs delays nothing but its own order.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from brokers.desk.dispatcher import Dispatcher
from brokers.desk.facts import (
    Acknowledged,
    CancelFailed,
    CancelSent,
    ChangeFailed,
    ChangeSent,
    DayOpened,
    EntryDecided,
    EntryDenied,
    ExitWanted,
    Fact,
    Filled,
    Intent,
    NeverSent,
    NotFound,
    OrderSeen,
    Refused,
    Sent,
    TripClosed,
    Unresolved,
    event_of,
)
from brokers.desk.journal_file import JournalError, JournalFile, JournalRow
from brokers.desk.messages import (
    BookRead,
    CancelAnswered,
    ChangeAnswered,
    Crashed,
    Deny,
    Enter,
    Leave,
    Message,
    MoveStop,
    OrderUpdate,
    PlaceAnswered,
    Resync,
    SessionRenewed,
    Shutdown,
    StopTouched,
    TargetTouched,
    Withdraw,
)
from brokers.desk.plan import Action, Cancel, Change, Close, Place, WantExit, plan, slices
from brokers.desk.schedule import BookSchedule
from brokers.desk.state import DeskState
from brokers.desk.strangers import accept_strangers, difference_of, judge_account
from brokers.desk.tags import make_tag
from brokers.desk.timing import Patience, Watch
from brokers.desk.view import ONE_POSITION, DeskContract, WatchedPrices, describe_open, prices_to_watch
from brokers.desk.wishes import facts_of_wish
from brokers.reconcile import (
    Book,
    ChargesOf,
    facts_of_rows,
    never_sent,
    reconcile,
)
from brokers.wire import (
    BookOrder,
    NotNowError,
    OrderKind,
    OrderRefusedError,
    OrderRequest,
    OrderWire,
    SessionDeadError,
)
from feeds.errors import BrokerError
from feeds.log import Log

__all__ = ["OrderDesk"]

_TURN_SECONDS = 0.1


class OrderDesk:
    """Owns all orders of one contract.

    Parameters
    ----------
    journal : JournalFile
        Open, of this day.
    wire : OrderWire
        The broker.
    contract : DeskContract
        What is traded.
    charges_of : callable
        See :data:`brokers.reconcile.ChargesOf`.
    patience : Patience
        How long things may take.
    log : Log
        Told everything a person may have to reconstruct.
    on_rows : callable
        Called with the journal rows just written, in the desk thread; must not block.
    on_session_dead : callable
        Called in the desk thread when the broker no longer accepts the session, with its words.

    Attributes
    ----------
    obstacle : str
        Why no entry may be sent now; empty when one may. Read by any thread.
    watched : WatchedPrices or None
        Stop and target of what is held. Read by any thread.
    unresolved : int
        Orders of unknown outcome. Read by any thread.
    """

    def __init__(
        self,
        *,
        journal: JournalFile,
        wire: OrderWire,
        contract: DeskContract,
        charges_of: ChargesOf,
        patience: Patience,
        log: Log,
        on_rows: Callable[[Sequence[JournalRow]], None],
        on_session_dead: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.obstacle = "the desk has not started"
        self.watched: WatchedPrices | None = None
        self.unresolved = 0
        self.state = DeskState(row.fact for row in journal.rows())
        self._journal = journal
        self._contract = contract
        self._charges_of = charges_of
        self._watch = Watch(patience)
        self._names = {"symbol": contract.symbol, "product": contract.product}
        self._log = log
        self._on_rows = on_rows
        self._on_session_dead = on_session_dead
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="order-desk")
        self._loop: Future[None] | None = None
        self._dispatcher = Dispatcher(wire, self._inbox.put)
        self._last_price = 0.0
        self._cause = 0.0
        self._session_dead = ""
        self._renewed_at = 0.0
        self._left_at = -math.inf
        self._open_text = ""
        self._schedule = BookSchedule(self._watch)
        self._writing = 0
        self._closing: Shutdown | None = None
        self._abandoned = False
        self._journal_error: JournalError | None = None

    # -- from other threads ----------------------------------------------------------------------

    def enter(self, decided: EntryDecided, caused_at: float) -> None:
        """Send an entry; ``caused_at`` is when its last tick arrived (``time.perf_counter``)."""
        self._inbox.put(Enter(caused_at, decided))

    def deny(self, denied: EntryDenied) -> None:
        """Write down an entry that was refused."""
        self._inbox.put(Deny(time.perf_counter(), denied))

    def leave(self, reason: str, detail: str = "") -> None:
        """Leave the position."""
        self._inbox.put(Leave(time.perf_counter(), reason, detail))

    def move_stop(self, trip: int, price: float) -> None:
        """Have what the trip holds protected at ``price`` (index points) from now on.

        Nothing happens where that is no nearer to the market than its stop, or the trip is being left.
        """
        self._inbox.put(MoveStop(time.perf_counter(), trip, price))

    def withdraw(self, trip: int) -> None:
        """Take back what is left of the trip's entry; what is filled is held, with its protection."""
        self._inbox.put(Withdraw(time.perf_counter(), trip))

    def on_price(self, price: float) -> None:
        """Take the last traded price, index points; called for every tick, so it only compares."""
        self._last_price = price
        watched = self.watched
        if watched is None:
            return
        if (price - watched.target) * watched.side >= 0.0:
            self.watched = None
            self._inbox.put(TargetTouched(time.perf_counter(), watched.trip, price))
        elif (price - watched.stop) * watched.side <= 0.0:
            self._schedule.wanted = True  # the broker tells nobody that a stop was triggered
            if not watched.stop_is_set:
                self.watched = None
                self._inbox.put(StopTouched(time.perf_counter(), watched.trip))

    def on_order_update(self, row: BookOrder) -> None:
        """Take a pushed order row."""
        self._inbox.put(OrderUpdate(time.perf_counter(), row))

    def resync(self, reason: str) -> None:
        """Read the whole book, because something may have been missed."""
        self._inbox.put(Resync(time.perf_counter(), reason))

    def session_renewed(self) -> None:
        """Go on after a new login."""
        self._inbox.put(SessionRenewed(time.perf_counter()))

    def shut_down(self, *, flatten: bool, reason: str, timeout_seconds: float) -> bool:
        """End the desk thread; return whether it ended with everything settled or kept as asked.

        With ``flatten`` the position is left first; without, it stays with its stop at the exchange.
        """
        done = True
        if self._loop is not None:
            self._inbox.put(Shutdown(time.perf_counter(), flatten, reason))
            wait([self._loop], timeout_seconds)
            done = self._loop.done() and self._loop.exception() is None
        self._abandoned = True
        self._dispatcher.close(wait=done)
        self._pool.shutdown(wait=done)
        return done

    @property
    def failure(self) -> BaseException | None:
        """What ended the desk thread when nothing should have, or has it do no more than leave."""
        loop = self._loop
        if loop is not None and loop.done() and not loop.cancelled() and loop.exception() is not None:
            return loop.exception()
        return self._journal_error

    @property
    def is_session_dead(self) -> bool:
        """Whether a new login is waited for. Any thread."""
        return bool(self._session_dead)

    @property
    def open_position(self) -> str:
        """What is open at the exchange, in words; empty when nothing is. Any thread."""
        if self._loop is not None and self._loop.done() and self.failure is not None:
            return f"uncertain, for the desk failed; the journal says {self._open_text or 'nothing is open'}"
        return self._open_text

    # -- start: the same path after a crash ------------------------------------------------------

    def start(self, opened: DayOpened, *, accept_foreign: bool = False) -> None:
        """Recover from journal and book, then start the thread.

        Raises
        ------
        BrokerError
            The book cannot be read, or the journal belongs to another day or contract: there is nothing to
            trade on then.
        """
        if self.state.opened is None:
            self._record(opened)
        self._check_same_day(opened)
        book = self._dispatcher.read_now()
        self._record(*never_sent(self.state))
        self._record(*reconcile(self.state, book, self._charges_of))
        self._mark_stale_entries()
        if accept_foreign:
            self._record(*accept_strangers(self.state, book, **self._names))
        self._schedule.ended(time.monotonic(), has_read=True, is_full=True)
        self._judge(book)
        self._observe()
        self._loop = self._pool.submit(self._run)
        self._loop.add_done_callback(self._report_end)

    def _check_same_day(self, opened: DayOpened) -> None:
        known = self.state.opened
        if known is None or (known.day, known.symbol, known.product) != (
            opened.day,
            opened.symbol,
            opened.product,
        ):
            raise BrokerError(
                f"journal {self._journal.path} belongs to {_named(known)}, expected {_named(opened)}; "
                "give this day its own --out folder"
            )

    def _mark_stale_entries(self) -> None:
        """Have entries that still work cancelled: the moment they were decided for has passed."""
        for order in self.state.orders.values():
            if order.intent.role == "entry" and not order.over:
                self._watch.stale_entries.add(order.tag)

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_done():
            self._turn()

    def _report_end(self, loop: Future[None]) -> None:
        error = loop.exception()
        self.obstacle = "the desk has ended"
        if error is not None:
            self.obstacle = f"the desk failed with {type(error).__name__}: {error}"
            self._log.error("desk_failed", error=f"{type(error).__name__}: {error}", open=self.open_position)

    def _turn(self) -> None:
        try:
            message = self._inbox.get(timeout=_TURN_SECONDS)
        except queue.Empty:
            self._cause = time.perf_counter()
        else:
            self._cause = message.arrived
            self._handle(message)
        self._check_time()
        self._act()
        self._observe()

    def _is_done(self) -> bool:
        closing = self._closing
        if self._abandoned:
            return True
        if closing is None or self._writing:
            return False
        if closing.flatten:
            return not self.state.active_trips
        return all(
            trip.is_protected and (trip.is_booked or self._session_dead) for trip in self.state.active_trips
        )

    def _handle(self, message: Message) -> None:
        match message:
            case Enter():
                self._enter(message.decided, message.arrived)
            case Deny():
                self._record(message.denied)
            case Leave():
                self._left_at = message.arrived
                self._leave(message.reason, message.detail)
            case MoveStop() | Withdraw() | TargetTouched() | StopTouched():
                self._record(*facts_of_wish(self.state, message, self._contract, self._last_price))
            case OrderUpdate():
                self._update(message.row)
            case Resync():
                self._log.info("resync", reason=message.reason)
                self._schedule.full_wanted = True
            case SessionRenewed():
                self._log.info("session_renewed")
                self._session_dead = ""
                self._renewed_at = message.arrived
                self._schedule.full_wanted = True
            case Shutdown():
                self._closing = message
                self._mark_stale_entries()
                if message.flatten:
                    self._leave("shutdown", message.reason)
            case _:
                self._take_report(message)

    def _take_report(
        self, report: PlaceAnswered | CancelAnswered | ChangeAnswered | BookRead | Crashed
    ) -> None:
        match report:
            case PlaceAnswered():
                self._place_answered(report)
            case CancelAnswered():
                self._cancel_answered(report)
            case ChangeAnswered():
                self._change_answered(report)
            case BookRead():
                self._book_read(report)
            case Crashed():
                raise report.error

    # -- what was asked for ----------------------------------------------------------------------

    def _enter(self, decided: EntryDecided, caused_at: float) -> None:
        obstacle = self.obstacle or ("shutting down" if self._closing else "")
        if not obstacle and caused_at <= self._left_at:
            obstacle = "it was decided before everything was to be left"
        if obstacle:
            self._record(
                EntryDenied(
                    decided.size,
                    decided.price,
                    decided.signal_time,
                    decided.probability,
                    "",
                    obstacle,
                    decided.kind,
                )
            )
            return
        price = 0.0 if decided.kind == "market" else decided.price
        intents = [
            self._intent(decided.trip, "entry", units, decided.kind, price)
            for units in slices(decided.size, self._contract.largest_order)
        ]
        numbered = [
            intent._replace(
                tag=self._tag(len(self.state.orders) + 1 + place), reference=decided.price,
                limit=self._contract.on_tick(decided.limit),
            )
            for place, intent in enumerate(intents)
        ]  # fmt: skip
        self._record(decided, *numbered)
        for intent in numbered:
            self._send(intent)

    def _leave(self, reason: str, detail: str) -> None:
        for trip in self.state.active_trips:
            if not trip.exit_reason:
                self._record(ExitWanted(trip.number, reason, detail))

    def _update(self, row: BookOrder) -> None:
        facts = facts_of_rows(self.state, [row])
        self._record(*facts)
        order = self.state.order_of(row.order_id)
        if facts or (order is not None and order.change is not None):
            self._schedule.wanted = True
        elif row.symbol == self._contract.symbol and order is None:
            self._schedule.full_wanted = True

    def _place_answered(self, answered: PlaceAnswered) -> None:
        self._writing -= 1
        order = self.state.orders[answered.tag]
        answer = answered.answer
        if isinstance(answer, str):
            # Written down also where an update was quicker: it did not know how long the way took
            self._record(Acknowledged(answered.tag, answer, answered.wire_ms, answered.answer_ms))
            return
        if order.stage == "known":  # an update was quicker than the lost answer
            return
        if not isinstance(answer, OrderRefusedError):
            self._record(Unresolved(answered.tag, str(answer)))
            return
        passing = isinstance(answer, NotNowError)
        self._record(Refused(answered.tag, str(answer), passing=passing))
        if isinstance(answer, SessionDeadError):
            self._session_died(answer, answered.arrived)
        elif order.intent.role != "entry" and (passing or order.intent.kind != "stop"):
            # A stop that is refused for good is followed by another kind of order, which need not wait
            self._exit_failed(order.tag, str(answer))

    def _exit_failed(self, tag: str, reason: str) -> None:
        pause = self._watch.exit_refused(time.monotonic())
        self._log.error("exit_refused", tag=tag, error=reason, next_try_seconds=pause)

    def _note_outcome(self, fact: Fact) -> None:
        """Slow down when exits are turned down after they were taken, and speed up when one is executed."""
        if not isinstance(fact, (OrderSeen, Filled)):
            return
        order = self.state.orders[fact.tag]
        is_exit = order.intent.role != "entry"
        if isinstance(fact, Filled) or fact.filled:
            self._watch.filled(time.monotonic())
            if is_exit:
                self._watch.exit_taken()
            return
        rejected = fact.state == "rejected" and order.intent.kind != "stop"  # a rejected stop: leave at once
        if is_exit and (rejected or (fact.state == "cancelled" and not order.cancel_sent)):
            self._exit_failed(order.tag, fact.message or f"{fact.state}, and not by us")

    def _cancel_answered(self, answered: CancelAnswered) -> None:
        self._writing -= 1
        if answered.error is None:
            return
        if isinstance(answered.error, SessionDeadError):
            self._session_died(answered.error, answered.arrived)
        # Refused mostly means that a fill has won; unknown, that it may be done. The book tells both.
        self._schedule.wanted = True
        if isinstance(answered.error, OrderRefusedError):
            self._record(CancelFailed(answered.tag, str(answered.error)))
            self._watch.cancel_failed(answered.tag, time.monotonic())

    def _change_answered(self, answered: ChangeAnswered) -> None:
        self._writing -= 1
        if answered.error is None:
            return
        if isinstance(answered.error, SessionDeadError):
            self._session_died(answered.error, answered.arrived)
        # Taken, refused because the stop was triggered, or nobody knows: the book tells all three
        self._schedule.wanted = True
        if isinstance(answered.error, OrderRefusedError):
            passing = isinstance(answered.error, NotNowError)
            self._change_failed(answered.tag, str(answered.error), passing=passing)

    def _change_failed(self, tag: str, reason: str, *, passing: bool = False) -> None:
        order = self.state.orders[tag]
        if order.change is None:  # the book was quicker, and showed it done
            return
        self._record(ChangeFailed(tag, reason, passing))
        pause = self._watch.change_failed(order, time.monotonic())
        self._log.error("stop_change_failed", tag=tag, error=reason, next_try_seconds=pause)

    def _session_died(self, error: BrokerError, told_at: float) -> None:
        if told_at < self._renewed_at:  # it was the old login's
            self._schedule.full_wanted = True
        elif not self._session_dead:
            self._session_dead = str(error)
            self._log.error("session_dead", error=str(error), open=self.open_position)
            self._on_session_dead(str(error))

    # -- the book --------------------------------------------------------------------------------

    def _book_read(self, read: BookRead) -> None:
        book = read.answer
        has_read = isinstance(book, Book)
        is_full = isinstance(book, Book) and book.positions is not None
        self._schedule.ended(time.monotonic(), has_read=has_read, is_full=is_full)
        if isinstance(book, BrokerError):
            if isinstance(book, SessionDeadError):
                self._session_died(book, read.arrived)
            self._log.warning("book_unread", error=str(book))
            return
        self._record(*reconcile(self.state, book, self._charges_of))
        for tag in self._watch.overdue(self.state.unresolved, read.requested):
            self._record(NotFound(tag))
        for tag in self._watch.changes_without_effect(self.state.orders.values(), read.requested):
            self._change_failed(tag, "the book shows it as it was, seconds after its change")
        self._judge(book)

    def _judge(self, book: Book) -> None:
        """Look for what is none of ours in the account."""
        differs = None
        if book.positions is not None:
            held = difference_of(self.state, book, **self._names)
            differs = self._watch.believed_difference(held, time.monotonic())
        self._record(*judge_account(self.state, book, **self._names, differs=differs))

    # -- what time brings ------------------------------------------------------------------------

    def _check_time(self) -> None:
        now = time.monotonic()
        for tag in self._watch.cancels_without_effect(self.state.orders.values(), now):
            self._record(CancelFailed(tag, "it still works seconds after its cancel"))
            self._watch.cancel_failed(tag, now)
        schedule = self._schedule
        if not self._session_dead and schedule.due(self.state, now):
            is_full = schedule.is_full(now)
            schedule.begun()
            self._dispatcher.read(now, positions=is_full)

    # -- what is to be done ----------------------------------------------------------------------

    def _act(self) -> None:
        """Do what the plan says until it says nothing new."""
        while True:
            now = time.monotonic()
            orders = self.state.orders.values()
            actions = plan(
                self.state,
                impatient=self._watch.impatient(orders, now),
                blocked=self._watch.blocked(now),
                largest_order=self._contract.largest_order,
            )
            done = [self._do(action, now) for action in actions]
            if not any(done):
                return
            self._observe()

    def _do(self, action: Action, now: float) -> bool:
        """Do one action; return whether it changed what is known."""
        match action:
            case Close():
                self._record(TripClosed(action.trip, self.state.trips[action.trip].net_pnl))
            case WantExit():
                self._log.error("protection_failed", trip=action.trip, detail=action.detail)
                self._record(ExitWanted(action.trip, action.reason, action.detail))
            case Cancel():
                if self._session_dead:
                    return False
                self._record(CancelSent(action.tag))
                self._writing += 1
                self._dispatcher.cancel(action.tag, self.state.orders[action.tag].order_id)
            case Change():
                if self._session_dead:
                    return False
                self._change(action)
            case Place():
                if self._session_dead or not self._watch.may_exit(now):
                    return False
                intent = self._intent(action.trip, action.role, action.size, action.kind, action.price)
                intent = intent._replace(level=action.level)
                self._record(intent)
                self._send(intent)
        return True

    def _change(self, change: Change) -> None:
        """Write that the stop may be another at the exchange from here on, and ask for it once."""
        order = self.state.orders[change.tag]
        resized = change.units != order.units
        self._record(ChangeSent(change.tag, change.units, change.price))
        self._writing += 1
        sign = 1 if order.intent.size > 0 else -1
        self._dispatcher.modify(
            change.tag, order.order_id, size=sign * change.units, price=change.price, resized=resized
        )

    def _intent(self, trip: int, role: str, size: int, kind: OrderKind, price: float) -> Intent:
        on_tick = self._contract.on_tick(price)
        tag = self._tag(len(self.state.orders) + 1)
        return Intent(tag, trip, role, size, kind, on_tick, on_tick if price else self._last_price)

    def _tag(self, number: int) -> str:
        if self.state.opened is None:
            raise BrokerError("the desk was asked for an order before its day was opened; this is a bug")
        return make_tag(self.state.opened.mark, number)

    def _send(self, intent: Intent) -> None:
        """Write that the order may be at the exchange from here on, and send it once."""
        self._record(Sent(intent.tag))
        if self._journal_error is not None and intent.role == "entry":
            self._record(NeverSent(intent.tag))  # what cannot be written down is not begun
            return
        request = OrderRequest(
            intent.tag, intent.size, intent.kind, intent.price, intent.role != "entry", intent.limit
        )
        self._writing += 1
        self._dispatcher.place(request, self._cause)

    # -- what is known ---------------------------------------------------------------------------

    def _record(self, *facts: Fact) -> None:
        """Write facts down, then believe them, then tell."""
        if not facts:
            return
        try:
            rows = self._journal.append(facts)
        except JournalError as error:
            rows = self._journal.unwritten(facts)
            self._lose_journal(error)
        for fact in facts:
            self.state.apply(fact)
            level, event = event_of(fact)
            getattr(self._log, level)(event, **fact._asdict())
            self._note_outcome(fact)
        self._on_rows(rows)

    def _lose_journal(self, error: JournalError) -> None:
        """Go on in memory, and only to leave: a position without a stop is worse than facts unwritten."""
        if self._journal_error is None:
            self._journal_error = error
            self._log.error("journal_failed", error=str(error), open=self._open_text)
            self._inbox.put(Leave(time.perf_counter(), "error", str(error)))

    def _observe(self) -> None:
        now = time.monotonic()
        self._watch.observe(self.state.orders.values(), now)
        self.watched = None if self._session_dead else prices_to_watch(self.state, self._contract)
        self._open_text = describe_open(self.state, self._contract)
        self.unresolved = sum(order.stage == "unresolved" for order in self.state.unresolved)
        self.obstacle = self._find_obstacle(now)

    def _find_obstacle(self, now: float) -> str:
        """Return the first reason against an entry."""
        unread = self._schedule.too_old(now)
        reasons = (
            (self._closing is not None, "shutting down"),
            (self._journal_error is not None, str(self._journal_error)),
            (self._session_dead, f"the session with the broker is dead ({self._session_dead})"),
            (self.state.halted, f"halted: {self.state.halted}"),
            (self._watch.differs, "the account differs from the journal; looking again"),
            (self.state.unresolved, "an order is unresolved"),
            (self.state.active_trips, f"{ONE_POSITION}: an entry is already working or open"),
            (unread, unread),
        )
        return next((reason for is_so, reason in reasons if is_so), "")


def _named(opened: DayOpened | None) -> str:
    return "no day" if opened is None else f"{opened.symbol} {opened.product} on {opened.day}"
