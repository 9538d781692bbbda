"""Candles as Upstox gives them, newest first: of past days, today, and contracts that have expired.

Lengths, spans and codes of refusals are those of Upstox' page on historical candles v3. Where it is silent:
without ``from_date`` an answer covers what one request may cover, weeks begin on Mondays, and the day that
runs is none of the past ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from brokers.sandbox.candles import merge_bars
from brokers.sandbox.exchange import Exchange
from brokers.sandbox.upstox.answers import refusal
from brokers.sandbox.upstox.names import Names
from feeds.bars import aggregate
from feeds.clock import IST

__all__ = ["CandleRows", "expired_candles", "past_candles", "todays_candles"]

CandleRows = Callable[[Exchange, Names, Mapping[str, str]], dict[str, Any]]
"""Makes the answer of a path from its variable parts."""

_MOST = {"minutes": 300, "hours": 5, "days": 1, "weeks": 1, "months": 1}
_HOUR_MINUTES = 60
_SHORT_MINUTES = 15
_MONTH, _QUARTER = pd.DateOffset(months=1), pd.DateOffset(months=3)
_DECADE = pd.DateOffset(years=10)
_FIRST_MINUTES = dt.date(2022, 1, 1)
_FIRST_DAYS = dt.date(2000, 1, 1)
_PERIODS = {"weeks": "W", "months": "M"}
_EXPIRED = {"1minute": 1, "3minute": 3, "5minute": 5, "15minute": 15, "30minute": 30, "day": 0}


class _Length(NamedTuple):
    unit: str
    minutes: int  # 0 for days and longer

    @property
    def longest(self) -> pd.DateOffset | None:
        if self.unit in _PERIODS:
            return None
        if not self.minutes:
            return _DECADE
        return _MONTH if self.unit == "minutes" and self.minutes <= _SHORT_MINUTES else _QUARTER

    @property
    def begin(self) -> dt.date:
        return _FIRST_MINUTES if self.minutes else _FIRST_DAYS


def past_candles(exchange: Exchange, names: Names, path: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer of ``/v3/historical-candle/{key}/{unit}/{interval}/{to_date}[/{from_date}]``.

    Raises
    ------
    ExchangeError
        400 with Upstox' code, for an unknown key, unit, interval or date, or too long a span.
    """
    token, length = names.token(path["key"]), _length(path)
    last = _day(path["to_date"])
    oldest = None if length.longest is None else (pd.Timestamp(last) - length.longest).date()
    first = _day(path["from_date"]) if "from_date" in path else oldest or length.begin
    if first > last:
        raise refusal("UDAPI1015", "to_date must be greater than or equal to from_date")
    if oldest is not None and first < oldest:
        raise refusal("UDAPI1148", "Invalid date range")
    yesterday = exchange.config.day - dt.timedelta(days=1)
    return _answer(exchange, token, length, max(first, length.begin), min(last, yesterday))


def todays_candles(exchange: Exchange, names: Names, path: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer of ``/v3/historical-candle/intraday/{key}/{unit}/{interval}``, forming one included.

    Raises
    ------
    ExchangeError
        400 with Upstox' code, for an unknown key, unit or interval, and for weeks and months.
    """
    day = exchange.config.day
    token, length = names.token(path["key"]), _length(path)
    if length.unit in _PERIODS:
        raise refusal("UDAPI1146", "Invalid unit")
    return _answer(exchange, token, length, day, day)


def expired_candles(exchange: Exchange, names: Names, path: Mapping[str, str]) -> dict[str, Any]:
    """Return the answer of ``…/historical-candle/{key}/{interval}/{to_date}/{from_date}`` of expired ones.

    Raises
    ------
    ExchangeError
        400 with Upstox' code, for a contract that is none or has not expired, an unknown interval or date.
    """
    instrument = names.contract(path["key"])
    if instrument.expiry >= exchange.config.day:
        raise refusal("UDAPI100011", "Invalid Instrument key")
    if path["interval"] not in _EXPIRED:
        raise refusal("UDAPI1147", "Invalid interval")
    minutes = _EXPIRED[path["interval"]]
    first, last = _day(path["from_date"]), _day(path["to_date"])
    if first > last:
        raise refusal("UDAPI1015", "to_date must be greater than or equal to from_date")
    length = _Length("minutes" if minutes else "days", minutes)
    return _answer(exchange, instrument.token, length, first, last)


def _answer(exchange: Exchange, token: int, length: _Length, first: dt.date, last: dt.date) -> dict[str, Any]:
    if first > last:
        return {"candles": []}
    begin, end = (dt.datetime.combine(day, dt.time(), IST) for day in (first, last))
    frame = exchange.minutes(token, begin, end)
    if frame.empty:
        return {"candles": []}
    if length.minutes:
        bars = aggregate(frame, length.minutes, exchange.config.calendar)
    else:
        bars = merge_bars(frame, _starts(pd.DatetimeIndex(frame.index), length.unit))
    return {"candles": [_row(bar) for bar in bars.iloc[::-1].itertuples()]}


def _starts(index: pd.DatetimeIndex, unit: str) -> pd.DatetimeIndex:
    days = index.normalize()
    if unit not in _PERIODS:
        return days
    periods = days.tz_localize(None).to_period(_PERIODS[unit])
    return pd.DatetimeIndex(periods.start_time).tz_localize(IST)


def _row(bar: Any) -> list[Any]:  # noqa: ANN401 # a row of itertuples
    interest = bar.open_interest
    return [
        f"{bar.Index:%Y-%m-%dT%H:%M:%S}+05:30", bar.open, bar.high, bar.low, bar.close, int(bar.volume),
        0 if pd.isna(interest) else int(interest),
    ]  # fmt: skip


def _length(path: Mapping[str, str]) -> _Length:
    unit, interval = path["unit"], path["interval"]
    if unit not in _MOST:
        raise refusal("UDAPI1146", "Invalid unit")
    if not interval.isascii() or not interval.isdecimal() or not 1 <= int(interval) <= _MOST[unit]:
        raise refusal("UDAPI1147", "Invalid interval")
    each = {"minutes": 1, "hours": _HOUR_MINUTES}.get(unit, 0)
    return _Length(unit, each * int(interval))


def _day(text: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 # a day has no zone
    except ValueError:
        raise refusal("UDAPI1015", "Date should be in valid format: yyyy-mm-dd") from None
