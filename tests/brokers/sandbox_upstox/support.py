"""Small clients for Upstox' side of a sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import urllib3
from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse
from websockets.sync.client import ClientConnection, connect

from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import key_of
from tests.brokers.sandbox_server.support import NEAR, WAIT

KEY = key_of(NEAR)
MARKET, PORTFOLIO = "/v3/feed/market-data-feed", "/v2/feed/portfolio-stream-feed"


def get(server: SandboxServer, path: str, *, token: str | None = None) -> tuple[int, Any, Any]:
    """Return status, JSON and headers of an answer; without a token if none is given, and no redirect."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "GET", server.api_root + path, headers=headers, redirect=False, retries=False, timeout=WAIT
        )
        body = json.loads(answer.data) if answer.data[:1] in (b"{", b"[") else None
        return answer.status, body, answer.headers


def candles(server: SandboxServer, path: str, *, token: str | None = None) -> list[list[Any]]:
    """Return candles of a path, which may hold a key as it is."""
    status, body, _ = get(server, quote(path), token=token)
    assert status == 200, body
    return body["data"]["candles"]


def refusal(server: SandboxServer, path: str, *, token: str | None = None) -> tuple[int, str]:
    """Return status and code of what refuses a path."""
    status, body, _ = get(server, quote(path, safe="/?=&"), token=token)
    (error,) = body["errors"]
    return status, error["errorCode"]


def address(server: SandboxServer, path: str = MARKET, query: str = "") -> str:
    status, body, _ = get(server, f"{path}/authorize{query}", token=server.access_token)
    assert status == 200, body
    return body["data"]["authorized_redirect_uri"]


@contextmanager
def opened(url: str) -> Iterator[ClientConnection]:
    with connect(url, compression=None, ping_interval=None, open_timeout=WAIT, close_timeout=1) as connection:
        yield connection


def ask(connection: ClientConnection, method: str, mode: str | None, keys: Sequence[str] = (KEY,)) -> None:
    data: dict[str, Any] = {"instrumentKeys": list(keys)} | ({} if mode is None else {"mode": mode})
    connection.send(json.dumps({"guid": "1", "method": method, "data": data}).encode())


@contextmanager
def market(server: SandboxServer, mode: str | None = "full") -> Iterator[ClientConnection]:
    """Connect, read the status, and ask for the near month in a mode; None: ask for nothing."""
    with opened(address(server)) as connection:
        assert receive(connection).type == 2  # market_info
        if mode is not None:
            ask(connection, "sub", mode)
        yield connection


def receive(connection: ClientConnection) -> FeedResponse:
    frame = connection.recv(timeout=WAIT)
    assert isinstance(frame, bytes)
    return FeedResponse.FromString(frame)


def price(connection: ClientConnection) -> float:
    """Return the last price in the next frame, which is in mode full."""
    return receive(connection).feeds[KEY].fullFeed.marketFF.ltpc.ltp


def update(connection: ClientConnection) -> dict[str, Any]:
    """Return the next order update."""
    found = json.loads(connection.recv(timeout=WAIT))
    assert found["update_type"] == "order"
    return found
