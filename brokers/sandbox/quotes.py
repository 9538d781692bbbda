"""Quotes as the API writes them."""

from __future__ import annotations

from typing import Any

from brokers.sandbox.market import DepthLevel, MarketSnapshot
from brokers.sandbox.rows import ist_text

__all__ = ["ltp_row", "ohlc_row", "quote_row"]


def ltp_row(snapshot: MarketSnapshot) -> dict[str, Any]:
    """Return one instrument of GET /quote/ltp."""
    return {"instrument_token": snapshot.instrument.token, "last_price": snapshot.last_price}


def ohlc_row(snapshot: MarketSnapshot) -> dict[str, Any]:
    """Return one instrument of GET /quote/ohlc; ``close`` is that of the session before."""
    return {
        **ltp_row(snapshot),
        "ohlc": {
            "open": snapshot.open, "high": snapshot.high, "low": snapshot.low, "close": snapshot.close,
        },
    }  # fmt: skip


def quote_row(snapshot: MarketSnapshot) -> dict[str, Any]:
    """Return one instrument of GET /quote; before the first print the last trade is that of the snapshot."""
    return {
        "instrument_token": snapshot.instrument.token,
        "timestamp": ist_text(snapshot.time),
        "last_trade_time": ist_text(snapshot.last_trade_time or snapshot.time),
        "last_price": snapshot.last_price,
        "last_quantity": snapshot.last_quantity,
        "buy_quantity": snapshot.buy_quantity,
        "sell_quantity": snapshot.sell_quantity,
        "volume": snapshot.volume,
        "average_price": snapshot.average_price,
        "oi": snapshot.oi,
        "oi_day_high": snapshot.oi_day_high,
        "oi_day_low": snapshot.oi_day_low,
        "net_change": 0,
        "lower_circuit_limit": snapshot.lower_circuit,
        "upper_circuit_limit": snapshot.upper_circuit,
        "ohlc": ohlc_row(snapshot)["ohlc"],
        "depth": {"buy": _levels(snapshot.buy), "sell": _levels(snapshot.sell)},
    }


def _levels(levels: tuple[DepthLevel, ...]) -> list[dict[str, Any]]:
    return [{"price": level.price, "quantity": level.quantity, "orders": level.orders} for level in levels]
