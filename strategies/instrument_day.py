"""One instrument of a live day: its ticks, bars, account, recordings and model."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtrader as bt

from analyzers.bar_record import BarRecord
from brokers.broker_store import BrokerStore
from brokers.instrument import Instrument
from brokers.risk.account import AccountRisk
from feeds.bar_sequence import LiveBar
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock
from feeds.errors import BrokerError, HaltedError, MuhuratError
from feeds.live import LiveFeed
from feeds.live_bars import LiveBars
from feeds.log import Log
from feeds.market_events import MarketEvent
from feeds.terms import ContractTerms, DatedTerms
from feeds.tick_bars import Tick
from ml.registry import CHAMPION
from strategies.arm_models import load_models
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
from strategies.warm_up import live_warmup_bars
from strategies.why import bar_reasons

__all__ = ["InstrumentDay"]


class InstrumentDay:
    """What a live day holds of one instrument.

    Parameters
    ----------
    request : LiveRequest
        What was asked for.
    settings : Settings
        Of this instrument, with the contract's lot and tick, and the cash to size by.
    instrument : Instrument
        The contract.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        The market's time.
    store : BrokerStore
        The connection to the broker.
    folder : pathlib.Path
        Where everything of this instrument is written.
    log : Log
        Told what happens.

    Attributes
    ----------
    bars : LiveBars
        Made from its ticks.
    first_tick : threading.Event
        Set once a tick came; its time is ``first_tick_time``.
    account : Account or None
        None until :meth:`open_account`.
    """

    def __init__(
        self,
        request: LiveRequest,
        settings: Settings,
        instrument: Instrument,
        calendar: TradingCalendar,
        clock: Clock,
        store: BrokerStore,
        folder: Path,
        log: Log,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.instrument = instrument
        self.settings = settings
        self.folder = folder
        self.account: Account | None = None
        self.first_tick = threading.Event()
        self.first_tick_time = clock.now()
        self.last_price: float | None = None
        self._request = request
        self._calendar = calendar
        self._clock = clock
        self._store = store
        self._log = log
        self._terms: ContractTerms | None = None
        self._last_bar: LiveBar | None = None
        self._last_tick_at: float | None = None
        self._unwritten: list[LiveBar] = []
        self._recorder: DayRecorder | None = None
        self._plugin = plugin_of(settings.strategy)
        self.model = self._load_model()
        self._ticks = TickRecorder(folder / "ticks.csv") if settings.live.record_ticks else None
        self.bars = self._make_bars()

    @property
    def name(self) -> str:
        """The underlying, as in the settings."""
        return self.settings.market.instrument

    # -- from the stream's thread ----------------------------------------------------------------

    def on_tick(self, tick: Tick) -> None:
        """Take a tick."""
        if self._ticks is not None:
            self._ticks.write(tick)
        self._last_tick_at = time.monotonic()
        if not self.first_tick.is_set():
            self.first_tick_time = tick.time
            self.first_tick.set()
        self.bars.put(tick)
        if tick.is_believable:
            self.last_price = tick.price
            if self.account is not None:
                self.account.on_price(tick.price)

    def put(self, event: MarketEvent) -> None:
        """Take what happened to the stream."""
        self.bars.put(event)

    def end_of_ticks(self) -> None:
        """Close the record of ticks, once no more can come."""
        if self._ticks is not None:
            self._ticks.close()

    # -- the day ---------------------------------------------------------------------------------

    def open_account(
        self,
        day: dt.date,
        shared: AccountRisk | None,
        *,
        on_session_dead: Callable[[str], None],
        on_news: Callable[[], None],
    ) -> Account:
        """Open the account of the day; what was open before is recovered by its ``start``.

        Parameters
        ----------
        day : datetime.date
            The trading day.
        shared : AccountRisk or None
            The limits that all instruments of the account share, where there are any.
        on_session_dead : callable
            Told when the broker no longer accepts the session.
        on_news : callable
            Told that the account has something to book, from any thread.
        """
        settings = self.settings
        square_off_at = self._square_off_at(day)
        terms = DatedTerms(settings.market, self._calendar)
        self._terms = terms(day)
        seat = None if shared is None else shared.seat(self.name, terms)
        if self._request.mode == "paper":
            self.account = PaperAccount(
                settings=settings,
                terms=terms,
                square_off_at=self._square_off_at,
                clock=self._clock,
                book=self.folder / "paper.sqlite",
                log=self._log,
                seat=seat,
            )
        else:
            self.account = ExchangeAccount(
                settings=settings,
                wire=self._store.wire(self.instrument),
                symbol=self.instrument.symbol,
                terms=terms(day),
                day=day,
                square_off_at=square_off_at + dt.timedelta(seconds=settings.live.square_off_grace_seconds),
                clock=self._clock,
                folder=self.folder,
                log=self._log,
                on_session_dead=on_session_dead,
                on_news=on_news,
                accept_foreign=self._request.accept_foreign,
                seat=seat,
            )
        return self.account

    def feed(self) -> LiveFeed:
        """Return the bars as backtrader takes them."""
        return LiveFeed(
            bars=self.bars,
            on_bar=self._on_bar,
            name=self.name,
            timeframe=bt.TimeFrame.Minutes,
            compression=self.settings.data.bar_minutes,
        )

    @property
    def broker(self) -> Any:  # noqa: ANN401 # a backtrader broker, untyped
        """What takes the strategy's orders. Raises MuhuratError before the account is open."""
        if self.account is None:
            raise MuhuratError(f"{self.name}: its account is not open yet")
        return self.account.broker

    def record_with(self, recorder: DayRecorder) -> None:
        """Say where bars and decisions are written."""
        self._recorder = recorder

    def on_record(self, record: BarRecord) -> None:
        """Write down what the strategy saw and decided on a bar, and tell it."""
        recorder, account = self._recorder, self.account
        if recorder is None or account is None:
            raise MuhuratError(f"{self.name}: a bar was decided on before its account was open")
        # Only now: what is written before the strategy is asked delays its order
        for bar in self._unwritten:
            recorder.bar(bar)
        self._unwritten.clear()
        recorder.record(record)
        self._tell_bar(record, account)
        self._tell_reasons(record)

    def glance(self, stream: StreamGlance) -> DayGlance | None:
        """Return how it stands; None before there is an account."""
        if self.account is None or self._terms is None:
            return None
        heard = self._last_tick_at
        seen = stream._replace(
            tick_age_seconds=None if heard is None else time.monotonic() - heard, last_price=self.last_price
        )
        return glance_at(
            self.account, seen, self.model, self._plugin, self._terms, self.instrument.symbol,
            self._clock.now(),
        )  # fmt: skip

    @property
    def open_position(self) -> str:
        """What is open, in words; empty when nothing is, or there is no account yet."""
        return "" if self.account is None else self.account.open_position

    def start(self) -> None:
        """Recover what was open. Raises BrokerError where that is impossible."""
        if self.account is not None:
            self.account.start()

    def leave(self, detail: str) -> None:
        """Close what is open because a person says so; any thread."""
        if self.account is not None:
            self.account.leave(detail)

    def end(self, *, flatten: bool, reason: str, on_stop: str) -> bool:
        """End in order; return whether everything is settled, or kept as asked."""
        self._log.info("stopping", reason=reason, on_stop=on_stop, open=self.open_position)
        done = self.shut_down(flatten=flatten, reason=reason)
        if self.account is not None:
            self.account.tell_news()
        return done

    def shut_down(self, *, flatten: bool, reason: str) -> bool:
        """End the account, if there is one; return whether everything is settled, or kept as asked."""
        return self.account is None or self.account.shut_down(flatten=flatten, reason=reason)

    def tell_day_over(self) -> None:
        """Tell what came of the day."""
        account = self.account
        if account is None:
            return
        state = account.gate.state
        self._log.info(
            "day_over", trades=len(account.journal.contexts), net_pnl=round(state.realised_today, 2),
            position=state.open_size, open=account.open_position,
        )  # fmt: skip

    def write_report(self, day: dt.date) -> HaltedError | None:
        """Write the files of the day; where that fails, return the error: trading is over all the same."""
        if self.account is None:
            return None
        try:
            written = write_day(
                self.settings, self.account, self.model, self.folder, self._calendar,
                day=day, mode=self._request.mode, synthetic=self._request.synthetic,
                model_is_synthetic=self._request.model_is_synthetic,
            )  # fmt: skip
        except (MuhuratError, OSError) as error:
            return HaltedError(f"the day is over, and its report cannot be written: {error}")
        if written:
            self._log.info("report", file=str(self.folder / "report.html"))
        return None

    # -- the parts -------------------------------------------------------------------------------

    def _load_model(self) -> PreparedModel | None:
        model = load_models(self.settings, self._request.model or CHAMPION)
        if model is not None:
            self._log.info("model", **model.info)
        return model

    def _make_bars(self) -> LiveBars:
        settings = self.settings
        return LiveBars(
            calendar=self._calendar,
            bar_minutes=settings.data.bar_minutes,
            clock=self._clock,
            history=self._store.history(self.instrument),
            warmup_bars=live_warmup_bars(settings, self.model.predictor if self.model else None),
            close_grace_seconds=settings.live.bar_close_grace_seconds,
            idle_end_seconds=settings.live.idle_end_seconds,
            on_event=lambda event, fields: self._log.info(event, **fields),
        )

    def _square_off_at(self, day: dt.date) -> dt.datetime:
        """Return the close of the bar on which the strategy squares off."""
        session = self._calendar.session(day)
        if session is None:
            raise BrokerError(
                f"the ticks are of {day}, on which the calendar has no session; see market.extra_sessions"
            )
        due = square_off_time(self._calendar, session, self.settings)
        if self._request.mode == "live" and is_square_off_late(session, due, self.settings):
            self._log.warning(
                "square_off_late", own=f"{due:%H:%M}", broker="15:26", product=self.settings.broker.product
            )
        return due

    def _on_bar(self, bar: LiveBar) -> None:
        self._last_bar = bar
        self._unwritten.append(bar)
        if self.account is not None:
            self.account.on_bar(bar)

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

    def _tell_reasons(self, record: BarRecord) -> None:
        """Tell why an entry was decided, last of all: its orders are on their way.

        What is only told must not end a day that holds a position.
        """
        is_warmup = self._last_bar is None or self._last_bar.origin == "warmup"
        if self.model is None or not record.units or is_warmup:
            return
        try:
            why = bar_reasons(self.model.predictor, record)
        except (MuhuratError, *PLUGIN_BUGS) as error:
            self._log.warning("reasons_unknown", error=f"{type(error).__name__}: {error}")
            return
        if why:
            self._log.info("entry_reasons", start=record.start.replace(tzinfo=IST), side=record.side, why=why)
