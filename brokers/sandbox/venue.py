"""Everything one running sandbox consists of, put together. For one thread."""

from __future__ import annotations

from typing import Any

from brokers.sandbox.exchange import Exchange
from brokers.sandbox.faults import FaultBoard
from brokers.sandbox.late_rows import LateRows
from brokers.sandbox.login_session import LoginSession
from brokers.sandbox.market import MarketSnapshot, MarketTrade
from brokers.sandbox.market_clock import MarketClock
from brokers.sandbox.read_limits import ReadLimits
from brokers.sandbox.replay import Replay
from brokers.sandbox.server_config import SandboxConfig
from brokers.sandbox.stream import Stream

__all__ = ["Venue"]


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
    """

    def __init__(self, config: SandboxConfig, faults: FaultBoard) -> None:
        self.config = config
        self.faults = faults
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
            snapshot=self._snapshot,
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
        self._waits_for_mode = config.start == "subscribe"
        if config.start == "now":
            self.clock.run()

    @property
    def is_waiting(self) -> bool:
        """Whether the day has not begun to run, because nobody has subscribed."""
        return self._waits_for_mode and not self.clock.is_running

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

    def _snapshot(self, token: int) -> MarketSnapshot:
        return self.exchange.snapshot(token)

    def _send_event(self, payload: dict[str, Any]) -> None:
        self.stream.send_event(payload, self.late_rows.seconds_left(payload["order_id"]))

    def _subscribed(self, has_mode: bool) -> None:  # the stream's own callback
        if has_mode and self.is_waiting:
            self.clock.run()
