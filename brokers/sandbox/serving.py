"""One request, whatever broker's form it has: faults before, the exchange, faults after."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Any, NamedTuple

from aiohttp import web

from brokers.sandbox.answers import gateway_answer, lost_answer, unreadable_answer
from brokers.sandbox.call import Call, read_call
from brokers.sandbox.exchange_error import ExchangeError, too_many_requests
from brokers.sandbox.faults import AFTER_KINDS, BEFORE_KINDS, Fault
from brokers.sandbox.venue import Venue
from feeds.clock import WallClock

__all__ = ["VENUE", "ApiForm", "ApiRoute", "Handler", "served"]

VENUE: web.AppKey[Venue] = web.AppKey("venue")
"""Where an application keeps its venue."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TIMED_OUT = "Order request timed out. Please check the order book and confirm before placing again."
_GATEWAYS = {"bad_gateway": (502, "Bad Gateway"), "gateway_timeout": (504, "Gateway Time-out")}


class ApiForm(NamedTuple):
    """How a broker's API says things.

    Attributes
    ----------
    success : callable
        Makes the answer of a route's data.
    error : callable
        Makes the answer of a refusal.
    authorise : callable
        Given the venue, the header ``Authorization`` and the market's time; raises ExchangeError.
    order_id : callable
        Returns the id of the order that a route's data tell of, if any.
    """

    success: Callable[[Any], web.Response]
    error: Callable[[ExchangeError], web.Response]
    authorise: Callable[[Venue, str | None, dt.datetime], None]
    order_id: Callable[[Any], str | None]


class ApiRoute(NamedTuple):
    """One path of an API.

    Attributes
    ----------
    method, path : str
        Variable parts of the path in braces.
    answer : callable
        Returns the answer's data.
    limit : callable or None
        Counts the request, and raises ExchangeError if it is one too many; None for orders, which the
        exchange counts.
    needs_token : bool
        Whether the access token is checked.
    """

    method: str
    path: str
    answer: Callable[[Venue, Call], Any]
    limit: Callable[[Venue], None] | None
    needs_token: bool = True


def served(route: ApiRoute, form: ApiForm) -> Handler:
    """Return what serves a route in a form."""

    async def serve(request: web.Request) -> web.StreamResponse:
        venue = request.app[VENUE]
        call = await read_call(request)
        faults = venue.faults.take(BEFORE_KINDS, venue.clock.now(), route=call.route, fields=call.fields)
        for fault in faults:
            wrong = await _go_wrong_before(venue, fault, request, form)
            if wrong is not None:
                return wrong
        answer, faults = _carry_out(venue, route, form, call, request)
        for fault in faults:
            answer = await _go_wrong_after(fault, request, form, answer)
        return answer

    return serve


def _carry_out(
    venue: Venue, route: ApiRoute, form: ApiForm, call: Call, request: web.Request
) -> tuple[web.Response, list[Fault]]:
    """Do what is asked; return the answer and what is to go wrong with it."""
    now = venue.pump()
    kinds = AFTER_KINDS
    order_id: str | None = None
    try:
        if route.needs_token:
            form.authorise(venue, request.headers.get("Authorization"), now)
        if route.limit is not None and venue.config.exchange.rate_limits:
            route.limit(venue)
        data = route.answer(venue, call)
    except ExchangeError as error:
        answer, kinds = form.error(error), frozenset({"clock_skew"})
    else:
        order_id = form.order_id(data)
        answer = form.success(data)
    faults = venue.faults.take(kinds, now, route=call.route, fields=call.fields)
    for fault in faults:
        if fault.kind == "late_row" and order_id is not None:
            venue.late_rows.hide(order_id, fault.seconds or 0.0)
    # Only now, so that updates of an order whose row is late are late as well.
    venue.pump()
    venue.wake()
    return answer, faults


async def _go_wrong_before(
    venue: Venue, fault: Fault, request: web.Request, form: ApiForm
) -> web.Response | None:
    """Return what to answer instead of doing anything; None to go on."""
    if fault.kind == "drop_request":
        return lost_answer(request)
    if fault.kind == "refuse":
        return form.error(ExchangeError(fault.status or 500, fault.error_type, fault.message))
    if fault.kind == "too_many_requests":
        return form.error(too_many_requests())
    if fault.kind == "kill_token":
        venue.session.kill()
    else:
        await asyncio.sleep(fault.seconds or 0.0)
    return None


async def _go_wrong_after(
    fault: Fault, request: web.Request, form: ApiForm, answer: web.Response
) -> web.Response:
    """Return what becomes of an answer."""
    if fault.kind == "lost_answer":
        return lost_answer(request)
    if fault.kind == "unreadable":
        return unreadable_answer()
    if fault.kind == "timed_out":
        return form.error(ExchangeError(400, "NetworkException", _TIMED_OUT))
    if fault.kind in _GATEWAYS:
        return gateway_answer(*_GATEWAYS[fault.kind])
    if fault.kind == "late_answer":
        await asyncio.sleep(fault.seconds or 0.0)
    elif fault.kind == "clock_skew":
        shown = WallClock().now().astimezone(dt.UTC) + dt.timedelta(seconds=fault.seconds or 0.0)
        answer.headers["Date"] = format_datetime(shown, usegmt=True)
    return answer
