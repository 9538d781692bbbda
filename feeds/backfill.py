"""Fills what ticks did not bring with bars of history: the warm-up, and what a gap took."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from feeds.bar_sequence import BarSequence
from feeds.errors import BrokerError, DataError
from feeds.past_bars import PastBars
from feeds.tick_bars import Bar

__all__ = ["Backfill", "BuiltBar", "Resume"]


class BuiltBar(NamedTuple):
    """A bar built from ticks that is ready for delivery.

    Attributes
    ----------
    bar : Bar
        The bar.
    received : float
        ``time.perf_counter`` when the tick that closed it arrived, seconds.
    day_quantity : float or None
        Cumulative units of the day at its end.
    """

    bar: Bar
    received: float
    day_quantity: float | None


class Resume(NamedTuple):
    """How the bar builder goes on after bars that came from history; see ``TickBarBuilder.resume``."""

    start: dt.datetime
    day_quantity: float | None
    gap: bool


class _Request(NamedTuple):
    # Bars from `after` (None: the warm-up) to `before`; `built` waits until it is settled what precedes it.
    after: dt.datetime | None
    before: dt.datetime
    is_last: bool
    lost_ticks: bool
    built: BuiltBar | None


class Backfill:
    """Asks history aside, one request at a time, and delivers in order.

    Parameters
    ----------
    past : PastBars
        Reads history.
    sequence : BarSequence
        Where the bars go.
    warmup_bars : int
        Bars wanted from before the start.
    executor : concurrent.futures.Executor or None
        Runs the questions; by default a thread of its own for each.
    on_answer : callable
        Called when an answer is there, on the thread that asked; has :meth:`settle` called by the consumer.
    on_event : callable
        Told what happened, in the consumer's thread.
    """

    def __init__(
        self,
        past: PastBars,
        sequence: BarSequence,
        *,
        warmup_bars: int,
        executor: Executor | None,
        on_answer: Callable[[Future[list[Bar]]], None],
        on_event: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self._past = past
        self._sequence = sequence
        self._warmup_bars = warmup_bars
        self._executor = executor
        self._on_answer = on_answer
        self._on_event = on_event
        self._request: _Request | None = None
        self._asked_before: dt.datetime | None = None
        self._cut_off: list[Bar] = []

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is being waited for."""
        return self._request is not None

    def read_warmup(self, before: dt.datetime) -> Resume | None:
        """Read the warm-up at once, in this thread; None when history cannot be read, which is told."""
        try:
            bars = self._past.last(self._warmup_bars, before)
        except (BrokerError, DataError) as error:
            self._tell_unreadable(error, None, before)
            return None
        self._take_warmup(bars, before)
        return Resume(before, self._sequence.quantity_on(before.date()), gap=False)

    def owes(self, before: dt.datetime) -> bool:
        """Whether a bar that closed by ``before`` was neither delivered nor given up."""
        after = self._sequence.frontier
        return after is None or bool(self._past.bins(after, before))

    def has_asked(self, before: dt.datetime) -> bool:
        """Whether the newest question was the one for what closed by ``before``."""
        return self._asked_before == before

    def keep(self, bar: Bar) -> None:
        """Keep a bar that a gap cut off; it is delivered if history has nothing better."""
        self._cut_off.append(bar)

    def deliver(self, built: BuiltBar) -> None:
        """Deliver a bar built from ticks."""
        self._sequence.add(built.bar, "ticks", built.received)
        self._sequence.set_quantity(built.day_quantity)

    def ask(
        self, before: dt.datetime, *, is_last: bool, lost_ticks: bool, built: BuiltBar | None = None
    ) -> None:
        """Ask for what is owed from before ``before``.

        Parameters
        ----------
        before : datetime
            Where the next bar from ticks starts, or the session's close.
        is_last : bool
            Give up what cannot be read now. Otherwise it stays owed.
        lost_ticks : bool
            The stream was down: the next bar has lost ticks too.
        built : BuiltBar or None
            Delivered after what is owed.
        """
        after = self._sequence.frontier
        self._asked_before = before
        self._request = _Request(after, before, is_last, lost_ticks, built)
        executor = self._executor or ThreadPoolExecutor(1, thread_name_prefix="history")
        if after is None:
            answer = executor.submit(self._past.last, self._warmup_bars, before)
        else:
            answer = executor.submit(self._past.between, after, before)
        answer.add_done_callback(self._on_answer)
        if executor is not self._executor:
            executor.shutdown(wait=False)

    def settle(self, answer: Future[list[Bar]]) -> Resume | None:
        """Deliver what history answered; return how the builder goes on, None when it simply does.

        Raises
        ------
        Exception
            Whatever history raised, but for BrokerError and DataError: those are told.
        """
        if self._request is None:
            return None
        (after, before, is_last, lost_ticks, built), self._request = self._request, None
        bars: list[Bar] | None = None
        try:
            bars = answer.result()
        except (BrokerError, DataError) as error:
            self._tell_unreadable(error, after, before)
            if not is_last:
                return Resume(before, None, gap=lost_ticks or after is not None)
        if after is None:
            self._take_warmup(bars or [], before)
        else:
            self._take_lost(bars, after, before)
        if bars is None:
            self._sequence.set_quantity(None)
        if built is not None:
            self.deliver(built)
            return None
        # Bars of the warm-up were never expected from ticks: whether the next one is whole, the builder knows
        was_traded = after is not None and any(bar.volume > 0 for bar in bars or ())
        return Resume(before, self._sequence.quantity_on(before.date()), gap=lost_ticks or was_traded)

    def _take_warmup(self, bars: list[Bar], before: dt.datetime) -> None:
        for bar in bars:
            self._sequence.add(bar, "warmup")
        self._sequence.reach(before)
        is_short = len(bars) < self._warmup_bars
        self._on_event("warmup_short" if is_short else "warmup", {"wanted": self._warmup_bars, **_told(bars)})

    def _take_lost(self, bars: list[Bar] | None, after: dt.datetime, before: dt.datetime) -> None:
        """Deliver in order what history has, or what ticks had if that is more; report the rest."""
        found = {bar.start: bar for bar in bars or ()}
        cut_off = {bar.start: bar for bar in self._cut_off}
        self._cut_off.clear()
        missing = []
        for lost in self._past.bins(after, before):
            past, built = found.get(lost.start), cut_off.get(lost.start)
            # Minutes that have just ended may not be in history yet: who counted more units saw more
            if past is not None and (built is None or built.volume <= past.volume):
                self._sequence.add(past, "backfill")
            elif built is not None:
                self._sequence.add(built, "ticks")
            else:
                missing.append(lost.start.isoformat())
        self._sequence.reach(before)
        if bars:
            self._on_event("backfill", _told(bars))
        if missing:
            why = "history could not be read" if bars is None else "history has no trade in them"
            self._on_event("bars_missing", {"bars": len(missing), "starts": missing, "reason": why})

    def _tell_unreadable(
        self, error: BrokerError | DataError, after: dt.datetime | None, before: dt.datetime
    ) -> None:
        asked = {"from": after and after.isoformat(), "to": before.isoformat()}
        self._on_event("history_unreadable", {"error": str(error), **asked})


def _told(bars: list[Bar]) -> dict[str, Any]:
    span = {"first": bars[0].start.isoformat(), "last": bars[-1].start.isoformat()} if bars else {}
    return {"bars": len(bars), **span}
