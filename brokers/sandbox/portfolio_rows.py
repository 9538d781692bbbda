"""Profile, funds and positions as the API writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brokers.sandbox.account import Account, OpenUnits, Position

__all__ = ["EXPOSURE_PERCENT", "margins_row", "position_row", "profile_row"]

EXPOSURE_PERCENT = 2.0
"""Part of an index future's margin that is exposure margin, percent of the value; the rest is SPAN."""


def profile_row(user_id: str) -> dict[str, Any]:
    """Return the answer of GET /user/profile."""
    return {
        "user_id": user_id,
        "user_type": "individual",
        "email": "sandbox@example.com",
        "user_name": "Sandbox User",
        "user_shortname": "Sandbox",
        "avatar_url": "",
        "broker": "ZERODHA",
        "exchanges": ["NFO"],
        "products": ["MIS", "NRML"],
        "order_types": ["LIMIT", "MARKET", "SL", "SL-M"],
        "meta": {"demat_consent": "physical"},
    }


def margins_row(
    account: Account, waiting: Iterable[OpenUnits], prices: Mapping[int, float]
) -> dict[str, Any]:
    """Return one segment's funds, rupees; for an account that is empty, all zero."""
    waiting = list(waiting)
    blocked, debits = account.blocked(waiting, prices), account.debits(waiting, prices)
    share = min(EXPOSURE_PERCENT / 100.0 / account.margin_fraction, 1.0) if account.margin_fraction else 0.0
    exposure = blocked * share
    net = account.cash - debits
    return {
        "enabled": True,
        "net": net,
        "available": {
            "adhoc_margin": 0,
            "cash": account.cash,
            "opening_balance": account.cash,
            "live_balance": net,
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": debits,
            "exposure": exposure,
            "m2m_realised": account.realised,
            "m2m_unrealised": account.unrealised(prices),
            "option_premium": 0,
            "payout": 0,
            "span": blocked - exposure,
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": 0,
        },
    }


def position_row(position: Position, last_price: float, previous_close: float) -> dict[str, Any]:
    """Return one position; prices in index points, values in rupees, nothing is held over night."""
    bought, sold = position.bought, position.sold
    buy_price = position.bought_value / bought if bought else 0
    sell_price = position.sold_value / sold if sold else 0
    value = position.sold_value - position.bought_value
    pnl = value + position.quantity * last_price
    unrealised = position.unrealised(last_price)
    return {
        "tradingsymbol": position.instrument.symbol,
        "exchange": position.instrument.exchange,
        "instrument_token": position.instrument.token,
        "product": position.product,
        "quantity": position.quantity,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": round(position.average_price, 4),
        "close_price": previous_close,
        "last_price": last_price,
        "value": value,
        "pnl": pnl,
        "m2m": pnl,
        "unrealised": unrealised,
        "realised": position.realised,
        "buy_quantity": bought,
        "buy_price": buy_price,
        "buy_value": position.bought_value,
        "buy_m2m": position.bought_value,
        "sell_quantity": sold,
        "sell_price": sell_price,
        "sell_value": position.sold_value,
        "sell_m2m": position.sold_value,
        "day_buy_quantity": bought,
        "day_buy_price": buy_price,
        "day_buy_value": position.bought_value,
        "day_sell_quantity": sold,
        "day_sell_price": sell_price,
        "day_sell_value": position.sold_value,
    }
