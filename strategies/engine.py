"""Cerebro that visits only the bars on which something can happen.

A strategy may declare on which bars it can act; the broker knows which bar can fill a working order.
Between those bars nothing changes, so the engine jumps. The result is the same as visiting every bar:
tests hold the two equal, and ``verify=True`` visits every bar and fails if a bar that would have been
skipped did anything.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import backtrader as bt

from brokers.simulated import SimulatedBroker
from feeds.errors import MuhuratError
from strategies.base import IntradayStrategy
from strategies.lanes import Lane, advance, ask, every_moment

__all__ = ["Engine", "SkippedBarError"]

_PROGRESS_BARS = 4096


class SkippedBarError(MuhuratError):
    """A bar that the engine would have skipped changed something: a declaration of the strategy is wrong."""


class Engine(bt.Cerebro):
    """Cerebro for a broker that knows its next active bar, and one strategy for each feed.

    Of several feeds the first strategy has the first, the second the second, and none sees another's:
    Cerebro would have each wait until every feed has a bar, and ask it on the bars of all.

    Parameters
    ----------
    skip : bool
        Jump over bars on which nothing can happen. Observers, analyzers, writers and timers need every
        bar: where any is attached, every bar is visited. A strategy that declares no entry bars is asked
        on every bar while flat, one that declares no exit bars on every bar while it holds a position.
    verify : bool
        Visit every bar and raise :class:`SkippedBarError` where a jump would have been wrong.
    on_progress : callable or None
        Called now and then with the number of bars done.
    """

    params: ClassVar[Any] = (("stdstats", False),)  # observers need every bar, and the report has its own

    def __init__(
        self,
        *,
        skip: bool = True,
        verify: bool = False,
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        super().__init__()
        self.strats: list[Any] = []  # as Cerebro's, with a type
        self._skip = skip
        self._verify = verify
        self._on_progress = on_progress

    def run(self, **parameters: Any) -> Any:  # noqa: ANN401 # Cerebro's own
        """Run as Cerebro does: over history without pauses for garbage collection, live as things happen."""
        if len(self.datas) > 1:
            self._give_each_its_feed()
        if any(data.islive() for data in self.datas):
            with _old_objects_set_aside():
                # A fill between two bars must not wait for the next one
                return super().run(**{"quicknotify": True, **parameters})
        with _no_garbage_collection():
            return super().run(**parameters)

    def _runonce(self, runstrats: list[Any]) -> None:
        if not (self._skip or self._verify) or self._needs_every_bar(runstrats):
            super()._runonce(runstrats)
            return
        lanes = [Lane(strategy, data) for strategy, data in zip(runstrats, self.datas, strict=True)]
        for lane in lanes:
            lane.prepare()
        strategy = runstrats[0]
        if len(lanes) > 1:
            self._visit_lanes(lanes)
        elif self._verify:
            self._visit_all(strategy)
        else:
            self._visit_active(strategy)

    def _needs_every_bar(self, runstrats: list[Any]) -> bool:
        """Whether anything attached looks at every bar, or does not say on which it acts."""
        if len(runstrats) != len(self.datas) or not isinstance(self._broker, SimulatedBroker):
            return True
        return bool(
            self.runwriters
            or self._timers
            or self._timerscheat
            or self.p.cheat_on_open
            or any(
                not isinstance(strategy, IntradayStrategy)
                or strategy.p.on_bar is not None
                or len(strategy.analyzers)
                or len(strategy.observers)
                for strategy in runstrats
            )
        )

    def _give_each_its_feed(self) -> None:
        if len(self.strats) != len(self.datas):
            raise MuhuratError(
                f"the engine has {len(self.strats)} strategies on {len(self.datas)} feeds, "
                "expected one for each; add them together"
            )
        self.strats = [
            [(_on_feed(strategy, data), arguments, parameters)]
            for [(strategy, arguments, parameters)], data in zip(self.strats, self.datas, strict=True)
        ]

    def _visit_lanes(self, lanes: list[Lane]) -> None:
        """Go from moment to moment at which a feed can act; all feeds stand at their last bar up to it."""
        moments = every_moment(lanes) if self._verify else None
        done = reported = 0
        while True:
            ahead = min(lane.next_active_time(self._broker) for lane in lanes)
            now = ahead if moments is None else next(moments, math.inf)
            if now == math.inf:
                break
            before = self._broker.events
            arrived = [lane for lane in lanes if lane.advance_to(now)]
            self._brokernotify()
            for lane in lanes:
                lane.visit(has_new_bar=lane in arrived)
            if now < ahead and self._broker.events != before:
                raise SkippedBarError(
                    f"{bt.num2date(now):%Y-%m-%d %H:%M} would have been skipped, but orders changed on it; "
                    f"declare the bar in {type(lanes[0].strategy).__name__}.entry_bars() or exit_bars(), or "
                    "return None there to visit every bar"
                )
            done = sum(lane.bar + 1 for lane in lanes)
            if self._on_progress is not None and done - reported >= _PROGRESS_BARS:
                self._on_progress(done)
                reported = done
        for lane in lanes:
            lane.advance_to(math.inf)

    def _visit_active(self, strategy: Any) -> None:  # noqa: ANN401 # a backtrader strategy
        data = self.datas[0]
        bars = data.buflen()
        bar = -1
        reported = 0
        while True:
            ahead = min(self._broker.next_active_bar(data, bar), strategy.next_acting_bar(bar))
            if ahead >= bars:
                break
            self._visit(strategy, data, ahead - bar)
            bar = ahead
            if self._on_progress is not None and bar - reported >= _PROGRESS_BARS:
                self._on_progress(bar)
                reported = bar
        if bar < bars - 1:
            advance(strategy, data, bars - 1 - bar)

    def _visit_all(self, strategy: Any) -> None:  # noqa: ANN401 # a backtrader strategy
        data = self.datas[0]
        journal = self._broker.journal
        for bar in range(data.buflen()):
            ahead = min(self._broker.next_active_bar(data, bar - 1), strategy.next_acting_bar(bar - 1))
            before = len(journal.events)
            self._visit(strategy, data, 1)
            if bar < ahead and len(journal.events) != before:
                raise SkippedBarError(
                    f"bar {bar} ({data.closed_at():%Y-%m-%d %H:%M}) would have been skipped, but "
                    f"{journal.events[before]} happened on it; declare the bar in {type(strategy).__name__}."
                    "entry_bars() or exit_bars(), or return None there to visit every bar"
                )

    def _visit(self, strategy: Any, data: Any, bars: int) -> None:  # noqa: ANN401 # backtrader objects
        """Do what Cerebro does on one bar, ``bars`` further on."""
        advance(strategy, data, bars)
        self._brokernotify()
        ask(strategy)


def _on_feed(strategy: Callable[..., Any], feed: Any) -> Callable[..., Any]:  # noqa: ANN401 # a backtrader feed
    def make(*feeds: Any, **parameters: Any) -> Any:  # noqa: ANN401 # backtrader's; a strategy
        del feeds
        return strategy(feed, **parameters)

    return make


@contextmanager
def _old_objects_set_aside() -> Iterator[None]:
    """Have garbage collection look at new objects only.

    A full one looks at every object of every library and stops all threads for a tenth of a second, which may
    be the one in which an order goes out.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Suspend cyclic garbage collection: a run makes many small objects and frees them by reference count."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
