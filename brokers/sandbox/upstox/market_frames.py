"""Frames of Upstox' market stream: protobuf, by the official client's own definition."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brokers.sandbox.market import MarketSnapshot
from brokers.sandbox.stream import Asked
from brokers.sandbox.upstox.names import Names, key_of

__all__ = ["UpstoxMarketDialect"]

_MODES = ("ltpc", "full", "option_greeks", "full_d30")
_METHODS = ("sub", "unsub", "change_mode")
_OPEN, _CLOSED = 2, 3  # NORMAL_OPEN, NORMAL_CLOSE
_REQUEST_MODES = {"ltpc": 0, "full": 1, "option_greeks": 2, "full_d30": 3}


NewestMinute = Callable[[int], "tuple[dt.datetime, list[float]] | None"]


class UpstoxMarketDialect:
    """Market data; order updates come on another connection.

    Parameters
    ----------
    names : Names
        Keys of the contracts.
    now : datetime.datetime
        The market's time when the connection was made.
    is_open : bool
        Whether the market trades then.
    newest_minute : callable
        Given a token, returns today's newest minute as
        :meth:`brokers.sandbox.candles.CandleStore.newest_minute` does.
    """

    name = "market"
    default_mode = "ltpc"
    heartbeat: bytes | None = None
    truncated = b"\x08\x01\x12\x7f\x0a"  # a field of 127 bytes that ends after one

    def __init__(self, names: Names, now: dt.datetime, *, is_open: bool, newest_minute: NewestMinute) -> None:
        self._names = names
        self._now = now
        self._is_open = is_open
        self._newest_minute = newest_minute

    def greetings(self) -> Sequence[bytes]:
        """Return the status of the market, which comes first."""
        from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse, Type

        response = FeedResponse(type=Type.market_info, currentTs=_milliseconds(self._now))
        for segment in ("NSE_FO", "NSE_INDEX"):
            response.marketInfo.segmentStatus[segment] = _OPEN if self._is_open else _CLOSED
        return (response.SerializeToString(),)

    def read(self, data: str | bytes) -> Asked:
        """Read ``sub``, ``change_mode`` or ``unsub``; Upstox takes binary frames only."""
        if not isinstance(data, bytes):
            raise TypeError("text")
        message = json.loads(data)
        method, keys = message["method"], message["data"]["instrumentKeys"]
        mode = message["data"].get("mode")
        if method not in _METHODS or (mode is not None and mode not in _MODES):
            raise ValueError(method, mode)
        known = {key_of(one): one.token for one in self._names.listed}
        return Asked([known[key] for key in keys if key in known], mode, method == "unsub")

    def market(self, snapshot: MarketSnapshot, mode: str, *, is_first: bool) -> bytes | None:
        """Return the frame of a contract: ``initial_feed`` at first, ``live_feed`` then."""
        from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse, Type

        kind = Type.initial_feed if is_first else Type.live_feed
        response = FeedResponse(type=kind, currentTs=_milliseconds(snapshot.time))
        feed = response.feeds[key_of(snapshot.instrument)]
        feed.requestMode = _REQUEST_MODES[mode]
        if mode == "ltpc":
            _fill_price(feed.ltpc, snapshot)
        elif mode == "option_greeks":
            _fill_first_level(feed.firstLevelWithGreeks, snapshot)
        else:
            _fill_full(feed.fullFeed.marketFF, snapshot)
            _add_minute(feed.fullFeed.marketFF, self._newest_minute(snapshot.instrument.token))
        frame: bytes = response.SerializeToString()
        return frame

    def event(self, payload: Mapping[str, Any]) -> str | None:  # not here
        """Return nothing."""
        return None

    def error(self, words: str) -> str | None:  # Upstox says nothing
        """Return nothing."""
        return None


def _fill_price(ltpc: Any, snapshot: MarketSnapshot) -> None:  # noqa: ANN401 # protobuf, here and below
    ltpc.ltp = snapshot.last_price
    ltpc.ltt = _milliseconds(snapshot.last_trade_time) if snapshot.last_trade_time else 0
    ltpc.ltq = snapshot.last_quantity
    ltpc.cp = snapshot.close


def _fill_first_level(first: Any, snapshot: MarketSnapshot) -> None:  # noqa: ANN401
    _fill_price(first.ltpc, snapshot)
    bid, ask = snapshot.buy[0], snapshot.sell[0]
    depth = first.firstDepth
    depth.bidQ, depth.bidP, depth.askQ, depth.askP = bid.quantity, bid.price, ask.quantity, ask.price
    first.vtt = snapshot.volume
    first.oi = float(snapshot.oi)


def _add_minute(full: Any, newest: tuple[dt.datetime, list[float]] | None) -> None:  # noqa: ANN401
    if newest is None:
        return
    start, (open_, high, low, close, volume, _) = newest
    full.marketOHLC.ohlc.add(
        interval="I1", open=open_, high=high, low=low, close=close, vol=int(volume), ts=_milliseconds(start)
    )


def _fill_full(full: Any, snapshot: MarketSnapshot) -> None:  # noqa: ANN401
    _fill_price(full.ltpc, snapshot)
    for bid, ask in zip(snapshot.buy, snapshot.sell, strict=True):
        full.marketLevel.bidAskQuote.add(bidQ=bid.quantity, bidP=bid.price, askQ=ask.quantity, askP=ask.price)
    midnight = snapshot.time.replace(hour=0, minute=0, second=0, microsecond=0)
    full.marketOHLC.ohlc.add(
        interval="1d", open=snapshot.open, high=snapshot.high, low=snapshot.low, close=snapshot.last_price,
        vol=snapshot.volume, ts=_milliseconds(midnight),
    )  # fmt: skip
    full.atp = snapshot.average_price
    full.vtt = snapshot.volume
    full.oi = float(snapshot.oi)
    full.tbq, full.tsq = float(snapshot.buy_quantity), float(snapshot.sell_quantity)


def _milliseconds(time: dt.datetime) -> int:
    return int(time.timestamp() * 1000)
