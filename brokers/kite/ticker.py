"""Kite's stream of ticks and order updates: a small client of its own, in one thread.

The official one notices no silent connection, does not check the server's certificate, and cannot be started
twice in a process; see :mod:`brokers.stream` for this one.
"""

from __future__ import annotations

import json
import random
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from websockets.sync.client import ClientConnection

from brokers.broker_store import StreamState
from brokers.kite.packets import Packet, decode_frame
from brokers.stream import ReconnectingStream, StreamAddress
from feeds.errors import DataError
from feeds.log import Log
from feeds.tick_bars import Tick

__all__ = ["KiteStream", "StreamCounts"]


@dataclass
class StreamCounts:
    """What came over the stream: frames, heartbeats among them, ticks, and what could not be read."""

    connections: int = 0
    frames: int = 0
    ticks: int = 0
    malformed: int = 0


class KiteStream(ReconnectingStream):
    """Ticks of some instruments, and order updates of the account.

    Callbacks run in the stream's thread and must only hand on what they are given.

    Parameters
    ----------
    root : str
        Address of the stream, ``wss://ws.kite.trade``.
    api_key, access_token : str
        Of the app, and of today's login.
    tokens : sequence of int
        Instruments, asked for in full after every connect.
    on_tick : callable
        Called with the instrument and its tick: exchange's time, cumulative volume of the day.
    on_order_update : callable
        Called with Kite's payload of an order update.
    on_state : callable
        Called with every :class:`StreamState`.
    on_error : callable, optional
        Called with what a callback raised, before the stream ends with it.
    log : Log
        Told of what is lost and why; never of the address, which holds the access token.
    watchdog_seconds : float
        Silence, heartbeats being none, after which the connection is dropped.
    connect_seconds : float
        Longest wait for a connection.
    ssl_context : ssl.SSLContext, optional
        For wss; that of the system if not given. It must check the server.
    jitter : callable
        Returns a number from 0 to 1, so that many clients do not come back at once.

    Attributes
    ----------
    counts : StreamCounts
        See there.
    failure : BaseException or None
        What ended the stream, when nothing should have.
    """

    def __init__(
        self,
        root: str,
        api_key: str,
        access_token: str,
        tokens: Sequence[int],
        *,
        on_tick: Callable[[int, Tick], None],
        on_order_update: Callable[[dict[str, Any]], None],
        on_state: Callable[[StreamState], None],
        log: Log,
        on_error: Callable[[BaseException], None] | None = None,
        watchdog_seconds: float = 5.0,
        connect_seconds: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(
            "Kite",
            access_token,
            on_state=on_state,
            log=log,
            on_error=on_error,
            watchdog_seconds=watchdog_seconds,
            connect_seconds=connect_seconds,
            ssl_context=ssl_context,
            jitter=jitter,
        )
        self.counts = StreamCounts()
        self._root = root
        self._api_key = api_key
        self._tokens = list(tokens)
        self._on_tick = on_tick
        self._on_order_update = on_order_update

    def address(self, access_token: str) -> StreamAddress:
        """Return the address, which holds key and token."""
        query = urlencode({"api_key": self._api_key, "access_token": access_token}, quote_via=quote, safe="")
        path = "" if urlsplit(self._root).path else "/"
        return StreamAddress(f"{self._root}{path}?{query}", {"X-Kite-Version": "3"})

    def greet(self, connection: ClientConnection) -> None:
        """Subscribe to the instruments in full."""
        connection.send(json.dumps({"a": "subscribe", "v": self._tokens}))
        connection.send(json.dumps({"a": "mode", "v": ["full", self._tokens]}))
        self.counts.connections += 1

    def take(self, frame: str | bytes) -> None:
        """Take ticks, which are bytes, or an order update, which is text."""
        self.counts.frames += 1
        if isinstance(frame, bytes):
            self._take_packets(frame)
        else:
            self._take_text(frame)

    def secrets(self) -> Sequence[str]:
        """Return the key of the app."""
        return (self._api_key,)

    # -- what comes ------------------------------------------------------------------------------

    def _take_packets(self, frame: bytes) -> None:
        try:
            packets = decode_frame(frame)
        except DataError as error:
            self.counts.malformed += 1
            self._log.warning("stream_malformed", error=str(error), count=self.counts.malformed)
            return
        for packet in packets:
            tick = _tick(packet)
            if tick is not None:
                self.counts.ticks += 1
                self._on_tick(packet.token, tick)

    def _take_text(self, text: str) -> None:
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self.counts.malformed += 1
            self._log.warning(
                "stream_malformed", error="a text is no JSON object", count=self.counts.malformed
            )
            return
        data = message.get("data")
        match message.get("type"):
            case "order" if isinstance(data, dict):
                self._on_order_update(data)
            case "error":
                self._log.warning("stream_error", text=self.masked(str(data)))
            case "message":
                self._log.info("stream_message", text=self.masked(str(data)))


def _tick(packet: Packet) -> Tick | None:
    """Return what the bars are built from; None without the exchange's time."""
    if packet.exchange_time is None:
        return None
    return Tick(packet.exchange_time, packet.last_price, float(packet.volume), packet.open_interest)
