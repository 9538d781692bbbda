"""The two accounts a live day can trade on: the exchange's, and one on paper. The session sees them alike."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from analyzers.parity.day import OrderTimes, TimedFill
from brokers.charges import ChargePlan
from brokers.desk.desk import OrderDesk
from brokers.desk.facts import Acknowledged, DayOpened, Intent
from brokers.desk.journal_file import JournalFile, JournalRow
from brokers.desk.ledger import Ledger
from brokers.desk.tags import make_mark
from brokers.desk.timing import Patience
from brokers.desk.view import ONE_POSITION, DeskContract
from brokers.journal import Journal
from brokers.live_broker import LiveBroker
from brokers.paper import PaperBroker
from brokers.paper_book import PaperBook
from brokers.reconcile import ChargesOf
from brokers.risk.account import AccountSeat
from brokers.risk.gate import RiskGate
from brokers.settings import make_charges, make_rules
from brokers.wire import BookOrder, OrderWire
from feeds.bar_sequence import LiveBar
from feeds.clock import Clock
from feeds.log import Log
from feeds.terms import ContractTerms
from strategies.assembly import make_execution
from strategies.live_settings import LiveSettings
from strategies.settings import Settings

__all__ = ["Account", "ExchangeAccount", "PaperAccount"]

_SHUTDOWN_SECONDS = 60.0


class Account(Protocol):
    """What a live day asks of the account it trades on."""

    broker: Any
    journal: Journal

    @property
    def gate(self) -> RiskGate:
        """Rules and counters."""

    def start(self) -> None:
        """Recover what was open, before the first bar. Raises BrokerError where that is impossible."""

    def on_bar(self, bar: LiveBar) -> None:
        """Take note of a bar before the strategy sees it."""

    def on_price(self, price: float) -> None:
        """Take the last traded price; any thread."""

    def on_order_update(self, row: BookOrder) -> None:
        """Take a pushed order row; any thread."""

    def resync(self, reason: str) -> None:
        """Read what may have been missed; any thread."""

    def session_renewed(self) -> None:
        """Go on after a new login; any thread."""

    def leave(self, detail: str) -> None:
        """Close what is open because a person says so, and take entries back; any thread."""

    def tell_news(self) -> None:
        """Tell the log of orders that it does not know of yet."""

    def shut_down(self, *, flatten: bool, reason: str) -> bool:
        """End; return whether everything is settled, or kept as asked."""

    @property
    def open_position(self) -> str:
        """What is open, in words; empty when nothing is."""

    @property
    def protection(self) -> tuple[float, float] | None:
        """Stop and target of the position, index points; None while nothing is held, or it is being left."""

    @property
    def obstacle(self) -> str:
        """Why no entry may be sent now; empty when one may."""

    @property
    def unresolved(self) -> int:
        """Orders whose outcome is unknown."""

    @property
    def is_session_dead(self) -> bool:
        """Whether the broker no longer accepts the login."""

    @property
    def timed_fills(self) -> list[TimedFill]:
        """Every execution with the times of its order, in the order in which they happened."""


class ExchangeAccount:
    """The account at the exchange: order desk, journal on disk, and the broker that backtrader sees.

    Parameters
    ----------
    settings : Settings
        With the contract's lot and tick, and the cash to size by.
    wire : OrderWire
        The way to the exchange.
    symbol : str
        The contract.
    terms : ContractTerms
        Of the day.
    day : datetime.date
        The trading day.
    square_off_at : datetime.datetime
        From then on the position is left by the clock, aware.
    clock : Clock
        The market's time.
    folder : pathlib.Path
        Holds ``journal.sqlite``.
    log : Log
        Told what happens.
    on_session_dead : callable
        Told when the broker no longer accepts the session.
    on_news : callable
        Told that the broker has something to book, from the desk's thread.
    accept_foreign : bool
        Take what in the account is none of ours for known.
    seat : AccountSeat or None
        The instrument's place on an account that it shares with others.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        wire: OrderWire,
        symbol: str,
        terms: ContractTerms,
        day: dt.date,
        square_off_at: dt.datetime,
        clock: Clock,
        folder: Path,
        log: Log,
        on_session_dead: Callable[[str], None],
        on_news: Callable[[], None] = lambda: None,
        accept_foreign: bool = False,
        seat: AccountSeat | None = None,
    ) -> None:
        cash = settings.broker.starting_cash
        product = settings.broker.product
        self.journal = Journal()
        self.gate = RiskGate(make_rules(settings.risk), cash, seat)
        self._accept_foreign = accept_foreign
        self._on_news = on_news
        self._times: dict[int, OrderTimes] = {}
        self._opened = DayOpened(day, symbol, product, cash, make_mark())
        self._file = JournalFile(folder / "journal.sqlite", clock)
        ledger = Ledger(self.journal, self.gate, settings.market.instrument)
        self.desk = OrderDesk(
            journal=self._file,
            wire=wire,
            contract=DeskContract(symbol, product, terms.tick, terms.largest_order),
            charges_of=_charges_of(make_charges(settings.broker), day),
            patience=_patience(settings.live),
            log=log,
            on_rows=self._take,
            on_session_dead=on_session_dead,
        )
        self.broker = LiveBroker(
            desk=self.desk,
            ledger=ledger,
            gate=self.gate,
            terms=terms,
            clock=clock,
            bar_minutes=settings.data.bar_minutes,
            square_off_at=square_off_at,
        )
        self._take(self._file.rows())

    def start(self) -> None:
        """Recover from journal and book; see :meth:`brokers.desk.desk.OrderDesk.start`."""
        self.desk.start(self._opened, accept_foreign=self._accept_foreign)
        self.broker.next()

    def on_bar(self, bar: LiveBar) -> None:
        """Note when the tick arrived that closed the bar, for the latency of what is decided on it."""
        self.broker.bar_received_at = bar.received

    def on_price(self, price: float) -> None:
        """Watch for the target."""
        self.desk.on_price(price)

    def on_order_update(self, row: BookOrder) -> None:
        """Hand a pushed row to the desk."""
        self.desk.on_order_update(row)

    def resync(self, reason: str) -> None:
        """Read the book: updates that were pushed while the stream was down are lost."""
        self.desk.resync(reason)

    def session_renewed(self) -> None:
        """Let the desk go on."""
        self.desk.session_renewed()

    def leave(self, detail: str) -> None:
        """Have the desk leave the position."""
        self.desk.leave("manual", detail)

    def tell_news(self) -> None:
        """Do nothing: the desk tells of each fact as it writes it down."""

    def shut_down(self, *, flatten: bool, reason: str) -> bool:
        """End the desk and close the journal; see :meth:`brokers.desk.desk.OrderDesk.shut_down`."""
        done = self.desk.shut_down(flatten=flatten, reason=reason, timeout_seconds=_SHUTDOWN_SECONDS)
        self.broker.stop()
        if done:  # a desk that hangs may still write
            self._file.close()
        return done

    @property
    def open_position(self) -> str:
        """What is open at the exchange, in words."""
        return self.desk.open_position

    @property
    def protection(self) -> tuple[float, float] | None:
        """Stop and target that the desk watches."""
        watched = self.desk.watched
        return None if watched is None else (watched.stop, watched.target)

    @property
    def obstacle(self) -> str:
        """What the desk says against an entry; that a position is open is none."""
        return "" if self.desk.obstacle.startswith(ONE_POSITION) else self.desk.obstacle

    @property
    def unresolved(self) -> int:
        """Orders that the desk is looking for."""
        return self.desk.unresolved

    @property
    def is_session_dead(self) -> bool:
        """Whether the desk waits for a new login."""
        return self.desk.is_session_dead

    @property
    def timed_fills(self) -> list[TimedFill]:
        """Executions, and how long their orders took from their cause to the wire and to the answer."""
        signals = {context.trade_id: context.signal_time for context in self.journal.contexts}
        return [
            TimedFill(fill, signals[fill.trade_id], self._times.get(fill.order_id, OrderTimes()))
            for fill in self.journal.fills
        ]

    def _take(self, rows: Sequence[JournalRow]) -> None:
        for row in rows:
            if isinstance(row.fact, Acknowledged):
                number = int(self.desk.state.orders[row.fact.tag].number)
                took = 0.0 if math.isnan(row.fact.answer_ms) else row.fact.answer_ms + row.fact.wire_ms
                decided = row.time - dt.timedelta(milliseconds=took)
                self._times[number] = OrderTimes.from_durations(decided, row.fact.wire_ms, row.fact.answer_ms)
        self.broker.take(rows)
        self._on_news()


class PaperAccount:
    """An account on paper, kept in a file over restarts and days."""

    def __init__(
        self,
        *,
        settings: Settings,
        terms: Callable[[dt.date], ContractTerms],
        square_off_at: Callable[[dt.date], dt.datetime | None],
        clock: Clock,
        book: Path,
        log: Log,
        seat: AccountSeat | None = None,
    ) -> None:
        cash = settings.broker.starting_cash
        self._log = log
        self._last_price = math.nan
        self.journal = Journal()
        self.broker = PaperBroker(
            cash=cash,
            execution=make_execution(settings, terms),
            gate=RiskGate(make_rules(settings.risk), cash, seat),
            journal=self.journal,
            book=PaperBook(book),
            clock=clock,
            bar_seconds=settings.data.bar_minutes * 60.0,
            square_off_at=square_off_at,
            square_off_grace_seconds=settings.live.square_off_grace_seconds,
            last_price=lambda: self._last_price,
        )
        self.gate = self.broker.gate
        self._told = len(self.journal.events)  # those of before a restart have been told

    def start(self) -> None:
        """Do nothing: the broker restores its book when backtrader starts it."""

    def on_bar(self, bar: LiveBar) -> None:
        """Do nothing: the broker sees the bar itself."""

    def on_price(self, price: float) -> None:
        """Keep the price for a square-off by the clock."""
        self._last_price = price

    def on_order_update(self, row: BookOrder) -> None:
        """Do nothing: what happens in the real account is none of this one's business."""

    def resync(self, reason: str) -> None:
        """Do nothing: no order can have changed meanwhile."""

    def session_renewed(self) -> None:
        """Do nothing: no order depends on the session."""

    def leave(self, detail: str) -> None:
        """Close the position with the loop's next turn."""
        self.broker.flatten("manual", detail)

    def tell_news(self) -> None:
        """Tell of what happened to the simulated orders since the last time."""
        for event in self.journal.events[self._told :]:
            self._log.info("paper_order", **event._asdict())
        self._told = len(self.journal.events)

    def shut_down(self, *, flatten: bool, reason: str) -> bool:
        """Close the position if asked to, and the book; return True."""
        if flatten:
            self.broker.flatten("shutdown", reason)
        self.broker.close()
        return True

    @property
    def open_position(self) -> str:
        """What is held on paper, in words."""
        return f"{self.broker.held:+g} units on paper" if self.broker.held else ""

    @property
    def protection(self) -> tuple[float, float] | None:
        """Prices of the simulated stop and target."""
        if not self.broker.held:
            return None
        found: dict[str, float] = {}
        for event in reversed(list(self.journal.events)):
            if event.kind != "market":
                found.setdefault(event.kind, event.price)
            if len(found) == 2:
                return found["stop"], found["limit"]
        return None

    @property
    def obstacle(self) -> str:
        """Empty: on paper, only the gate refuses."""
        return ""

    @property
    def unresolved(self) -> int:
        """None: on paper, every outcome is known."""
        return 0

    @property
    def is_session_dead(self) -> bool:
        """False: no order on paper depends on the session."""
        return False

    @property
    def timed_fills(self) -> list[TimedFill]:
        """Executions; orders on paper take no time."""
        signals = {context.trade_id: context.signal_time for context in self.journal.contexts}
        return [TimedFill(fill, signals[fill.trade_id]) for fill in self.journal.fills]


def _charges_of(plan: ChargePlan, day: dt.date) -> ChargesOf:
    """Return what an execution adds to its order's charges: brokerage is capped for the order as a whole."""

    def charges_of(
        intent: Intent, earlier: Sequence[tuple[int, float, float]], size: int, price: float
    ) -> float:
        units = sum(units for units, _, _ in earlier) + size
        value = sum(units * paid for units, paid, _ in earlier) + size * price
        due = plan.order_charges(day, float(units), value / units)
        return max(0.0, due - sum(charges for _, _, charges in earlier))

    return charges_of


def _patience(live: LiveSettings) -> Patience:
    return Patience(
        entry_seconds=live.entry_patience_seconds,
        target_seconds=live.target_patience_seconds,
        exit_seconds=live.exit_patience_seconds,
        resync_seconds=live.resync_seconds,
        unresolved_seconds=live.unresolved_seconds,
    )
