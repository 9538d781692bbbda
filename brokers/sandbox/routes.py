"""What the sandbox answers on each path of Kite Connect v3."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, NamedTuple

from brokers.sandbox.call import Call
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.read_limits import ReadKind
from brokers.sandbox.rows import ist_text
from brokers.sandbox.venue import Venue

__all__ = ["ROUTES", "CsvText", "Route"]


class CsvText(str):
    """An answer that is CSV and not JSON."""

    __slots__ = ()


class Route(NamedTuple):
    """One path.

    Attributes
    ----------
    method, path : str
        Variable parts of the path in braces.
    answer : callable
        Returns the answer's ``data``, or :class:`CsvText`.
    limit : ReadKind or None
        How often it may be asked; None for orders, which the exchange counts.
    needs_token : bool
        Whether the access token is checked.
    """

    method: str
    path: str
    answer: Callable[[Venue, Call], Any]
    limit: ReadKind | None = "other"
    needs_token: bool = True


_MOST_KEYS = {"/quote": 500, "/quote/ohlc": 1000, "/quote/ltp": 1000}


def _log_in(venue: Venue, call: Call) -> Any:  # noqa: ANN401 # JSON, here and below
    now = venue.clock.now()
    api_key = call.needed("api_key")
    token = venue.session.exchange(api_key, call.needed("request_token"), call.needed("checksum"), now)
    return {
        **venue.exchange.profile(),
        "api_key": api_key,
        "access_token": token,
        "public_token": token[::-1],
        "enctoken": token[::-1],
        "refresh_token": "",
        "silo": "",
        "login_time": ist_text(now),
    }


def _log_out(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    venue.session.end(call.needed("api_key"), call.needed("access_token"), venue.clock.now())
    return True


def _margins(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.exchange.margins(call.path.get("segment"))


def _place(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    variety = call.path["variety"]
    if call.flag("autoslice"):
        return venue.exchange.place_sliced(variety, call.fields)
    return {"order_id": venue.exchange.place(variety, call.fields)}


def _modify(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return {"order_id": venue.exchange.modify(call.path["variety"], call.path["order_id"], call.fields)}


def _cancel(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return {"order_id": venue.exchange.cancel(call.path["variety"], call.path["order_id"])}


def _orders(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.late_rows.seen(venue.exchange.orders())


def _order_history(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    order_id = call.path["order_id"]
    if venue.late_rows.seconds_left(order_id):
        order_id = ""
    return venue.exchange.order_history(order_id)


def _order_trades(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    order_id = call.path["order_id"]
    if venue.late_rows.seconds_left(order_id):
        order_id = ""
    return venue.exchange.order_trades(order_id)


def _trades(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.late_rows.seen(venue.exchange.trades())


def _convert(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.exchange.convert(call.fields)


def _instruments(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return CsvText(venue.exchange.instruments_csv(call.path.get("exchange")))


def _candles(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    try:
        token = int(call.path["token"])
        first, last = (dt.datetime.fromisoformat(call.needed(name)) for name in ("from", "to"))
    except ValueError:
        raise input_error("invalid token or invalid date: expected yyyy-mm-dd hh:mm:ss") from None
    if call.flag("continuous") and call.path["interval"] != "day":
        raise input_error("invalid interval for continuous data")
    rows = venue.exchange.candles(token, call.path["interval"], first, last, oi=call.flag("oi"))
    return {"candles": rows}


def _quotes(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    path = call.route.partition(" ")[2]
    if len(call.keys) > _MOST_KEYS[path]:
        raise input_error(f"Maximum {_MOST_KEYS[path]} instruments can be asked for.")
    exchange = venue.exchange
    ask = {"/quote": exchange.quote, "/quote/ohlc": exchange.ohlc, "/quote/ltp": exchange.ltp}[path]
    return ask(call.keys)


def _order_margins(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.exchange.order_margins(call.rows(), compact=call.fields.get("mode") == "compact")


def _basket_margins(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.exchange.basket_margins(
        call.rows(),
        consider_positions=call.flag("consider_positions", default=True),
        compact=call.fields.get("mode") == "compact",
    )


def _contract_note(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return venue.exchange.virtual_contract_note(call.rows())


def _nothing(venue: Venue, call: Call) -> Any:  # noqa: ANN401
    return []


ROUTES = (
    Route("POST", "/session/token", _log_in, needs_token=False),
    Route("DELETE", "/session/token", _log_out, needs_token=False),
    Route("GET", "/user/profile", lambda venue, _: venue.exchange.profile()),
    Route("GET", "/user/margins", _margins),
    Route("GET", "/user/margins/{segment}", _margins),
    Route("POST", "/orders/{variety}", _place, limit=None),
    Route("PUT", "/orders/{variety}/{order_id}", _modify, limit=None),
    Route("DELETE", "/orders/{variety}/{order_id}", _cancel, limit=None),
    Route("GET", "/orders", _orders),
    Route("GET", "/orders/{order_id}", _order_history),
    Route("GET", "/orders/{order_id}/trades", _order_trades),
    Route("GET", "/trades", _trades),
    Route("GET", "/portfolio/positions", lambda venue, _: venue.exchange.positions()),
    Route("PUT", "/portfolio/positions", _convert),
    Route("GET", "/portfolio/holdings", _nothing),
    Route("GET", "/portfolio/holdings/auctions", _nothing),
    Route("GET", "/gtt/triggers", _nothing),
    Route("GET", "/instruments", _instruments),
    Route("GET", "/instruments/{exchange}", _instruments),
    Route("GET", "/instruments/historical/{token}/{interval}", _candles, limit="historical"),
    Route("GET", "/quote", _quotes, limit="quote"),
    Route("GET", "/quote/ohlc", _quotes, limit="quote"),
    Route("GET", "/quote/ltp", _quotes, limit="quote"),
    Route("POST", "/margins/orders", _order_margins),
    Route("POST", "/margins/basket", _basket_margins),
    Route("POST", "/charges/orders", _contract_note),
)
"""All paths of the API that are served."""
