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
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from aiohttp import WSMsgType, web

from brokers.sandbox.exchange_error import ExchangeError
from brokers.sandbox.faults import EVENT_KINDS, SOCKET_KINDS, FaultBoard
from brokers.sandbox.market import MarketSnapshot
from brokers.sandbox.packets import HEARTBEAT, MODES, Mode, encode_frame, encode_packet

__all__ = ["MAX_CONNECTIONS", "MAX_INSTRUMENTS", "Stream", "SubscribedCallback"]

MAX_CONNECTIONS = 3
"""Connections of one app; one more is answered 429."""

MAX_INSTRUMENTS = 3000
"""Subscriptions of one connection."""

_TRUNCATED = b"\x00\x02\x00\xb8\x01\x02"  # two packets, the first of 184 bytes: two bytes of it
_MOST_WAITING = 200_000
_RESET = struct.pack("ii", 1, 0)  # linger for 0 seconds


class SubscribedCallback(Protocol):
    """Told of a subscription."""

    def __call__(self, *, with_mode: bool) -> None:
        """Take note of it; ``with_mode``: the client has said how much it wants to know."""


class _Frame(NamedTuple):
    kind: Literal["market", "event", "text"]
    payload: bytes | str
    time: dt.datetime  # of the market when it was made: a client that lags is not in another gap


class _Client:
    def __init__(self, socket_: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.socket, self.transport = socket_, transport
        self.modes: dict[int, Mode] = {}
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
    def subscriptions(self) -> list[dict[int, Mode]]:
        """Mode by token of each connection, the oldest connection first."""
        return [dict(client.modes) for client in self._clients]

    def send_market(self, token: int) -> None:
        """Send what is known of an instrument to those who asked for it."""
        interested = [client for client in self._clients if token in client.modes]
        if not interested:
            return
        snapshot = self._snapshot(token)
        frames = {mode: _market_frame(snapshot, mode) for mode in {c.modes[token] for c in interested}}
        for client in interested:
            self._enqueue(client, frames[client.modes[token]])

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
        frame = _Frame("event", json.dumps({"type": "order", "data": payload}), self._now())
        for _ in range(copies):
            if delay_seconds > 0:
                asyncio.get_running_loop().call_later(delay_seconds, self._broadcast, frame)
            else:
                self._broadcast(frame)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it ends; whoever calls has checked the credentials."""
        # Pings are answered below: a silent socket must not do even that.
        socket_ = web.WebSocketResponse(autoping=False, compress=False, timeout=1.0)
        await socket_.prepare(request)
        transport = request.transport
        if transport is None:
            return socket_
        client = _Client(socket_, transport)
        self._clients.append(client)
        sender = asyncio.create_task(self._send(client))
        try:
            async for message in socket_:
                if message.type is WSMsgType.TEXT:
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

    def _take(self, client: _Client, text: str) -> None:
        try:
            message = json.loads(text)
            action, value = message["a"], message["v"]
            if action == "mode":
                mode, tokens = value[0], [int(token) for token in value[1]]
                if mode not in MODES:
                    raise ValueError(mode)
            else:
                mode, tokens = "quote", [int(token) for token in value]
        except (ValueError, TypeError, LookupError):
            self._say(client, "Invalid message")
            return
        if action == "unsubscribe":
            for token in tokens:
                client.modes.pop(token, None)
        elif action in ("subscribe", "mode"):
            self._subscribe(client, tokens, mode)
            self._on_subscribed(with_mode=action == "mode")
        else:
            self._say(client, "Invalid message")

    def _subscribe(self, client: _Client, tokens: list[int], mode: Mode) -> None:
        if len({*client.modes, *tokens}) > MAX_INSTRUMENTS:
            self._say(client, f"Maximum {MAX_INSTRUMENTS} instruments can be subscribed on one connection")
            return
        for token in tokens:
            try:
                snapshot = self._snapshot(token)
            except ExchangeError:
                continue
            client.modes[token] = mode
            self._enqueue(client, _market_frame(snapshot, mode))

    def _say(self, client: _Client, error: str) -> None:
        self._enqueue(client, _Frame("text", json.dumps({"type": "error", "data": error}), self._now()))

    # -- what they are told ----------------------------------------------------------------------

    def _broadcast(self, frame: _Frame) -> None:
        for client in self._clients:
            self._enqueue(client, frame)

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
        for fault in self._faults.take(SOCKET_KINDS, now):
            if fault.kind == "silent_socket":
                client.silent_until = math.inf if fault.seconds is None else time.monotonic() + fault.seconds
                return
            if fault.kind == "tick_gap":
                client.gap_until = now + dt.timedelta(seconds=fault.seconds or 0.0)
            elif fault.kind == "malformed_frame":
                await client.socket.send_bytes(_TRUNCATED)
            elif fault.kind == "close":
                await client.socket.close(code=fault.code, message=b"the sandbox was told to close")
                return
            else:
                _reset(client.transport)
                return
        if frame is None:
            await client.socket.send_bytes(HEARTBEAT)
        elif frame.kind == "market" and client.gap_until is not None and now < client.gap_until:
            return
        elif isinstance(frame.payload, bytes):
            await client.socket.send_bytes(frame.payload)
        else:
            await client.socket.send_str(frame.payload)


def _market_frame(snapshot: MarketSnapshot, mode: Mode) -> _Frame:
    return _Frame("market", encode_frame([encode_packet(snapshot, mode)]), snapshot.time)


def _reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP reset: no goodbye, and what is on its way is lost."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
