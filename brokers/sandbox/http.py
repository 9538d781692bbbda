"""The HTTP side of the sandbox: reads requests, goes wrong where told to, answers like Kite."""

from __future__ import annotations

import asyncio
import datetime as dt
import html
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from brokers.sandbox.answers import (
    error_answer,
    gateway_answer,
    lost_answer,
    success_answer,
    unreadable_answer,
)
from brokers.sandbox.call import Call, read_call
from brokers.sandbox.exchange_error import ExchangeError, too_many_requests
from brokers.sandbox.faults import AFTER_KINDS, BEFORE_KINDS, Fault
from brokers.sandbox.routes import ROUTES, CsvText, Route
from brokers.sandbox.stream import MAX_CONNECTIONS
from brokers.sandbox.venue import Venue
from feeds.clock import WallClock

__all__ = ["VENUE", "Handler", "add_api", "as_kite_answers"]

VENUE: web.AppKey[Venue] = web.AppKey("venue")
"""Where an application keeps its venue."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
_GATEWAYS = {"bad_gateway": (502, "Bad Gateway"), "gateway_timeout": (504, "Gateway Time-out")}
_PAGE = "<!doctype html><title>Sandbox</title><p>Sandbox login. The request token is <code>{token}</code>."


def add_api(app: web.Application) -> None:
    """Add the paths of Kite Connect to an application, those of login and stream among them."""
    for route in ROUTES:
        app.router.add_route(route.method, route.path, _served(route))
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


def _served(route: Route) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        venue = request.app[VENUE]
        call = await read_call(request)
        faults = venue.faults.take(BEFORE_KINDS, venue.clock.now(), route=call.route, fields=call.fields)
        for fault in faults:
            wrong = await _go_wrong_before(venue, fault, request)
            if wrong is not None:
                return wrong
        answer, faults = _carry_out(venue, route, call, request)
        for fault in faults:
            answer = await _go_wrong_after(fault, request, answer)
        return answer

    return serve


def _carry_out(
    venue: Venue, route: Route, call: Call, request: web.Request
) -> tuple[web.Response, list[Fault]]:
    """Do what is asked; return the answer and what is to go wrong with it."""
    now = venue.pump()
    kinds = AFTER_KINDS
    order_id: str | None = None
    try:
        if route.needs_token:
            venue.session.check(request.headers.get("Authorization"), now)
        if route.limit is not None and venue.config.exchange.rate_limits:
            venue.reads.take(route.limit)
        data = route.answer(venue, call)
    except ExchangeError as error:
        answer, kinds = error_answer(error), frozenset({"clock_skew"})
    else:
        if isinstance(data, dict):
            order_id = data.get("order_id")
        answer = _csv_answer(data) if isinstance(data, CsvText) else success_answer(data)
    faults = venue.faults.take(kinds, now, route=call.route, fields=call.fields)
    for fault in faults:
        if fault.kind == "late_row" and order_id is not None:
            venue.late_rows.hide(order_id, fault.seconds or 0.0)
    # Only now, so that updates of an order whose row is late are late as well.
    venue.pump()
    venue.wake()
    return answer, faults


def _csv_answer(text: str) -> web.Response:
    answer = web.Response(text=text, content_type="text/csv")
    answer.enable_compression()
    return answer


async def _go_wrong_before(venue: Venue, fault: Fault, request: web.Request) -> web.Response | None:
    """Return what to answer instead of doing anything; None to go on."""
    if fault.kind == "drop_request":
        return lost_answer(request)
    if fault.kind == "refuse":
        return error_answer(ExchangeError(fault.status or 500, fault.error_type, fault.message))
    if fault.kind == "too_many_requests":
        return error_answer(too_many_requests())
    if fault.kind == "kill_token":
        venue.session.kill()
    else:
        await asyncio.sleep(fault.seconds or 0.0)
    return None


async def _go_wrong_after(fault: Fault, request: web.Request, answer: web.Response) -> web.Response:
    """Return what becomes of an answer."""
    if fault.kind == "lost_answer":
        return lost_answer(request)
    if fault.kind == "unreadable":
        return unreadable_answer()
    if fault.kind == "timed_out":
        return error_answer(ExchangeError(400, "NetworkException", _TIMED_OUT))
    if fault.kind in _GATEWAYS:
        return gateway_answer(*_GATEWAYS[fault.kind])
    if fault.kind == "late_answer":
        await asyncio.sleep(fault.seconds or 0.0)
    elif fault.kind == "clock_skew":
        shown = WallClock().now().astimezone(dt.UTC) + dt.timedelta(seconds=fault.seconds or 0.0)
        answer.headers["Date"] = format_datetime(shown, usegmt=True)
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
    for fault in venue.faults.take({"refuse_upgrade"}, now):
        kind = "TokenException" if fault.status == 403 else "NetworkException"
        raise ExchangeError(fault.status or 403, kind, fault.message)
    query = request.query
    if not venue.session.accepts(query.get("api_key", ""), query.get("access_token", ""), now):
        raise ExchangeError(403, "TokenException", "Incorrect `api_key` or `access_token`.")
    if len(venue.stream.subscriptions) >= MAX_CONNECTIONS:
        raise too_many_requests("Too many connections")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise ExchangeError(400, "InputException", "Expected a WebSocket upgrade.")
    return await venue.stream.serve(request)
