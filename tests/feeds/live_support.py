"""A made-up market for the tests of live bars: minutes, the ticks they came from, and a history of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import pandas as pd

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError
from feeds.live_bars import LiveBar, LiveBars
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.tick_bars import Bar, Tick, frame_from_bars

CALENDAR = TradingCalendar()
MINUTES = make_bars(SyntheticSettings(sessions=12, seed=5), CALENDAR)
DAY = MINUTES.index[-1].date()
SESSION = CALENDAR.session(DAY)
TODAY = MINUTES[MINUTES.index >= pd.Timestamp(SESSION.open)]


def at(text: str, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(text), tzinfo=IST)


def ticks_of(minutes: pd.DataFrame) -> list[Tick]:
    """Four ticks a minute whose bars are exactly these minutes; quantities cumulative within the day."""
    ticks: list[Tick] = []
    day, total = None, 0.0
    for start, row in zip(minutes.index, minutes.itertuples(), strict=True):
        if start.date() != day:
            day, total = start.date(), 0.0
        shares = (row.volume // 4, row.volume // 4, row.volume // 4, row.volume - 3 * (row.volume // 4))
        inside = (row.low, row.high) if row.close >= row.open else (row.high, row.low)
        prices = (row.open, *inside, row.close)
        for second, price, share in zip((0, 20, 40, 59), prices, shares, strict=True):
            total += share
            time = start.to_pydatetime().astimezone(IST) + dt.timedelta(seconds=second)
            ticks.append(Tick(time, price, total, row.open_interest))
    return ticks


def closing_tick(ticks: Sequence[Tick]) -> Tick:
    return ticks[-1]._replace(time=SESSION.close)


class History:
    """Minutes of the past; fails as often as told."""

    def __init__(self, minutes: pd.DataFrame = MINUTES, failures: int = 0) -> None:
        self.frame = minutes
        self.failures = failures
        self.asked: list[tuple[dt.datetime, dt.datetime]] = []

    def minutes(self, first: dt.datetime, last: dt.datetime) -> pd.DataFrame:
        self.asked.append((first, last))
        if self.failures:
            self.failures -= 1
            raise BrokerError("history is away")
        return self.frame[(self.frame.index >= first) & (self.frame.index <= last)]


class Inline(Executor):
    """Runs a job where it is submitted."""

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(job(*arguments, **named))
        except BrokerError as error:
            future.set_exception(error)
        return future


class Later(Executor):
    """Runs jobs when told."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, job: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: job(*arguments, **named)))
        return future

    def run(self) -> None:
        future, job = self.jobs.pop(0)
        future.set_result(job())


class HandClock:
    """A wall clock that is moved by hand, and the monotonic seconds that go with it."""

    def __init__(self, start: dt.datetime) -> None:
        self.time = start
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    def to(self, text: str) -> None:
        later = at(text)
        self.seconds += (later - self.time).total_seconds()
        self.time = later


class Scripted:
    """Live bars with everything around them, and what they told."""

    def __init__(
        self,
        clock: ReplayClock | HandClock,
        *,
        history: History | None = None,
        bar_minutes: int = 3,
        warmup_bars: int = 50,
        starts: bool = True,
        **options: Any,
    ) -> None:
        self.history = history or History()
        self.events: list[tuple[str, dict[str, Any]]] = []
        if isinstance(clock, HandClock):
            options.setdefault("monotonic", clock.monotonic)
        options.setdefault("executor", Inline())
        self.bars = LiveBars(
            calendar=CALENDAR, bar_minutes=bar_minutes, clock=clock, history=self.history,
            warmup_bars=warmup_bars, on_event=self._on_event, **options,
        )  # fmt: skip
        self.warmup: list[LiveBar] = []
        if starts:
            self.bars.start()
            self.warmup = self.drain()

    def _on_event(self, name: str, facts: dict[str, Any]) -> None:
        self.events.append((name, facts))

    def drain(self) -> list[LiveBar]:
        """Take bars until none comes."""
        taken = []
        while (bar := self.bars.next(0.0)) is not None:
            taken.append(bar)
        return taken

    def put(self, *events: Any) -> list[LiveBar]:
        """Hand the events over one by one; return the bars they gave."""
        taken = []
        for event in events:
            self.bars.put(event)
            taken += self.drain()
        return taken

    def told(self, name: str) -> list[dict[str, Any]]:
        return [facts for found, facts in self.events if found == name]


def offline(minutes: pd.DataFrame = TODAY, bar_minutes: int = 3) -> pd.DataFrame:
    return aggregate(minutes, bar_minutes, CALENDAR)


def framed(bars: Sequence[LiveBar | Bar]) -> pd.DataFrame:
    return frame_from_bars([bar.bar if isinstance(bar, LiveBar) else bar for bar in bars])


def starts(bars: Sequence[LiveBar]) -> list[str]:
    return [f"{bar.bar.start:%H:%M}" for bar in bars]
