"""Both of Upstox' streams as one: up while both are, refused as soon as one is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from brokers.broker_store import StreamState
from brokers.instrument import Instrument
from brokers.upstox.market_stream import UpstoxMarketStream
from brokers.upstox.portfolio_stream import UpstoxPortfolioStream
from feeds.log import Log
from feeds.tick_bars import Tick

__all__ = ["UpstoxStream"]

_Part = Literal["ticks", "orders"]


class UpstoxStream:
    """Ticks and order updates.

    Parameters
    ----------
    ask_address : callable
        Given the path of an authorize endpoint, returns an address that is good once.
    access_token : str
        Of today's login.
    instruments : sequence of Instrument
        Whose ticks are wanted.
    on_tick, on_order_update, on_state, on_error, log
        As in :class:`brokers.kite.ticker.KiteStream`, called from two threads, one at a time for each.
    watchdog_seconds : float
        Silence, even of answers to our pings, after which a connection is dropped.
    """

    def __init__(
        self,
        ask_address: Callable[[str], str],
        access_token: str,
        instruments: Sequence[Instrument],
        *,
        on_tick: Callable[[Instrument, Tick], None],
        on_order_update: Callable[[Mapping[str, Any]], None],
        on_state: Callable[[StreamState], None],
        log: Log,
        on_error: Callable[[BaseException], None] | None = None,
        watchdog_seconds: float = 20.0,
    ) -> None:
        self._on_state = on_state
        self._lock = threading.Lock()
        self._states: dict[_Part, StreamState] = {}
        self._told = ""
        how: dict[str, Any] = {
            "access_token": access_token,
            "log": log,
            "on_error": on_error,
            "watchdog_seconds": watchdog_seconds,
        }
        self._parts = (
            UpstoxMarketStream(
                ask_address, instruments, on_tick, on_state=lambda state: self._note("ticks", state), **how
            ),
            UpstoxPortfolioStream(
                ask_address, on_order_update, on_state=lambda state: self._note("orders", state), **how
            ),
        )

    def start(self) -> None:
        """Start both threads; once only."""
        for part in self._parts:
            part.start()

    def stop(self) -> None:
        """End both and wait for their threads."""
        for part in self._parts:
            part.leave()
        for part in self._parts:
            part.stop()

    def set_token(self, access_token: str) -> None:
        """Use another access token from the next connect on, which comes at once after a refusal."""
        for part in self._parts:
            part.set_token(access_token)

    def _note(self, part: _Part, state: StreamState) -> None:
        """Tell what both together are: a part that came back while the other was never lost counts anew."""
        with self._lock:
            self._states[part] = state
            whole = self._whole()
            if whole is None or (whole.state == self._told == "down"):
                return
            self._told = whole.state
            self._on_state(whole)

    def _whole(self) -> StreamState | None:
        for wanted in ("refused", "down"):
            for part, state in self._states.items():
                if state.state == wanted:
                    return StreamState(state.state, f"{part}: {state.reason}")
        return StreamState("up") if len(self._states) == len(self._parts) else None
