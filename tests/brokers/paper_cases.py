"""A paper day in a test: a feed that moves the clock, breaks off, and begins again over the same book."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import backtrader as bt
import pandas as pd

from brokers.journal import Journal
from brokers.paper import PaperBroker
from brokers.paper_book import PaperBook
from brokers.risk.gate import RiskGate
from brokers.settings import make_rules
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from feeds.history import HistoryFeed, make_history_feed
from feeds.terms import DatedTerms
from strategies.assembly import assemble, make_execution
from strategies.settings import Settings
from tests.support import DAY

EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 # the exchange's wall clock is kept naive
Idle = tuple[dt.datetime, Callable[[PaperBroker], None] | None]


class BrokenError(Exception):
    """The process ended here."""


class ClockedFeed(HistoryFeed):
    """Bars that closed before the start come at once, incomplete; each later one moves the clock.

    ``idle`` holds moments at which no bar comes but the loop turns, with what somebody asks of the broker
    then; ``breaks_after`` bars (None: never) the process ends.
    """

    lines: ClassVar[Any] = ("signal", "atr")
    params: ClassVar[Any] = (("clock", None), ("idle", ()), ("breaks_after", None), ("broker", None))

    def start(self):
        super().start()
        self._started_at = self.p.clock.now()
        self._idle = list(self.p.idle)

    def _load(self):
        bar, clock = self._next_bar, self.p.clock
        if bar == self.p.breaks_after:
            raise BrokenError
        closes = self.p.closed_us
        close = at_ist(EPOCH + dt.timedelta(microseconds=int(closes[bar]))) if bar < len(closes) else None
        if self._idle and (close is None or self._idle[0][0] < close):
            moment, action = self._idle.pop(0)
            clock.set(moment)
            if action is not None:
                action(self.p.broker)
            return None
        if not super()._load():
            return False
        if close <= self._started_at:
            self.lines.complete[0] = 0.0
        clock.set(close)
        return True


class Played(NamedTuple):
    """What is left of a run."""

    journal: Journal
    broker: PaperBroker
    strategy: Any


def at_ist(time: dt.datetime) -> dt.datetime:
    return time.replace(tzinfo=IST)


def at(text: str, day: dt.date = DAY) -> dt.datetime:
    """Return a time of the exchange, ``HH:MM`` or ``HH:MM:SS``."""
    return dt.datetime.combine(day, dt.time.fromisoformat(text), IST)


def square_off_at(day: dt.date) -> dt.datetime:
    return at("15:21", day)


def make_broker(
    settings: Settings, book: PaperBook, clock: ReplayClock, journal: Journal, **options: Any
) -> PaperBroker:
    cash = settings.broker.starting_cash
    return PaperBroker(
        cash=cash,
        execution=make_execution(settings, DatedTerms(settings.market, TradingCalendar())),
        gate=RiskGate(make_rules(settings.risk), cash, options.pop("seat", None)),
        journal=journal,
        book=book,
        clock=clock,
        bar_seconds=settings.data.bar_minutes * 60.0,
        **{"square_off_at": square_off_at, "square_off_grace_seconds": 30.0, **options},
    )


def play(
    frame: pd.DataFrame,
    settings: Settings,
    path: Path,
    *,
    start: dt.datetime | None = None,
    idle: Sequence[Idle] = (),
    breaks_after: int | None = None,
    strategy: type[bt.Strategy] | None = None,
    make_book: Callable[[Path], PaperBook] = PaperBook,
    on_end: Callable[[PaperBroker], None] | None = None,
    **options: Any,
) -> Played:
    """Run one process' life of a paper account; a broken one leaves the book as a crash does."""
    calendar = TradingCalendar()
    clock = ReplayClock(start or at("09:14"))
    journal, book = Journal(), make_book(path)
    try:
        broker = make_broker(settings, book, clock, journal, **options)
        bar_minutes = settings.data.bar_minutes
        plain = make_history_feed(
            frame, close_times(pd.DatetimeIndex(frame.index), bar_minutes, calendar),
            name=settings.market.instrument, bar_minutes=bar_minutes,
        )  # fmt: skip
        feed = ClockedFeed(
            columns=plain.p.columns, opened_us=plain.p.opened_us, closed_us=plain.p.closed_us,
            name=plain._name, timeframe=bt.TimeFrame.Minutes, compression=bar_minutes,
            clock=clock, idle=idle, breaks_after=breaks_after, broker=broker,
        )  # fmt: skip
        engine = assemble(
            settings, calendar, feed=feed, broker=broker, terms=DatedTerms(settings.market, calendar)
        )
        if strategy is not None:
            engine.strats.clear()
            engine.addstrategy(strategy)
        with contextlib.suppress(BrokenError):
            engine.run(preload=False, runonce=False)
        if on_end is not None:
            on_end(broker)
    finally:
        book.close()
    return Played(journal, broker, engine.runningstrats[0])


def contents(path: Path) -> tuple[list[Any], list[Any]]:
    """Return the rows of a book that nobody has open."""
    database = sqlite3.connect(path)
    try:
        return (
            database.execute("SELECT * FROM records ORDER BY sequence").fetchall(),
            database.execute("SELECT * FROM state").fetchall(),
        )
    finally:
        database.close()


def told(journal: Journal) -> list[tuple[str, str, float, float]]:
    return [(fill.role, f"{fill.time:%d %H:%M}", fill.size, round(fill.price, 4)) for fill in journal.fills]
