"""One day of live bars: the parts put together, run, and brought to an end whatever happens."""

from __future__ import annotations

import datetime as dt
import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import pandas as pd

from analyzers.parity.files import INSTRUMENTS_FILE
from brokers.broker_store import BrokerStore, StreamState, TickStream
from brokers.choice import chosen_broker
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.instrument import Instrument
from brokers.paper_book import PaperBook
from brokers.risk.account import AccountRisk
from brokers.several import BrokerPerInstrument
from brokers.wire import BookOrder, SessionDeadError
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock
from feeds.errors import BrokerError, HaltedError, MuhuratError
from feeds.live_log import LiveLog
from feeds.log import Log, NamedLog
from feeds.market_events import MarketEvent, StreamDown, StreamUp
from feeds.terms import DatedTerms
from feeds.tick_bars import Tick
from ml.registry import CHAMPION
from strategies.allocation import Allocation
from strategies.assembly import assemble
from strategies.challenger_process import ChallengerProcess
from strategies.challengers import with_fixed_models
from strategies.engine import Engine
from strategies.instrument_day import InstrumentDay
from strategies.live_glance import DayGlance, StreamGlance
from strategies.live_request import LiveRequest
from strategies.past_sessions import past_returns, sessions_needed
from strategies.per_instrument import for_instrument
from strategies.recording import DayRecorder
from strategies.session_returns import RollingCorrelation
from strategies.settings import Settings
from strategies.several_glances import together
from strategies.token_watch import TokenWatch

__all__ = ["LiveDay"]

_FIRST_TICK_SECONDS = 60.0


class LiveDay:
    """A day, ready to run: one login, one stream, one engine, and an account for each instrument.

    Parameters
    ----------
    request : LiveRequest
        What was asked for.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        The market's time.
    store : BrokerStore
        The connection to the broker.
    folder : pathlib.Path
        Where everything of the day is written; with several instruments, in a folder of each one's name.
    log : LiveLog
        Told what happens.
    """

    def __init__(
        self,
        request: LiveRequest,
        calendar: TradingCalendar,
        clock: Clock,
        store: BrokerStore,
        folder: Path,
        log: LiveLog,
    ) -> None:
        self._request = request
        self._calendar = calendar
        self._clock = clock
        self._store = store
        self._folder = folder
        self._log = log
        self._stop_reason = ""
        self._has_begun = False
        self._leave_asked = ""
        self._stream_trouble = ""
        self._stream_error: BaseException | None = None
        self._parts: dict[str, InstrumentDay] = {}  # by symbol; made before the stream opens
        self._watch = TokenWatch(
            chosen_broker(request.settings.broker).tokens,
            request.secrets,
            lambda: store.access_token,
            self._renew,
            log,
        )
        self._stream_state = "connecting"
        self._connects = 0
        self._allocation: Allocation | None = None

    def run(self, is_stopped: Callable[[], bool] = lambda: False) -> int:
        """Trade the day; see :func:`strategies.live.run_live`.

        Parameters
        ----------
        is_stopped : callable
            Whether a signal came before this day could take it.
        """
        with self._signals():
            if is_stopped():
                raise KeyboardInterrupt
            return self._run()

    def _run(self) -> int:
        request, store, live = self._request, self._store, self._request.settings.live
        user = store.check_session()
        if request.clock == "wall":
            store.check_clock(self._clock, live.max_clock_skew_seconds)
        day_is_known = request.clock == "wall" or request.day is not None
        day = self._clock.now().astimezone(IST).date() if day_is_known else None
        instruments = {name: store.find_contract(name, day) for name in self._names}
        for instrument in instruments.values():
            self._log.info("connected", broker=store.name, user=user, **instrument._asdict())
        self._check_margin(list(instruments.values()))
        cash = self._cash()
        # Everything that takes time comes before the stream: its ticks wait here and none is lost
        for name, instrument in instruments.items():
            self._parts[instrument.symbol] = self._prepared(name, instrument, cash)
        if len(instruments) > 1:
            (self._folder / INSTRUMENTS_FILE).write_text(json.dumps(list(instruments)), encoding="utf-8")
        with self._streaming(list(instruments.values())):
            if day is None:
                day = self._wait_for_the_day()
            with self._challenged():
                return self._trade(day)

    # -- from outside, any thread ----------------------------------------------------------------

    @property
    def stop_reason(self) -> str:
        """The signal that ended the day before its time; empty where none did."""
        return self._stop_reason

    @property
    def has_begun(self) -> bool:
        """Whether orders may have been sent."""
        return self._has_begun

    @property
    def turned_at(self) -> float | None:
        """When the loop took its last turn, monotonic seconds; None before there is a loop."""
        parts = self._all
        return min(part.bars.turned_at for part in parts) if parts and self._has_begun else None

    def glance(self) -> DayGlance | None:
        """Return how the day stands; None before there is an account."""
        parts = self._all
        if not parts or not self._has_begun:
            return None
        stream = StreamGlance(
            self._stream_state, self._stream_trouble, None, max(0, self._connects - 1), None
        )
        glances = {part.name: glance for part in parts if (glance := part.glance(stream)) is not None}
        return together(glances, parts[0].settings.broker.starting_cash) if glances else None

    def leave(self, detail: str) -> str | None:
        """Close what is open, because a person says so; return what is being closed, in words.

        Before the day has begun, nothing can be closed yet: None is returned, and it is done then.
        """
        if not self._has_begun:
            self._leave_asked = detail
            return None
        left = self._open_words()
        for part in self._all:
            part.leave(detail)
        self._wake()
        # Without the orders that protect it: those are cancelled with it
        return ", ".join(one.partition(":")[0] for one in left.split("; ") if one)

    def _wake(self) -> None:
        for part in self._all:
            part.bars.wake()

    @property
    def _all(self) -> list[InstrumentDay]:
        return list(self._parts.values())

    def _open_words(self) -> str:
        return "; ".join(words for part in self._all if (words := part.open_position))

    # -- the parts -------------------------------------------------------------------------------

    @property
    def _names(self) -> tuple[str, ...]:
        return self._request.settings.market.traded

    def _part_folder(self, name: str) -> Path:
        return self._folder if len(self._names) == 1 else self._folder / name

    @property
    def _has_accounts(self) -> bool:
        return any(part.account is not None for part in self._all)

    def _prepared(self, name: str, instrument: Instrument, cash: float) -> InstrumentDay:
        is_alone = len(self._names) == 1
        folder = self._part_folder(name)
        log: Log = self._log if is_alone else NamedLog(self._log, instrument=name)
        settings = self._pinned_settings(name, instrument, cash)
        return InstrumentDay(
            self._request, settings, instrument, self._calendar, self._clock, self._store, folder, log
        )

    def _trade(self, day: dt.date) -> int:
        parts = self._all
        try:
            returns = self._past_returns(day)
            shared = self._shared_account(returns)
            self._allocation = Allocation(self._request.settings.strategy.allocation, returns)
            for part in parts:
                part.open_account(day, shared, on_session_dead=self._watch.begin, on_news=self._wake)
            with ExitStack() as stack:
                # After the accounts, whose lock keeps a second process away from the files
                for part in parts:
                    part.record_with(stack.enter_context(DayRecorder(part.folder)))
                self._run_engine(day)
        except BaseException as error:
            left = self._end_in_an_error(error)
            if self._has_begun and isinstance(error, Exception):
                raise self._halted(error, left) from error
            raise
        return self._end(day)

    def _past_returns(self, day: dt.date) -> pd.DataFrame:
        """Return the sessions that shares and correlations are worked out from; none where none are needed.

        They come before the first order: without them no day begins.
        """
        parts = self._all
        instruments = {part.name: part.instrument for part in parts}
        needed = sessions_needed(self._request.settings)
        if len(parts) == 1 or not needed:
            return pd.DataFrame(columns=list(instruments), dtype=float)
        return past_returns(self._store, instruments, day, needed, self._folder)

    def _shared_account(self, returns: pd.DataFrame) -> AccountRisk | None:
        """Return the limits that several instruments share; one instrument has its own only."""
        settings = self._all[0].settings
        limits = settings.risk.account
        if len(self._all) == 1 and not limits.is_on:
            return None
        correlation = RollingCorrelation(returns, limits.correlation_sessions)
        return AccountRisk(limits, settings.broker.starting_cash, correlation)

    def _challenged(self) -> AbstractContextManager[object]:
        """Return what judges the challengers beside the day; they end after it, and it waits for none."""
        settings = self._all[0].settings
        if not settings.live.challengers:
            return nullcontext()
        return ChallengerProcess(settings, self._folder, settings.broker.starting_cash, self._log)

    def _engine(self) -> Engine:
        parts = self._all
        brokers = {part.name: part.broker for part in parts}
        broker = brokers[parts[0].name]
        if len(parts) > 1:
            broker = BrokerPerInstrument(brokers, parts[0].settings.broker.starting_cash)
        feeds = {part.name: part.feed() for part in parts}
        engine = Engine()
        for part in parts:
            assemble(
                part.settings,
                self._calendar,
                feed=feeds[part.name],
                broker=broker,
                terms=DatedTerms(part.settings.market, self._calendar),
                predictor=part.model.predictor if part.model else None,
                engine=engine,
                on_bar=part.on_record,
                peers={name: feed for name, feed in feeds.items() if name != part.name},
                share=self._share_of(part.name),
            )
        return engine

    def _share_of(self, name: str) -> Callable[[int], float] | None:
        is_shared = self._request.settings.strategy.allocation.kind != "none"
        return self._allocation.of(name) if is_shared and self._allocation is not None else None

    def _run_engine(self, day: dt.date) -> None:
        settings = self._request.settings
        engine = self._engine()
        for part in self._all:
            self._log.debug("settings", **part.settings.model_dump(mode="json"))
            self._log.info(
                "day_begins", mode=self._request.mode, strategy=settings.strategy.name,
                symbol=part.instrument.symbol, day=day, cash=part.settings.broker.starting_cash,
                folder=str(part.folder),
            )  # fmt: skip
            part.start()
        self._has_begun = True
        if self._leave_asked:
            self.leave(self._leave_asked)
        engine.run()
        if self._stream_error is not None:
            raise self._stream_error

    def _pinned_settings(self, name: str, instrument: Instrument, cash: float) -> Settings:
        """Return the settings with what the day's contract and account say; the parity run uses them too."""
        settings = for_instrument(self._request.settings, name)
        market = settings.market.model_copy(update={"lot_size": instrument.lot, "tick_size": instrument.tick})
        broker = settings.broker.model_copy(update={"starting_cash": cash})
        settings = settings.model_copy(update={"market": market, "broker": broker})
        return with_fixed_models(settings, self._request.model or CHAMPION)

    def _cash(self) -> float:
        """Return the rupees that sizes are worked out from."""
        settings = self._request.settings
        cash = self._cash_so_far()
        if cash is None:
            cash = settings.live.capital_rupees
        if cash is None:
            paper = self._request.mode == "paper"
            cash = settings.broker.starting_cash if paper else self._store.free_margin()
        if not cash > 0:
            raise BrokerError(
                f"the account has {cash:,.0f} rupees free, expected some; add funds, or set "
                "live.capital_rupees"
            )
        return cash

    def _cash_so_far(self) -> float | None:
        """Return what the day began with before a restart; a position may block all that is free now."""
        read = _paper_cash if self._request.mode == "paper" else _journal_cash
        found = {name: cash for name in self._names if (cash := read(self._part_folder(name))) is not None}
        if len(set(found.values())) > 1:
            amounts = ", ".join(f"{name} with {cash:,.2f}" for name, cash in found.items())
            raise BrokerError(
                f"{self._folder}: its accounts began {amounts} rupees, expected one account that all share; "
                "give another --out"
            )
        return next(iter(found.values()), None)

    def _check_margin(self, instruments: Sequence[Instrument]) -> None:
        """Refuse an account that cannot carry a lot of each; one that carries something is not asked."""
        has_journal = any((self._part_folder(name) / "journal.sqlite").exists() for name in self._names)
        if self._request.mode == "paper" or has_journal:
            return
        free = self._store.free_margin()
        try:
            needed = sum(self._store.lot_margin(instrument) for instrument in instruments)
        except SessionDeadError:
            raise
        except BrokerError as error:
            self._log.warning("margin_unknown", error=str(error), instead="the dated table, at each entry")
            return
        if free < needed:
            lots = " and ".join(f"{one.symbol} ({one.lot} units)" for one in instruments)
            raise BrokerError(
                f"one lot of {lots} needs {needed:,.0f} rupees of margin, {free:,.0f} are free; add funds or "
                "trade on paper"
            )

    # -- the stream ------------------------------------------------------------------------------

    @contextmanager
    def _streaming(self, instruments: Sequence[Instrument]) -> Iterator[TickStream]:
        stream = self._store.open_stream(
            instruments,
            on_tick=self._on_tick,
            on_order_update=self._on_update,
            on_unreadable_update=self._on_unreadable_update,
            on_state=self._on_stream,
            on_error=self._on_stream_error,
        )
        try:
            yield stream
        finally:
            self._watch.end()
            stream.stop()
            for part in self._all:
                part.end_of_ticks()

    def _on_tick(self, instrument: Instrument, tick: Tick) -> None:
        self._parts[instrument.symbol].on_tick(tick)
        if len(self._parts) > 1:
            self._wake()  # the engine may be waiting for a bar of another instrument

    def _on_update(self, row: BookOrder) -> None:
        # Each desk knows its own orders, and watches its own contract for strangers
        for part in self._all:
            if part.account is not None:
                part.account.on_order_update(row)

    def _on_unreadable_update(self, error: BrokerError) -> None:
        if self._has_accounts:
            self._log.warning("update_unreadable", error=str(error))
            self._resync("an update could not be read")

    def _on_stream(self, state: StreamState) -> None:
        self._log.info("stream", state=state.state, reason=state.reason)
        self._stream_state = state.state
        if state.state == "up":
            self._connects += 1
            self._stream_trouble = ""
            self._put(StreamUp())
            self._resync("the stream is up")
            return
        self._stream_trouble = state.reason
        self._put(StreamDown(state.reason))
        if state.state == "refused" and self._stream_error is None:
            self._watch.begin(state.reason)

    def _on_stream_error(self, error: BaseException) -> None:
        """End the day: without ticks nobody would watch the target, or decide anything."""
        self._stream_error = error
        self._stop_bars("the stream failed")

    def _stop_bars(self, reason: str) -> None:
        for part in self._all:
            part.bars.stop(reason)

    def _put(self, event: MarketEvent) -> None:
        for part in self._all:
            part.bars.put(event)

    def _resync(self, reason: str) -> None:
        for part in self._all:
            if part.account is not None:
                part.account.resync(reason)

    def _wait_for_the_day(self) -> dt.date:
        """Let the first tick say what day it is; each contract has to be that of the day."""
        first = self._all[0]
        if not first.first_tick.wait(_FIRST_TICK_SECONDS):
            trouble = f" (stream: {self._stream_trouble})" if self._stream_trouble else ""
            raise BrokerError(
                f"no tick of {first.instrument.symbol} came within {_FIRST_TICK_SECONDS:.0f} s{trouble}, "
                "expected one to tell the time (--clock feed); start the replay, check "
                f"{self._store.stream_setting}, or go by --clock wall"
            )
        if isinstance(self._clock, ReplayClock):
            self._clock.set(first.first_tick_time)
        day = self._clock.now().astimezone(IST).date()
        for part in self._all:
            found = self._store.find_contract(part.name, day)
            if found.token != part.instrument.token:
                raise BrokerError(
                    f"the ticks are of {day}, whose near month is {found.symbol}, but the nearest listed is "
                    f"{part.instrument.symbol}; give the day with --day"
                )
        return day

    def _renew(self, access_token: str) -> None:
        self._store.renew(access_token)
        for part in self._all:
            if part.account is not None:
                part.account.session_renewed()

    # -- the end ---------------------------------------------------------------------------------

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the day in order; only the main thread can take them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_reason = signal.Signals(number).name
        if not self._has_accounts:
            raise KeyboardInterrupt
        self._stop_bars(self._stop_reason)

    def _end(self, day: dt.date) -> int:
        flatten = not self._stop_reason or self._request.settings.live.on_stop == "flatten"
        reason = self._stop_reason or "the day is over"
        on_stop = "flatten" if flatten else "keep"
        done = [part.end(flatten=flatten, reason=reason, on_stop=on_stop) for part in self._all]
        unwritten = [error for part in self._all if (error := part.write_report(day)) is not None]
        left = self._open_words()
        for part in self._all:
            part.tell_day_over()
        if not all(done) or (left and flatten):
            self._log.error("left_open", open=left or "unknown", remedy="look into the account now")
            return 1
        if unwritten:
            raise unwritten[0]
        return 0

    def _end_in_an_error(self, error: BaseException) -> str:
        """Flatten, halt and tell; return what is open all the same, in words."""
        # What keeps a day from beginning is told by the program's last line, and once is enough
        is_told = isinstance(error, (MuhuratError, OSError)) and not self._has_begun
        if not is_told:
            self._log.error("failed", error=f"{type(error).__name__}: {error}", exc_info=True)
        reason = f"{type(error).__name__}: {error}"
        done = [part.shut_down(flatten=True, reason=reason) for part in self._all]
        left = self._open_words()
        if not all(done) and not left:
            left = "perhaps something, the orders could not be settled"
        if left or not all(done) or not is_told:
            self._log.error("halted", flat=all(done) and not left, open=left or "nothing")
        return left

    def _halted(self, error: Exception, left: str) -> HaltedError:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        still = f"STILL OPEN: {left}; look into the account now" if left else "nothing is open"
        return HaltedError(
            f"the day was ended by {words} (traceback in {self._folder / 'live.log'}); {still}"
        )


def _journal_cash(folder: Path) -> float | None:
    journal = folder / "journal.sqlite"
    opened = DeskState(row.fact for row in read_journal(journal)).opened if journal.is_file() else None
    return None if opened is None else opened.cash


def _paper_cash(folder: Path) -> float | None:
    path = folder / "paper.sqlite"
    if not path.is_file():
        return None
    book = PaperBook(path)
    try:
        stored = book.load()
    finally:
        book.close()
    return None if stored is None else stored.state.starting_cash
