"""Binary packets of the stream as Kite sends them: big endian, prices as whole hundredths.

A frame is the number of its packets, then each packet after its length; what a packet is, its length says.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Sequence
from typing import Literal, cast, get_args

from brokers.sandbox.market import DepthLevel, MarketSnapshot

__all__ = ["HEARTBEAT", "MODES", "Mode", "encode_frame", "encode_packet"]

Mode = Literal["ltp", "quote", "full"]
"""How much a packet tells."""

MODES = cast(tuple[Mode, ...], get_args(Mode))
"""From the shortest packet to the longest."""

HEARTBEAT = b"\x00"
"""The frame that is sent when there is nothing to say."""

_INDICES = 9
_UNITS = {3: 10_000_000, 6: 10_000, 12: 10_000}  # by segment; hundredths in all others
_HUNDREDTHS = 100
_LARGEST = 2**32 - 1


def encode_frame(packets: Sequence[bytes]) -> bytes:
    """Return the frame that carries packets."""
    return struct.pack(">H", len(packets)) + b"".join(
        struct.pack(">H", len(packet)) + packet for packet in packets
    )


def encode_packet(snapshot: MarketSnapshot, mode: Mode) -> bytes:
    """Return the packet of an instrument: 8, 44 or 184 bytes; of an index (segment 9) 8, 28 or 32.

    Parameters
    ----------
    snapshot : MarketSnapshot
        What is told; whatever does not fit into 32 bits without a sign is told as the nearest that does.
    mode : Mode
        How much is told. Open interest, times and depth are in ``full`` only.
    """
    token = snapshot.instrument.token
    unit = _UNITS.get(token & 0xFF, _HUNDREDTHS)

    def hundredths(price: float) -> int:
        return round(price * unit)

    head = [token, hundredths(snapshot.last_price)]
    prices = [hundredths(price) for price in (snapshot.open, snapshot.high, snapshot.low, snapshot.close)]
    if mode == "ltp":
        return _words(head)
    if token & 0xFF == _INDICES:
        open_, high, low, close = prices
        words = [*head, high, low, open_, close, max(0, head[1] - close)]
        return _words(words + [_epoch(snapshot.time)] * (mode == "full"))
    quote = [
        *head, snapshot.last_quantity, hundredths(snapshot.average_price), snapshot.volume,
        snapshot.buy_quantity, snapshot.sell_quantity, *prices,
    ]  # fmt: skip
    if mode == "quote":
        return _words(quote)
    times_and_interest = [
        _epoch(snapshot.last_trade_time), snapshot.oi, snapshot.oi_day_high, snapshot.oi_day_low,
        _epoch(snapshot.time),
    ]  # fmt: skip
    depth = b"".join(_level(level, hundredths(level.price)) for level in (*snapshot.buy, *snapshot.sell))
    return _words(quote + times_and_interest) + depth


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f">{len(values)}I", *(min(max(value, 0), _LARGEST) for value in values))


def _level(level: DepthLevel, price: int) -> bytes:
    return _words([level.quantity, price]) + struct.pack(">H2x", min(level.orders, 0xFFFF))


def _epoch(time: dt.datetime | None) -> int:
    return 0 if time is None else int(time.timestamp())
