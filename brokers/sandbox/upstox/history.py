"""Candles as Upstox gives them, newest first: of past days, today, and contracts that have expired."""

from __future__ import annotations

import datetime as dt
from typing import Any

from brokers.sandbox.exchange import Exchange
from brokers.sandbox.exchange_error import input_error
from brokers.sandbox.upstox.names import Names
from feeds.clock import IST

__all__ = ["expired_candles", "past_candles", "todays_candles"]

_MOST_DAYS = ((15, 31), (300, 92))
"""Longest spans, days, for candles of up to so many minutes."""

_EXPIRED = {"1minute": 1, "3minute": 3, "5minute": 5, "15minute": 15, "30minute": 30}


def past_candles(exchange: Exchange, names: Names, path: dict[str, str]) -> dict[str, Any]:
    """Return the answer of ``/v3/historical-candle/{key}/{unit}/{interval}/{to_date}/{from_date}``."""
    minutes = _minutes(path)
    token = names.token(path["key"])
    first, last = _day(path["from_date"]), _day(path["to_date"])
    yesterday = exchange.config.day - dt.timedelta(days=1)
    return {"candles": _candles(exchange, token, minutes, first, min(last, yesterday), asked_to=last)}


def todays_candles(exchange: Exchange, names: Names, path: dict[str, str]) -> dict[str, Any]:
    """Return the answer of ``/v3/historical-candle/intraday/{key}/{unit}/{interval}``."""
    day = exchange.config.day
    return {"candles": _candles(exchange, names.token(path["key"]), _minutes(path), day, day)}


def expired_candles(exchange: Exchange, names: Names, path: dict[str, str]) -> dict[str, Any]:
    """Return the answer of ``/v2/expired-instruments/historical-candle/…``."""
    instrument = names.contract(path["key"])
    if instrument.expiry >= exchange.config.day:
        raise input_error("Invalid Instrument key")
    minutes = _EXPIRED.get(path["interval"])
    if minutes is None:
        raise input_error("Invalid interval")
    first, last = _day(path["from_date"]), _day(path["to_date"])
    return {"candles": _candles(exchange, instrument.token, minutes, first, last)}


def _candles(
    exchange: Exchange,
    token: int,
    minutes: int,
    first: dt.date,
    last: dt.date,
    asked_to: dt.date | None = None,
) -> list[list[Any]]:
    longest = next(days for most, days in _MOST_DAYS if minutes <= most)
    if first > (asked_to or last):
        raise input_error("Invalid date range: to_date must be on or after from_date")
    if ((asked_to or last) - first).days > longest:
        raise input_error("Invalid date range: it exceeds what one request may cover")
    if first > last:
        return []
    interval = "minute" if minutes == 1 else f"{minutes}minute"
    begin = dt.datetime.combine(first, dt.time(), IST)
    end = dt.datetime.combine(last, dt.time(23, 59), IST)
    rows = exchange.candles(token, interval, begin, end, oi=True)
    return [[_stamp(row[0]), *row[1:]] for row in reversed(rows)]


def _stamp(text: str) -> str:
    return f"{text[:-2]}:{text[-2:]}"  # +0530 of the exchange is +05:30 here


def _minutes(path: dict[str, str]) -> int:
    if path["unit"] != "minutes" or not path["interval"].isdecimal() or not 1 <= int(path["interval"]) <= 300:
        raise input_error("Invalid unit or interval")
    return int(path["interval"])


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise input_error("Invalid date: expected yyyy-mm-dd") from None
