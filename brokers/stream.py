"""A stream that comes back: one thread that connects, reads, notices silence, and connects anew.

What is asked for and what the frames mean is the broker's own part. The stream stops when the broker no
longer accepts the login, and ends loudly if a callback fails: one that fails once would fail each time.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Literal, NamedTuple
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection

from brokers.broker_store import StreamState
from brokers.websocket import open_websocket, shut
from brokers.wire import SessionDeadError
from feeds.errors import BrokerError
from feeds.log import Log

__all__ = ["ReconnectingStream", "StreamAddress"]

_REFUSED = (401, 403)
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_JOIN_SECONDS = 10.0
_MASK = "***"


class StreamAddress(NamedTuple):
    """Where a stream is: an address with everything in it, and headers of the handshake. Never logged."""

    url: str
    headers: dict[str, str]


class _SilentError(Exception):
    """Nothing came for longer than the watchdog allows."""


class ReconnectingStream(ABC):
    """One connection at a time, for as long as it is wanted.

    Callbacks run in the stream's thread and must only hand on what they are given.

    Parameters
    ----------
    broker : str
        Its name, for messages.
    access_token : str
        Of today's login.
    on_state : callable
        Called with every :class:`StreamState`.
    log : Log
        Told of what is lost and why; never of the address, which holds the access token.
    on_error : callable, optional
        Called with what a callback raised, before the stream ends with it.
    watchdog_seconds : float
        Silence after which the connection is dropped.
    connect_seconds : float
        Longest wait for a connection.
    ssl_context : ssl.SSLContext, optional
        For wss; that of the system if not given. It must check the server.
    jitter : callable
        Returns a number from 0 to 1, so that many clients do not come back at once.

    Attributes
    ----------
    failure : BaseException or None
        What ended the stream, when nothing should have.
    """

    asks_for_signs_of_life = False
    """Whether a silent server is asked by a ping; otherwise its silence alone counts."""

    def __init__(
        self,
        broker: str,
        access_token: str,
        *,
        on_state: Callable[[StreamState], None],
        log: Log,
        on_error: Callable[[BaseException], None] | None = None,
        watchdog_seconds: float = 5.0,
        connect_seconds: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.failure: BaseException | None = None
        self._broker = broker
        self._access_token = access_token
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
        self._thread = threading.Thread(target=self._run, name=f"{broker.lower()}-stream", daemon=True)

    # -- the broker's own part -------------------------------------------------------------------

    @abstractmethod
    def address(self, access_token: str) -> StreamAddress:
        """Return where to connect now.

        Raises
        ------
        SessionDeadError, BrokerError
            The login is no longer accepted; or it could not be asked for, and is asked for again.
        """

    @abstractmethod
    def greet(self, connection: ClientConnection) -> None:
        """Ask for what is wanted; called after every connect."""

    @abstractmethod
    def take(self, frame: str | bytes) -> None:
        """Take what has come."""

    @abstractmethod
    def secrets(self) -> Sequence[str]:
        """Return what no log may show, besides the access token."""

    # -- from outside ----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and wait for its thread: no callback runs afterwards, but one that calls this."""
        self.leave()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(_JOIN_SECONDS)

    def leave(self) -> None:
        """End the stream without waiting for its thread, so that several end at the same time."""
        with self._lock:
            self._stopping = True
            self._wake.set()
            connection, raw = self._connection, self._socket
        if connection is not None:
            connection.close_socket()
        elif raw is not None:
            shut(raw)

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
            self._log.error("stream_failed", error=self.masked(reason))
            if self._on_error is not None:
                self._on_error(error)
            self._on_state(StreamState("refused", self.masked(reason)))
            raise

    def _attend(self) -> float | None:
        """Connect and read until that ends; return the seconds to the next try, None to wait for a token."""
        used = self._access_token
        with ExitStack() as stack:
            try:
                address = self.address(used)
                connection = stack.enter_context(
                    open_websocket(
                        address.url,
                        address.headers,
                        timeout_seconds=self._connect_seconds,
                        ssl_context=self._ssl_context,
                        on_socket=self._hold,
                    )
                )
            except InvalidStatus as error:
                status = error.response.status_code
                if status not in _REFUSED:
                    return self._lost(f"the server answered HTTP {status}")
                return self._refused(used, f"HTTP {status}")
            except SessionDeadError as error:
                return self._refused(used, str(error))
            except (BrokerError, OSError, EOFError, ValueError, WebSocketException) as error:
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
            self.greet(connection)
        except (ConnectionClosed, OSError) as error:
            return self._lost(f"connection lost: {type(error).__name__}: {error}")
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
            self.take(frame)

    def _receive(self, connection: ClientConnection) -> str | bytes:
        if not self.asks_for_signs_of_life:
            try:
                return connection.recv(timeout=self._watchdog_seconds)
            except TimeoutError as error:
                raise _SilentError from error
        half = self._watchdog_seconds / 2
        while True:
            try:
                return connection.recv(timeout=half)
            except TimeoutError as error:
                if not connection.ping().wait(half):
                    raise _SilentError from error

    # -- what is told ----------------------------------------------------------------------------

    def _refused(self, used: str, reason: str) -> float | None:
        self._tell("refused", self.masked(f"{self._broker} does not accept the login ({reason})"))
        return 0.0 if self._access_token != used else None

    def _lost(self, reason: str) -> float:
        """Tell that the connection is lost; return the pause before the next try, seconds."""
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures, 10))
        pause *= 0.5 + 0.5 * self._jitter()
        self._failures += 1
        reason = self.masked(reason)
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

    def masked(self, text: str) -> str:
        """Return a text in one line, without what is secret."""
        for secret in (self._access_token, *self.secrets()):
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, _MASK) if form else text
        return " ".join(text.split())
