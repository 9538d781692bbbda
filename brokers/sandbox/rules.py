"""What an order may say: the checks that refuse a request at once, with the API's texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from brokers.sandbox.exchange_error import ExchangeError, input_error
from brokers.sandbox.instruments import SandboxInstrument
from brokers.sandbox.matching import is_on_tick, to_tick

__all__ = [
    "AUTOMATIC_PROTECTION",
    "ORDER_TYPES",
    "PRODUCTS",
    "OrderTerms",
    "PriceLimits",
    "read_side",
    "read_tag",
    "read_terms",
    "required",
]

AUTOMATIC_PROTECTION = -1.0
ORDER_TYPES = ("LIMIT", "MARKET", "SL", "SL-M")
PRODUCTS = ("MIS", "NRML")
_VALIDITIES = ("DAY", "IOC", "TTL")
_LONGEST_TAG = 20
_NO_PROTECTION = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)


class PriceLimits(NamedTuple):
    """What prices are checked against, index points; 0.0 where not known.

    Attributes
    ----------
    last : float
        Last price.
    lower, upper : float
        Circuit limits of the day.
    """

    last: float
    lower: float
    upper: float


class OrderTerms(NamedTuple):
    """The part of an order that a modification may change.

    Attributes
    ----------
    order_type, validity : str
        As in the API.
    quantity, disclosed_quantity : int
        Units.
    price, trigger_price : float
        Index points, 0.0 where the type has none.
    validity_ttl : int
        Minutes, with validity TTL.
    protection : float
        Percent; -1.0 for automatic, 0.0 for none.
    """

    order_type: str
    quantity: int
    price: float
    trigger_price: float
    validity: str
    validity_ttl: int
    disclosed_quantity: int
    protection: float

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a trigger."""
        return self.order_type in ("SL", "SL-M")


def required(form: Mapping[str, str], name: str) -> str:
    """Return a field of the form.

    Raises
    ------
    ExchangeError
        If it is missing or empty.
    """
    value = str(form.get(name, "")).strip()
    if not value:
        raise input_error(f"Missing or empty field `{name}`")
    return value


def read_side(form: Mapping[str, str]) -> int:
    """Return +1 for BUY, -1 for SELL; anything else raises ExchangeError."""
    side = {"BUY": 1, "SELL": -1}.get(required(form, "transaction_type"))
    if side is None:
        raise input_error("Invalid `transaction_type`.")
    return side


def read_tag(form: Mapping[str, str]) -> str | None:
    """Return the tag, None where there is none; one of more than 20 characters raises ExchangeError."""
    tag = form.get("tag") or None
    if tag is not None and len(tag) > _LONGEST_TAG:
        raise input_error("Invalid `tag`. It cannot be longer than 20 characters.")
    return tag


def read_terms(
    form: Mapping[str, str],
    instrument: SandboxInstrument,
    side: int,
    limits: PriceLimits,
    *,
    require_protection: bool,
    is_triggered: bool = False,
) -> OrderTerms:
    """Read and check what an order asks for.

    Parameters
    ----------
    form : mapping of str to str
        Fields of the request.
    instrument : SandboxInstrument
        Gives lot, tick and freeze quantity.
    side : int
        +1 or -1.
    limits : PriceLimits
        See there.
    require_protection : bool
        Whether market orders need ``market_protection``.
    is_triggered : bool
        True for a stop that is triggered already: its trigger is history.

    Raises
    ------
    ExchangeError
        400 InputException, with the API's text.
    """
    order_type = _one_of(form, "order_type", ORDER_TYPES)
    validity = _one_of(form, "validity", _VALIDITIES, default="DAY")
    quantity = _quantity(form, instrument)
    price = _price(form, "price", instrument, limits) if order_type in ("LIMIT", "SL") else 0.0
    trigger = 0.0
    if order_type in ("SL", "SL-M"):
        trigger = _price(form, "trigger_price", instrument, limits)
        if not is_triggered:
            _check_trigger(side, trigger, price, limits.last)
    protection = 0.0
    if order_type in ("MARKET", "SL-M"):
        protection = _protection(form, is_required=require_protection)
    ttl = _whole(form, "validity_ttl", 0) if validity == "TTL" else 0
    if validity == "TTL" and ttl < 1:
        raise input_error("Invalid `validity_ttl`.")
    disclosed = _whole(form, "disclosed_quantity", 0)
    return OrderTerms(order_type, quantity, price, trigger, validity, ttl, disclosed, protection)


def _one_of(form: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str = "") -> str:
    value = form.get(name) or default or required(form, name)
    if value not in allowed:
        raise input_error(f"Invalid `{name}`.")
    return value


def _whole(form: Mapping[str, str], name: str, default: int) -> int:
    text = form.get(name)
    if text in (None, ""):
        return default
    try:
        return int(str(text))
    except ValueError:
        raise input_error(f"Invalid `{name}`.") from None


def _quantity(form: Mapping[str, str], instrument: SandboxInstrument) -> int:
    required(form, "quantity")
    quantity = _whole(form, "quantity", 0)
    if quantity <= 0:
        raise input_error("Invalid `quantity`.")
    if quantity % instrument.lot:
        raise input_error(f"Quantity should be in multiples of the lot size {instrument.lot}.")
    if quantity > instrument.freeze:
        most = instrument.freeze // instrument.lot * instrument.lot
        raise input_error(
            f"The order quantity {quantity} ({quantity // instrument.lot} lots) is higher than the maximum "
            f"quantity of {most} ({most // instrument.lot} lots) allowed by the exchanges for one order."
        )
    return quantity


def _price(form: Mapping[str, str], name: str, instrument: SandboxInstrument, limits: PriceLimits) -> float:
    text = required(form, name)
    try:
        price = float(text)
    except ValueError:
        price = math.nan
    if not 0.0 < price < math.inf:
        raise input_error(f"Invalid `{name}`.")
    words = name.replace("_", " ")
    if not is_on_tick(price, instrument.tick):
        raise input_error(
            f"Tick size for this script is {instrument.tick:.2f}. Kindly enter {words} in the multiple of "
            "tick size for this script"
        )
    price = to_tick(price, instrument.tick)
    if limits.lower and price < limits.lower:
        raise _outside(words, "lower", limits.lower)
    if limits.upper and price > limits.upper:
        raise _outside(words, "higher", limits.upper)
    return price


def _outside(words: str, comparison: str, limit: float) -> ExchangeError:
    side = "lower" if comparison == "lower" else "upper"
    return input_error(
        f"Your order {words} is {comparison} than the current {side} circuit limit of {limit:.2f}. "
        "Place an order within the daily range."
    )


def _check_trigger(side: int, trigger: float, price: float, last: float) -> None:
    kind, direction, opposite = ("buy", "higher", "lower") if side > 0 else ("sell", "lower", "higher")
    if price and (trigger - price) * side > 0:
        raise input_error(
            f"Trigger price for stoploss {kind} orders should be {opposite} than the limit price."
        )
    if last and (trigger - last) * side <= 0:
        raise input_error(
            f"Trigger price for stoploss {kind} orders should be {direction} than the last traded price "
            f"({last:.2f})."
        )


def _protection(form: Mapping[str, str], *, is_required: bool) -> float:
    text = form.get("market_protection") or "0"
    try:
        percent = float(text)
    except ValueError:
        raise input_error("Invalid `market_protection`.") from None
    if percent == 0.0 and is_required:
        raise input_error(_NO_PROTECTION)
    if percent != AUTOMATIC_PROTECTION and not 0.0 <= percent <= 100.0:
        raise input_error("Invalid `market_protection`.")
    return percent
