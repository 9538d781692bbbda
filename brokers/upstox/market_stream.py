"""Upstox' stream of ticks: protobuf frames, asked for in full.

The official client checks no certificate, so that the token could be read on the way, and gives up after five
seconds; see :mod:`brokers.stream` for this one.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError
from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse
from websockets.sync.client import ClientConnection

from brokers.instrument import Instrument
from brokers.stream import ReconnectingStream, StreamAddress
from brokers.upstox.keys import key_of
from feeds.clock import IST
from feeds.tick_bars import Tick

__all__ = ["UpstoxMarketStream", "ticks_in"]

_AUTHORIZE = "/v3/feed/market-data-feed/authorize"
_MILLISECOND = dt.timedelta(milliseconds=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class UpstoxMarketStream(ReconnectingStream):
    """Ticks of some instruments.

    Parameters
    ----------
    ask_address : callable
        Given the path of an authorize endpoint, returns an address that is good once.
    instruments : sequence of Instrument
        Asked for in full after every connect.
    on_tick : callable
        Called with the instrument and its tick: time of the last trade, cumulative volume of the day.
    **how
        Of :class:`ReconnectingStream`.
    """

    asks_for_signs_of_life = True

    def __init__(
        self,
        ask_address: Callable[[str], str],
        instruments: Sequence[Instrument],
        on_tick: Callable[[Instrument, Tick], None],
        **how: Any,  # noqa: ANN401 # passed on
    ) -> None:
        super().__init__("Upstox", **how)
        self._ask_address = ask_address
        self._by_key = {key_of(instrument): instrument for instrument in instruments}
        self._on_tick = on_tick
        self._url = ""
        self._malformed = 0

    def address(self, access_token: str) -> StreamAddress:  # the client's own is in the call
        """Ask for an address. Raises SessionDeadError, BrokerError."""
        self._url = self._ask_address(_AUTHORIZE)
        return StreamAddress(self._url, {})

    def greet(self, connection: ClientConnection) -> None:
        """Subscribe to the instruments; the server reads binary frames."""
        request = {
            "guid": uuid.uuid4().hex,
            "method": "sub",
            "data": {"mode": "full", "instrumentKeys": list(self._by_key)},
        }
        connection.send(json.dumps(request).encode())

    def take(self, frame: str | bytes) -> None:
        """Take the ticks of a frame."""
        try:
            ticks = ticks_in(frame if isinstance(frame, bytes) else frame.encode())
        except (DecodeError, ValueError, OverflowError) as error:
            self._malformed += 1
            self._log.warning("stream_malformed", error=self.masked(str(error)), count=self._malformed)
            return
        for key, tick in ticks.items():
            if key in self._by_key:
                self._on_tick(self._by_key[key], tick)

    def secrets(self) -> Sequence[str]:
        """Return the address in use, which is good for one connection."""
        return (self._url,)


def ticks_in(frame: bytes) -> Mapping[str, Tick]:
    """Return the newest tick of each key in a frame; none of an instrument that has not traded.

    Raises
    ------
    google.protobuf.message.DecodeError, ValueError, OverflowError
        If it is no frame of the feed.
    """
    ticks = {}
    for key, feed in FeedResponse.FromString(frame).feeds.items():
        full = feed.fullFeed.marketFF
        if feed.fullFeed.HasField("marketFF") and full.ltpc.ltt:
            time = (_EPOCH + full.ltpc.ltt * _MILLISECOND).astimezone(IST)
            ticks[key] = Tick(time, full.ltpc.ltp, float(full.vtt), float(full.oi))
    return ticks
