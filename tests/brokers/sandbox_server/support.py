"""Sandboxes in the process of the test, and small clients for them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from kiteconnect import KiteConnect
from websockets.sync.client import ClientConnection, connect

from brokers.sandbox.exchange import ExchangeConfig, MarketTrade, near_next_far
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar
from feeds.clock import IST

WAIT = 10.0
"""Seconds that a test waits for what has to happen."""

DAY = dt.date(2026, 9, 24)
CALENDAR = TradingCalendar()
INSTRUMENTS = near_next_far("NIFTY", DAY, CALENDAR)
NEAR = INSTRUMENTS[0]
PRICE = 25_000.0


def at(text: str, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.fromisoformat(text), IST)


def config_of(
    trades: Sequence[MarketTrade] = (), *, exchange: dict[str, Any] | None = None, **server: Any
) -> SandboxConfig:
    """Return a configuration in which time stands until it is told to move, from 09:15 on."""
    rules = {
        "instruments": INSTRUMENTS, "day": DAY, "calendar": CALENDAR, "rate_limits": False,
        "previous_closes": {one.token: PRICE for one in INSTRUMENTS}, **(exchange or {}),
    }  # fmt: skip
    given = {"start": "manual", "clock_start": at("09:15"), "access_token": "alive", **server}
    return SandboxConfig(
        exchange=ExchangeConfig(**rules), trades={NEAR.token: list(trades)} if trades else {}, **given
    )


def official_client(server: SandboxServer, **options: Any) -> KiteConnect:
    return KiteConnect(server.api_key, access_token=server.access_token, root=server.api_root, **options)


def market_order(side: str = "BUY", **fields: Any) -> dict[str, Any]:
    """Return what the official client's place_order is given for one lot."""
    return {
        "variety": "regular", "exchange": "NFO", "tradingsymbol": NEAR.symbol, "transaction_type": side,
        "quantity": NEAR.lot, "product": "MIS", "order_type": "MARKET", "market_protection": -1, **fields,
    }  # fmt: skip


def fill_one(server: SandboxServer, tag: str) -> None:
    """Have a market order of one lot filled, at :data:`PRICE`, and its update sent."""
    kite = official_client(server)
    kite.place_order(**market_order(tag=tag))
    kite.reqsession.close()
    server.trade(PRICE, seconds=1)
    server.advance(1)


def stream_url(server: SandboxServer, **credentials: str) -> str:
    query = {"api_key": server.api_key, "access_token": server.access_token, **credentials}
    return f"{server.ticker_root}?" + "&".join(f"{name}={value}" for name, value in query.items())


@contextmanager
def listen(
    server: SandboxServer, mode: str | None = "full", **credentials: str
) -> Iterator[ClientConnection]:
    """Connect, and ask for the near month in a mode; None: ask for nothing."""
    with connect(
        stream_url(server, **credentials), compression=None, ping_interval=None, open_timeout=WAIT,
        close_timeout=1,
    ) as connection:  # fmt: skip
        if mode is not None:
            connection.send(json.dumps({"a": "mode", "v": [mode, [NEAR.token]]}))
        yield connection


def receive_order_update(connection: ClientConnection) -> dict[str, Any]:
    """Return the next order update; frames in between are let pass."""
    while True:
        frame = connection.recv(timeout=WAIT)
        if isinstance(frame, str):
            message = json.loads(frame)
            assert message["type"] == "order", message
            return message["data"]


def receive_market(connection: ClientConnection) -> bytes:
    """Return the next frame with packets."""
    while True:
        frame = connection.recv(timeout=WAIT)
        if isinstance(frame, bytes) and len(frame) > 1:
            return frame
