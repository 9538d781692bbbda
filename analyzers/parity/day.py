"""One trading day as it was run: bars, what the strategy made of each, orders, and round trips."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from analyzers.bar_record import BarRecord
from analyzers.parity.trips import Trip
from brokers.journal import Fill, OrderEvent

__all__ = ["DayRun", "OrderTimes", "RecordedDay", "TimedFill", "naive_times"]


class OrderTimes(NamedTuple):
    """When an order of ours was where; aware, None where it is not known.

    Attributes
    ----------
    decided_at, sent_at, acknowledged_at : datetime or None
        Decision known (last tick of the bar, arrival of the fill that called for it), request on the wire,
        answer of the broker; on one clock of this machine, so that differences are durations.
    filled_at : datetime or None
        Of the exchange.
    """

    decided_at: dt.datetime | None = None
    sent_at: dt.datetime | None = None
    acknowledged_at: dt.datetime | None = None
    filled_at: dt.datetime | None = None

    @classmethod
    def from_durations(
        cls, decided_at: dt.datetime, wire_ms: float, answer_ms: float, filled_at: dt.datetime | None = None
    ) -> OrderTimes:
        """Return the times of an order whose durations were measured; NaN milliseconds are not known."""
        known = not math.isnan(wire_ms)
        sent = decided_at + dt.timedelta(milliseconds=wire_ms) if known else None
        answered = sent + dt.timedelta(milliseconds=answer_ms) if sent and not math.isnan(answer_ms) else None
        return cls(decided_at if known else None, sent, answered, filled_at)


class TimedFill(NamedTuple):
    """One execution, the CLOSE of the bar its entry was decided on (naive), and its order's times."""

    fill: Fill
    signal_time: dt.datetime
    times: OrderTimes = OrderTimes()


@dataclass(frozen=True, kw_only=True)
class DayRun:
    """A day as one side saw it.

    Attributes
    ----------
    bars : pandas.DataFrame
        The bar frame, warm-up included, and the column ``end`` (CLOSE of each bar, Asia/Kolkata).
        ``complete`` is what the strategy was told.
    records : mapping of datetime to BarRecord
        By START of the bar, naive exchange wall clock.
    trips : sequence of Trip
        In the order of entry.
    events : sequence of OrderEvent
        In the order of time.
    """

    bars: pd.DataFrame
    records: Mapping[dt.datetime, BarRecord]
    trips: Sequence[Trip]
    events: Sequence[OrderEvent]

    @cached_property
    def starts(self) -> list[dt.datetime]:
        """STARTs of the bars, naive exchange wall clock."""
        return naive_times(pd.DatetimeIndex(self.bars.index))

    @cached_property
    def _by_end(self) -> dict[dt.datetime, dt.datetime]:
        return dict(zip(naive_times(pd.DatetimeIndex(self.bars["end"])), self.starts, strict=True))

    def bar_closing_at(self, time: dt.datetime) -> dt.datetime | None:
        """Return the START of the bar that closed at ``time``, None where there is none."""
        return self._by_end.get(time)

    def position_of(self, start: dt.datetime) -> int:
        """Return the place of the newest bar that starts at or before ``start``, -1 where there is none."""
        return bisect_right(self.starts, start) - 1

    @property
    def net(self) -> float:
        """Rupees of all round trips, charges paid."""
        return sum(trip.net for trip in self.trips)


@dataclass(frozen=True, kw_only=True)
class RecordedDay:
    """What a live, paper or demo day left in its folder.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies.
    run : DayRun
        What happened.
    fills : sequence of TimedFill
        Executions with the times of their orders.
    first : datetime.datetime
        START of the first bar that was built from ticks: from there on the day counts. Naive.
    settings : mapping
        Effective, by section.
    model : mapping or None
        ``registry`` (path) and ``version`` of the model in use.
    starting_cash : float
        Rupees when the day began.
    starting_losses : int
        Losing trades in a row when the day began, which the cooldown counts.
    """

    folder: Path
    run: DayRun
    fills: Sequence[TimedFill]
    first: dt.datetime
    settings: Mapping[str, Any]
    model: Mapping[str, Any] | None
    starting_cash: float
    starting_losses: int = 0

    @property
    def bar_minutes(self) -> int:
        """Length of a bar."""
        return int(self.settings["data"]["bar_minutes"])

    @property
    def title(self) -> str:
        """What the day is called."""
        names = (self.settings["market"]["instrument"], self.settings["strategy"]["name"])
        return " · ".join((*names, f"{self.bar_minutes}-minute bars", f"{self.first:%Y-%m-%d}"))


def naive_times(index: pd.DatetimeIndex) -> list[dt.datetime]:
    """Return aware times of Asia/Kolkata as naive ones of the exchange's wall clock."""
    return list(index.tz_localize(None).to_pydatetime())
