"""Orders between the two forms: Upstox' JSON into what the exchange reads, and its rows back.

Rows spell a symbol as the exchange does, the list of contracts in its own way: only the key is relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.upstox.names import Names, key_of

__all__ = ["change_form", "order_form", "order_row", "position_row", "trade_row"]

Row = dict[str, Any]

_TO_EXCHANGE = {"I": "MIS", "D": "NRML"}
_FROM_EXCHANGE = {"MIS": "I", "NRML": "D"}
_CHANGEABLE = ("quantity", "validity", "price", "order_type", "disclosed_quantity", "trigger_price")
_NO_PRICE = {"MARKET": ("price", "trigger_price"), "LIMIT": ("trigger_price",), "SL-M": ("price",)}
_NEEDED = ("quantity", "product", "validity", "price", "instrument_token", "order_type", "transaction_type",
           "disclosed_quantity", "trigger_price", "is_amo")  # fmt: skip


def order_form(body: object, names: Names) -> dict[str, str]:
    """Return a placement as the exchange reads it. Raises ExchangeError for one that Upstox refuses."""
    fields = _fields(body)
    for name in _NEEDED:
        if fields.get(name) is None:
            raise input_error(f"The {name} is required")
    if fields["is_amo"]:
        raise input_error("After market orders are not served by the sandbox")
    product = str(fields["product"])
    if product not in _TO_EXCHANGE:
        raise input_error("The product is invalid")
    instrument = names.contract(str(fields["instrument_token"]))
    return {
        **_texts(fields),
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "product": _TO_EXCHANGE[product],
        "transaction_type": str(fields["transaction_type"]),
        **({"tag": str(fields["tag"])} if fields.get("tag") else {}),
    }


def change_form(body: object) -> tuple[str, dict[str, str]]:
    """Return the order id and the changes as the exchange reads them. Raises ExchangeError."""
    fields = _fields(body)
    for name in ("order_id", "validity", "price", "order_type", "trigger_price"):
        if fields.get(name) is None:
            raise input_error(f"The {name} is required")
    return str(fields["order_id"]), _texts(fields)


def order_row(row: Mapping[str, Any], names: Names) -> Row:
    """Return an order of the exchange as Upstox lists it."""
    instrument = names.of_token(row["instrument_token"])
    return {
        "exchange": "NFO",
        "price": row["price"],
        "product": _FROM_EXCHANGE[row["product"]],
        "quantity": row["quantity"],
        "status": row["status"].lower(),
        "tag": row["tag"],
        "validity": row["validity"],
        "average_price": row["average_price"],
        "disclosed_quantity": row["disclosed_quantity"],
        "exchange_order_id": row["exchange_order_id"],
        "exchange_timestamp": row["exchange_timestamp"],
        "instrument_token": key_of(instrument),
        "is_amo": False,
        "status_message": row["status_message"],
        "order_id": row["order_id"],
        "order_request_id": "1",
        "order_type": row["order_type"],
        "parent_order_id": row["parent_order_id"],
        "tradingsymbol": instrument.symbol,
        "trading_symbol": instrument.symbol,
        "order_timestamp": row["order_timestamp"],
        "filled_quantity": row["filled_quantity"],
        "transaction_type": row["transaction_type"],
        "trigger_price": row["trigger_price"],
        "placed_by": row["placed_by"],
        "variety": "SIMPLE",
        "guid": None,
        "status_message_raw": row.get("status_message_raw"),
        "order_ref_id": row["order_id"],
        "pending_quantity": row.get("pending_quantity", 0),
    }


def trade_row(row: Mapping[str, Any], order: Mapping[str, Any], names: Names) -> Row:
    """Return an execution as Upstox lists it."""
    instrument = names.of_token(row["instrument_token"])
    return {
        "exchange": "NFO",
        "product": _FROM_EXCHANGE[row["product"]],
        "tradingsymbol": instrument.symbol,
        "trading_symbol": instrument.symbol,
        "instrument_token": key_of(instrument),
        "order_type": order["order_type"],
        "transaction_type": row["transaction_type"],
        "quantity": row["quantity"],
        "exchange_order_id": row["exchange_order_id"],
        "order_id": row["order_id"],
        "exchange_timestamp": row["exchange_timestamp"],
        "average_price": row["average_price"],
        "trade_id": row["trade_id"],
        "order_ref_id": row["order_id"],
        "order_timestamp": order["order_timestamp"],
    }


def position_row(row: Mapping[str, Any], names: Names) -> Row:
    """Return a position as Upstox lists it."""
    instrument = names.of_token(row["instrument_token"])
    return {
        "exchange": "NFO",
        "multiplier": 1.0,
        "value": row["value"],
        "pnl": row["pnl"],
        "product": _FROM_EXCHANGE[row["product"]],
        "instrument_token": key_of(instrument),
        "average_price": row["average_price"],
        "buy_value": row["buy_value"],
        "overnight_quantity": 0,
        "day_buy_value": row["day_buy_value"],
        "day_buy_price": float(row["day_buy_price"]),
        "overnight_buy_amount": 0.0,
        "overnight_buy_quantity": 0,
        "day_buy_quantity": row["day_buy_quantity"],
        "day_sell_value": row["day_sell_value"],
        "day_sell_price": float(row["day_sell_price"]),
        "overnight_sell_amount": 0.0,
        "overnight_sell_quantity": 0,
        "day_sell_quantity": row["day_sell_quantity"],
        "quantity": row["quantity"],
        "last_price": row["last_price"],
        "unrealised": row["unrealised"],
        "realised": row["realised"],
        "sell_value": row["sell_value"],
        "tradingsymbol": instrument.symbol,
        "trading_symbol": instrument.symbol,
        "close_price": row["close_price"],
        "buy_price": float(row["buy_price"]),
        "sell_price": float(row["sell_price"]),
    }


def _fields(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise input_error("Invalid JSON: expected an object.")
    return body


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return what an order may say, as text; prices that its type does not have are left out."""
    without = _NO_PRICE.get(str(fields.get("order_type")), ())
    found = {
        name: str(fields[name])
        for name in _CHANGEABLE
        if fields.get(name) is not None and name not in without
    }
    if fields.get("market_protection") is not None:
        found["market_protection"] = str(fields["market_protection"])
    return found
