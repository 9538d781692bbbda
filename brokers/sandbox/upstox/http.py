"""Upstox' paths of the sandbox: API, login, list of contracts, and the two streams."""

from __future__ import annotations

import datetime as dt
import html
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from brokers.sandbox.call import Call
from brokers.sandbox.exchange_error import ExchangeError, input_error, too_many_requests
from brokers.sandbox.serving import ApiForm, ApiRoute, Handler, served
from brokers.sandbox.stream import MAX_CONNECTIONS, Dialect
from brokers.sandbox.upstox.answers import upstox_error, upstox_success
from brokers.sandbox.upstox.market_frames import UpstoxMarketDialect
from brokers.sandbox.upstox.names import Names
from brokers.sandbox.upstox.portfolio import UpstoxPortfolioDialect
from brokers.sandbox.upstox.routes import UpstoxRoutes, profile_row
from brokers.sandbox.venue import Venue

__all__ = ["UpstoxApi"]

_BAD_TOKEN = ExchangeError(401, "TokenException", "Invalid token used to access API")
_PAGE = "<!doctype html><title>Sandbox</title><p>Sandbox login. The code is <code>{code}</code>."
_MARKET, _PORTFOLIO = "/v3/feed/market-data-feed", "/v2/feed/portfolio-stream-feed"
_END_OF_TOKENS = dt.time(3, 30)


class _Ticket(NamedTuple):
    path: str
    access_token: str
    tells_orders: bool


class UpstoxApi:
    """Adds Upstox' paths to an application.

    Parameters
    ----------
    venue : Venue
        What is behind them.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._names = Names(venue.config.exchange)
        self._routes = UpstoxRoutes(self._names)
        self._tickets: dict[str, _Ticket] = {}

    def add(self, app: web.Application) -> None:
        """Add them all."""
        form = ApiForm(upstox_success, upstox_error, _authorise, _order_id)
        tickets = [
            ApiRoute("GET", f"{path}/authorize", self._address_answer(path), self._routes.count)
            for path in (_MARKET, _PORTFOLIO)
        ]
        for route in (*self._routes.table(), *tickets):
            app.router.add_route(route.method, route.path, _in_form(served(route, form)))
        app.router.add_get("/v2/login/authorization/dialog", _in_form(self._dialog))
        app.router.add_post("/v2/login/authorization/token", _in_form(self._token))
        app.router.add_get("/upstox/instruments/complete.json.gz", self._instruments)
        for path in (_MARKET, _PORTFOLIO):
            app.router.add_get(path, _in_form(self._redirect))
        app.router.add_get("/upstox/feed", _in_form(self._stream))

    # -- login -----------------------------------------------------------------------------------

    async def _dialog(self, request: web.Request) -> web.StreamResponse:
        """Log the one user in: send the browser to the app with a code, or show it."""
        query = request.query
        code = self._venue.session.request(query.get("client_id", ""))
        redirect = query.get("redirect_uri", "")
        if not redirect.startswith("http://127.0.0.1"):
            return web.Response(text=_PAGE.format(code=html.escape(code)), content_type="text/html")
        fields = {"code": code} | ({"state": query["state"]} if "state" in query else {})
        raise web.HTTPFound(f"{redirect}{'&' if '?' in redirect else '?'}{urlencode(fields)}")

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        if fields.get("grant_type") != "authorization_code" or not fields.get("redirect_uri"):
            raise input_error("The grant_type or redirect_uri is invalid")
        venue = self._venue
        token = venue.session.exchange_code(
            fields.get("client_id", ""), fields.get("client_secret", ""), fields.get("code", ""),
            venue.clock.now(),
        )  # fmt: skip
        row = {**profile_row(venue), "access_token": token, "extended_token": ""}
        return web.json_response(row)

    async def _instruments(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._names.dump(), content_type="application/gzip")

    # -- streams ---------------------------------------------------------------------------------

    def _address(self, path: str, host: str, update_types: str) -> str:
        """Return an address that is good for one connection."""
        code = secrets.token_urlsafe(16)
        tells_orders = "order" in update_types.split(",")
        self._tickets[code] = _Ticket(path, self._venue.session.access_token, tells_orders)
        return f"ws://{host}/upstox/feed?{urlencode({'code': code})}"

    def _address_answer(self, path: str) -> Any:  # noqa: ANN401 # an answer of a route
        def answer(venue: Venue, call: Call) -> dict[str, str]:  # it is the one at hand
            update_types = call.fields.get("update_types", "order")
            address = self._address(path, call.host, update_types)
            # The pages name the first, the official client reads the second.
            return {"authorized_redirect_uri": address, "authorizedRedirectUri": address}

        return answer

    async def _redirect(self, request: web.Request) -> web.StreamResponse:
        """Send a client that comes with its token to an address of its own."""
        _authorise(self._venue, request.headers.get("Authorization"), self._venue.pump())
        update_types = request.query.get("update_types", "order")
        raise web.HTTPFound(self._address(request.path, request.host, update_types))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Serve a connection whose address was handed out once."""
        venue = self._venue
        now = venue.pump()
        ticket = self._tickets.pop(request.query.get("code", ""), None)
        if ticket is None:
            raise ExchangeError(403, "GeneralException", "The address is used or unknown")
        dialect = self._dialect(ticket, now)
        for fault in venue.faults.take({"refuse_upgrade"}, now, fields={"stream": dialect.name}):
            kind = "TokenException" if fault.status == 401 else "GeneralException"
            raise ExchangeError(fault.status or 403, kind, fault.message)
        if not _is_alive(venue, ticket.access_token, now):
            raise _BAD_TOKEN
        if len(venue.stream.subscriptions) >= MAX_CONNECTIONS:
            raise too_many_requests("Too many connections")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise input_error("Expected a WebSocket upgrade")
        return await venue.stream.serve(request, dialect)

    def _dialect(self, ticket: _Ticket, now: dt.datetime) -> Dialect:
        venue = self._venue
        if ticket.path == _PORTFOLIO:
            return UpstoxPortfolioDialect(
                lambda order_id: self._routes.order_of(venue, order_id), tells_orders=ticket.tells_orders
            )
        session = venue.config.exchange.calendar.session(now.date())
        is_open = session is not None and any(start <= now < end for start, end in session.segments)
        return UpstoxMarketDialect(
            self._names, now, is_open=is_open, newest_minute=venue.exchange.newest_minute
        )


def _authorise(venue: Venue, header: str | None, now: dt.datetime) -> None:
    kind, _, token = (header or "").partition(" ")
    if kind != "Bearer" or not _is_alive(venue, token, now):
        raise _BAD_TOKEN


def _is_alive(venue: Venue, token: str, now: dt.datetime) -> bool:
    return venue.session.accepts(venue.session.api_key, token, now, _END_OF_TOKENS)


def _order_id(data: Any) -> str | None:  # noqa: ANN401 # JSON
    if not isinstance(data, dict):
        return None
    ids = data.get("order_ids")
    return ids[0] if ids else data.get("order_id")


def _in_form(handler: Handler) -> Handler:
    """Have refusals of a handler answered in Upstox' form."""

    async def serve(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ExchangeError as error:
            return upstox_error(error)

    return serve
