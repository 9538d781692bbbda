"""A broker's history made of bars, for the tests of fetching."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pandas as pd

from feeds.bars import BAR_COLUMNS, aggregate
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from feeds.contracts import expiry_of
from feeds.fetch.plan import Request
from feeds.fetch.run import Fetched, fetch
from feeds.fetch.wanted import Wanted
from feeds.sources.history import FutureKey, HistoryKey, choose_span
from tests.feeds.frames import day_frame

CALENDAR = TradingCalendar()
LATER = dt.datetime(2026, 10, 23, 20, 0, tzinfo=IST)
"""A moment after the days that are fetched."""


def minutes_of(first: str, last: str, **changes: Any) -> pd.DataFrame:
    """Return whole sessions of 1-minute bars."""
    days = CALENDAR.sessions(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    frames = [day_frame(f"{one.date}", one.minutes, start=f"{one.open:%H:%M}") for one in days]
    return pd.concat(frames).assign(**changes)


class BarHistory:
    """Answers from 1-minute bars, whatever the key; counts what it is asked."""

    name = "kite"
    advice = "take another way"

    def __init__(self, bars: pd.DataFrame, *, now: dt.datetime | None = LATER, span_days: int = 100) -> None:
        self.bars = bars
        self.now = now
        self.asked: list[tuple[HistoryKey, dt.date, dt.date]] = []
        self.months: list[str] = []
        self.fails_at: dict[int, BaseException] = {}
        self._spans = {1: min(60, span_days), 3: span_days}

    def server_time(self) -> dt.datetime | None:
        return self.now

    def longest_span(self, bar_minutes: int) -> dt.timedelta:
        return choose_span(self._spans, bar_minutes, "Kite")

    def candles(
        self, key: HistoryKey, bar_minutes: int, first: dt.datetime, last: dt.datetime
    ) -> pd.DataFrame:
        assert last - first < self.longest_span(bar_minutes)
        self.asked.append((key, first.date(), last.date()))
        if len(self.asked) in self.fails_at:
            raise self.fails_at[len(self.asked)]
        part = self.bars[(self.bars.index >= first) & (self.bars.index <= last)]
        return self.answer(aggregate(part, bar_minutes, CALENDAR) if len(part) else part)

    def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[list(BAR_COLUMNS)]

    def futures(self, underlying: str, first: dt.date, last: dt.date) -> Sequence[FutureKey]:
        return [
            FutureKey(number, f"{underlying}{month}", expiry_of(underlying, month, CALENDAR))
            for number, month in enumerate(self.months, start=1)
        ]

    def index_key(self, underlying: str) -> HistoryKey:
        return 256265


def wanted(first: str, last: str, **changes: Any) -> Wanted:
    """Return the index in 3-minute bars, unless said otherwise."""
    given = {"underlying": "NIFTY", "bar_minutes": 3, "is_index": True, **changes}
    return Wanted(first=dt.date.fromisoformat(first), last=dt.date.fromisoformat(last), **given)


def run_fetch(what: Wanted, source: BarHistory, store: Any, **options: Any) -> Fetched:
    quiet = {"sleep": lambda _: None, "make_progress": lambda _: nullcontext(lambda _: None)}
    return fetch(what, source, store, CALENDAR, clock=ReplayClock(LATER), **{**quiet, **options})


def request_of(first: str, last: str) -> Request:
    days = CALENDAR.sessions(dt.date.fromisoformat(first), dt.date.fromisoformat(last))
    return Request(1, "NIFTY", tuple(one.date for one in days))
