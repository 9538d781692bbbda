"""Everything one running sandbox consists of, put together. For one thread."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from typing import Any

from brokers.sandbox.exchange import Exchange
from brokers.sandbox.faults import FaultBoard
from brokers.sandbox.late_rows import LateRows
from brokers.sandbox.login_session import LoginSession
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.market_clock import MarketClock
from brokers.sandbox.read_limits import ReadLimits
from brokers.sandbox.replay import Replay
from brokers.sandbox.server_config import SandboxConfig
from brokers.sandbox.stream import Stream

__all__ = ["Venue"]

_MODE_SECONDS = 1.0
"""Real seconds a client has between its subscription and the mode it wants, before prints are sent."""


class Venue:
    """One sandbox.

    Parameters
    ----------
    config : SandboxConfig
        How it is set up.
    faults : FaultBoard
        What goes wrong.

    Attributes
    ----------
    exchange, clock, replay, session, stream, reads, late_rows
        Its parts.
    failure : Exception or None
        What a request has run into that is no refusal: a fault of the sandbox.
    """

    def __init__(self, config: SandboxConfig, faults: FaultBoard) -> None:
        self.config = config
        self.faults = faults
        self.failure: Exception | None = None
        self.clock = MarketClock(config.starts_at, config.speed)
        self.exchange = Exchange(config.exchange, config.starts_at)
        for token, frame in config.histories.items():
            self.exchange.add_history(token, frame)
        self.session = LoginSession(
            config.api_key, config.exchange.api_secret, config.access_token, config.starts_at
        )
        self.reads = ReadLimits()
        self.late_rows = LateRows()
        self.stream = Stream(
            snapshot=self.exchange.snapshot,
            now=lambda: self.exchange.now,
            faults=faults,
            on_subscribed=self._subscribed,
            heartbeat_seconds=config.heartbeat_seconds,
        )
        self.replay = Replay(
            self.exchange,
            self.clock,
            config.trades,
            on_market=self.stream.send_market,
            on_event=self._send_event,
        )
        self._wake = asyncio.Event()
        if config.start == "now":
            self.clock.run()

    def pump(self) -> dt.datetime:
        """Bring the exchange up to the clock and return the market's time."""
        return self.replay.pump()

    def wake(self) -> None:
        """Let :meth:`run` look anew at what comes next."""
        self._wake.set()

    def start(self) -> None:
        """Let market time run."""
        self.clock.run()
        self.wake()

    async def run(self) -> None:
        """Do what is due when it is due, for ever."""
        while True:
            self._wake.clear()
            self.pump()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.replay.seconds_to_next()):
                    await self._wake.wait()

    def trade(self, token: int | None, trade: MarketTrade) -> None:
        """Play a print of the near month, or of another token."""
        near = self.config.exchange.instruments[0].token
        self.replay.trade(near if token is None else token, trade)

    def state(self) -> dict[str, Any]:
        """Return what can be said about it, as JSON holds it."""
        orders = self.exchange.orders()
        final = ("COMPLETE", "CANCELLED", "REJECTED")
        return {
            "now": self.exchange.now.isoformat(),
            "is_running": self.clock.is_running,
            "prints_left": self.replay.left,
            "subscriptions": [
                {str(token): mode for token, mode in modes.items()} for modes in self.stream.subscriptions
            ],
            "token_is_alive": self.session.is_alive,
            "orders": len(orders),
            "open_orders": [row["order_id"] for row in orders if row["status"] not in final],
            "positions": {
                f"{row['tradingsymbol']}/{row['product']}": row["quantity"]
                for row in self.exchange.positions()["net"]
            },
            "charges": round(self.exchange.charges, 2),
            "faults": self.faults.rows(),
        }

    def _send_event(self, payload: dict[str, Any]) -> None:
        self.stream.send_event(payload, self.late_rows.seconds_left(payload["order_id"]))

    def _subscribed(self, *, with_mode: bool) -> None:
        if self.config.start != "subscribe" or self.clock.is_running:
            return
        if with_mode:
            self.start()
        else:
            asyncio.get_running_loop().call_later(_MODE_SECONDS, self.start)
