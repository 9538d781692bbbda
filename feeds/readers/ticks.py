"""Files of recorded ticks: every trade with its time, price and size, perhaps with the best quotes.

Two forms are known, each plain or gzipped (``.gz``); times are the exchange's, to the second:

- without a header: ``20221101,09:15:00,18130.00,6000,11713150`` (date, time, price, quantity, open interest);
- with the header ``Ticker,Date,Time,LTP,BuyPrice,BuyQty,SellPrice,SellQty,LTQ,OpenInterest``, dates as
  ``03/01/2022``, day first. A row whose ``LTQ`` is 0 changes a quote and is no trade.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from feeds.clock import IST
from feeds.errors import DataError
from feeds.tick_bars import Tick

__all__ = ["RecordedTrade", "read_recorded_trades", "read_ticks"]

_HEADER = (
    "Ticker", "Date", "Time", "LTP", "BuyPrice", "BuyQty", "SellPrice", "SellQty", "LTQ", "OpenInterest",
)  # fmt: skip
_FORMS = "date,time,price,quantity,open_interest without a header, or the header " + ",".join(_HEADER)


class RecordedTrade(NamedTuple):
    """One trade of a recording.

    Attributes
    ----------
    time : datetime.datetime
        Of the exchange, aware, Asia/Kolkata.
    price : float
        Index points.
    quantity : float
        Units of this trade, above 0.
    open_interest : float
        Units; NaN where not given.
    bid, ask : float
        Best quotes at the trade, index points; NaN where not given.
    """

    time: dt.datetime
    price: float
    quantity: float
    open_interest: float = float("nan")
    bid: float = float("nan")
    ask: float = float("nan")


def read_ticks(path: Path) -> list[Tick]:
    """Read the trades of a file as ticks with the size of each trade; see :func:`read_recorded_trades`."""
    return [Tick(*trade[:4]) for trade in read_recorded_trades(path)]


def read_recorded_trades(path: Path) -> list[RecordedTrade]:
    """Read the trades of a file, in its order; rows without a traded quantity are left out.

    Raises
    ------
    DataError
        The file cannot be read, has another form, or a row that is no trade or older than the one before.
    """
    rows = [(number, row) for number, row in enumerate(_rows(path), start=1) if row]
    is_quoted = bool(rows) and tuple(field.strip() for field in rows[0][1]) == _HEADER
    read: Callable[[Sequence[str]], RecordedTrade] = _quoted_trade if is_quoted else _plain_trade
    trades: list[RecordedTrade] = []
    for number, row in rows[is_quoted:]:
        try:
            trade = read(row)
        except (ValueError, IndexError) as error:
            raise DataError(
                f"cannot read {path} at line {number}, {','.join(row)[:80]!r} ({error}); expected {_FORMS}"
            ) from error
        if trades and trade.time < trades[-1].time:
            raise DataError(
                f"{path} goes back in time at line {number}, from {trades[-1].time:%Y-%m-%d %H:%M:%S} to "
                f"{trade.time:%Y-%m-%d %H:%M:%S}; expected rows in order of time; sort the file"
            )
        if trade.quantity > 0:
            trades.append(trade)
    return trades


def _rows(path: Path) -> list[list[str]]:
    try:
        content = path.read_bytes()
        if path.suffix.lower() == ".gz":
            content = gzip.decompress(content)
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(
            f"cannot read ticks from {path} ({reason}); check the path, or get the file again"
        ) from error


def _plain_trade(row: Sequence[str]) -> RecordedTrade:
    if len(row) != 5:
        raise ValueError(f"{len(row)} fields")
    date, time, *numbers = row
    return _checked(RecordedTrade(_time(date, time, "%Y%m%d"), *map(float, numbers)))


def _quoted_trade(row: Sequence[str]) -> RecordedTrade:
    if len(row) != len(_HEADER):
        raise ValueError(f"{len(row)} fields")
    price, bid, _, ask, _, quantity, interest = map(float, row[3:])
    return _checked(RecordedTrade(_time(row[1], row[2], "%d/%m/%Y"), price, quantity, interest, bid, ask))


def _checked(trade: RecordedTrade) -> RecordedTrade:
    if not 0 < trade.price < float("inf") or not 0 <= trade.quantity < float("inf"):
        raise ValueError("a price above 0 and a quantity from 0 on are needed")
    return trade


def _time(date: str, time: str, date_format: str) -> dt.datetime:
    return dt.datetime.strptime(f"{date} {time}", f"{date_format} %H:%M:%S").replace(tzinfo=IST)
