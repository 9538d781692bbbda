"""The future to trade, out of the broker's list of the day."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from brokers.instrument import Instrument
from brokers.nearest_future import nearest_future
from feeds.errors import BrokerError

__all__ = ["InstrumentRow", "find_future", "find_index", "futures_of", "row_from"]

_FUTURE = "FUT"
_SEGMENT = "NFO-FUT"
_INDICES = "INDICES"
_INDEX_SYMBOLS = {
    "NIFTY": "NIFTY 50",
    "BANKNIFTY": "NIFTY BANK",
    "FINNIFTY": "NIFTY FIN SERVICE",
    "MIDCPNIFTY": "NIFTY MID SELECT",
}
_FEW = 5


class InstrumentRow(NamedTuple):
    """One line of the broker's list; only the fields that are used.

    ``expiry`` is None for what does not expire; ``lot`` are units, ``tick`` is a price step, index points.
    """

    token: int
    symbol: str
    name: str
    expiry: dt.date | None
    tick: float
    lot: int
    kind: str
    segment: str
    exchange: str


def row_from(row: Mapping[str, Any]) -> InstrumentRow:
    """Read one row of the official client's ``instruments``. Raises BrokerError for another form."""
    try:
        expiry = row["expiry"]
        return InstrumentRow(
            int(row["instrument_token"]),
            str(row["tradingsymbol"]),
            str(row["name"]),
            expiry if isinstance(expiry, dt.date) else None,
            float(row["tick_size"]),
            int(row["lot_size"]),
            str(row["instrument_type"]),
            str(row["segment"]),
            str(row["exchange"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokerError(
            f"a line of Kite's list of instruments has another form than expected ({type(error).__name__}: "
            f"{error}); check broker.kite.api_root, or update the project"
        ) from error


def futures_of(rows: Iterable[InstrumentRow], underlying: str) -> list[Instrument]:
    """Return the futures of an underlying, nearest expiry first.

    The symbol decides (``NIFTY26NOVFUT``), and the name where there is one: NIFTYNXT50 is not NIFTY.
    """
    # A name, two digits of the year, the month, FUT; older lists leave the column of names empty.
    form = re.compile(rf"{re.escape(underlying)}\d{{2}}[A-Z]{{3}}FUT")
    found = [
        Instrument(row.token, row.symbol, row.exchange, row.expiry, row.lot, row.tick)
        for row in rows
        if row.kind == _FUTURE
        and row.segment == _SEGMENT
        and row.expiry is not None
        and (row.name == underlying if row.name else form.fullmatch(row.symbol))
    ]
    return sorted(found, key=lambda instrument: instrument.expiry)


def find_future(rows: Iterable[InstrumentRow], underlying: str, day: dt.date | None) -> Instrument:
    """Return the future of the nearest expiry on or after ``day``.

    Parameters
    ----------
    rows : iterable of InstrumentRow
        The broker's list; it holds what is not expired on the day it is of.
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
    names = ", ".join(sorted({row.name or row.symbol for row in rows if row.kind == _FUTURE})[:_FEW])
    listed = f"{len(rows)} instruments with futures of {names or 'nothing'}"
    return nearest_future(futures_of(rows, underlying), underlying, day, listed)


def find_index(rows: Iterable[InstrumentRow], underlying: str) -> InstrumentRow:
    """Return the row of the index itself, which has another name there than in its futures.

    Raises
    ------
    BrokerError
        If the list has no such index.
    """
    symbol = _INDEX_SYMBOLS.get(underlying, underlying)
    indices = {row.symbol: row for row in rows if row.segment == _INDICES}
    if symbol not in indices:
        raise BrokerError(
            f"found no index {symbol!r} for {underlying} among the {len(indices)} of Kite's list, expected "
            f"one; known are {', '.join(_INDEX_SYMBOLS)}"
        )
    return indices[symbol]
