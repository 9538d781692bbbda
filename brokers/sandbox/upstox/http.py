"""Upstox' paths of the sandbox: API, login, list of contracts, and the two streams."""

from __future__ import annotations

import datetime as dt
import html
import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

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
        self._tickets: dict[str, str] = {}

    def add(self, app: web.Application) -> None:
        """Add them all."""
        form = ApiForm(upstox_success, upstox_error, _authorise, _order_id)
        tickets = [
            ApiRoute("GET", f"{path}/authorize", self._ticket_for(path), self._routes.count)
            for path in (_MARKET, _PORTFOLIO)
        ]
        for route in (*self._routes.table(), *tickets):
            app.router.add_route(route.method, route.path, _in_form(served(route, form)))
        app.router.add_get("/v2/login/authorization/dialog", _in_form(self._dialog))
        app.router.add_post("/v2/login/authorization/token", _in_form(self._token))
        app.router.add_get("/upstox/instruments/complete.json.gz", self._instruments)
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

    def _ticket_for(self, path: str) -> Any:  # noqa: ANN401 # an answer of a route
        def answer(venue: Venue, call: Any) -> dict[str, str]:  # noqa: ANN401
            ticket = secrets.token_urlsafe(16)
            self._tickets[ticket] = path
            return {"authorized_redirect_uri": f"ws://{call.host}/upstox/feed?{urlencode({'code': ticket})}"}

        return answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Serve a connection whose address was handed out once."""
        venue = self._venue
        now = venue.pump()
        for fault in venue.faults.take({"refuse_upgrade"}, now):
            kind = "TokenException" if fault.status in (401, 403) else "NetworkException"
            raise ExchangeError(fault.status or 403, kind, fault.message)
        path = self._tickets.pop(request.query.get("code", ""), None)
        if path is None:
            raise ExchangeError(403, "GeneralException", "The address is used or unknown")
        if len(venue.stream.subscriptions) >= MAX_CONNECTIONS:
            raise too_many_requests("Too many connections")
        return await venue.stream.serve(request, self._dialect(path, now))

    def _dialect(self, path: str, now: dt.datetime) -> Dialect:
        if path == _MARKET:
            return UpstoxMarketDialect(self._names, now)
        return UpstoxPortfolioDialect(lambda order_id: self._routes.order_of(self._venue, order_id))


def _authorise(venue: Venue, header: str | None, now: dt.datetime) -> None:
    kind, _, token = (header or "").partition(" ")
    if kind != "Bearer" or not venue.session.accepts(venue.session.api_key, token, now):
        raise _BAD_TOKEN


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
