"""What the paper book keeps, as JSON: the state of the account, and the records of what happened.

Floats are written so that they come back to the last bit.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from types import SimpleNamespace
from typing import Any, NamedTuple

from brokers.journal import Fill, OrderEvent, TradeContext
from brokers.order import SimulatedOrder
from feeds.errors import DataError

__all__ = [
    "BookState",
    "GateFact",
    "KeptFill",
    "Record",
    "order_from_json",
    "order_to_json",
    "record_from_json",
    "record_to_json",
    "state_from_json",
    "state_to_json",
]


class KeptFill(NamedTuple):
    """A fill, with what it takes to apply it again.

    Attributes
    ----------
    fill : Fill
        As in the journal.
    time_number : float
        Backtrader's day number of the execution.
    cash_before : float
        Rupees before it.
    """

    fill: Fill
    time_number: float
    cash_before: float


class GateFact(NamedTuple):
    """A fact the risk gate was told.

    Attributes
    ----------
    method : {'on_entry', 'on_fill', 'on_trade_closed', 'mark'}
        Of :class:`brokers.risk.gate.RiskGate`.
    time : datetime.datetime
        Its first argument, naive exchange wall clock.
    values : tuple of float
        The others.
    """

    method: str
    time: dt.datetime
    values: tuple[float, ...]


Record = KeptFill | OrderEvent | TradeContext | GateFact


class BookState(NamedTuple):
    """The account as it was when it was last written, apart from what the records tell.

    Attributes
    ----------
    instrument : str
        Whose position this is.
    starting_cash, cash : float
        Rupees when the book was begun, and now.
    order_count, trip_count : int
        Numbers given so far.
    seen_until : datetime.datetime
        CLOSE of the last bar that was matched, naive exchange wall clock; bars up to it are history.
    last_close : float
        Close of that bar, index points; NaN before the first.
    trip : int
        The round trip that is working or open, 0 for none.
    entry : int
        Its entry's number.
    protection, working : tuple of int
        Orders by number, in their order.
    orders : tuple of dict
        Every order that any of these names, or that filled in the round trip; see :func:`order_to_json`.
    """

    instrument: str
    starting_cash: float
    cash: float
    order_count: int
    trip_count: int
    seen_until: dt.datetime
    last_close: float
    trip: int = 0
    entry: int = 0
    protection: tuple[int, ...] = ()
    working: tuple[int, ...] = ()
    orders: tuple[dict[str, Any], ...] = ()


_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (OrderEvent, TradeContext, GateFact)}
_TIMES = ("time", "signal_time")


def record_to_json(record: Record) -> tuple[str, str]:
    """Return a record's kind and its fields."""
    if isinstance(record, KeptFill):
        fields = {
            **record.fill._asdict(),
            "time_number": record.time_number,
            "cash_before": record.cash_before,
        }
    else:
        fields = record._asdict()
    return type(record).__name__, _dump(fields)


def record_from_json(kind: str, text: str) -> Record:
    """Return the record that :func:`record_to_json` wrote.

    Raises
    ------
    DataError
        The kind is unknown, or fields are missing or of another version.
    """
    try:
        fields = json.loads(text)
        for name in _TIMES:
            if name in fields:
                fields[name] = dt.datetime.fromisoformat(fields[name])
        if kind == KeptFill.__name__:
            time_number, cash_before = fields.pop("time_number"), fields.pop("cash_before")
            return KeptFill(Fill(**fields), time_number, cash_before)
        if kind == GateFact.__name__:
            fields["values"] = tuple(fields["values"])
        elif kind == TradeContext.__name__ and fields["probability"] is None:
            fields["probability"] = math.nan
        record: Record = _KINDS[kind](**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(f"{kind} {text[:80]!r}", error) from error
    return record


def state_to_json(state: BookState) -> str:
    """Return a state as JSON."""
    return _dump(state._asdict())


def state_from_json(text: str) -> BookState:
    """Return the state that :func:`state_to_json` wrote.

    Raises
    ------
    DataError
        Fields are missing or of another version.
    """
    try:
        fields = json.loads(text)
        fields["seen_until"] = dt.datetime.fromisoformat(fields["seen_until"])
        if fields["last_close"] is None:
            fields["last_close"] = math.nan
        for name in ("protection", "working", "orders"):
            fields[name] = tuple(fields[name])
        return BookState(**fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(f"state {text[:80]!r}", error) from error


def order_to_json(order: SimulatedOrder) -> dict[str, Any]:
    """Return what an order is, without its executions; these come back from the fills."""
    return {
        "ref": order.ref,
        "size": order.size,
        "exectype": order.exectype,
        "price": order.created.price,
        "plimit": order.plimit,
        "planned": order.planned,
        "created": order.created.dt,
        "last_price": order.created.pclose,
        "tradeid": order.tradeid,
        "parent": 0 if order.parent is None else order.parent.ref,
        "role": order.role,
        "round_trip": order.round_trip,
        "status": order.status,
        "triggered": order.triggered,
        "info": {name: value for name, value in order.info.items() if _is_plain(value)},
    }


def order_from_json(fields: dict[str, Any], data: Any, known: dict[int, SimulatedOrder]) -> SimulatedOrder:  # noqa: ANN401 # a backtrader feed
    """Return an order as it was before its first execution, but in its present size.

    Parameters
    ----------
    fields : dict
        From :func:`order_to_json`.
    data
        The feed it is for; it need not have a bar yet.
    known : dict
        Orders made before by number; its parent must be one of them.
    """
    # An order reads the last price and time off its feed, and these are those of its own day.
    then = SimpleNamespace(lines=SimpleNamespace(close=[fields["last_price"]], datetime=[fields["created"]]))
    order = SimulatedOrder(
        ref=fields["ref"],
        owner=None,
        data=then,
        size=fields["size"],
        price=fields["price"],
        plimit=fields.get("plimit"),
        exectype=fields["exectype"],
        tradeid=fields["tradeid"],
        parent=known[fields["parent"]] if fields["parent"] else None,
        transmit=True,
        info=dict(fields["info"]),
    )
    order.data = data
    order.price = order.created.price = fields["price"]
    order.role = fields["role"]
    order.round_trip = fields["round_trip"]
    # Books of before there were several targets name neither of the two
    order.planned = fields.get("planned", abs(fields["size"]))
    order.triggered = fields["triggered"]
    return order


def _is_plain(value: object) -> bool:
    """Whether a value survives the book; NaN stands for "not known" wherever an order's info is read."""
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _dump(fields: dict[str, Any]) -> str:
    for name, value in fields.items():
        if isinstance(value, dt.datetime):
            fields[name] = value.isoformat()
        elif isinstance(value, float) and math.isnan(value):
            fields[name] = None
    # A sizer may answer in integers of numpy, which JSON does not know
    return json.dumps(fields, allow_nan=False, sort_keys=True, default=float)


def _damaged(what: str, error: Exception) -> DataError:
    return DataError(
        f"found a damaged entry in the paper book, {what} ({type(error).__name__}: {error}), "
        "expected one of this version; keep the file for inspection and start with another book"
    )
