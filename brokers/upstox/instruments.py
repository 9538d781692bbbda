"""The future to trade, out of Upstox' list of the day.

Of each line: ``instrument_key`` names it, ``expiry`` is the end of its last day in milliseconds,
``tick_size`` is in paise. Source: Upstox' page on instruments, section "BOD instruments".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from brokers.instrument import Instrument
from brokers.nearest_future import nearest_future
from brokers.upstox.keys import token_in
from feeds.clock import IST
from feeds.errors import BrokerError
from feeds.sources.history import FutureKey

__all__ = ["expired_future", "find_future", "future_from", "future_named", "futures_of"]

_SEGMENT, _FUTURE = "NSE_FO", "FUT"
_PAISE = 100.0
_DIGITS = 10


def futures_of(rows: Iterable[Mapping[str, Any]], underlying: str) -> list[Instrument]:
    """Return the futures of an underlying, nearest expiry first. Raises BrokerError for an odd line."""
    found = [
        future_from(row)
        for row in rows
        if row.get("segment") == _SEGMENT
        and row.get("instrument_type") == _FUTURE
        and row.get("underlying_symbol", row.get("name")) == underlying
    ]
    return sorted(found, key=lambda instrument: instrument.expiry)


def find_future(rows: Iterable[Mapping[str, Any]], underlying: str, day: dt.date | None) -> Instrument:
    """Return the future of the nearest expiry on or after ``day``.

    Parameters
    ----------
    rows : iterable of mapping
        The broker's list of today.
    underlying : str
        Index, such as ``NIFTY``.
    day : datetime.date or None
        The trading day; None for the list's own.

    Raises
    ------
    BrokerError
        If the list holds none, or one without a lot or price step.
    """
    rows = list(rows)
    return nearest_future(futures_of(rows, underlying), underlying, day, f"{len(rows)} instruments")


def future_named(rows: Iterable[Mapping[str, Any]], symbol: str) -> Instrument:
    """Return the future of a symbol. Raises BrokerError if the list holds none, or an odd line."""
    for row in rows:
        if row.get("segment") == _SEGMENT and row.get("trading_symbol") == symbol:
            return future_from(row)
    raise BrokerError(
        f"found no future {symbol} in Upstox' list of today, expected the contract that was traded; "
        "compare a journal while its contract is listed, and with broker.name as on its day"
    )


def future_from(row: Mapping[str, Any]) -> Instrument:
    """Read one line of the list. Raises BrokerError for another form."""
    try:
        token = token_in(str(row["instrument_key"]))
        if token is None:
            raise ValueError(f"instrument_key {row['instrument_key']!r}")
        return Instrument(
            token,
            str(row["trading_symbol"]),
            _SEGMENT,
            dt.datetime.fromtimestamp(int(row["expiry"]) / 1000, IST).date(),
            int(row["lot_size"]),
            round(float(row["tick_size"]) / _PAISE, _DIGITS),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise BrokerError(
            f"a line of Upstox' list of instruments has another form than expected ({type(error).__name__}: "
            f"{error}); check broker.upstox.instruments_url, or update the project"
        ) from error


def expired_future(row: Mapping[str, Any]) -> FutureKey:
    """Read one contract that has expired. Raises BrokerError for another form."""
    try:
        return FutureKey(
            str(row["instrument_key"]),
            str(row["trading_symbol"]),
            dt.date.fromisoformat(str(row["expiry"])[:10]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokerError(
            f"a row of Upstox' expired contracts has another form than expected ({type(error).__name__}: "
            f"{error}); update the project"
        ) from error
