"""One HTTP request that ends in time, takes no more than a little memory, and quotes no address in errors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from analyzers.alerts.channel import DeliveryError
from analyzers.alerts.deadline import Deadline

__all__ = ["HttpAnswer", "call"]

_MOST_BYTES = 1_000_000
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class HttpAnswer(NamedTuple):
    """``date``: the server's own time, aware, None where it does not say it."""

    status: int
    body: bytes
    date: dt.datetime | None


class _Adapter(HTTPAdapter):
    """Has the deadline watch every connection that is made."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 # as in requests
        super().init_poolmanager(*args, **options)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 # as in requests
        manager = super().proxy_manager_for(*args, **options)
        self._watch(manager)
        return manager

    def _watch(self, manager: urllib3.PoolManager) -> None:
        deadline = self._deadline

        class Plain(HTTPConnection):
            def _new_conn(self) -> Any:  # noqa: ANN401 # as in urllib3
                made = super()._new_conn()
                deadline.watch(made)
                return made

        class Secure(HTTPSConnection):
            def _new_conn(self) -> Any:  # noqa: ANN401 # as in urllib3
                made = super()._new_conn()
                deadline.watch(made)
                return made

        class PlainPool(urllib3.HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(urllib3.HTTPSConnectionPool):
            ConnectionCls = Secure

        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def call(
    method: str,
    address: str,
    deadline: Deadline,
    *,
    json: Mapping[str, Any] | None = None,
    data: Mapping[str, str] | None = None,
    files: Mapping[str, tuple[str, bytes, str]] | None = None,
    most_bytes: int = _MOST_BYTES,
) -> HttpAnswer:
    """Make one request on a connection of its own; redirects are not followed, a longer body is cut off.

    Raises
    ------
    DeliveryError
        There is no complete answer. The message names the host and nothing else of the address.
    """
    parts = urlsplit(address)
    host = parts.hostname or "?"
    with requests.Session() as session:
        session.trust_env = host not in _LOOPBACK  # a proxy cannot reach what is on this machine
        session.mount("https://", _Adapter(deadline))
        session.mount("http://", _Adapter(deadline))
        try:
            with session.request(
                method, address, json=json, data=data, files=files, stream=True, allow_redirects=False,
                timeout=deadline.remaining_seconds, headers={"Accept-Encoding": "identity"},
            ) as response:  # fmt: skip
                body = response.raw.read(most_bytes)
                if deadline.is_over:  # headers that were cut off look like a whole answer
                    raise requests.exceptions.ReadTimeout
                return HttpAnswer(response.status_code, body, _date(response.headers.get("Date")))
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise _failure(error, host, deadline) from None


def _failure(error: Exception, host: str, deadline: Deadline) -> DeliveryError:
    """Return the error in words of our own: the libraries quote addresses, and tokens stand in them."""
    if isinstance(error, requests.exceptions.SSLError):
        return DeliveryError(f"no secure connection with {host}: its certificate or its protocol is refused")
    if deadline.is_over or isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)):
        is_connected = not isinstance(error, requests.exceptions.ConnectTimeout)
        return DeliveryError(
            f"no answer of {host} within {deadline.seconds:g} seconds", may_have_arrived=is_connected
        )
    if isinstance(error, requests.exceptions.InvalidURL):
        return DeliveryError("the address is none", is_final=True, remedy="correct it")
    if isinstance(error, requests.exceptions.ProxyError):
        return DeliveryError(f"no way to {host} through the proxy")
    if _root(error) in ("NewConnectionError", "NameResolutionError"):
        return DeliveryError(f"no connection with {host} (refused, or no network)")
    return DeliveryError(f"the connection with {host} broke off ({_root(error)})", may_have_arrived=True)


def _root(error: Exception) -> str:
    """Return the kind of the cause, which the libraries wrap two or three times."""
    inner = error.args[0] if error.args else None
    reason = getattr(inner, "reason", None) or inner
    return type(reason if isinstance(reason, Exception) else error).__name__


def _date(text: str | None) -> dt.datetime | None:
    try:
        made = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=dt.UTC)
