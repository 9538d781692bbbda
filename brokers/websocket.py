"""A WebSocket whose server is checked, whose address is kept secret, and which can be ended at any moment."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

__all__ = ["checked_address", "open_websocket", "shut"]

_PORTS = {"ws": 80, "wss": 443}


def checked_address(url: object, *, given_by: str) -> str:
    """Return the address of a WebSocket that a server gave us.

    Parameters
    ----------
    url : object
        What came; never part of a message, because it may hold a ticket.
    given_by : str
        Address of the server: where it is https, the WebSocket has TLS too.

    Raises
    ------
    ValueError
        If it is no address of a WebSocket, or would send in the clear what came encrypted.
    """
    expected = ("wss",) if urlsplit(given_by).scheme == "https" else ("ws", "wss")
    if not isinstance(url, str) or urlsplit(url).scheme not in expected:
        kind = type(url).__name__ if not isinstance(url, str) else "one of another kind"
        raise ValueError(f"an address of a stream was expected ({' or '.join(expected)}), found {kind}")
    return url


@contextmanager
def open_websocket(
    url: str,
    headers: Mapping[str, str],
    *,
    timeout_seconds: float,
    ssl_context: ssl.SSLContext | None,
    on_socket: Callable[[socket.socket], None],
) -> Iterator[ClientConnection]:
    """Hold a WebSocket open. With wss the certificate is checked before the address is sent.

    Parameters
    ----------
    url : str
        ``ws://host:port/path?query`` or ``wss://…``; never logged, because it holds the access token.
    headers : mapping of str to str
        Of the handshake.
    timeout_seconds : float
        Longest wait for the connection, and again for the handshake.
    ssl_context : ssl.SSLContext or None
        For wss; None takes that of the system, which checks.
    on_socket : callable
        Called with the socket before the handshake; :func:`shut` ends it.

    Raises
    ------
    OSError, EOFError, ValueError, websockets.exceptions.WebSocketException
        If no connection comes about.
    """
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or _PORTS.get(address.scheme, 0)
    with socket.create_connection((host, port), timeout=timeout_seconds) as raw:
        raw.settimeout(None)
        on_socket(raw)
        with connect(
            url,
            sock=raw,  # our own: it can be shut, and no redirect is followed
            ssl=ssl_context,
            compression=None,
            additional_headers=dict(headers),
            open_timeout=timeout_seconds,
            ping_interval=None,  # frames are what counts, and the reader watches them
            logger=_silent_logger(),
        ) as connection:
            yield connection


def shut(raw: socket.socket) -> None:
    """Have whoever reads from a socket see its end."""
    try:
        raw.shutdown(socket.SHUT_RDWR)
    except OSError:
        raw.close()  # not connected, or handed on to TLS: nobody reads from it


def _silent_logger() -> logging.Logger:
    """Return a logger that writes nothing: that of the library would write the address, token and all."""
    return logging.Logger("stream", level=logging.CRITICAL + 1)
