"""One day of live bars: the parts put together, run, and brought to an end whatever happens."""

from __future__ import annotations

import datetime as dt
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import backtrader as bt

from analyzers.bar_record import BarRecord
from brokers.broker_store import BrokerStore, StreamState, TickStream
from brokers.desk.journal_file import read_journal
from brokers.desk.state import DeskState
from brokers.instrument import Instrument
from brokers.wire import BookOrder, SessionDeadError
from feeds.bar_sequence import LiveBar
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock
from feeds.errors import BrokerError, HaltedError, MuhuratError
from feeds.live import LiveFeed
from feeds.live_bars import LiveBars
from feeds.live_log import LiveLog
from feeds.market_events import MarketEvent, StreamDown, StreamUp
from feeds.terms import ContractTerms, DatedTerms
from feeds.tick_bars import Tick
from ml.registry import CHAMPION
from strategies.arm_models import load_models
from strategies.assembly import assemble
from strategies.challenger_process import ChallengerProcess
from strategies.challengers import with_fixed_models
from strategies.live_accounts import Account, ExchangeAccount, PaperAccount
from strategies.live_glance import DayGlance, StreamGlance, glance_at
from strategies.live_request import LiveRequest
from strategies.live_result import write_day
from strategies.modelling import PreparedModel
from strategies.plugins import PLUGIN_BUGS, plugin_of
from strategies.recording import DayRecorder
from strategies.settings import Settings
from strategies.square_off import is_square_off_late, square_off_time
from strategies.tick_recorder import TickRecorder
from strategies.token_watch import TokenWatch
from strategies.warm_up import live_warmup_bars
from strategies.why import bar_reasons

__all__ = ["LiveDay"]

_FIRST_TICK_SECONDS = 60.0


class LiveDay:
    """A day, ready to run.

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
        Where everything of the day is written.
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
        self._first_tick = threading.Event()
        self._stop_reason = ""
        self._has_begun = False
        self._leave_asked = ""
        self._stream_trouble = ""
        self._stream_error: BaseException | None = None
        self._bars: LiveBars | None = None  # made before the stream opens
        self._unwritten: list[LiveBar] = []
        self._watch = TokenWatch(
            request.settings.broker.kite, request.secrets, lambda: store.access_token, self._renew, log
        )
        self._account: Account | None = None
        self._last_bar: LiveBar | None = None
        self._first_tick_time = clock.now()
        self._ticks: TickRecorder | None = None
        self._model: PreparedModel | None = None
        self._plugin = plugin_of(request.settings.strategy)
        self._symbol = ""
        self._terms: ContractTerms | None = None
        self._last_price: float | None = None
        self._last_tick_at: float | None = None
        self._stream_state = "connecting"
        self._connects = 0

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
        instrument = store.find_contract(request.settings.market.instrument, day)
        self._log.info(
            "connected", api_root=request.settings.broker.kite.api_root, user=user, **instrument._asdict()
        )
        self._check_margin(instrument)
        settings = self._pinned_settings(instrument)
        model = self._model = self._load_model(settings)
        self._symbol = instrument.symbol
        if live.record_ticks:
            self._ticks = TickRecorder(self._folder / "ticks.csv")
        # Everything that takes time comes before the stream: its ticks wait here and none is lost
        self._bars = self._make_bars(settings, instrument, model)
        with self._streaming(instrument):
            if day is None:
                day = self._wait_for_the_day(instrument)
            with self._challenged(settings):
                return self._trade(settings, instrument, model, day)

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
        return None if self._bars is None or not self._has_begun else self._bars.turned_at

    def glance(self) -> DayGlance | None:
        """Return how the day stands; None before there is an account."""
        account = self._account
        if account is None or self._terms is None or not self._has_begun:
            return None
        heard = self._last_tick_at
        stream = StreamGlance(
            self._stream_state,
            self._stream_trouble,
            None if heard is None else time.monotonic() - heard,
            max(0, self._connects - 1),
            self._last_price,
        )
        now = self._clock.now()
        return glance_at(account, stream, self._model, self._plugin, self._terms, self._symbol, now)

    def leave(self, detail: str) -> str | None:
        """Close what is open, because a person says so; return what is being closed, in words.

        Before the day has begun, nothing can be closed yet: None is returned, and it is done then.
        """
        account = self._account
        if account is None or not self._has_begun:
            self._leave_asked = detail
            return None
        left = account.open_position
        account.leave(detail)
        self._wake()
        # Without the orders that protect it: those are cancelled with it
        return ", ".join(one.partition(":")[0] for one in left.split("; ") if one)

    def _wake(self) -> None:
        if self._bars is not None:
            self._bars.wake()

    # -- the parts -------------------------------------------------------------------------------

    def _trade(
        self, settings: Settings, instrument: Instrument, model: PreparedModel | None, day: dt.date
    ) -> int:
        account = self._account = self._open_account(settings, instrument, day)
        try:
            # After the account, whose lock keeps a second process away from the files
            with DayRecorder(self._folder) as recorder:
                self._run_engine(settings, instrument, model, day, account, recorder)
        except BaseException as error:
            left = self._end_in_an_error(account, error)
            if self._has_begun and isinstance(error, Exception):
                raise self._halted(error, left) from error
            raise
        return self._end(settings, account, model, day)

    def _challenged(self, settings: Settings) -> AbstractContextManager[object]:
        """Return what judges the challengers beside the day; they end after it, and it waits for none."""
        if not settings.live.challengers:
            return nullcontext()
        return ChallengerProcess(settings, self._folder, settings.broker.starting_cash, self._log)

    def _run_engine(
        self,
        settings: Settings,
        instrument: Instrument,
        model: PreparedModel | None,
        day: dt.date,
        account: Account,
        recorder: DayRecorder,
    ) -> None:
        def on_record(record: BarRecord) -> None:
            # Only now: what is written before the strategy is asked delays its order
            for bar in self._unwritten:
                recorder.bar(bar)
            self._unwritten.clear()
            recorder.record(record)
            self._tell_bar(record, account)
            self._tell_reasons(record, model)

        engine = assemble(
            settings,
            self._calendar,
            feed=LiveFeed(
                bars=self._bars,
                on_bar=self._on_bar,
                name=settings.market.instrument,
                timeframe=bt.TimeFrame.Minutes,
                compression=settings.data.bar_minutes,
            ),
            broker=account.broker,
            terms=DatedTerms(settings.market, self._calendar),
            predictor=model.predictor if model else None,
            on_bar=on_record,
        )
        self._log.debug("settings", **settings.model_dump(mode="json"))
        self._log.info(
            "day_begins", mode=self._request.mode, strategy=settings.strategy.name, symbol=instrument.symbol,
            day=day, cash=settings.broker.starting_cash, folder=str(self._folder),
        )  # fmt: skip
        account.start()
        self._has_begun = True
        if self._leave_asked:
            account.leave(self._leave_asked)
        engine.run()
        if self._stream_error is not None:
            raise self._stream_error

    def _pinned_settings(self, instrument: Instrument) -> Settings:
        """Return the settings with what the day's contract and account say; the parity run uses them too."""
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
        market = settings.market.model_copy(update={"lot_size": instrument.lot, "tick_size": instrument.tick})
        broker = settings.broker.model_copy(update={"starting_cash": cash})
        settings = settings.model_copy(update={"market": market, "broker": broker})
        return with_fixed_models(settings, self._request.model or CHAMPION)

    def _cash_so_far(self) -> float | None:
        """Return what the day began with before a restart; a position may block all that is free now."""
        journal = self._folder / "journal.sqlite"
        if self._request.mode == "paper" or not journal.is_file():
            return None
        opened = DeskState(row.fact for row in read_journal(journal)).opened
        return None if opened is None else opened.cash

    def _load_model(self, settings: Settings) -> PreparedModel | None:
        model = load_models(settings, self._request.model or CHAMPION)
        if model is not None:
            self._log.info("model", **model.info)
        return model

    def _check_margin(self, instrument: Instrument) -> None:
        """Refuse an account that cannot carry one lot; one that already carries something is not asked."""
        if self._request.mode == "paper" or (self._folder / "journal.sqlite").exists():
            return
        free = self._store.free_margin()
        try:
            needed = self._store.lot_margin(instrument)
        except SessionDeadError:
            raise
        except BrokerError as error:
            self._log.warning("margin_unknown", error=str(error), instead="the dated table, at each entry")
            return
        if free < needed:
            raise BrokerError(
                f"one lot of {instrument.symbol} ({instrument.lot} units) needs {needed:,.0f} rupees of "
                f"margin, {free:,.0f} are free; add funds or trade on paper"
            )

    def _square_off_at(self, settings: Settings, day: dt.date) -> dt.datetime:
        """Return the close of the bar on which the strategy squares off."""
        session = self._calendar.session(day)
        if session is None:
            raise BrokerError(
                f"the ticks are of {day}, on which the calendar has no session; see market.extra_sessions"
            )
        due = square_off_time(self._calendar, session, settings)
        if self._request.mode == "live" and is_square_off_late(session, due, settings):
            self._log.warning("square_off_late", own=f"{due:%H:%M}", broker="15:26", product="MIS")
        return due

    def _open_account(self, settings: Settings, instrument: Instrument, day: dt.date) -> Account:
        square_off_at = self._square_off_at(settings, day)
        terms = DatedTerms(settings.market, self._calendar)
        self._terms = terms(day)
        if self._request.mode == "paper":
            return PaperAccount(
                settings=settings,
                terms=terms,
                square_off_at=lambda date: self._square_off_at(settings, date),
                clock=self._clock,
                book=self._folder / "paper.sqlite",
                log=self._log,
            )
        return ExchangeAccount(
            settings=settings,
            wire=self._store.wire(instrument),
            symbol=instrument.symbol,
            terms=terms(day),
            day=day,
            square_off_at=square_off_at + dt.timedelta(seconds=settings.live.square_off_grace_seconds),
            clock=self._clock,
            folder=self._folder,
            log=self._log,
            on_session_dead=self._watch.begin,
            on_news=self._wake,
            accept_foreign=self._request.accept_foreign,
        )

    def _make_bars(self, settings: Settings, instrument: Instrument, model: PreparedModel | None) -> LiveBars:
        warmup = live_warmup_bars(settings, model.predictor if model else None)
        return LiveBars(
            calendar=self._calendar,
            bar_minutes=settings.data.bar_minutes,
            clock=self._clock,
            history=self._store.history(instrument),
            warmup_bars=warmup,
            close_grace_seconds=settings.live.bar_close_grace_seconds,
            idle_end_seconds=settings.live.idle_end_seconds,
            on_event=self._log.on_event,
        )

    def _on_bar(self, bar: LiveBar) -> None:
        self._last_bar = bar
        self._unwritten.append(bar)
        if self._account is not None:
            self._account.on_bar(bar)

    def _tell_bar(self, record: BarRecord, account: Account) -> None:
        """Tell of a bar of today; those of the warm-up are many and old."""
        account.tell_news()
        bar = self._last_bar
        if bar is None or bar.origin == "warmup":
            return
        state, built = account.gate.state, bar.bar
        self._log.info(
            "bar", start=built.start, open=built.open, high=built.high, low=built.low, close=built.close,
            volume=built.volume, complete=built.complete, origin=bar.origin, position=record.position,
            pnl=round(state.realised_today, 2), net=round(state.realised_today + state.unrealised, 2),
            **{key: value for key, value in record._asdict().items() if key not in ("start", "position")},
        )  # fmt: skip

    def _tell_reasons(self, record: BarRecord, model: PreparedModel | None) -> None:
        """Tell why an entry was decided, last of all: its orders are on their way.

        What is only told must not end a day that holds a position.
        """
        is_warmup = self._last_bar is None or self._last_bar.origin == "warmup"
        if model is None or not record.units or is_warmup:
            return
        try:
            why = bar_reasons(model.predictor, record)
        except (MuhuratError, *PLUGIN_BUGS) as error:
            self._log.warning("reasons_unknown", error=f"{type(error).__name__}: {error}")
            return
        if why:
            self._log.info("entry_reasons", start=record.start.replace(tzinfo=IST), side=record.side, why=why)

    # -- the stream ------------------------------------------------------------------------------

    @contextmanager
    def _streaming(self, instrument: Instrument) -> Iterator[TickStream]:
        stream = self._store.open_stream(
            [instrument],
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
            if self._ticks is not None:
                self._ticks.close()

    def _on_tick(self, instrument: Instrument, tick: Tick) -> None:
        if self._ticks is not None:
            self._ticks.write(tick)
        self._last_tick_at = time.monotonic()
        if not self._first_tick.is_set():
            self._first_tick_time = tick.time
            self._first_tick.set()
        self._put(tick)
        if tick.is_believable:
            self._last_price = tick.price
            if self._account is not None:
                self._account.on_price(tick.price)

    def _on_update(self, row: BookOrder) -> None:
        if self._account is not None:
            self._account.on_order_update(row)

    def _on_unreadable_update(self, error: BrokerError) -> None:
        if self._account is not None:
            self._log.warning("update_unreadable", error=str(error))
            self._account.resync("an update could not be read")

    def _on_stream(self, state: StreamState) -> None:
        self._log.info("stream", state=state.state, reason=state.reason)
        self._stream_state = state.state
        if state.state == "up":
            self._connects += 1
            self._stream_trouble = ""
            self._put(StreamUp())
            if self._account is not None:
                self._account.resync("the stream is up")
            return
        self._stream_trouble = state.reason
        self._put(StreamDown(state.reason))
        if state.state == "refused" and self._stream_error is None:
            self._watch.begin(state.reason)

    def _on_stream_error(self, error: BaseException) -> None:
        """End the day: without ticks nobody would watch the target, or decide anything."""
        self._stream_error = error
        if self._bars is not None:
            self._bars.stop("the stream failed")

    def _put(self, event: MarketEvent) -> None:
        if self._bars is not None:
            self._bars.put(event)

    def _wait_for_the_day(self, instrument: Instrument) -> dt.date:
        """Let the first tick say what day it is; the contract has to be that of the day."""
        if not self._first_tick.wait(_FIRST_TICK_SECONDS):
            trouble = f" (stream: {self._stream_trouble})" if self._stream_trouble else ""
            raise BrokerError(
                f"no tick of {instrument.symbol} came within {_FIRST_TICK_SECONDS:.0f} s{trouble}, expected "
                "one to tell the time (--clock feed); start the replay, check broker.kite.ticker_root, or go "
                "by --clock wall"
            )
        if isinstance(self._clock, ReplayClock):
            self._clock.set(self._first_tick_time)
        day = self._clock.now().astimezone(IST).date()
        found = self._store.find_contract(self._request.settings.market.instrument, day)
        if found.token != instrument.token:
            raise BrokerError(
                f"the ticks are of {day}, whose near month is {found.symbol}, but the nearest listed is "
                f"{instrument.symbol}; give the day with --day"
            )
        return day

    def _renew(self, access_token: str) -> None:
        self._store.renew(access_token)
        if self._account is not None:
            self._account.session_renewed()

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
        if self._account is None or self._bars is None:
            raise KeyboardInterrupt
        self._bars.stop(self._stop_reason)

    def _end(self, settings: Settings, account: Account, model: PreparedModel | None, day: dt.date) -> int:
        flatten = not self._stop_reason or settings.live.on_stop == "flatten"
        reason = self._stop_reason or "the day is over"
        on_stop = "flatten" if flatten else "keep"
        self._log.info("stopping", reason=reason, on_stop=on_stop, open=account.open_position)
        done = account.shut_down(flatten=flatten, reason=reason)
        account.tell_news()
        unwritten = self._write_report(settings, account, model, day)
        left = account.open_position
        state = account.gate.state
        self._log.info(
            "day_over", trades=len(account.journal.contexts), net_pnl=round(state.realised_today, 2),
            position=state.open_size, open=left,
        )  # fmt: skip
        if not done or (left and flatten):
            self._log.error("left_open", open=left or "unknown", remedy="look into the account now")
            return 1
        if unwritten is not None:
            raise unwritten
        return 0

    def _write_report(
        self, settings: Settings, account: Account, model: PreparedModel | None, day: dt.date
    ) -> HaltedError | None:
        """Write the files of the day; where that fails, return the error: trading is over all the same."""
        try:
            written = write_day(
                settings, account, model, self._folder, self._calendar,
                day=day, mode=self._request.mode, synthetic=self._request.synthetic,
                model_is_synthetic=self._request.model_is_synthetic,
            )  # fmt: skip
        except (MuhuratError, OSError) as error:
            return HaltedError(f"the day is over, and its report cannot be written: {error}")
        if written:
            self._log.info("report", file=str(self._folder / "report.html"))
        return None

    def _end_in_an_error(self, account: Account, error: BaseException) -> str:
        """Flatten, halt and tell; return what is open all the same, in words."""
        # What keeps a day from beginning is told by the program's last line, and once is enough
        is_told = isinstance(error, (MuhuratError, OSError)) and not self._has_begun
        if not is_told:
            self._log.error("failed", error=f"{type(error).__name__}: {error}", exc_info=True)
        done = account.shut_down(flatten=True, reason=f"{type(error).__name__}: {error}")
        left = account.open_position
        if not done and not left:
            left = "perhaps something, the orders could not be settled"
        if left or not done or not is_told:
            self._log.error("halted", flat=done and not left, open=left or "nothing")
        return left

    def _halted(self, error: Exception, left: str) -> HaltedError:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        still = f"STILL OPEN: {left}; look into the account now" if left else "nothing is open"
        return HaltedError(
            f"the day was ended by {words} (traceback in {self._folder / 'live.log'}); {still}"
        )
