"""Round trips in the form in which two runs are compared: averages over fills, and what came of them."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from brokers.journal import Fill
from feeds.errors import DataError

__all__ = ["OPEN", "Trip", "trips_of"]

OPEN = "open"
"""Exit reason of what was still held at the end and is valued at the last close."""

_FLAT_UNITS = 1e-9


class Trip(NamedTuple):
    """One round trip.

    Attributes
    ----------
    number : int
        Its ``trade_id``.
    signal_time : datetime.datetime
        CLOSE of the bar on which the entry was decided, naive exchange wall clock.
    size : float
        Units entered, positive long, negative short.
    entry_time, exit_time : datetime.datetime
        START of the bars of the first entry and of the last exit fill, naive exchange wall clock.
    entry_price, exit_price : float
        Averages over the fills, index points.
    entry_reference, exit_reference : float
        The same before slippage and latency.
    exit_reason : str
        Role of the last exit (see :class:`brokers.journal.Fill`), or :data:`OPEN`.
    charges : float
        Rupees.
    """

    number: int
    signal_time: dt.datetime
    size: float
    entry_time: dt.datetime
    entry_price: float
    entry_reference: float
    exit_time: dt.datetime
    exit_price: float
    exit_reference: float
    exit_reason: str
    charges: float

    @property
    def side(self) -> int:
        """+1 long, -1 short."""
        return 1 if self.size > 0 else -1

    @property
    def net(self) -> float:
        """Rupees earned, charges paid."""
        return self.size * (self.exit_price - self.entry_price) - self.charges


def trips_of(
    fills: Iterable[Fill],
    signal_times: Mapping[int, dt.datetime],
    bar_starts: Sequence[dt.datetime],
    last_close: float,
) -> list[Trip]:
    """Return the round trips of a day in the order of entry.

    Parameters
    ----------
    fills : iterable of Fill
        In the order in which they happened; their times may lie anywhere within their bar.
    signal_times : mapping of int to datetime
        By ``trade_id``.
    bar_starts : sequence of datetime
        STARTs of the bars, ascending, naive exchange wall clock.
    last_close : float
        Values what is still open, index points.

    Raises
    ------
    DataError
        A round trip starts with an exit, has no signal time, or was left by more than was entered.
    """
    by_trip: dict[int, list[Fill]] = {}
    for fill in fills:
        by_trip.setdefault(fill.trade_id, []).append(fill)
    return [_trip(number, parts, signal_times, bar_starts, last_close) for number, parts in by_trip.items()]


def _trip(
    number: int,
    fills: list[Fill],
    signal_times: Mapping[int, dt.datetime],
    bar_starts: Sequence[dt.datetime],
    last_close: float,
) -> Trip:
    entries = [fill for fill in fills if fill.role == "entry"]
    exits = [fill for fill in fills if fill.role != "entry"]
    size = sum(fill.size for fill in entries)
    left = size + sum(fill.size for fill in exits)
    if fills[0].role != "entry" or number not in signal_times or left * size < -_FLAT_UNITS:
        raise DataError(
            f"trade {number} has entries of {size:g} units and exits of {left - size:g}, the first fill "
            f"is of role {fills[0].role!r}: expected an entry and at most as many units out; "
            "the record is not whole"
        )
    if abs(left) > _FLAT_UNITS:
        end = bar_starts[-1]
        exits.append(fills[-1]._replace(time=end, role=OPEN, size=-left, price=last_close,
                                        reference_price=last_close, charges=0.0))  # fmt: skip
    return Trip(
        number,
        signal_times[number],
        size,
        _bar_of(entries[0].time, bar_starts),
        sum(fill.size * fill.price for fill in entries) / size,
        sum(fill.size * fill.reference_price for fill in entries) / size,
        _bar_of(exits[-1].time, bar_starts),
        -sum(fill.size * fill.price for fill in exits) / size,
        -sum(fill.size * fill.reference_price for fill in exits) / size,
        exits[-1].role,
        sum(fill.charges for fill in fills),
    )


def _bar_of(time: dt.datetime, bar_starts: Sequence[dt.datetime]) -> dt.datetime:
    """Return the START of the bar in which a moment lies; of the first for a moment before all."""
    return bar_starts[max(0, bisect_right(bar_starts, time) - 1)]
