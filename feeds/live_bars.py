"""Bars as they happen: the past from history, then one bar after the other from ticks.

::

    FROM --start()--> BACKFILL --tick--> LIVE --stream lost--> GAP
                         ^                |                     |
                         +--bars missing--+--------tick---------+      each --the day is over--> OVER

What is lost while the stream is down comes from history and says so. No bar is delivered twice or before
an older one.
"""

from __future__ import annotations

import datetime as dt
import queue
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, Literal

from feeds.backfill import Backfill, BuiltBar, Resume
from feeds.bar_sequence import BarSequence, LiveBar, Origin
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock, ReplayClock
from feeds.market_events import MarketEvent, MinuteHistory, StreamDown, StreamUp
from feeds.past_bars import PastBars
from feeds.tick_bars import Bar, Tick, TickBarBuilder, TickCounts

__all__ = ["LiveBar", "LiveBars", "Origin", "State"]

State = Literal["FROM", "BACKFILL", "LIVE", "GAP", "OVER"]

_Item = tuple[MarketEvent, float] | Future[list[Bar]] | None  # None wakes the consumer

_MOST_EVENTS = 2000  # in one call, so that a flood of ticks cannot keep the caller


class LiveBars:
    """Turns the events of one instrument's stream into bars.

    :meth:`put`, :meth:`wake` and :meth:`stop` may be called from any thread, everything else from one.

    Parameters
    ----------
    calendar : TradingCalendar
        The sessions.
    bar_minutes : int
        Length of a bar in minutes.
    clock : Clock
        Time at the exchange. A :class:`~feeds.clock.ReplayClock` is set by the ticks, as they are handled.
    history : MinuteHistory
        Asked at the start and for lost bars; the latter on a thread of the executor.
    warmup_bars : int
        Bars wanted from before the start.
    close_grace_seconds : float
        A bar is closed by the clock this long after its end when ticks stay away. Unless the market
        pauses there it counts as incomplete: a stream that says nothing may be dead. Not used with a
        ReplayClock, where only ticks close bars.
    idle_end_seconds : float or None
        With a ReplayClock: seconds of ``monotonic`` without a tick after which the day is over.
    on_event : callable
        Told what happened, in the consumer's thread: name and fields that JSON can hold.
    monotonic : callable
        Seconds that pass at the speed of this machine.
    executor : concurrent.futures.Executor or None
        Runs the questions to history; by default a thread of its own for each.
    """

    def __init__(
        self,
        *,
        calendar: TradingCalendar,
        bar_minutes: int,
        clock: Clock,
        history: MinuteHistory,
        warmup_bars: int,
        close_grace_seconds: float = 2.0,
        idle_end_seconds: float | None = None,
        on_event: Callable[[str, dict[str, Any]], None],
        monotonic: Callable[[], float] = time.monotonic,
        executor: Executor | None = None,
    ) -> None:
        self._calendar = calendar
        self._clock = clock
        self._replayed = clock if isinstance(clock, ReplayClock) else None
        self._grace_seconds = close_grace_seconds
        self._idle_end_seconds = idle_end_seconds
        self._on_event = on_event
        self._monotonic = monotonic
        self._past = PastBars(calendar, bar_minutes, history)
        self._builder = TickBarBuilder(calendar, bar_minutes, cumulative=True)
        self._sequence = BarSequence(on_event)
        self._inbox: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._held: deque[tuple[MarketEvent, float]] = deque()
        self._state: State = "FROM"
        self._backfill = Backfill(
            self._past,
            self._sequence,
            warmup_bars=warmup_bars,
            executor=executor,
            on_answer=self._inbox.put,
            on_event=on_event,
        )
        self.turned_at = time.monotonic()
        self._day: dt.date | None = None
        self._resume: Resume | None = None
        self._down_at: dt.datetime | None = None
        self._was_up = False
        self._last_heard = monotonic()
        self._stop_reason: str | None = None
        self._end_reason: str | None = None

    @property
    def state(self) -> State:
        """Where in the day the bars are; OVER: no bar will follow those that are ready."""
        return self._state

    @property
    def counts(self) -> TickCounts:
        """What became of the ticks."""
        return self._builder.counts

    @property
    def has_ready(self) -> bool:
        """Whether :meth:`next` would answer with a bar at once."""
        return bool(self._sequence.ready)

    def start(self) -> None:
        """Read the warm-up: bars that closed before now. Does nothing the second time.

        History that cannot be read is an event; it is asked again when the first tick comes, and when
        the first bar closes.

        Raises
        ------
        DataError
            The calendar cannot answer for today.
        """
        if self._state != "FROM":
            return
        self._state = "BACKFILL"
        if self._replayed is None:
            self._day = self._clock.now().astimezone(IST).date()
        self._last_heard = self._monotonic()
        self._resume = self._backfill.read_warmup(self._past.frontier(self._clock.now()))

    # -- any thread ------------------------------------------------------------------------------

    def put(self, event: MarketEvent) -> None:
        """Hand over an event of the stream; never blocks, and wakes a waiting :meth:`next`."""
        self._inbox.put((event, time.perf_counter()))

    def wake(self) -> None:
        """Let a waiting :meth:`next` return at once, with None when no bar is ready."""
        self._inbox.put(None)

    def stop(self, reason: str) -> None:
        """End at once: bars that are ready, and ticks that wait, are not delivered any more."""
        self._stop_reason = reason
        self.wake()

    # -- the consumer ----------------------------------------------------------------------------

    def next(self, timeout_seconds: float) -> LiveBar | None:
        """Return the next bar, waiting at most ``timeout_seconds`` for it.

        Returns
        -------
        LiveBar or None
            None when there is none yet; when :attr:`state` is ``OVER``, for good.
        """
        self.turned_at = time.monotonic()
        deadline = self.turned_at + timeout_seconds
        for _ in range(_MOST_EVENTS):
            if self._stop_reason is not None:
                self._sequence.ready.clear()
                self._end(self._stop_reason)
            if self._is_settled:
                break
            if self._held and not self._backfill.is_waiting:
                self._handle(*self._held.popleft())
                continue
            item = self._take_from_inbox(deadline)
            if isinstance(item, Future):
                self._resume = self._backfill.settle(item) or self._resume
            elif item is None:
                if self._stop_reason is None:
                    break
            elif self._backfill.is_waiting:
                self._held.append(item)
            else:
                self._handle(*item)
        return self._sequence.ready.popleft() if self._sequence.ready else None

    @property
    def _is_settled(self) -> bool:
        return bool(self._sequence.ready) or self._state == "OVER"

    def _take_from_inbox(self, deadline: float) -> _Item:
        """Return what waits, else what comes until the deadline; None when nothing does, or time tells."""
        try:
            return self._inbox.get_nowait()
        except queue.Empty:
            self._time_passes()
        if self._is_settled:
            return None
        try:
            return self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def _handle(self, event: MarketEvent, received: float) -> None:
        if isinstance(event, Tick):
            self._last_heard = self._monotonic()
            self._take(event, received)
        elif isinstance(event, StreamUp):
            self._stream_up()
        elif isinstance(event, StreamDown):
            self._stream_down(event.reason)
        else:
            self._wind_up(event.reason)

    def _take(self, tick: Tick, received: float) -> None:
        frontier = self._sequence.frontier
        if frontier is not None and tick.time < frontier:
            # The first message after a subscription may be the close of another day
            self._builder.counts.late += 1
            return
        if self._day is not None and tick.time.astimezone(IST).date() > self._day:
            return  # the machine has slept over the night: another day is not this one's
        if not tick.is_believable:
            self._builder.add(tick)
            return
        if self._replayed is not None:
            self._replayed.set(tick.time)
        open_end = self._builder.open_end
        if open_end is None or tick.time >= open_end:
            if not self._reach(tick.time, received):
                self._held.appendleft((tick, received))
                return
            self._resume_at(tick)
        self._state, self._was_up, self._down_at = "LIVE", True, None
        self._builder.add(tick)

    def _reach(self, moment: dt.datetime, received: float) -> bool:
        """Close what ended before ``moment``; return False while bars before it are being asked for."""
        reached = self._past.frontier(moment)
        self._close_bar(reached, received)
        backfill = self._backfill
        if not backfill.is_waiting and backfill.owes(reached) and not backfill.has_asked(reached):
            self._ask(reached, is_last=False)
        return not backfill.is_waiting

    def _close_bar(self, reached: dt.datetime, received: float) -> None:
        end = self._builder.open_end
        if end is None:
            return
        for bar in self._builder.advance(end):
            if self._state == "GAP":
                self._backfill.keep(bar)
                continue
            # With whole bars missing after it, its own last ticks may be missing too
            is_torn = bool(self._past.bins(bar.end, reached))
            self._offer(bar._replace(complete=bar.complete and not is_torn), received)

    def _offer(self, bar: Bar, received: float) -> None:
        built = BuiltBar(bar, received, self._builder.day_quantity)
        if self._backfill.owes(bar.start):
            self._ask(bar.start, is_last=True, built=built)
        else:
            self._backfill.deliver(built)

    def _ask(self, before: dt.datetime, *, is_last: bool, built: BuiltBar | None = None) -> None:
        self._backfill.ask(before, is_last=is_last, lost_ticks=self._state == "GAP", built=built)
        self._state = "BACKFILL"

    def _resume_at(self, tick: Tick) -> None:
        if self._resume is None:
            return
        start, quantity, gap = self._resume
        self._resume = None
        if quantity is not None and quantity > tick.quantity:
            quantity = None  # history and stream count differently
        self._builder.resume(start, quantity, gap=gap)

    def _stream_up(self) -> None:
        self._on_event("stream_up", {})
        self._was_up = True
        if self._replayed is None:
            now = self._clock.now()
            if self._past.is_trading_time(self._down_at or now, now):
                self._builder.mark_gap()

    def _stream_down(self, reason: str) -> None:
        self._on_event("stream_down", {"reason": reason})
        if not self._was_up:  # it never was up: nothing is lost that the builder does not know
            return
        self._state = "GAP"
        self._down_at = self._down_at or self._clock.now()
        if self._replayed is not None or self._builder.open_end is not None:
            self._builder.mark_gap()

    # -- time ------------------------------------------------------------------------------------

    def _time_passes(self) -> None:
        if self._backfill.is_waiting:
            return
        now = self._clock.now()
        silent_seconds = self._monotonic() - self._last_heard
        if self._replayed is None:
            now -= dt.timedelta(seconds=self._grace_seconds)
            if self._state == "LIVE" and silent_seconds >= self._grace_seconds:
                self._close_by_clock(now)
        elif self._idle_end_seconds is not None and silent_seconds >= self._idle_end_seconds:
            self._wind_up(f"no tick for {silent_seconds:.0f} s")
        if self._backfill.is_waiting or self._sequence.ready:
            return
        if self._end_reason is not None:
            self._end(self._end_reason)
        else:
            self._end_with_session(now)

    def _close_by_clock(self, now: dt.datetime) -> None:
        for bar in self._builder.advance(now):
            market_goes_on = self._past.bin_of(bar.end) is not None
            self._offer(bar._replace(complete=bar.complete and not market_goes_on), time.perf_counter())

    def _end_with_session(self, now: dt.datetime) -> None:
        session = self._calendar.session(self._day or now.astimezone(IST).date())
        if self._replayed is not None and (session is None or self._state in ("FROM", "BACKFILL")):
            return  # where only ticks say what day it is, the first one has to come
        if session is None:
            self._end("the exchange is closed today")
        elif now >= session.close:
            self._close_bar(session.close, time.perf_counter())
            if self._backfill.is_waiting or self._sequence.ready:
                return
            if self._sequence.frontier is not None and self._backfill.owes(session.close):
                self._ask(session.close, is_last=True)
            else:
                self._end("the session has closed")

    def _wind_up(self, reason: str) -> None:
        """End once everything is delivered; the last bar of a session needs no tick after it."""
        end = self._builder.open_end
        if self._state == "LIVE" and end is not None and self._past.bin_of(end) is None:
            self._close_bar(end, time.perf_counter())
        self._end_reason = self._end_reason or reason

    def _end(self, reason: str) -> None:
        if self._state == "OVER":
            return
        self._state = "OVER"
        self._on_event("market_over", {"reason": reason})
