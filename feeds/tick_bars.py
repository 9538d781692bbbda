"""Ticks become bars, one tick at a time, by the time the exchange put on them.

The live feed and offline checks use the same builder. On complete data its bars are those of
:func:`feeds.bars.aggregate` over the same minutes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE, VALUE_COLUMNS
from feeds.calendar import Segment, Session, TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError

__all__ = ["Bar", "Tick", "TickBarBuilder", "TickCounts", "frame_from_bars"]

_MINUTE = 60
_ONE_MINUTE = dt.timedelta(minutes=1)


class Tick(NamedTuple):
    """One message about a traded price.

    Attributes
    ----------
    time : datetime
        Time of the exchange, aware.
    price : float
        Last traded price, index points.
    quantity : float
        Units: of this trade, or of the whole day so far (see :class:`TickBarBuilder`).
    open_interest : float
        Units; NaN where not given.
    """

    time: dt.datetime
    price: float
    quantity: float
    open_interest: float = float("nan")

    @property
    def is_believable(self) -> bool:
        """Whether the price is positive and the quantity is not negative, both finite."""
        return bool(self.price > 0 and np.isfinite(self.price) and 0 <= self.quantity < np.inf)


class Bar(NamedTuple):
    """One finished bar; the fields of the bar frame, and when it closed (Asia/Kolkata)."""

    start: dt.datetime
    end: dt.datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    open_interest: float
    complete: bool


@dataclass
class TickCounts:
    """What became of the ticks.

    ``late`` ticks are older than the newest one or belong to a closed bar, ``duplicate`` ones report no
    new trade (cumulative quantities only), ``outside`` ones fall into no session, ``invalid`` ones have
    no positive price or no quantity of 0 or more, ``resets`` are cumulative quantities that went down within
    a day; those are used, but mark their bar incomplete.
    """

    used: int = 0
    late: int = 0
    duplicate: int = 0
    outside: int = 0
    invalid: int = 0
    resets: int = 0


class TickBarBuilder:
    """Builds bars from ticks.

    A bar closes when a tick at or after its end arrives, or :meth:`advance` says that time is past.
    A tick older than the newest one is counted and left out: its bar may have been acted upon.

    Parameters
    ----------
    calendar : TradingCalendar
        The sessions; bins are anchored at the start of each segment.
    bar_minutes : int
        Length of a bar in minutes.
    cumulative : bool
        True when ``Tick.quantity`` counts the units of the day so far, as a broker's stream does; such a
        tick without new units is no trade. False when it is the size of one trade.

    Notes
    -----
    ``complete`` is False when a minute of the bar saw no trade, when :meth:`mark_gap` was called during
    or before it, or when the first ticks of all came later than the first minute of a session. Whoever
    connects to a stream within a session says so with :meth:`mark_gap`.
    """

    def __init__(self, calendar: TradingCalendar, bar_minutes: int = 1, *, cumulative: bool) -> None:
        if bar_minutes < 1:
            raise DataError(
                f"asked for bars of {bar_minutes} minutes, expected 1 or more; set data.bar_minutes"
            )
        self.counts = TickCounts()
        self._calendar = calendar
        self._length = bar_minutes * _MINUTE
        self._cumulative = cumulative
        self._bar: _OpenBar | None = None
        self._not_before: dt.datetime | None = None
        self._session: Session | None = None
        self._day: dt.date | None = None
        self._day_quantity: float | None = None
        self._open_interest = float("nan")
        self._gap = False

    def add(self, tick: Tick) -> list[Bar]:
        """Take one tick; return the bars it closes, oldest first (at most one).

        Raises
        ------
        DataError
            If the tick's time is naive, or the calendar cannot answer for its day.
        """
        if tick.time.tzinfo is None:
            raise DataError(f"found a tick at {tick.time} without a time zone; attach Asia/Kolkata")
        if not tick.is_believable:
            # Nothing in a broken message is believed, its time least of all: later ticks would be late.
            self.counts.invalid += 1
            return []
        if self._not_before is not None and tick.time < self._not_before:
            self.counts.late += 1
            return []
        finished = self.advance(tick.time)
        self._not_before = tick.time
        segment = self._segment_of(tick.time)
        units = self._new_units(tick, segment)
        if segment is None:
            self.counts.outside += 1
        elif units is None:
            self.counts.duplicate += 1
        else:
            self.counts.used += 1
            if tick.open_interest == tick.open_interest:  # not NaN
                self._open_interest = tick.open_interest
            if self._bar is None:
                self._bar = self._opened(tick.time, segment)
            self._bar.take(tick, units, self._open_interest)
        return finished

    def advance(self, time: dt.datetime) -> list[Bar]:
        """Say that the exchange's time has reached ``time``; return the bar that this closes, if any.

        Ticks from before ``time`` are still taken, unless their bar is closed: a clock runs ahead of the
        ticks by what the network takes.
        """
        if self._bar is None or time < self._bar.end:
            return []
        finished = self._bar.finish()
        self._not_before = self._bar.end
        self._bar = None
        return [finished]

    @property
    def open_end(self) -> dt.datetime | None:
        """End of the bar under way, None when there is none."""
        return None if self._bar is None else self._bar.end

    @property
    def day_quantity(self) -> float | None:
        """The newest cumulative quantity of the day, None when not known."""
        return self._day_quantity

    def resume(self, start: dt.datetime, day_quantity: float | None, *, gap: bool) -> None:
        """Go on at ``start``, after bars that were taken from elsewhere; no bar may be under way.

        Parameters
        ----------
        start : datetime
            Where the next bar may begin, aware; older ticks are late.
        day_quantity : float or None
            Cumulative quantity at ``start``, so that the next bar's volume counts from there. None where it
            is not known: the volume then counts from the next tick.
        gap : bool
            Whether ticks since ``start`` may have been lost.
        """
        self._segment_of(start)
        self._day_quantity = day_quantity
        self._not_before = start if self._not_before is None else max(start, self._not_before)
        self._gap = self._gap or gap

    def mark_gap(self) -> None:
        """Say that ticks may have been lost: the bar under way, or else the next one, is incomplete."""
        if self._bar is None:
            self._gap = True
        else:
            self._bar.gap = True

    def _segment_of(self, time: dt.datetime) -> Segment | None:
        day = time.astimezone(IST).date()
        if day != self._day:
            first_day, self._day, self._session = self._day is None, day, self._calendar.session(day)
            if first_day and self._session and time >= self._session.open + _ONE_MINUTE:
                self._gap = True
            self._day_quantity, self._open_interest = None, float("nan")
        for start, end in self._session.segments if self._session else ():
            if start <= time < end:
                return start, end
        return None

    def _new_units(self, tick: Tick, segment: Segment | None) -> float | None:
        if not self._cumulative:
            return tick.quantity
        before, self._day_quantity = self._day_quantity, tick.quantity
        if before is None:
            # The first count of a day is all new only if the day's first bar is still open.
            opening = self._session is not None and tick.time < self._session.open + dt.timedelta(
                seconds=self._length
            )
            self._gap = self._gap or (segment is not None and not opening)
            return tick.quantity if opening else 0.0
        if tick.quantity < before:
            self.counts.resets += 1
            self.mark_gap()
            return 0.0
        return tick.quantity - before if tick.quantity > before else None

    def _opened(self, time: dt.datetime, segment: Segment) -> _OpenBar:
        passed = int((time - segment[0]).total_seconds()) // self._length * self._length
        start = segment[0] + dt.timedelta(seconds=passed)
        end = min(start + dt.timedelta(seconds=self._length), segment[1])
        bar = _OpenBar(start, end, gap=self._gap)
        self._gap = False
        return bar


class _OpenBar:
    # The bar under way; private, because only finished bars may be seen.
    def __init__(self, start: dt.datetime, end: dt.datetime, *, gap: bool) -> None:
        self.start, self.end, self.gap = start, end, gap
        self._prices: list[float] = []
        self._volume = 0.0
        self._open_interest = float("nan")
        self._minutes: set[int] = set()

    def take(self, tick: Tick, units: float, open_interest: float) -> None:
        if self._prices:
            open_, high, low, _ = self._prices
            self._prices = [open_, max(high, tick.price), min(low, tick.price), tick.price]
        else:
            self._prices = [tick.price] * 4
        self._volume += units
        self._open_interest = open_interest
        self._minutes.add(int((tick.time - self.start).total_seconds()) // _MINUTE)

    def finish(self) -> Bar:
        expected = int((self.end - self.start).total_seconds()) // _MINUTE
        complete = not self.gap and len(self._minutes) == expected
        open_, high, low, close = self._prices
        return Bar(self.start, self.end, open_, high, low, close, self._volume, self._open_interest, complete)


def frame_from_bars(bars: Sequence[Bar]) -> pd.DataFrame:
    """Return finished bars as a bar frame."""
    index = pd.DatetimeIndex(
        [bar.start for bar in bars], name="datetime", dtype=f"datetime64[us, {TIME_ZONE}]"
    )
    columns = {
        name: np.array([getattr(bar, name) for bar in bars], dtype=np.float64) for name in VALUE_COLUMNS
    }
    complete = np.array([bar.complete for bar in bars], dtype=np.bool_)
    return pd.DataFrame({**columns, "complete": complete}, index=index)[list(BAR_COLUMNS)]
