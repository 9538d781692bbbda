"""The broker's risk check of an order on its way to the exchange: is there margin for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from brokers.sandbox.account import Account, OpenUnits
from brokers.sandbox.order import Order
from brokers.sandbox.rules import OrderTerms

__all__ = ["open_units", "risk_refusal"]


def open_units(order: Order, terms: OrderTerms | None = None) -> OpenUnits:
    """Return what an order may still add, under its own terms or under new ones."""
    quantity = (terms or order.terms).quantity
    return OpenUnits(order.instrument.token, order.product, order.side, quantity - order.filled)


def risk_refusal(
    account: Account,
    order: Order,
    terms: OrderTerms,
    others: Iterable[Order],
    prices: Mapping[int, float],
) -> tuple[str, str] | None:
    """Return why an order may not go on, as text and raw text; None if it may.

    Parameters
    ----------
    account : Account
        Holds cash and positions.
    order : Order
        What is checked, under ``terms``.
    terms : OrderTerms
        Its own, or those of a modification.
    others : iterable of Order
        All other open orders that block margin.
    prices : mapping of int to float
        Last price by token, index points; 0.0 where none is known.
    """
    symbol = order.instrument.symbol
    if not prices[order.instrument.token]:
        return f"No last price of {symbol} is known yet.", f"RMS:Rule: Check LTP for {symbol}"
    waiting = [open_units(other) for other in others]
    debits = account.debits(waiting, prices)
    required = account.debits([*waiting, open_units(order, terms)], prices) - debits
    available = account.cash - debits
    if required <= 0.0 or required <= available:
        return None
    return (
        f"Insufficient funds. Required margin is {required:.2f} but available margin is {available:.2f}. "
        "Check the orderbook for open orders.",
        f"RMS:Margin Exceeds,Required:{required:.2f}, Available:{available:.2f} for entity "
        f"account-{order.user_id} across exchange across segment across product ",
    )
