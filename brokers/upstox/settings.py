"""The section ``broker.upstox`` of the settings: where the API is, and how orders are put to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from brokers.address import address
from feeds.section import Section

__all__ = ["UpstoxSettings"]


class UpstoxSettings(Section):
    """Addresses, order types and patience of the Upstox client."""

    api_root: Annotated[str, address("http", "https")] = Field(
        default="https://api.upstox.com", description="address of the HTTP API"
    )
    order_root: Annotated[str, address("http", "https")] = Field(
        default="https://api-hft.upstox.com", description="address to which orders, changes and cancels go"
    )
    instruments_url: Annotated[str, address("http", "https")] = Field(
        default="https://assets.upstox.com/market-quote/instruments/exchange/complete.json.gz",
        description="address of the day's list of contracts",
    )
    login_page: Annotated[str, address("http", "https")] = Field(
        default="https://api.upstox.com/v2/login/authorization/dialog",
        description="address of the login page",
    )
    callback_port: int = Field(
        default=8911,
        ge=0,
        le=65535,
        description="port on 127.0.0.1 that the login page sends the browser back to, 0 = any free one",
    )
    token_file: str = Field(
        default="~/.config/muhurat/upstox_token.json",
        min_length=1,
        description="file that keeps the access token of the day",
    )
    product: Literal["I", "D"] = Field(
        default="I", description="I: closed by the broker in the afternoon; D: may be held"
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
    algo_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9 _.-]{1,64}$")] | None = Field(
        default=None, description="name of the registered algorithm, sent with every order; null = none"
    )
    timeout_seconds: float = Field(
        default=7.0, gt=0, le=60, description="longest wait for a connection, and for an answer"
    )
    read_attempts: int = Field(
        default=4, ge=1, le=10, description="times a read is tried; an order is always sent once"
    )
    watchdog_seconds: float = Field(
        default=20.0, gt=0, le=120, description="silence of a stream after which it is connected anew"
    )
