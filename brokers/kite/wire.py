"""The order desk's wire to Kite: our orders in Kite's words, and Kite's rows in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from brokers.instrument import Instrument
from brokers.kite.settings import KiteSettings
from brokers.order_terms import SIDES, exchange_time, points, stop_limit, unreadable_row, whole_units
from brokers.wire import BookOrder, BookPosition, BookTrade, OrderRequest, OrderState

if TYPE_CHECKING:
    from brokers.kite.client import KiteClient

__all__ = ["KiteWire", "book_order_from_update", "order_parameters"]

# Kite's list of states is officially open-ended: whatever is not named here is on its way somewhere.
_STATES: dict[str, OrderState] = {
    "OPEN": "open",
    "TRIGGER PENDING": "waiting",
    "COMPLETE": "complete",
    "CANCELLED": "cancelled",
    "REJECTED": "rejected",
}
_UPDATE = "UPDATE"


class KiteWire:
    """An :class:`brokers.wire.OrderWire` for one future.

    Parameters
    ----------
    client : KiteClient
        Logged in.
    instrument : Instrument
        What is traded.
    settings : KiteSettings
        Product, protection of market orders, and form of stops.
    """

    def __init__(self, client: KiteClient, instrument: Instrument, settings: KiteSettings) -> None:
        self._client = client
        self._instrument = instrument
        self._settings = settings

    def place(self, request: OrderRequest) -> str:
        """Send one order once and return Kite's order id. Raises as the protocol says."""
        order = order_parameters(request, self._instrument, self._settings)
        return self._client.place(order, is_exit=request.is_exit)

    def cancel(self, order_id: str) -> None:
        """Ask to cancel; returning means taken for processing. Raises as the protocol says."""
        self._client.cancel(order_id)

    def modify(self, order_id: str, *, size: int, price: float, resized: bool) -> None:
        """Ask once to change a stop that waits. Raises as the protocol says.

        Whether Kite takes a quantity for the new total or for what is left is not settled: it is sent only
        where it changes, which is while nothing is filled.
        """
        changes = _stop_parameters(size, price, self._instrument, self._settings)
        if resized:
            changes["quantity"] = abs(size)
        self._client.modify(order_id, changes)

    def orders(self) -> Sequence[BookOrder]:
        """Return all orders of today. Raises BrokerError where it could not ask."""
        return [_book_order(row) for row in self._client.orders()]

    def trades(self) -> Sequence[BookTrade]:
        """Return all executions of today. Raises BrokerError where it could not ask."""
        return [_book_trade(row) for row in self._client.trades()]

    def positions(self) -> Sequence[BookPosition]:
        """Return all positions that are not flat. Raises BrokerError where it could not ask."""
        return [position for position in map(_book_position, self._client.positions()) if position.size]


def order_parameters(request: OrderRequest, instrument: Instrument, settings: KiteSettings) -> dict[str, Any]:
    """Return the keyword arguments of the official client's ``place_order``, without the variety."""
    parameters: dict[str, Any] = {
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "transaction_type": "BUY" if request.size > 0 else "SELL",
        "quantity": abs(request.size),
        "product": settings.product,
        "validity": "DAY",
        "tag": request.tag,
    }
    match request.kind:
        case "market":
            parameters |= {"order_type": "MARKET", "market_protection": settings.market_protection}
        case "limit":
            parameters |= {"order_type": "LIMIT", "price": request.price}
        case "stop":
            parameters |= _stop_parameters(request.size, request.price, instrument, settings)
        case "stop_limit":
            parameters |= {"order_type": "SL", "trigger_price": request.price, "price": request.limit}
    return parameters


def _stop_parameters(
    size: int, price: float, instrument: Instrument, settings: KiteSettings
) -> dict[str, Any]:
    if settings.stop_order == "SL-M":
        return {
            "order_type": "SL-M",
            "trigger_price": price,
            "market_protection": settings.market_protection,
        }
    limit = stop_limit(size, price, instrument.tick, settings.stop_limit_percent)
    return {"order_type": "SL", "trigger_price": price, "price": limit}


def book_order_from_update(payload: Mapping[str, Any]) -> BookOrder:
    """Read an order update of the stream. Raises BrokerError for another form.

    Updates carry the fields of the order book but for ``tags``. ``UPDATE`` stands for a change or a part that
    was filled.
    """
    return _book_order(payload)


class _Numbers(NamedTuple):
    size: int
    filled: int
    average_price: float
    price: float


def _book_order(row: Mapping[str, Any]) -> BookOrder:
    try:
        numbers = _Numbers(
            SIDES[row["transaction_type"]] * whole_units(row["quantity"]),
            whole_units(row["filled_quantity"]),
            points(row.get("average_price") or 0.0),
            points(row.get("trigger_price") or row.get("price") or 0.0),
        )
        order_id, symbol, status = str(row["order_id"]), str(row["tradingsymbol"]), str(row["status"])
        product = str(row["product"])
        tags = (*(row.get("tags") or ()), row.get("tag"))
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Kite", "order", row, error) from error
    return BookOrder(
        order_id,
        tuple(dict.fromkeys(str(tag) for tag in tags if tag)),
        symbol,
        product,
        numbers.size,
        numbers.filled,
        numbers.average_price,
        _state(status, numbers.filled),
        str(row.get("status_message") or row.get("status_message_raw") or ""),
        numbers.price,
    )


def _state(status: str, filled: int) -> OrderState:
    if status == _UPDATE and filled:
        return "open"
    return _STATES.get(status, "pending")


def _book_trade(row: Mapping[str, Any]) -> BookTrade:
    try:
        return BookTrade(
            str(row["order_id"]),
            str(row["trade_id"]),
            str(row["tradingsymbol"]),
            SIDES[row["transaction_type"]] * whole_units(row["quantity"]),
            points(row["average_price"]),
            exchange_time(row.get("fill_timestamp") or row["exchange_timestamp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Kite", "trade", row, error) from error


def _book_position(row: Mapping[str, Any]) -> BookPosition:
    try:
        return BookPosition(
            str(row["tradingsymbol"]),
            str(row["product"]),
            whole_units(row["quantity"]),
            points(row.get("average_price") or 0.0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Kite", "position", row, error) from error
