"""What orders would need and cost: answers of /margins/orders, /margins/basket and /charges/orders."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brokers.charges import ChargePlan
from brokers.sandbox.account import Account, OpenUnits
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.instruments import SandboxInstrument
from brokers.sandbox.portfolio_rows import EXPOSURE_PERCENT
from brokers.sandbox.rules import read_side

__all__ = [
    "AskedOrder",
    "basket_row",
    "charges_row",
    "compact_row",
    "contract_note_row",
    "margin_row",
    "read_asked",
]

Row = dict[str, Any]


class AskedOrder(NamedTuple):
    """An order nobody sends: what it would be.

    Attributes
    ----------
    instrument : SandboxInstrument
        The contract.
    side, quantity : int
        +1 or -1; units.
    price : float
        Limit, or the last price for a market order, index points.
    product, variety, order_type : str
        As in the API.
    """

    instrument: SandboxInstrument
    side: int
    quantity: int
    price: float
    product: str
    variety: str
    order_type: str


def read_asked(order: Mapping[str, Any], instrument: SandboxInstrument, last_price: float) -> AskedOrder:
    """Read one order of the request's list.

    Raises
    ------
    ExchangeError
        400, if side, quantity or price cannot be read.
    """
    try:
        quantity = int(order.get("quantity", 0))
        price = float(order.get("average_price") or order.get("price") or 0.0)
    except (TypeError, ValueError):
        raise input_error("Invalid `quantity` or `price`.") from None
    if quantity <= 0 or price < 0.0:
        raise input_error("Invalid `quantity` or `price`.")
    return AskedOrder(
        instrument, read_side(order), quantity, price or last_price, str(order.get("product", "NRML")),
        str(order.get("variety", "regular")), str(order.get("order_type", "MARKET")),
    )  # fmt: skip


def charges_row(plan: ChargePlan, day: dt.date, asked: AskedOrder) -> Row:
    """Return the charges of an order, rupees; the investor protection fund counts as exchange turnover."""
    parts = plan.breakdown(day, asked.side * asked.quantity, asked.price)
    return {
        "transaction_tax": parts.stt,
        "transaction_tax_type": "stt",
        "exchange_turnover_charge": parts.exchange + parts.ipft,
        "sebi_turnover_charge": parts.sebi,
        "brokerage": parts.brokerage,
        "stamp_duty": parts.stamp,
        "gst": {"igst": parts.gst, "cgst": 0, "sgst": 0, "total": parts.gst},
        "total": parts.total,
    }


def margin_row(asked: AskedOrder, margin_fraction: float, charges: Row) -> Row:
    """Return the margin of one order by itself, rupees."""
    value = asked.quantity * asked.price
    total = value * margin_fraction
    exposure = min(total, value * EXPOSURE_PERCENT / 100.0)
    names = ("equity", asked.instrument.symbol, asked.instrument.exchange)
    return _margin(names, total - exposure, exposure, charges, leverage=1)


def basket_row(
    asked: Sequence[AskedOrder],
    rows: Sequence[Row],
    account: Account,
    prices: Mapping[int, float],
    *,
    consider_positions: bool,
) -> Row:
    """Return the answer of a basket: the orders one by one, and together.

    Parameters
    ----------
    asked : sequence of AskedOrder
        The orders.
    rows : sequence of dict
        Their own margins, from :func:`margin_row`.
    account : Account
        Its positions are set off where ``consider_positions``.
    prices : mapping of int to float
        By token, index points.
    """
    units = [OpenUnits(one.instrument.token, one.product, one.side, one.quantity) for one in asked]
    final = account.blocked(units, prices, with_positions=consider_positions)
    if consider_positions:
        final = max(0.0, final - account.blocked([], prices))
    initial = sum(row["total"] for row in rows)
    nothing = ("", "", "")
    return {
        "initial": _margin(nothing, initial, 0, _no_charges(), leverage=0),
        "final": _margin(nothing, final, 0, _no_charges(), leverage=0),
        "orders": list(rows),
        "charges": _sum_of([row["charges"] for row in rows]),
    }


def compact_row(row: Row) -> Row:
    """Return a margin row in ``mode=compact``."""
    return {name: row[name] for name in ("type", "tradingsymbol", "exchange", "total")}


def contract_note_row(asked: AskedOrder, charges: Row) -> Row:
    """Return one row of a virtual contract note."""
    return {
        "transaction_type": "BUY" if asked.side > 0 else "SELL",
        "tradingsymbol": asked.instrument.symbol,
        "exchange": asked.instrument.exchange,
        "variety": asked.variety,
        "product": asked.product,
        "order_type": asked.order_type,
        "quantity": asked.quantity,
        "price": asked.price,
        "charges": charges,
    }


def _margin(names: tuple[str, str, str], span: float, exposure: float, charges: Row, leverage: int) -> Row:
    return {
        "type": names[0],
        "tradingsymbol": names[1],
        "exchange": names[2],
        "span": span,
        "exposure": exposure,
        "option_premium": 0,
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": 0,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": leverage,
        "charges": charges,
        "total": span + exposure,
    }


def _no_charges() -> Row:
    return {**_sum_of([]), "transaction_tax_type": ""}


def _sum_of(rows: Sequence[Row]) -> Row:
    plain = (
        "transaction_tax",
        "exchange_turnover_charge",
        "sebi_turnover_charge",
        "brokerage",
        "stamp_duty",
        "total",
    )
    sums = {name: sum(row[name] for row in rows) for name in plain}
    gst = {name: sum(row["gst"][name] for row in rows) for name in ("igst", "cgst", "sgst", "total")}
    return {**sums, "transaction_tax_type": "stt", "gst": gst}
