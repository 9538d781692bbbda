"""Plays recorded prints to the exchange at the pace of its clock, and tells what came of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from brokers.sandbox.exchange import Exchange
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.market_clock import MarketClock
from feeds.clock import IST

__all__ = ["Replay"]


class _Entry(NamedTuple):
    time: dt.datetime
    token: int
    trade: MarketTrade | None  # None: the last price again, so that a bar that ends here can close


class Replay:
    """Drives an exchange. For one thread; not running means that somebody has to call :meth:`pump`.

    Parameters
    ----------
    exchange : Exchange
        Its time follows the clock's.
    clock : MarketClock
        Says how far the day has come.
    trades : mapping of int to sequence of MarketTrade
        Prints by token, each in order of time. Those from before the clock's start are played at once,
        and nobody is told.
    on_market : callable
        Told the token after each print, and at the end of each segment of the session.
    on_event : callable
        Told of each order update.
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: MarketClock,
        trades: Mapping[int, Sequence[MarketTrade]],
        *,
        on_market: Callable[[int], None],
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        self._exchange, self._clock = exchange, clock
        self._on_market, self._on_event = on_market, on_event
        config = exchange.config
        session = config.calendar.session(config.day)
        ends = [end for _, end in session.segments] if session is not None else []
        entries = [_Entry(trade.time, token, trade) for token, prints in trades.items() for trade in prints]
        entries += [_Entry(end, token, None) for end in ends for token, prints in trades.items() if prints]
        entries.sort(key=lambda entry: (entry.time, entry.trade is None))
        start = clock.now()
        self._entries = [entry for entry in entries if entry.time >= start]
        self._next = 0
        for entry in entries[: len(entries) - len(self._entries)]:
            if entry.trade is not None:
                exchange.on_trade(entry.token, entry.trade)

    @property
    def left(self) -> int:
        """Prints and ends of segments that have not been played."""
        return len(self._entries) - self._next

    def pump(self) -> dt.datetime:
        """Bring the exchange up to the clock and return the time reached."""
        now = self._clock.now()
        while self._next < len(self._entries) and self._entries[self._next].time <= now:
            entry = self._entries[self._next]
            self._next += 1
            if entry.trade is not None:
                self._exchange.on_trade(entry.token, entry.trade)
            else:
                self._exchange.advance(entry.time)
            self._on_market(entry.token)
            self._tell()
        self._exchange.advance(now)
        self._tell()
        return now

    def trade(self, token: int, trade: MarketTrade) -> None:
        """Play a print that is in no recording, at its own time or now, whichever is later."""
        self._clock.set(trade.time)
        now = self.pump()
        self._exchange.on_trade(token, trade._replace(time=max(now, trade.time.astimezone(IST))))
        self._on_market(token)
        self._tell()

    def seconds_to_next(self) -> float | None:
        """Return the real seconds until something happens; None when nothing will by itself."""
        times = [self._exchange.next_due()]
        if self.left:
            times.append(self._entries[self._next].time)
        waits = [self._clock.seconds_until(time) for time in times if time is not None]
        return min((wait for wait in waits if wait is not None), default=None)

    def _tell(self) -> None:
        for event in self._exchange.take_events():
            self._on_event(event)
