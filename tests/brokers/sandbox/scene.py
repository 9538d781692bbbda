"""A small exchange day for the tests: one hour on 2026-11-20, lot 65, tick 0.1, freeze 1800."""

from __future__ import annotations

import datetime as dt
from typing import Any

from brokers.sandbox.exchange import Exchange, ExchangeConfig, MarketTrade, SandboxInstrument
from feeds.calendar import TradingCalendar
from feeds.clock import IST

DAY = dt.date(2026, 11, 20)
CALENDAR = TradingCalendar()
LOT = 65
NEAR = SandboxInstrument(9042946, 35324, "NIFTY26NOVFUT", "NIFTY", dt.date(2026, 11, 23), LOT, 0.1, 1800)
NEXT = SandboxInstrument(9043202, 35325, "NIFTY26DECFUT", "NIFTY", dt.date(2026, 12, 29), LOT, 0.1, 1800)
FAR = SandboxInstrument(9043458, 35326, "NIFTY27JANFUT", "NIFTY", dt.date(2027, 1, 28), LOT, 0.1, 1800)
CLOSE = 26_000.0


def at(seconds: float = 0.0, *, clock: str = "10:00") -> dt.datetime:
    """A moment of the day, seconds after ``clock``."""
    start = dt.datetime.combine(DAY, dt.time.fromisoformat(clock), tzinfo=IST)
    return start + dt.timedelta(seconds=seconds)


class Scene:
    """An exchange with short words for what happens to it; times are seconds after 10:00."""

    def __init__(self, *, start: dt.datetime | None = None, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "instruments": (NEAR, NEXT, FAR), "day": DAY, "calendar": CALENDAR, "cash": 10_000_000.0,
            "previous_closes": {NEAR.token: CLOSE, NEXT.token: CLOSE + 100}, "rate_limits": False,
            "latency_ms": 100.0, "fill_latency_ms": 20.0, "idle_fill_ms": 2_000.0,
        }  # fmt: skip
        self.exchange = Exchange(ExchangeConfig(**{**defaults, **settings}), start or at())

    def advance(self, seconds: float) -> None:
        self.exchange.advance(at(seconds))

    def tick(self, seconds: float, price: float, quantity: int = LOT, token: int = NEAR.token) -> None:
        self.exchange.on_trade(token, MarketTrade(at(seconds), price, quantity, 1_000_000.0))

    def place(self, side: str = "BUY", lots: int = 1, **fields: Any) -> str:
        return self.exchange.place("regular", form(side, lots, **fields))

    def modify(self, order_id: str, **fields: Any) -> None:
        self.exchange.modify("regular", order_id, {name: str(value) for name, value in fields.items()})

    def cancel(self, order_id: str) -> None:
        self.exchange.cancel("regular", order_id)

    def row(self, order_id: str) -> dict[str, Any]:
        return next(row for row in self.exchange.orders() if row["order_id"] == order_id)

    def states(self, order_id: str) -> list[str]:
        return [row["status"] for row in self.exchange.order_history(order_id)]

    def held(self, product: str = "MIS") -> int:
        rows = self.exchange.positions()["net"]
        return sum(row["quantity"] for row in rows if row["product"] == product)


def form(side: str = "BUY", lots: int = 1, **fields: Any) -> dict[str, str]:
    """The form of an order: MARKET with automatic protection and MIS unless told otherwise."""
    values: dict[str, Any] = {
        "variety": "regular", "exchange": "NFO", "tradingsymbol": NEAR.symbol, "transaction_type": side,
        "quantity": lots * LOT, "product": "MIS", "order_type": "MARKET", "validity": "DAY",
    }  # fmt: skip
    values.update(fields)
    if values["order_type"] in ("MARKET", "SL-M"):
        values.setdefault("market_protection", -1)
    return {name: str(value) for name, value in values.items() if value is not None}
