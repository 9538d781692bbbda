"""Kite's stream of ticks and order updates: a small client of its own, in one thread.

The official one notices no silent connection, does not check the server's certificate, and cannot be started
twice in a process. This one drops a silent connection, checks, stops when Kite no longer accepts the login,
and ends loudly if a callback fails: a callback that fails once would fail with every tick.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from brokers.broker_store import StreamState
from brokers.kite.packets import Packet, decode_frame
from brokers.kite.websocket import open_websocket, shut
from feeds.errors import DataError
from feeds.log import Log
from feeds.tick_bars import Tick

__all__ = ["KiteStream", "StreamCounts"]

_REFUSED = (401, 403)
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_JOIN_SECONDS = 10.0
_MASK = "***"


@dataclass
class StreamCounts:
    """What came over the stream: frames, heartbeats among them, ticks, and what could not be read."""

    connections: int = 0
    frames: int = 0
    ticks: int = 0
    malformed: int = 0


class _SilentError(Exception):
    """Nothing came for longer than the watchdog allows."""


class KiteStream:
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
        self.counts = StreamCounts()
        self.failure: BaseException | None = None
        self._root = root
        self._api_key = api_key
        self._access_token = access_token
        self._tokens = list(tokens)
        self._on_tick = on_tick
        self._on_order_update = on_order_update
        self._on_state = on_state
        self._on_error = on_error
        self._log = log
        self._watchdog_seconds = watchdog_seconds
        self._connect_seconds = connect_seconds
        self._ssl_context = ssl_context
        self._jitter = jitter
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._connection: ClientConnection | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._state = ""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="kite-stream", daemon=True)

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and wait for its thread: no callback runs afterwards, but one that calls this."""
        with self._lock:
            self._stopping = True
            self._wake.set()
            connection, raw = self._connection, self._socket
        if connection is not None:
            connection.close_socket()
        elif raw is not None:
            shut(raw)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def set_token(self, access_token: str) -> None:
        """Use another access token from the next connect on, which comes at once after a refusal."""
        with self._lock:
            self._access_token = access_token
            self._wake.set()

    @property
    def is_alive(self) -> bool:
        """Whether the stream's thread runs."""
        return self._thread.is_alive()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                pause = self._attend()
                if not self._stopping:
                    self._wake.wait(pause)
        except BaseException as error:
            self.failure = error
            reason = f"the stream ended with {type(error).__name__}: {error}"
            self._log.error("stream_failed", error=self._masked(reason))
            if self._on_error is not None:
                self._on_error(error)
            self._on_state(StreamState("refused", self._masked(reason)))
            raise

    def _attend(self) -> float | None:
        """Connect and read until that ends; return the seconds to the next try, None to wait for a token."""
        used = self._access_token
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(
                    open_websocket(
                        self._root,
                        {"api_key": self._api_key, "access_token": used},
                        timeout_seconds=self._connect_seconds,
                        ssl_context=self._ssl_context,
                        on_socket=self._hold,
                    )
                )
            except InvalidStatus as error:
                status = error.response.status_code
                if status not in _REFUSED:
                    return self._lost(f"the server answered HTTP {status}")
                self._tell("refused", f"Kite does not accept the login (HTTP {status})")
                return 0.0 if self._access_token != used else None
            except (OSError, EOFError, ValueError, WebSocketException) as error:
                return self._lost(f"no connection: {type(error).__name__}: {error}")
            # Before the library's own end, which would wait for an answer that a dead connection never gives.
            stack.callback(connection.close_socket)
            with self._lock:
                self._connection = connection
                stopping = self._stopping
            return 0.0 if stopping else self._read(connection)

    def _hold(self, raw: socket.socket) -> None:
        """Keep the socket at hand, so that :meth:`stop` can end a handshake."""
        with self._lock:
            self._connection, self._socket = None, raw
            if self._stopping:
                shut(raw)

    def _read(self, connection: ClientConnection) -> float:
        # A callback's error must not look like one of the connection, so only the reading stands in `try`.
        try:
            self._subscribe(connection)
        except (ConnectionClosed, OSError) as error:
            return self._lost(f"connection lost: {type(error).__name__}: {error}")
        self.counts.connections += 1
        self._tell("up")
        while True:
            try:
                frame = self._receive(connection)
            except _SilentError:
                return self._lost(f"nothing came for {self._watchdog_seconds:g} seconds")
            except (ConnectionClosed, OSError, UnicodeDecodeError) as error:
                return self._lost(f"connection lost: {type(error).__name__}: {error}")
            if self._stopping:
                return 0.0
            self._failures = 0
            self.counts.frames += 1
            if isinstance(frame, bytes):
                self._take_packets(frame)
            else:
                self._take_text(frame)

    def _receive(self, connection: ClientConnection) -> str | bytes:
        try:
            return connection.recv(timeout=self._watchdog_seconds)
        except TimeoutError as error:
            raise _SilentError from error

    def _subscribe(self, connection: ClientConnection) -> None:
        connection.send(json.dumps({"a": "subscribe", "v": self._tokens}))
        connection.send(json.dumps({"a": "mode", "v": ["full", self._tokens]}))

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
                self._log.warning("stream_error", text=self._masked(str(data)))
            case "message":
                self._log.info("stream_message", text=self._masked(str(data)))

    # -- what is told ----------------------------------------------------------------------------

    def _lost(self, reason: str) -> float:
        """Tell that the connection is lost; return the pause before the next try, seconds."""
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10))
        pause *= 0.5 + 0.5 * self._jitter()
        self._failures += 1
        reason = self._masked(reason)
        if not self._stopping:
            self._log.warning("stream_lost", reason=reason, pause_seconds=round(pause, 3))
            self._tell("down", reason)
        return pause

    def _tell(self, state: Literal["up", "down", "refused"], reason: str = "") -> None:
        """Tell a change of state; failed tries while the stream is down are none."""
        if self._stopping or state == self._state == "down":
            return
        self._state = state
        if state == "refused":
            self._log.error("stream_refused", reason=reason)
        self._on_state(StreamState(state, reason))

    def _masked(self, text: str) -> str:
        for secret in (self._access_token, self._api_key):
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, _MASK) if form else text
        return " ".join(text.split())


def _tick(packet: Packet) -> Tick | None:
    """Return what the bars are built from; None without the exchange's time."""
    if packet.exchange_time is None:
        return None
    return Tick(packet.exchange_time, packet.last_price, float(packet.volume), packet.open_interest)
