"""Orders and trades as the API writes them: these fields, these types, naive IST text."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from brokers.sandbox.order import Order

__all__ = ["event_row", "history_row", "ist_text", "order_row", "trade_row"]

Row = dict[str, Any]


def ist_text(time: dt.datetime) -> str:
    """Return a time of the exchange as the API writes it: ``2026-11-20 09:15:00``, seconds cut off."""
    return f"{time:%Y-%m-%d %H:%M:%S}"


def order_row(order: Order) -> Row:
    """Return an order as GET /orders lists it."""
    terms = order.terms
    row = {
        "account_id": order.user_id,
        "placed_by": order.user_id,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        "parent_order_id": order.parent_order_id,
        "status": order.status,
        "status_message": order.status_message,
        "status_message_raw": order.status_message_raw,
        "order_timestamp": _text(order.updated_at),
        "exchange_update_timestamp": _text(order.exchange_updated_at),
        "exchange_timestamp": _text(order.exchange_time),
        "variety": order.variety,
        "modified": order.modifications > 0,
        **_contract(order),
        "order_type": terms.order_type,
        "transaction_type": "BUY" if order.side > 0 else "SELL",
        "validity": terms.validity,
        "validity_ttl": terms.validity_ttl,
        "product": order.product,
        **_amounts(order),
        "market_protection": int(terms.protection) if terms.protection.is_integer() else terms.protection,
        "meta": {},
        "tag": order.tag,
        "guid": None,
    }
    if order.tags or order.protection_tags:
        row["tags"] = [*order.tags, *order.protection_tags]
    return row


def history_row(order: Order) -> Row:
    """Return the present state of an order as GET /orders/{id} lists it: older and smaller."""
    row = order_row(order)
    smaller = (
        "average_price", "cancelled_quantity", "disclosed_quantity", "exchange", "exchange_order_id",
        "exchange_timestamp", "filled_quantity", "instrument_token", "market_protection", "order_id",
        "order_timestamp", "order_type", "parent_order_id", "pending_quantity", "placed_by", "price",
        "product", "quantity", "status", "status_message", "tag", "tradingsymbol", "transaction_type",
        "trigger_price", "validity", "variety",
    )  # fmt: skip
    return {name: row[name] for name in smaller}


def event_row(order: Order, status: str, *, app_id: int, api_secret: str) -> Row:
    """Return an order update as the WebSocket sends it.

    Parameters
    ----------
    order : Order
        What changed.
    status : str
        ``COMPLETE``, ``CANCELLED``, ``REJECTED``, or ``UPDATE`` for a modification or a partial fill.
    app_id : int
        Number of the app.
    api_secret : str
        Signs the ``checksum``.
    """
    row = order_row(order)
    for name in ("account_id", "modified", "tags", "validity_ttl"):
        row.pop(name, None)
    signed = f"{order.order_id}{row['order_timestamp']}{api_secret}"
    return {
        "user_id": order.user_id,
        "unfilled_quantity": order.terms.quantity - order.filled,
        "app_id": app_id,
        "checksum": hashlib.sha256(signed.encode()).hexdigest(),
        **row,
        "status": status,
    }


def trade_row(order: Order, *, trade_id: str, units: int, price: float, time: dt.datetime) -> Row:
    """Return one execution as GET /trades lists it; ``order_timestamp`` is the time of day only."""
    return {
        "trade_id": trade_id,
        "order_id": order.order_id,
        "exchange_order_id": order.exchange_order_id,
        **_contract(order),
        "transaction_type": "BUY" if order.side > 0 else "SELL",
        "product": order.product,
        "average_price": price,
        "quantity": units,
        "fill_timestamp": ist_text(time),
        "order_timestamp": f"{time:%H:%M:%S}",
        "exchange_timestamp": ist_text(time),
    }


def _text(time: dt.datetime | None) -> str | None:
    return None if time is None else ist_text(time)


def _contract(order: Order) -> Row:
    return {
        "exchange": order.instrument.exchange,
        "tradingsymbol": order.instrument.symbol,
        "instrument_token": order.instrument.token,
    }


def _amounts(order: Order) -> Row:
    terms = order.terms
    left = terms.quantity - order.filled
    return {
        "quantity": terms.quantity,
        "disclosed_quantity": terms.disclosed_quantity,
        "price": terms.price,
        "trigger_price": terms.trigger_price,
        "average_price": order.average_price,
        "filled_quantity": order.filled,
        # The real book keeps pending_quantity on cancelled orders, and clears it on rejected ones.
        "pending_quantity": 0 if order.status == "REJECTED" else left,
        "cancelled_quantity": left if order.status == "CANCELLED" else 0,
    }
