"""The counter at which order requests are handed in: limits, hours and form are checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brokers.sandbox.config import ExchangeConfig
from brokers.sandbox.engine import OrderEngine
from brokers.sandbox.exchange_error import ExchangeError, input_error, too_many_requests
from brokers.sandbox.instruments import SandboxInstrument
from brokers.sandbox.market import Market
from brokers.sandbox.order import CHANGEABLE, Order
from brokers.sandbox.rates import OrderRates
from brokers.sandbox.rules import PRODUCTS, OrderTerms, PriceLimits, read_side, read_tag, read_terms, required
from brokers.sandbox.schedule import Schedule

__all__ = ["OrderCounter"]

_MOST_SLICES = 10
_NOT_LISTED = (
    "The instrument you are placing an order for has either expired or does not exist. "
    "Please check if the expiry date is valid."
)
_CLOSED = "Markets are closed right now. Use GTT for placing long standing orders instead, or place an AMO."


class OrderCounter:
    """Takes placements, modifications and cancels, refuses them, or gives them to the engine.

    Parameters
    ----------
    config : ExchangeConfig
        Rules of the day.
    schedule : Schedule
        Knows the time.
    markets : mapping of int to Market
        By token; prices are checked against them.
    engine : OrderEngine
        Works what is taken.
    """

    def __init__(
        self,
        config: ExchangeConfig,
        schedule: Schedule,
        markets: Mapping[int, Market],
        engine: OrderEngine,
    ) -> None:
        self._config, self._schedule, self._markets, self._engine = config, schedule, markets, engine
        self._listed = {(one.exchange, one.symbol): one for one in config.instruments}
        self._rates = OrderRates()
        self._number = config.first_order_number - 1

    def instrument_of(self, form: Mapping[str, str]) -> SandboxInstrument:
        """Return the contract a form names; one that is not listed or has expired raises ExchangeError."""
        found = self._listed.get((required(form, "exchange"), required(form, "tradingsymbol")))
        if found is None or found.expiry < self._config.day:
            raise input_error(_NOT_LISTED)
        return found

    def find(self, order_id: str) -> Order:
        """Return an order; an unknown id raises ExchangeError."""
        if order_id not in self._engine.orders:
            raise ExchangeError(404, "GeneralException", "Couldn't find that `order_id`.")
        return self._engine.orders[order_id]

    def place(self, variety: str, form: Mapping[str, str]) -> str:
        """Take an order and return its id.

        Raises
        ------
        ExchangeError
            If it is refused.
        """
        self._count(is_placement=True)
        return self._take(variety, form, parent=None)

    def place_sliced(self, variety: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Take an order above the freeze quantity in slices; each may be refused by itself.

        Raises
        ------
        ExchangeError
            If it is not above the freeze quantity, would make more than ten slices, or has a wrong form.
        """
        instrument = self.instrument_of(form)
        try:
            quantity = int(required(form, "quantity"))
        except ValueError:
            raise input_error("Invalid `quantity`.") from None
        largest = instrument.freeze // instrument.lot * instrument.lot
        if quantity <= largest:
            raise input_error(f"Quantity should be greater than {largest} for order slicing.")
        if quantity > _MOST_SLICES * largest:
            raise input_error(
                f"Quantity should not be greater than {_MOST_SLICES * largest} for order slicing."
            )
        self._number += 1
        parent, children = self._order_id(), []
        while quantity > 0:
            units = min(quantity, largest)
            quantity -= units
            try:
                self._count(is_placement=True)
                child = self._take(variety, {**form, "quantity": str(units)}, parent)
                children.append({"order_id": child})
            except ExchangeError as error:
                children.append(_error_row(error))
        return {"order_id": parent, "children": children}

    def modify(self, variety: str, order_id: str, form: Mapping[str, str]) -> None:
        """Take a modification; fields that are missing stay as they are. Raises as :meth:`place`."""
        self._count(is_placement=False)
        order = self._changeable(variety, order_id, "modified")
        if order.modifications >= self._config.max_modifications:
            raise too_many_requests("Maximum allowed order modifications exceeded.")
        terms = order.terms
        now = {
            "order_type": terms.order_type, "quantity": terms.quantity, "price": terms.price,
            "trigger_price": terms.trigger_price, "validity": terms.validity,
            "validity_ttl": terms.validity_ttl, "disclosed_quantity": terms.disclosed_quantity,
        }  # fmt: skip
        given = {name: value for name, value in form.items() if value not in (None, "")}
        merged = {**{name: str(value) for name, value in now.items()}, **given}
        self._engine.modify(
            order, self._terms(merged, order.instrument, order.side, is_triggered=order.was_triggered)
        )

    def cancel(self, variety: str, order_id: str) -> None:
        """Take a cancel. Raises as :meth:`place`."""
        self._count(is_placement=False)
        self._engine.cancel(self._changeable(variety, order_id, "cancelled"))

    def _count(self, *, is_placement: bool) -> None:
        if self._config.rate_limits:
            self._rates.take(self._schedule.now, is_placement=is_placement)

    def _take(self, variety: str, form: Mapping[str, str], parent: str | None) -> str:
        _check_variety(variety)
        instrument, side, tag = self.instrument_of(form), read_side(form), read_tag(form)
        product = required(form, "product")
        if product not in PRODUCTS:
            raise input_error("Invalid `product`.")
        terms = self._terms(form, instrument, side)
        self._check_open()
        self._number += 1
        order = Order(
            number=self._number, order_id=self._order_id(), variety=variety, product=product,
            instrument=instrument, side=side, terms=terms, tag=tag, parent_order_id=parent,
            user_id=self._config.user_id,
        )  # fmt: skip
        if parent is not None:
            order.tags += ["autoslice", f"autoslice:{parent}"]
        self._engine.place(order)
        return order.order_id

    def _terms(
        self, form: Mapping[str, str], instrument: SandboxInstrument, side: int, *, is_triggered: bool = False
    ) -> OrderTerms:
        market = self._markets[instrument.token]
        last = market.last_price if market.last_time is not None else 0.0
        return read_terms(
            form, instrument, side, PriceLimits(last, *market.circuit),
            require_protection=self._config.require_market_protection, is_triggered=is_triggered,
        )  # fmt: skip

    def _changeable(self, variety: str, order_id: str, what: str) -> Order:
        _check_variety(variety)
        order = self.find(order_id)
        if order.status not in CHANGEABLE:
            raise input_error(f"Order cannot be {what} as it is being processed. Try later.")
        self._check_open()
        return order

    def _check_open(self) -> None:
        if not self._engine.book.is_open(self._schedule.now):
            raise input_error(_CLOSED)

    def _order_id(self) -> str:
        return f"19{self._config.day:%y%m%d}{self._number:011d}"


def _check_variety(variety: str) -> None:
    if variety != "regular":
        raise input_error("Invalid `variety`.")


def _error_row(error: ExchangeError) -> dict[str, Any]:
    row = {"code": error.status, "error_type": error.error_type, "message": error.message, "data": error.data}
    return {"error": row}
