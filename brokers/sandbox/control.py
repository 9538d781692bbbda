"""Paths by which the sandbox itself is told what to do; no broker has them, and no token is asked for."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from brokers.sandbox.answers import success_answer
from brokers.sandbox.call import read_call
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.faults import Fault
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.serving import VENUE, Handler
from brokers.sandbox.venue import Venue
from feeds.clock import IST
from feeds.errors import SettingsError

__all__ = ["add_control", "moment", "read_faults"]

_Told = Callable[[Venue, Any], Any]


def add_control(app: web.Application) -> None:
    """Add the paths under ``/sandbox`` to an application."""
    for method, path, work in _PATHS:
        app.router.add_route(method, path, _told(work))


def read_faults(given: object) -> list[Fault]:
    """Return the fault, or the list of faults, that JSON describes.

    Raises
    ------
    SettingsError
        Where a field is wrong, with its name.
    """
    rows = given if isinstance(given, list) else [given]
    try:
        return [Fault.model_validate(row) for row in rows]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "fault"
        raise SettingsError(
            f"found {str(first['input'])[:80]!r} for {where} of a fault: {first['msg']}; see docs/sandbox.md"
        ) from error


def moment(text: str, day: dt.date) -> dt.datetime:
    """Return the time that ``HH:MM[:SS]`` means on a day, Asia/Kolkata; other text raises SettingsError."""
    try:
        time = dt.time.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None:
        raise SettingsError(f"found {text!r}, expected a time of the market's day such as 10:15:00")
    return dt.datetime.combine(day, time, IST)


def _told(work: _Told) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        call = await read_call(request)
        venue = request.app[VENUE]
        venue.pump()
        try:
            data = work(venue, call.body)
        except SettingsError as error:
            raise input_error(str(error)) from error
        finally:
            venue.wake()
        return success_answer(data)

    return serve


def _add_faults(venue: Venue, body: Any) -> Any:  # noqa: ANN401 # JSON, here and below
    return {"ids": venue.faults.add(*read_faults(body))}


def _clear_faults(venue: Venue, body: Any) -> Any:  # noqa: ANN401
    venue.faults.clear()
    return True


def _start(venue: Venue, body: Any) -> Any:  # noqa: ANN401
    venue.start()
    return venue.state()


def _advance(venue: Venue, body: Any) -> Any:  # noqa: ANN401
    fields = body if isinstance(body, Mapping) else {}
    if "to" in fields:
        venue.clock.set(moment(str(fields["to"]), venue.config.exchange.day))
    else:
        seconds = _number(fields, "seconds")
        venue.clock.set(venue.clock.now() + dt.timedelta(seconds=seconds))
    venue.pump()
    return venue.state()


def _trade(venue: Venue, body: Any) -> Any:  # noqa: ANN401
    fields = body if isinstance(body, Mapping) else {}
    lot = venue.config.exchange.instruments[0].lot
    trade = MarketTrade(
        time=venue.clock.now(),
        price=_number(fields, "price"),
        quantity=int(_number(fields, "quantity", lot)),
        open_interest=_number(fields, "open_interest", 0.0),
    )
    token = fields.get("token")
    venue.trade(None if token is None else int(_number(fields, "token")), trade)
    return venue.state()


def _kill_token(venue: Venue, body: Any) -> Any:  # noqa: ANN401
    venue.session.kill()
    return True


def _number(fields: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise SettingsError(f"found {value!r} for {name}, expected a number from 0 on; correct it")
    return float(value)


_PATHS: tuple[tuple[str, str, _Told], ...] = (
    ("GET", "/sandbox/state", lambda venue, _: venue.state()),
    ("POST", "/sandbox/start", _start),
    ("POST", "/sandbox/advance", _advance),
    ("POST", "/sandbox/trade", _trade),
    ("POST", "/sandbox/token/kill", _kill_token),
    ("GET", "/sandbox/faults", lambda venue, _: venue.faults.rows()),
    ("POST", "/sandbox/faults", _add_faults),
    ("DELETE", "/sandbox/faults", _clear_faults),
)
