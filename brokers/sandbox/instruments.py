"""The contracts of the sandbox: near, next and far future, and the dump they are listed in."""

from __future__ import annotations

import calendar as month_calendar
import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for, expiry_of, lot_of

__all__ = ["CSV_COLUMNS", "SandboxIndex", "SandboxInstrument", "instruments_csv", "near_next_far"]

CSV_COLUMNS = (
    "instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry", "strike",
    "tick_size", "lot_size", "instrument_type", "segment", "exchange",
)  # fmt: skip
"""Columns of the dump, in its order."""

_NFO_SEGMENT = 2
_TOKENS_PER_SEGMENT = 256
_FIRST_EXCHANGE_TOKEN = 35_001
_NO_FREEZE = 1_000_000_000


class SandboxInstrument(NamedTuple):
    """One future.

    Attributes
    ----------
    token, exchange_token : int
        ``token`` is ``exchange_token × 256 + 2``: the last byte names the segment, NFO.
    symbol, name : str
        Such as ``NIFTY26NOVFUT`` and ``NIFTY``.
    expiry : datetime.date
        Last trading day.
    lot : int
        Units per lot.
    tick : float
        Smallest price step, index points.
    freeze : int
        Largest order, units.
    exchange, segment : str
        Where it trades.
    """

    token: int
    exchange_token: int
    symbol: str
    name: str
    expiry: dt.date
    lot: int
    tick: float
    freeze: int
    exchange: str = "NFO"
    segment: str = "NFO-FUT"


class SandboxIndex(NamedTuple):
    """An index: it has a history, but is not traded.

    Attributes
    ----------
    token, exchange_token : int
        ``token`` is ``exchange_token × 256 + 9``.
    symbol : str
        Such as ``NIFTY 50``.
    exchange, segment : str
        Where it is listed.
    """

    token: int
    exchange_token: int
    symbol: str
    exchange: str = "NSE"
    segment: str = "INDICES"


def near_next_far(
    underlying: str, day: dt.date, calendar: TradingCalendar, index_level: float | None = None
) -> tuple[SandboxInstrument, ...]:
    """Return the three monthly futures that trade on ``day``, near month first.

    Parameters
    ----------
    underlying : str
        ``NIFTY`` or ``BANKNIFTY``.
    day : datetime.date
        Day of trading.
    calendar : TradingCalendar
        Moves expiries off holidays; months beyond its end are left out.
    index_level : float, optional
        Level of the index that decides tick and freeze quantity where they depend on it, index points.

    Raises
    ------
    DataError
        The contract tables do not know the underlying or the day.
    """
    near = contract_for(underlying, day, calendar, index_level)
    year, month = (int(part) for part in near.month.split("-"))
    found: list[SandboxInstrument] = []
    for _ in range(3):
        if dt.date(year, month, month_calendar.monthrange(year, month)[1]) > calendar.last_date:
            break
        exchange_token = _FIRST_EXCHANGE_TOKEN + 12 * (year - 2000) + month
        if underlying != "NIFTY":
            exchange_token += 1000
        text = f"{year}-{month:02d}"
        found.append(
            SandboxInstrument(
                token=exchange_token * _TOKENS_PER_SEGMENT + _NFO_SEGMENT,
                exchange_token=exchange_token,
                symbol=f"{underlying}{year % 100:02d}{month_calendar.month_abbr[month].upper()}FUT",
                name=underlying,
                expiry=expiry_of(underlying, text, calendar),
                lot=lot_of(underlying, text),
                tick=near.tick,
                freeze=near.freeze_quantity or _NO_FREEZE,
            )
        )
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return tuple(found)


def instruments_csv(
    instruments: Iterable[SandboxInstrument],
    last_prices: Mapping[int, float],
    indices: Iterable[SandboxIndex] = (),
) -> str:
    """Return the dump of instruments, header first.

    Parameters
    ----------
    instruments : iterable of SandboxInstrument
        Rows, in order.
    last_prices : mapping of int to float
        Price by token, index points; 0.0 where missing.
    indices : iterable of SandboxIndex
        Rows after those.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for one in instruments:
        price = last_prices.get(one.token, 0.0)
        writer.writerow(
            [
                one.token, one.exchange_token, one.symbol, one.name, price, one.expiry.isoformat(), 0.0,
                one.tick, one.lot, "FUT", one.segment, one.exchange,
            ]
        )  # fmt: skip
    for index in indices:
        writer.writerow(
            [
                index.token, index.exchange_token, index.symbol, index.symbol, 0.0, "", 0.0, 0.0, 0, "EQ",
                index.segment, index.exchange,
            ]
        )  # fmt: skip
    return text.getvalue()
