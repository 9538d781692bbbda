"""A day of the live feed, kept and not traded: ticks and bars into a folder, the whole day into a store.

No order is ever sent: of the broker only its stream and its history are used.
"""

from __future__ import annotations

import datetime as dt
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from brokers.broker_store import BrokerStore, StreamState
from brokers.instance_lock import InstanceLock
from brokers.instrument import Instrument
from brokers.wire import BookOrder
from feeds.calendar import Session, TradingCalendar
from feeds.clock import Clock
from feeds.errors import BrokerError, DataError
from feeds.live_bars import LiveBars
from feeds.live_log import LiveLog
from feeds.market_events import StreamDown, StreamUp
from feeds.past_bars import PastBars
from feeds.record import BARS_FILE, DayRecord, RecordedDay
from feeds.show import print_line
from feeds.store.base import Appended, BarStore, FetchedSpan
from feeds.tick_bars import Tick
from strategies.tick_recorder import TickRecorder

__all__ = ["RecordDay", "RecordRequest"]

_TURN_SECONDS = 0.5
_FLUSH_SECONDS = 1.0
_FEW = 5


@dataclass(frozen=True, kw_only=True)
class RecordRequest:
    """What is recorded.

    Attributes
    ----------
    underlying : str
        Index; its near-month future is recorded, and stored under this name.
    bar_minutes : int
        Length of the bars, minutes.
    day : datetime.date
        The session.
    folder : pathlib.Path
        Where ticks and bars of the day are written; goes on there after a restart.
    store : BarStore
        Where the day goes when it is over and whole.
    keeps_partial : bool
        Store the day even if bars of it are missing or incomplete.
    idle_end_seconds : float or None
        With a clock that ticks set: seconds without a tick after which the day is over.
    """

    underlying: str
    bar_minutes: int
    day: dt.date
    folder: Path
    store: BarStore
    keeps_partial: bool = False
    idle_end_seconds: float | None = None


class RecordDay:
    """A day, ready to be recorded.

    Parameters
    ----------
    request : RecordRequest
        What is recorded.
    broker : BrokerStore
        Whose stream and history.
    calendar : TradingCalendar
        The sessions.
    clock : Clock
        The market's time.
    log : LiveLog
        Told what happens, every gap included.
    """

    def __init__(
        self,
        request: RecordRequest,
        broker: BrokerStore,
        calendar: TradingCalendar,
        clock: Clock,
        log: LiveLog,
    ) -> None:
        self._request = request
        self._broker = broker
        self._calendar = calendar
        self._clock = clock
        self._log = log
        self._stop_reason = ""
        self._stream_error: BaseException | None = None
        self._bars: LiveBars | None = None
        self._ticks: TickRecorder | None = None
        self._flushed_at = time.monotonic()

    def run(self) -> int:
        """Record until the session is over, or a signal ends it; return 0.

        Raises
        ------
        BrokerError
            If there is no session now, the broker cannot be asked or ends the stream for good, or another
            process records into the folder.
        DataError
            If the day is over but not whole, or contradicts what is stored; its files stay.
        """
        request = self._request
        session = self._session()
        user = self._broker.check_session()
        instrument = self._broker.find_contract(request.underlying, request.day)
        # Whoever cannot be reached now cannot be at the close either.
        request.store.coverage(request.underlying, request.bar_minutes)
        request.folder.mkdir(parents=True, exist_ok=True)
        lock = InstanceLock(request.folder / BARS_FILE, "the recording")
        try:
            self._log.info("recording", user=user, folder=str(request.folder), **instrument._asdict())
            print_line(
                f"recording {instrument.symbol} of {request.day} into {request.folder}, no orders; "
                f"until {session.close:%H:%M}, or Ctrl-C"
            )
            return self._record(session, instrument)
        finally:
            lock.release()

    def _session(self) -> Session:
        request = self._request
        session = self._calendar.session(request.day)
        if session is None:
            raise BrokerError(
                f"the exchange is closed on {request.day:%A %Y-%m-%d}, expected a trading day; start on one, "
                "or give the day's hours with --session"
            )
        if self._clock.now() >= session.close:
            raise BrokerError(
                f"the session of {request.day} closed at {session.close:%H:%M}, expected a start before "
                "that; bring the day in with `python -m feeds fetch`"
            )
        return session

    def _record(self, session: Session, instrument: Instrument) -> int:
        request = self._request
        history = self._broker.history(instrument)
        record = DayRecord(request.folder, session)
        self._ticks = TickRecorder(request.folder / "ticks.csv")
        # Before the stream opens: its ticks wait here and none is lost
        self._bars = LiveBars(
            calendar=self._calendar,
            bar_minutes=request.bar_minutes,
            clock=self._clock,
            history=history,
            warmup_bars=0,
            idle_end_seconds=request.idle_end_seconds,
            on_event=self._log.on_event,
        )
        try:
            with self._signals(), self._streaming(instrument):
                self._keep_bars(self._bars, record)
        finally:
            self._ticks.close()
            record.close()
        if self._stream_error is not None:
            raise self._stream_error
        if self._stop_reason:
            print_line(
                f"stopped by {self._stop_reason}; what was recorded is in {request.folder}, nothing was "
                "stored: start again today to go on"
            )
            return 0
        past = PastBars(self._calendar, request.bar_minutes, history)
        return self._store(self._finished(record, past))

    def _finished(self, record: DayRecord, past: PastBars) -> RecordedDay:
        try:
            return record.finish(past)
        except BrokerError as error:
            if not self._request.keeps_partial:
                raise BrokerError(
                    f"{error}: ticks were lost and history cannot be asked for their bars; nothing was "
                    f"stored, the recording lies in {self._request.folder}: fetch the day from the broker"
                ) from error
            self._log.warning("history_unreadable", error=str(error), instead="bars as ticks made them")
            return record.finish(past, asks=False)

    def _keep_bars(self, bars: LiveBars, record: DayRecord) -> None:
        bars.start()
        while True:
            live_bar = bars.next(_TURN_SECONDS)
            if live_bar is None:
                if bars.state == "OVER":
                    return
                continue
            if record.keep(live_bar):
                bar = live_bar.bar
                self._log.info(
                    "recorded", start=bar.start, close=bar.close, volume=bar.volume, complete=bar.complete,
                    origin=live_bar.origin,
                )  # fmt: skip

    # -- the stream, its threads -----------------------------------------------------------------

    @contextmanager
    def _streaming(self, instrument: Instrument) -> Iterator[None]:
        stream = self._broker.open_stream(
            [instrument],
            on_tick=self._on_tick,
            on_order_update=_ignore_order,
            on_unreadable_update=_ignore_update,
            on_state=self._on_state,
            on_error=self._end_with,
        )
        try:
            yield
        finally:
            stream.stop()

    def _on_tick(self, _: Instrument, tick: Tick) -> None:
        if self._ticks is not None:
            self._ticks.write(tick)
            if time.monotonic() - self._flushed_at >= _FLUSH_SECONDS:
                self._ticks.flush()
                self._flushed_at = time.monotonic()
        if self._bars is not None:
            self._bars.put(tick)

    def _on_state(self, state: StreamState) -> None:
        self._log.info("stream", state=state.state, reason=state.reason)
        if self._bars is None:
            return
        self._bars.put(StreamUp() if state.state == "up" else StreamDown(state.reason))
        if state.state == "refused":
            self._end_with(
                BrokerError(
                    f"{self._broker.name} ended the stream ({state.reason}), expected it to last the day; "
                    "log in and start again: the recording goes on"
                )
            )

    def _end_with(self, error: BaseException) -> None:
        self._stream_error = self._stream_error or error
        if self._bars is not None:
            self._bars.stop("the stream failed")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the recording in order; only the main thread can take them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_reason = signal.Signals(number).name
        if self._bars is not None:
            self._bars.stop(self._stop_reason)

    # -- the end ---------------------------------------------------------------------------------

    def _store(self, day: RecordedDay) -> int:
        request = self._request
        if not day.is_whole and not request.keeps_partial:
            raise DataError(
                f"the recording of {request.day} is not whole ({_holes(day)}), expected every bar of the "
                f"session; it was not stored and lies in {request.folder}: fetch the day from the broker, or "
                f"store it as it is with `python -m feeds import {request.folder / BARS_FILE} --instrument "
                f"{request.underlying}`"
            )
        # A whole day need not be fetched; and what was fetched could differ by what the network lost.
        span = FetchedSpan(self._broker.name.lower(), request.day, request.day) if day.is_whole else None
        done: Appended = request.store.append(
            request.underlying, request.bar_minutes, day.frame, fetched=span
        )
        holes = "" if day.is_whole else f"; not whole: {_holes(day)}"
        print_line(
            f"{request.underlying} {request.bar_minutes}minute of {request.day}: {done.added:,} bars stored, "
            f"{done.already_stored:,} already there, {day.from_history:,} of them from history{holes}"
        )
        return 0


def _holes(day: RecordedDay) -> str:
    named = ", ".join(f"{start:%H:%M}" for start in day.missing[:_FEW])
    rest = f" and {len(day.missing) - _FEW} more" if len(day.missing) > _FEW else ""
    bars = "1 bar" if len(day.missing) == 1 else f"{len(day.missing)} bars"
    missing = f"{bars} missing: {named}{rest}" if day.missing else "no bar missing"
    return f"{missing}; {day.incomplete} incomplete"


def _ignore_order(_: BookOrder) -> None:
    """Orders of the account are none of a recording's business."""


def _ignore_update(_: BrokerError) -> None:
    """Neither are those that cannot be read."""
