"""The order desk's wire to Upstox: our orders in Upstox' words, and Upstox' rows in ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from brokers.instrument import Instrument
from brokers.order_terms import SIDES, exchange_time, points, stop_limit, unreadable_row, whole_units
from brokers.upstox.keys import key_of
from brokers.upstox.settings import UpstoxSettings
from brokers.wire import BookOrder, BookPosition, BookTrade, OrderRequest, OrderState

if TYPE_CHECKING:
    from brokers.upstox.client import UpstoxClient

__all__ = ["UpstoxWire", "book_order", "order_fields"]

# Whatever is not named here is on its way somewhere, "not modified" and "not cancelled" too: the order lives.
_STATES: dict[str, OrderState] = {
    "open": "open",
    "trigger pending": "waiting",
    "complete": "complete",
    "cancelled": "cancelled",
    "cancelled after market order": "cancelled",
    "rejected": "rejected",
}


class UpstoxWire:
    """An :class:`brokers.wire.OrderWire` for one future.

    Parameters
    ----------
    client : UpstoxClient
        Logged in.
    instrument : Instrument
        What is traded.
    settings : UpstoxSettings
        Product, protection of market orders, and form of stops.
    """

    def __init__(self, client: UpstoxClient, instrument: Instrument, settings: UpstoxSettings) -> None:
        self._client = client
        self._instrument = instrument
        self._settings = settings
        self._symbols = {key_of(instrument): instrument.symbol}

    def place(self, request: OrderRequest) -> str:
        """Send one order once and return Upstox' order id. Raises as the protocol says."""
        order = order_fields(request, self._instrument, self._settings)
        return self._client.place(order, is_exit=request.is_exit)

    def cancel(self, order_id: str) -> None:
        """Ask to cancel; returning means taken for processing. Raises as the protocol says."""
        self._client.cancel(order_id)

    def modify(self, order_id: str, *, size: int, price: float, resized: bool) -> None:
        """Ask once to change a stop that waits. Raises as the protocol says.

        The quantity is sent only where it changes, which is while nothing is filled.
        """
        changes = {"validity": "DAY", **_stop_fields(size, price, self._instrument, self._settings)}
        if resized:
            changes["quantity"] = abs(size)
        self._client.modify(order_id, changes)

    def orders(self) -> Sequence[BookOrder]:
        """Return all orders of today. Raises BrokerError where it could not ask."""
        return [book_order(row, self._symbols) for row in self._client.orders()]

    def trades(self) -> Sequence[BookTrade]:
        """Return all executions of today. Raises BrokerError where it could not ask."""
        return [_book_trade(row, self._symbols) for row in self._client.trades()]

    def positions(self) -> Sequence[BookPosition]:
        """Return all positions that are not flat. Raises BrokerError where it could not ask."""
        found = [_book_position(row, self._symbols) for row in self._client.positions()]
        return [position for position in found if position.size]


def order_fields(request: OrderRequest, instrument: Instrument, settings: UpstoxSettings) -> dict[str, Any]:
    """Return the fields of ``/v3/order/place``."""
    fields: dict[str, Any] = {
        "instrument_token": key_of(instrument),
        "transaction_type": "BUY" if request.size > 0 else "SELL",
        "quantity": abs(request.size),
        "disclosed_quantity": 0,
        "product": settings.product,
        "validity": "DAY",
        "tag": request.tag,
        "is_amo": False,
        "slice": False,  # the desk cuts at the freeze quantity itself, each part with a mark of its own
        "price": 0.0,
        "trigger_price": 0.0,
    }
    match request.kind:
        case "market":
            fields |= {"order_type": "MARKET", "market_protection": settings.market_protection}
        case "limit":
            fields |= {"order_type": "LIMIT", "price": request.price}
        case "stop":
            fields |= _stop_fields(request.size, request.price, instrument, settings)
        case "stop_limit":
            fields |= {"order_type": "SL", "trigger_price": request.price, "price": request.limit}
    return fields


def _stop_fields(size: int, price: float, instrument: Instrument, settings: UpstoxSettings) -> dict[str, Any]:
    if settings.stop_order == "SL-M":
        return {
            "order_type": "SL-M",
            "trigger_price": price,
            "price": 0.0,
            "market_protection": settings.market_protection,
        }
    limit = stop_limit(size, price, instrument.tick, settings.stop_limit_percent)
    return {"order_type": "SL", "trigger_price": price, "price": limit}


class _Numbers(NamedTuple):
    size: int
    filled: int
    average_price: float
    price: float


def book_order(row: Mapping[str, Any], symbols: Mapping[str, str]) -> BookOrder:
    """Read a row of the order book, or an order update of the stream, which has its fields.

    Parameters
    ----------
    row : mapping
        As Upstox writes it.
    symbols : mapping of str to str
        Our symbols of contracts by their keys; of others Upstox' own is taken.

    Raises
    ------
    BrokerError
        For another form.
    """
    try:
        numbers = _Numbers(
            SIDES[row["transaction_type"]] * whole_units(row["quantity"]),
            whole_units(row["filled_quantity"]),
            points(row.get("average_price") or 0.0),
            points(row.get("trigger_price") or row.get("price") or 0.0),
        )
        order_id, status, product = str(row["order_id"]), str(row["status"]), str(row["product"])
        symbol = _symbol(row, symbols)
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Upstox", "order", row, error) from error
    tag = row.get("tag")
    return BookOrder(
        order_id,
        (str(tag),) if tag else (),
        symbol,
        product,
        numbers.size,
        numbers.filled,
        numbers.average_price,
        _STATES.get(status.lower(), "pending"),
        str(row.get("status_message") or ""),
        numbers.price,
    )


def _book_trade(row: Mapping[str, Any], symbols: Mapping[str, str]) -> BookTrade:
    try:
        return BookTrade(
            str(row["order_id"]),
            str(row["trade_id"]),
            _symbol(row, symbols),
            SIDES[row["transaction_type"]] * whole_units(row["quantity"]),
            points(row["average_price"]),
            exchange_time(row["exchange_timestamp"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Upstox", "trade", row, error) from error


def _book_position(row: Mapping[str, Any], symbols: Mapping[str, str]) -> BookPosition:
    try:
        return BookPosition(
            _symbol(row, symbols),
            str(row["product"]),
            whole_units(row["quantity"]),
            points(row.get("average_price") or 0.0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unreadable_row("Upstox", "position", row, error) from error


def _symbol(row: Mapping[str, Any], symbols: Mapping[str, str]) -> str:
    """Return a contract's symbol; Upstox writes it in several ways, and the key in one."""
    return symbols.get(str(row["instrument_token"])) or str(row.get("trading_symbol") or row["tradingsymbol"])
