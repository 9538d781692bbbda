"""Trade by trade: which belong together, and what each difference comes from, to the last rupee."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from analyzers.parity.causes import Cause, Causes, Reason
from analyzers.parity.trips import Trip

__all__ = ["Part", "TradePair", "attribute"]


class Part(NamedTuple):
    """One part of a difference.

    Attributes
    ----------
    cause : Cause
        What it comes from.
    rupees : float
        Live minus backtest.
    detail : str
        The circumstances in words.
    ticks : float or None
        For prices: price steps in favour of the live run.
    """

    cause: Cause
    rupees: float
    detail: str
    ticks: float | None = None


class TradePair(NamedTuple):
    """A trade of either run or of both, and the parts of the difference.

    Notes
    -----
    The parts add up to the live trade's net profit minus the backtest's, where a trade that is not there
    counts as 0.
    """

    live: Trip | None
    backtest: Trip | None
    parts: tuple[Part, ...]

    @property
    def rupees(self) -> float:
        """Net profit live minus backtest."""
        return (self.live.net if self.live else 0.0) - (self.backtest.net if self.backtest else 0.0)

    @property
    def time(self) -> dt.datetime:
        """CLOSE of the earlier signal bar, naive exchange wall clock."""
        return min(trip.signal_time for trip in (self.live, self.backtest) if trip)


def attribute(live: Sequence[Trip], backtest: Sequence[Trip], causes: Causes, tick: float) -> list[TradePair]:
    """Pair the trades of two runs and take every difference apart.

    Parameters
    ----------
    live, backtest : sequence of Trip
        In the order of entry.
    causes : Causes
        Knows why answers differ.
    tick : float
        Price step, index points; 0.0 where prices are not rounded.

    Returns
    -------
    list of TradePair
        In the order of time. Trades with the same side belong together if they have the same signal bar,
        else if the one was held while the other was; what is left stands alone.
    """
    return sorted(_pairs(live, backtest, causes, tick), key=lambda pair: pair.time)


def _pairs(
    live: Sequence[Trip], backtest: Sequence[Trip], causes: Causes, tick: float
) -> Iterator[TradePair]:
    ours, theirs = list(live), list(backtest)
    for belongs in (_same_signal, _held_together):
        for one in tuple(ours):
            other = next((trip for trip in theirs if belongs(one, trip)), None)
            if other is not None:
                ours.remove(one)
                theirs.remove(other)
                yield TradePair(one, other, tuple(_parts(one, other, causes, tick)))
    for one in ours:
        cause, detail = causes.of_missing_trade(one.signal_time, one.side, live_has_it=True)
        yield TradePair(one, None, (Part(cause, one.net, detail),))
    for other in theirs:
        cause, detail = causes.of_missing_trade(other.signal_time, other.side, live_has_it=False)
        yield TradePair(None, other, (Part(cause, -other.net, detail),))


def _same_signal(one: Trip, other: Trip) -> bool:
    return one.side == other.side and one.signal_time == other.signal_time


def _held_together(one: Trip, other: Trip) -> bool:
    return one.side == other.side and one.entry_time <= other.exit_time and other.entry_time <= one.exit_time


def _parts(live: Trip, backtest: Trip, causes: Causes, tick: float) -> Iterator[Part]:
    if live.size != backtest.size:
        yield Part(
            "size",
            (live.size - backtest.size) * (backtest.exit_price - backtest.entry_price),
            f"{live.size:g} units live, {backtest.size:g} in the backtest",
        )
    entry = _entry_reason(live, backtest, causes)
    if entry.cause != "entry_price" or live.entry_price != backtest.entry_price:
        points = backtest.entry_price - live.entry_price
        yield Part(entry.cause, live.size * points, entry.detail, _ticks(points * live.side, tick))
    leaving = _exit_reason(live, backtest, causes)
    if leaving.cause != "exit_price" or live.exit_price != backtest.exit_price:
        points = live.exit_price - backtest.exit_price
        yield Part(leaving.cause, live.size * points, leaving.detail, _ticks(points * live.side, tick))
    if live.charges != backtest.charges:
        yield Part(
            "charges",
            backtest.charges - live.charges,
            f"{live.charges:.2f} rupees live, {backtest.charges:.2f} in the backtest",
        )


def _entry_reason(live: Trip, backtest: Trip, causes: Causes) -> Reason:
    prices = f"entered at {live.entry_price:.2f} live, {backtest.entry_price:.2f} in the backtest"
    if live.signal_time != backtest.signal_time:
        earlier = min(live, backtest, key=lambda trip: trip.signal_time)
        why = causes.of_missing_trade(earlier.signal_time, earlier.side, live_has_it=earlier is live)
        signals = f"decided {live.signal_time:%H:%M} live, {backtest.signal_time:%H:%M} in the backtest"
        return Reason(why.cause, f"{signals}: {why.detail}; {prices}")
    if live.entry_time != backtest.entry_time:
        times = f"in the bar {live.entry_time:%H:%M} live, {backtest.entry_time:%H:%M} in the backtest"
        return Reason("timing", f"{prices}, {times}")
    return Reason("entry_price", prices)


def _exit_reason(live: Trip, backtest: Trip, causes: Causes) -> Reason:
    prices = f"left at {live.exit_price:.2f} live, {backtest.exit_price:.2f} in the backtest"
    if (live.exit_time, live.exit_reason) == (backtest.exit_time, backtest.exit_reason):
        return Reason("exit_price", prices)
    how = (
        f"{prices}: {live.exit_reason} in the bar {live.exit_time:%H:%M} live, "
        f"{backtest.exit_reason} in the bar {backtest.exit_time:%H:%M} in the backtest"
    )
    held_from = max(live.entry_time, backtest.entry_time)
    left_in = min(live.exit_time, backtest.exit_time)
    why = causes.of_other_exit(held_from, left_in)
    return Reason("timing", how) if why is None else Reason(why.cause, f"{how}; {why.detail}")


def _ticks(points: float, tick: float) -> float | None:
    return round(points / tick, 6) if tick else None
