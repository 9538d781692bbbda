"""What the sandbox answers on each path of Upstox' API."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from brokers.sandbox.call import Call
from brokers.sandbox.exchange_error import ExchangeError, input_error
from brokers.sandbox.serving import ApiRoute
from brokers.sandbox.upstox.history import CandleRows, expired_candles, past_candles, todays_candles
from brokers.sandbox.upstox.limits import UpstoxReadLimits
from brokers.sandbox.upstox.names import Names
from brokers.sandbox.upstox.orders import change_form, order_form, order_row, position_row, trade_row
from brokers.sandbox.venue import Venue

__all__ = ["UpstoxRoutes", "profile_row"]

_VARIETY = "regular"
_CANDLES = "/v3/historical-candle"
_MOST_SLICES = 25


class UpstoxRoutes:
    """The paths of one sandbox.

    Parameters
    ----------
    names : Names
        Of its contracts.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._reads = UpstoxReadLimits()

    def table(self) -> list[ApiRoute]:
        """Return all paths that are served."""
        writes = (
            ("POST", "/v3/order/place", self._place),
            ("PUT", "/v3/order/modify", self._modify),
            ("DELETE", "/v3/order/cancel", self._cancel),
        )
        reads = (
            ("GET", "/v2/user/profile", lambda venue, _: profile_row(venue)),
            ("GET", "/v2/user/get-funds-and-margin", lambda venue, _: _funds(venue)),
            ("POST", "/v2/charges/margin", self._margin),
            ("GET", "/v2/order/retrieve-all", self._orders),
            ("GET", "/v2/order/details", self._details),
            ("GET", "/v2/order/history", self._history),
            ("GET", "/v2/order/trades", self._order_trades),
            ("GET", "/v2/order/trades/get-trades-for-day", self._trades),
            ("GET", "/v2/portfolio/short-term-positions", self._positions),
            ("GET", "/v2/market/timings/{date}", _timings),
            ("GET", "/v2/expired-instruments/expiries", self._expiries),
            ("GET", "/v2/expired-instruments/future/contract", self._expired_contracts),
            (
                "GET",
                "/v2/expired-instruments/historical-candle/{key}/{interval}/{to_date}/{from_date}",
                lambda venue, call: expired_candles(venue.exchange, self._names, call.path),
            ),
            ("DELETE", "/v2/logout", lambda venue, _: _log_out(venue)),
        )
        # The official client asks for these without a token. Intraday first: the path without from_date has
        # as many parts.
        public = (
            ("intraday/{key}/{unit}/{interval}", todays_candles),
            ("{key}/{unit}/{interval}/{to_date}", past_candles),
            ("{key}/{unit}/{interval}/{to_date}/{from_date}", past_candles),
        )
        count = self.count
        return [
            *(ApiRoute(method, path, answer, None) for method, path, answer in writes),
            *(ApiRoute(method, path, answer, count) for method, path, answer in reads),
            *(
                ApiRoute("GET", f"{_CANDLES}/{path}", self._candles(rows), count, needs_token=False)
                for path, rows in public
            ),
        ]

    def _candles(self, rows: CandleRows) -> Callable[[Venue, Call], Any]:
        return lambda venue, call: rows(venue.exchange, self._names, call.path)

    def order_of(self, venue: Venue, order_id: str) -> dict[str, Any]:
        """Return the row of an order. Raises ExchangeError for an unknown id."""
        for row in venue.exchange.orders():
            if row["order_id"] == order_id:
                return order_row(row, self._names)
        raise ExchangeError(404, "GeneralException", "The order was not found")

    def count(self, venue: Venue) -> None:  # counted in real time
        """Count a read. Raises ExchangeError (429) if it is one too many."""
        self._reads.take()

    # -- orders ----------------------------------------------------------------------------------

    def _place(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401 # JSON, here and below
        form = order_form(call.body, self._names)
        instrument = self._names.contract(str(call.body["instrument_token"]))
        quantity, largest = (
            _units(call.body["quantity"]),
            instrument.freeze // instrument.lot * instrument.lot,
        )
        if not call.body.get("slice") or quantity <= largest:
            return {"order_ids": [venue.exchange.place(_VARIETY, form)]}
        if quantity > _MOST_SLICES * largest:
            raise input_error("The quantity exceeds what can be sliced")
        if quantity % instrument.lot:  # before the first slice: a refused request must leave no order
            raise input_error(f"Quantity should be in multiples of the lot size {instrument.lot}.")
        parts = [largest] * (quantity // largest) + ([quantity % largest] if quantity % largest else [])
        return {"order_ids": _placed(venue, form, parts)}

    def _modify(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        order_id, form = change_form(call.body)
        return {"order_id": venue.exchange.modify(_VARIETY, order_id, form)}

    def _cancel(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return {"order_id": venue.exchange.cancel(_VARIETY, call.needed("order_id"))}

    def _orders(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return [order_row(row, self._names) for row in venue.late_rows.seen(venue.exchange.orders())]

    def _details(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return self.order_of(venue, call.needed("order_id"))

    def _history(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        seen = venue.late_rows.seen(venue.exchange.orders())
        order_id, tag = call.fields.get("order_id"), call.fields.get("tag")
        if not order_id and not tag:
            raise input_error("The order_id or tag is required")
        chosen = [row for row in seen if row["order_id"] == order_id or (tag and row["tag"] == tag)]
        return [
            order_row({**row, **state}, self._names)
            for row in chosen
            for state in venue.exchange.order_history(row["order_id"])
        ]

    def _trades(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return self._trade_rows(venue, venue.late_rows.seen(venue.exchange.trades()))

    def _order_trades(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return self._trade_rows(venue, venue.exchange.order_trades(call.needed("order_id")))

    def _trade_rows(self, venue: Venue, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        orders = {row["order_id"]: row for row in venue.exchange.orders()}
        return [trade_row(row, orders[row["order_id"]], self._names) for row in rows]

    def _positions(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        return [position_row(row, self._names) for row in venue.exchange.positions()["net"]]

    # -- money and contracts ---------------------------------------------------------------------

    def _margin(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        rows = call.body.get("instruments") if isinstance(call.body, dict) else None
        if not isinstance(rows, list) or not rows:
            raise input_error("The instruments are required")
        asked = []
        for row in rows:
            if not isinstance(row, dict):
                raise input_error("The instruments are invalid")
            instrument = self._names.contract(str(row.get("instrument_key")))
            asked.append(
                {
                    "exchange": instrument.exchange, "tradingsymbol": instrument.symbol, "variety": _VARIETY,
                    "transaction_type": row.get("transaction_type"), "quantity": row.get("quantity"),
                    "product": {"I": "MIS", "D": "NRML"}.get(str(row.get("product"))), "order_type": "MARKET",
                    "price": row.get("price") or 0, "trigger_price": 0,
                }
            )  # fmt: skip
        found = venue.exchange.basket_margins(asked)
        margins = [_margin_row(one) for one in found["orders"]]
        return {
            "margins": margins,
            "required_margin": float(found["initial"]["total"]),
            "final_margin": float(found["final"]["total"]),
        }

    def _expiries(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        name = self._names.underlying(call.needed("instrument_key"))
        return sorted({str(one.expiry) for one in self._names.expired if one.name == name})

    def _expired_contracts(self, venue: Venue, call: Call) -> Any:  # noqa: ANN401
        name, expiry = self._names.underlying(call.needed("instrument_key")), call.needed("expiry_date")
        return [
            self._names.expired_row(one)
            for one in self._names.expired
            if one.name == name and str(one.expiry) == expiry
        ]


def _units(given: object) -> int:
    try:
        return int(str(given))
    except ValueError:
        raise input_error("Invalid `quantity`.") from None


def _placed(venue: Venue, form: dict[str, str], parts: list[int]) -> list[str]:
    """Place slices; where a later one is one too many, tell of those that are placed."""
    placed: list[str] = []
    for part in parts:
        try:
            placed.append(venue.exchange.place(_VARIETY, {**form, "quantity": str(part)}))
        except ExchangeError:
            if not placed:
                raise
            break
    return placed


def profile_row(venue: Venue) -> dict[str, Any]:
    """Return who is logged in."""
    row = venue.exchange.profile()
    return {
        "email": row["email"],
        "exchanges": ["NSE", "NFO"],
        "products": ["D", "I"],
        "broker": "UPSTOX",
        "user_id": row["user_id"],
        "user_name": row["user_name"],
        "order_types": ["MARKET", "LIMIT", "SL", "SL-M"],
        "user_type": "individual",
        "poa": False,
        "is_active": True,
    }


def _funds(venue: Venue) -> dict[str, Any]:
    return {name: _segment(venue.exchange.margins(name)) for name in ("equity", "commodity")}


def _segment(row: dict[str, Any]) -> dict[str, Any]:
    used = row["utilised"]
    return {
        "used_margin": float(used["debits"]),
        "payin_amount": 0.0,
        "span_margin": float(used["span"]),
        "adhoc_margin": 0.0,
        "notional_cash": 0.0,
        "available_margin": float(row["net"]),
        "exposure_margin": float(used["exposure"]),
    }


def _margin_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "span_margin": float(row["span"]),
        "exposure_margin": float(row["exposure"]),
        "equity_margin": 0.0,
        "net_buy_premium": 0.0,
        "additional_margin": 0.0,
        "total_margin": float(row["total"]),
        "tender_margin": 0.0,
    }


def _timings(venue: Venue, call: Call) -> list[dict[str, Any]]:
    try:
        day = dt.date.fromisoformat(call.path["date"])
    except ValueError:
        raise input_error("Invalid date: expected yyyy-mm-dd") from None
    session = venue.config.exchange.calendar.session(day)
    if session is None:
        return []
    times = {"start_time": session.open, "end_time": session.close}
    milliseconds = {name: int(time.timestamp() * 1000) for name, time in times.items()}
    return [{"exchange": exchange, **milliseconds} for exchange in ("NSE", "NFO")]


def _log_out(venue: Venue) -> bool:
    venue.session.kill()
    return True
