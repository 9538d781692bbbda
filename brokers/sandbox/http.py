"""The HTTP side of the sandbox: reads requests, goes wrong where told to, answers like Kite."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from brokers.sandbox.answers import error_answer, success_answer
from brokers.sandbox.exchange_error import ExchangeError, too_many_requests
from brokers.sandbox.routes import ROUTES, CsvText, Route
from brokers.sandbox.serving import VENUE, ApiForm, ApiRoute, Handler, served
from brokers.sandbox.stream import MAX_CONNECTIONS, KiteDialect

__all__ = ["add_api", "as_kite_answers"]

_PAGE = "<!doctype html><title>Sandbox</title><p>Sandbox login. The request token is <code>{token}</code>."


def add_api(app: web.Application) -> None:
    """Add the paths of Kite Connect to an application, those of login and stream among them."""
    for route in ROUTES:
        app.router.add_route(route.method, route.path, served(_api_route(route), _KITE))
    app.router.add_get("/connect/login", _login_page)
    app.router.add_get("/", _stream)


@web.middleware
async def as_kite_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in Kite's form where a request is refused, by the exchange or because there is no such path."""
    try:
        return await handler(request)
    except ExchangeError as error:
        return error_answer(error)
    except (web.HTTPRedirection, ConnectionError):
        raise
    except web.HTTPException as error:
        words = "Route not found" if error.status == web.HTTPNotFound.status_code else error.reason
        return error_answer(ExchangeError(error.status, "GeneralException", words))
    except Exception as error:
        request.app[VENUE].failure = error
        raise


def _api_route(route: Route) -> ApiRoute:
    limit = route.limit
    count = None if limit is None else lambda venue: venue.reads.take(limit)
    return ApiRoute(route.method, route.path, route.answer, count, route.needs_token)


def _success(data: Any) -> web.Response:  # noqa: ANN401 # JSON, or CSV
    return _csv_answer(data) if isinstance(data, CsvText) else success_answer(data)


def _order_id(data: Any) -> str | None:  # noqa: ANN401 # JSON
    return data.get("order_id") if isinstance(data, dict) else None


_KITE = ApiForm(
    success=_success,
    error=error_answer,
    authorise=lambda venue, header, now: venue.session.check(header, now),
    order_id=_order_id,
)


def _csv_answer(text: str) -> web.Response:
    answer = web.Response(text=text, content_type="text/csv")
    answer.enable_compression()
    return answer


async def _login_page(request: web.Request) -> web.StreamResponse:
    """Log the one user in: send the browser to the app with a request token, or show the token."""
    venue = request.app[VENUE]
    query = request.query
    token = venue.session.request(query.get("api_key", ""))
    if venue.config.redirect is None:
        return web.Response(text=_PAGE.format(token=html.escape(token)), content_type="text/html")
    given = parse_qsl(query.get("redirect_params", ""))
    fields = [*given, ("action", "login"), ("type", "login"), ("status", "success"), ("request_token", token)]
    join = "&" if "?" in venue.config.redirect else "?"
    raise web.HTTPFound(f"{venue.config.redirect}{join}{urlencode(fields)}")


async def _stream(request: web.Request) -> web.StreamResponse:
    """Serve a WebSocket connection, if its credentials are right and it is not one too many."""
    venue = request.app[VENUE]
    now = venue.pump()
    for fault in venue.faults.take({"refuse_upgrade"}, now, fields={"stream": KiteDialect.name}):
        kind = "TokenException" if fault.status == 403 else "NetworkException"
        raise ExchangeError(fault.status or 403, kind, fault.message)
    query = request.query
    if not venue.session.accepts(query.get("api_key", ""), query.get("access_token", ""), now):
        raise ExchangeError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
    if len(venue.stream.subscriptions) >= MAX_CONNECTIONS:
        raise too_many_requests("Too many connections")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise ExchangeError(400, "InputException", "Expected a WebSocket upgrade.")
    return await venue.stream.serve(request, KiteDialect())
