"""The WebSocket side of the sandbox: subscriptions, packets, heartbeats, order updates, and their faults."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, cast

from aiohttp import WSMsgType, web

from brokers.sandbox.exchange_error import ExchangeError
from brokers.sandbox.faults import EVENT_KINDS, SOCKET_KINDS, FaultBoard
from brokers.sandbox.market import MarketSnapshot
from brokers.sandbox.packets import HEARTBEAT, MODES, Mode, encode_frame, encode_packet

__all__ = [
    "MAX_CONNECTIONS", "MAX_INSTRUMENTS", "Asked", "Dialect", "KiteDialect", "Stream", "SubscribedCallback",
]  # fmt: skip

MAX_CONNECTIONS = 3
"""Connections of one app; one more is answered 429."""

MAX_INSTRUMENTS = 3000
"""Subscriptions of one connection."""

_MOST_WAITING = 200_000
_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds


class SubscribedCallback(Protocol):
    """Told of a subscription."""

    def __call__(self, *, with_mode: bool) -> None:
        """Take note of it; ``with_mode``: the client has said how much it wants to know."""


class Asked(NamedTuple):
    """What a client asks for: instruments in a mode, or no more of them.

    ``mode`` is the dialect's word; None where the client has not said. ``ends``: they are no longer wanted.
    """

    tokens: list[int]
    mode: str | None
    ends: bool = False


class Dialect(Protocol):
    """How one kind of connection talks.

    Attributes
    ----------
    name : str
        What faults call such connections, in ``{"stream": …}``.
    default_mode : str
        Of instruments whose mode the client has not said.
    heartbeat : bytes or None
        Sent after some silence; None for a ping of WebSocket's own.
    truncated : bytes
        A frame that breaks off.
    """

    name: str
    default_mode: str
    heartbeat: bytes | None
    truncated: bytes

    def greetings(self) -> Sequence[bytes]:
        """Return what is sent at the start."""

    def read(self, data: str | bytes) -> Asked:
        """Read what a client says. Raises ValueError, TypeError or LookupError for anything else."""

    def market(self, snapshot: MarketSnapshot, mode: str, *, is_first: bool) -> bytes | None:
        """Return the frame of an instrument, None where such connections carry none."""

    def event(self, payload: Mapping[str, Any]) -> str | None:
        """Return the frame of an order update, None where such connections carry none."""

    def error(self, words: str) -> str | None:
        """Return the frame of a complaint, None to say nothing."""


class KiteDialect:
    """Kite's: subscriptions as text, packets as bytes, order updates as text, all on one connection."""

    name = "kite"
    default_mode = "quote"
    heartbeat: bytes | None = HEARTBEAT
    truncated = b"\x00\x02\x00\xb8\x01\x02"  # two packets, the first of 184 bytes: two bytes of it

    def greetings(self) -> Sequence[bytes]:
        """Return nothing: Kite waits to be asked."""
        return ()

    def read(self, data: str | bytes) -> Asked:
        """Read ``subscribe``, ``mode`` or ``unsubscribe``."""
        message = json.loads(data)
        action, value = message["a"], message["v"]
        if action == "mode":
            if value[0] not in MODES:
                raise ValueError(value[0])
            return Asked([int(token) for token in value[1]], value[0])
        if action not in ("subscribe", "unsubscribe"):
            raise ValueError(action)
        return Asked([int(token) for token in value], None, action == "unsubscribe")

    def market(self, snapshot: MarketSnapshot, mode: str, *, is_first: bool) -> bytes | None:  # alike
        """Return a binary frame of one packet."""
        return encode_frame([encode_packet(snapshot, cast("Mode", mode))])

    def event(self, payload: Mapping[str, Any]) -> str | None:
        """Return the order update."""
        return json.dumps({"type": "order", "data": payload})

    def error(self, words: str) -> str | None:
        """Return an error message."""
        return json.dumps({"type": "error", "data": words})


class _Frame(NamedTuple):
    kind: Literal["market", "event", "text"]
    payload: bytes | str
    time: dt.datetime  # of the market when it was made: a client that lags is not in another gap


class _Client:
    def __init__(
        self, socket_: web.WebSocketResponse, transport: asyncio.Transport, dialect: Dialect
    ) -> None:
        self.socket, self.transport, self.dialect = socket_, transport, dialect
        self.modes: dict[int, str] = {}
        self.waiting: asyncio.Queue[_Frame] = asyncio.Queue()
        self.silent_until = 0.0
        self.gap_until: dt.datetime | None = None


class Stream:
    """Everybody who listens.

    Parameters
    ----------
    snapshot : callable
        Returns what a packet of a token says now; raises ``ExchangeError`` for an unknown token.
    now : callable
        The market's time, aware.
    faults : FaultBoard
        Offered every frame and every order update.
    on_subscribed : callable
        Told when a client has asked for instruments, and whether it said in which mode.
    heartbeat_seconds : float
        Real seconds of silence after which a heartbeat is sent.
    """

    def __init__(
        self,
        *,
        snapshot: Callable[[int], MarketSnapshot],
        now: Callable[[], dt.datetime],
        faults: FaultBoard,
        on_subscribed: SubscribedCallback,
        heartbeat_seconds: float,
    ) -> None:
        self._snapshot, self._now, self._faults = snapshot, now, faults
        self._on_subscribed = on_subscribed
        self._heartbeat_seconds = heartbeat_seconds
        self._clients: list[_Client] = []

    @property
    def subscriptions(self) -> list[dict[int, str]]:
        """Mode by token of each connection, the oldest connection first."""
        return [dict(client.modes) for client in self._clients]

    def send_market(self, token: int) -> None:
        """Send what is known of an instrument to those who asked for it."""
        interested = [client for client in self._clients if token in client.modes]
        if not interested:
            return
        snapshot = self._snapshot(token)
        for client in interested:
            self._show(client, snapshot, client.modes[token], is_first=False)

    def send_event(self, payload: dict[str, Any], delay_seconds: float = 0.0) -> None:
        """Send an order update to everybody, after some real seconds."""
        copies = 1
        for fault in self._faults.take(EVENT_KINDS, self._now(), fields=payload):
            if fault.kind == "drop_event":
                return
            if fault.kind == "duplicate_event":
                copies += 1
            else:
                delay_seconds += fault.seconds or 0.0
        now = self._now()
        for client in self._clients:
            text = client.dialect.event(payload)
            for _ in range(copies if text is not None else 0):
                frame = _Frame("event", text or "", now)
                if delay_seconds > 0:
                    asyncio.get_running_loop().call_later(delay_seconds, self._enqueue, client, frame)
                else:
                    self._enqueue(client, frame)

    async def serve(self, request: web.Request, dialect: Dialect) -> web.StreamResponse:
        """Serve one connection until it ends; whoever calls has checked the credentials."""
        # Pings are answered below: a silent socket must not do even that.
        socket_ = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0)
        await socket_.prepare(request)
        transport = request.transport
        if transport is None:
            return socket_
        client = _Client(socket_, transport, dialect)
        self._clients.append(client)
        for greeting in dialect.greetings():
            self._enqueue(client, _Frame("market", greeting, self._now()))
        sender = asyncio.create_task(self._send(client))
        try:
            async for message in socket_:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._take(client, message.data)
                elif message.type is WSMsgType.PING and time.monotonic() >= client.silent_until:
                    await socket_.pong(message.data)
        finally:
            self._clients.remove(client)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
        return socket_

    async def close(self) -> None:
        """Say goodbye to everybody."""
        for client in list(self._clients):
            await client.socket.close(code=1001, message=b"the sandbox ends")

    # -- what clients say ------------------------------------------------------------------------

    def _take(self, client: _Client, data: str | bytes) -> None:
        try:
            asked = client.dialect.read(data)
        except (ValueError, TypeError, LookupError):
            self._say(client, "Invalid message")
            return
        if asked.ends:
            for token in asked.tokens:
                client.modes.pop(token, None)
            return
        self._subscribe(client, asked.tokens, asked.mode or client.dialect.default_mode)
        self._on_subscribed(with_mode=asked.mode is not None)

    def _subscribe(self, client: _Client, tokens: list[int], mode: str) -> None:
        if len({*client.modes, *tokens}) > MAX_INSTRUMENTS:
            self._say(client, f"Maximum {MAX_INSTRUMENTS} instruments can be subscribed on one connection")
            return
        for token in tokens:
            try:
                snapshot = self._snapshot(token)
            except ExchangeError:
                continue
            client.modes[token] = mode
            self._show(client, snapshot, mode, is_first=True)

    def _show(self, client: _Client, snapshot: MarketSnapshot, mode: str, *, is_first: bool) -> None:
        frame = client.dialect.market(snapshot, mode, is_first=is_first)
        if frame is not None:
            self._enqueue(client, _Frame("market", frame, snapshot.time))

    def _say(self, client: _Client, error: str) -> None:
        words = client.dialect.error(error)
        if words is not None:
            self._enqueue(client, _Frame("text", words, self._now()))

    # -- what they are told ----------------------------------------------------------------------

    def _enqueue(self, client: _Client, frame: _Frame) -> None:
        if client.waiting.qsize() >= _MOST_WAITING:
            client.transport.abort()  # it does not read
        else:
            client.waiting.put_nowait(frame)

    async def _send(self, client: _Client) -> None:
        while not client.socket.closed:
            try:
                async with asyncio.timeout(self._heartbeat_seconds):
                    frame: _Frame | None = await client.waiting.get()
            except TimeoutError:
                frame = None
            with contextlib.suppress(ConnectionError):
                await self._deliver(client, frame)

    async def _deliver(self, client: _Client, frame: _Frame | None) -> None:
        if time.monotonic() < client.silent_until:
            return
        now = self._now() if frame is None else frame.time
        for fault in self._faults.take(SOCKET_KINDS, now, fields={"stream": client.dialect.name}):
            if fault.kind == "silent_socket":
                client.silent_until = math.inf if fault.seconds is None else time.monotonic() + fault.seconds
                return
            if fault.kind == "tick_gap":
                client.gap_until = now + dt.timedelta(seconds=fault.seconds or 0.0)
            elif fault.kind == "malformed_frame":
                await client.socket.send_bytes(client.dialect.truncated)
            elif fault.kind == "close":
                await client.socket.close(code=fault.code, message=b"the sandbox was told to close")
                return
            else:
                _reset(client.transport)
                return
        if frame is None:
            if client.dialect.heartbeat is None:
                await client.socket.ping()
            else:
                await client.socket.send_bytes(client.dialect.heartbeat)
        elif frame.kind == "market" and client.gap_until is not None and now < client.gap_until:
            return
        elif isinstance(frame.payload, bytes):
            await client.socket.send_bytes(frame.payload)
        else:
            await client.socket.send_str(frame.payload)


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP reset: no goodbye, and what is on its way is lost."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
