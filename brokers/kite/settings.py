"""The section ``broker.kite`` of the settings: where the API is, and how orders are put to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from brokers.address import address
from feeds.section import Section

__all__ = ["KiteSettings"]


class KiteSettings(Section):
    """Addresses, order types and patience of the Kite client."""

    api_root: Annotated[str, address("http", "https")] = Field(
        default="https://api.kite.trade", description="address of the HTTP API, may have a path"
    )
    ticker_root: Annotated[str, address("ws", "wss")] = Field(
        default="wss://ws.kite.trade", description="address of the stream of ticks and order updates"
    )
    login_page: Annotated[str, address("http", "https")] = Field(
        default="https://kite.zerodha.com/connect/login", description="address of the login page"
    )
    callback_port: int = Field(
        default=8910,
        ge=0,
        le=65535,
        description="port on 127.0.0.1 that the login page sends the browser back to, 0 = any free one",
    )
    token_file: str = Field(
        default="~/.config/muhurat/kite_token.json",
        min_length=1,
        description="file that keeps the access token of the day",
    )
    product: Literal["MIS", "NRML"] = Field(
        default="MIS", description="MIS: closed by the broker in the afternoon; NRML: may be held"
    )
    market_protection: Literal[-1] | Annotated[float, Field(gt=0, le=100)] = Field(
        default=-1, description="percent a market order may run from the last price, -1 = the broker's own"
    )
    stop_order: Literal["SL", "SL-M"] = Field(
        default="SL", description="SL: a limit order once triggered; SL-M: a market order once triggered"
    )
    stop_limit_percent: float = Field(
        default=1.0, ge=0, le=20, description="stop_order SL: percent of the trigger its limit lies beyond it"
    )
    timeout_seconds: float = Field(
        default=7.0, gt=0, le=60, description="longest wait for a connection, and for an answer"
    )
    read_attempts: int = Field(
        default=4, ge=1, le=10, description="times a read is tried; an order is always sent once"
    )
    watchdog_seconds: float = Field(
        default=5.0, gt=0, le=120, description="silence of the stream after which it is connected anew"
    )
