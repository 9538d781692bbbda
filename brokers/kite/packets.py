"""The binary frames of Kite's stream.

A frame is a count and, for each packet, its length and its body; all integers are big-endian and unsigned.
The length of a body tells its kind. A frame of one byte is a heartbeat.
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from typing import Literal, NamedTuple

from feeds.clock import IST
from feeds.errors import DataError

__all__ = ["Packet", "decode_frame"]

Mode = Literal["ltp", "quote", "full"]

_HEARTBEAT = 1
_SHORT = struct.Struct(">H")
_LTP = struct.Struct(">2I")
_INDEX = struct.Struct(">7I")
_INDEX_FULL = struct.Struct(">8I")
_QUOTE = struct.Struct(">11I")
_FULL = struct.Struct(">16I")
_FULL_SIZE, _DEPTH_START, _DEPTH_ENTRY, _DEPTH_LEVELS = 184, 64, 12, 5

_SEGMENT_BITS = 0xFF
_DIVISORS = {3: 10_000_000.0, 6: 10_000.0, 12: 10_000.0}  # currencies and some commodities
_PAISE = 100.0
_NAN = math.nan


class Packet(NamedTuple):
    """News of one instrument.

    Attributes
    ----------
    token : int
        The instrument.
    mode : {"ltp", "quote", "full"}
        How much was sent; the rest has its default.
    last_price, average_price, open, high, low, close : float
        Rupees or index points; ``close`` is that of the day before. NaN where not sent.
    last_quantity, volume, buy_quantity, sell_quantity : int
        Units; ``volume`` counts the day so far.
    open_interest : float
        Units; NaN where not sent.
    bid, ask : float
        Best prices; NaN where there is none.
    exchange_time, last_trade_time : datetime or None
        Asia/Kolkata, whole seconds; None where not sent or not set.
    """

    token: int
    mode: Mode
    last_price: float
    last_quantity: int = 0
    average_price: float = _NAN
    volume: int = 0
    buy_quantity: int = 0
    sell_quantity: int = 0
    open: float = _NAN
    high: float = _NAN
    low: float = _NAN
    close: float = _NAN
    open_interest: float = _NAN
    bid: float = _NAN
    ask: float = _NAN
    exchange_time: dt.datetime | None = None
    last_trade_time: dt.datetime | None = None


def decode_frame(frame: bytes) -> list[Packet]:
    """Return the packets of a binary frame; none for a heartbeat.

    Packets of an unknown length are left out, as the official client does: new kinds may come.

    Raises
    ------
    DataError
        If the frame is shorter than it says.
    """
    if len(frame) <= _HEARTBEAT:
        return []
    (count,) = _SHORT.unpack_from(frame)
    packets: list[Packet] = []
    place = _SHORT.size
    for number in range(count):
        start = place + _SHORT.size
        if start > len(frame):
            raise _broken(frame, number, count)
        place = start + _SHORT.unpack_from(frame, place)[0]
        if place > len(frame):
            raise _broken(frame, number, count)
        packet = _decode(frame[start:place])
        if packet is not None:
            packets.append(packet)
    return packets


def _broken(frame: bytes, number: int, count: int) -> DataError:
    return DataError(
        f"found a frame of {len(frame)} bytes that ends within packet {number + 1}, expected {count} whole "
        "packets; it is left out"
    )


def _decode(body: bytes) -> Packet | None:
    size = len(body)
    if size == _FULL_SIZE:
        return _full(body)
    if size == _QUOTE.size:
        return _quote(*_QUOTE.unpack(body))
    if size == _LTP.size:
        token, last = _LTP.unpack(body)
        return Packet(token, "ltp", last / _divisor(token))
    if size == _INDEX.size:
        return _index(*_INDEX.unpack(body)[:6])
    if size == _INDEX_FULL.size:
        fields = _INDEX_FULL.unpack(body)
        return _index(*fields[:6])._replace(mode="full", exchange_time=_time(fields[7]))
    return None


def _index(token: int, last: int, high: int, low: int, open_: int, close: int) -> Packet:
    unit = _divisor(token)
    return Packet(
        token, "quote", last / unit, open=open_ / unit, high=high / unit, low=low / unit, close=close / unit
    )


def _quote(token: int, last: int, quantity: int, average: int, volume: int, *rest: int) -> Packet:
    unit = _divisor(token)
    bought, sold, open_, high, low, close = rest
    return Packet(
        token, "quote", last / unit, quantity, average / unit, volume, bought, sold,
        open_ / unit, high / unit, low / unit, close / unit,
    )  # fmt: skip


def _full(body: bytes) -> Packet:
    fields = _FULL.unpack_from(body)
    traded, interest, exchange = fields[11], fields[12], fields[15]
    unit = _divisor(fields[0])
    return _quote(*fields[:11])._replace(
        mode="full",
        open_interest=float(interest),
        bid=_best(body, 0, unit),
        ask=_best(body, _DEPTH_LEVELS, unit),
        exchange_time=_time(exchange),
        last_trade_time=_time(traded),
    )


def _best(body: bytes, level: int, unit: float) -> float:
    quantity, price = _LTP.unpack_from(body, _DEPTH_START + level * _DEPTH_ENTRY)
    return price / unit if quantity else _NAN


def _divisor(token: int) -> float:
    return _DIVISORS.get(token & _SEGMENT_BITS, _PAISE)


def _time(seconds: int) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, tz=IST) if seconds else None
