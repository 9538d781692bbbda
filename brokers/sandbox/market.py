"""What the market does to one contract over the day: prints in, last price, volume and depth out."""

from __future__ import annotations

import datetime as dt
import math
from typing import NamedTuple

from brokers.sandbox.instruments import SandboxInstrument

__all__ = ["DepthLevel", "Market", "MarketSnapshot", "MarketTrade"]

_LEVELS = 5
_TOLERANCE = 1e-6  # of a tick


class MarketTrade(NamedTuple):
    """One print.

    Attributes
    ----------
    time : datetime.datetime
        Of the exchange, aware, Asia/Kolkata.
    price : float
        Index points.
    quantity : int
        Units of this print.
    open_interest : float
        Units; NaN where not given.
    bid, ask : float
        Best quotes at the print, index points; NaN where not given.
    """

    time: dt.datetime
    price: float
    quantity: int
    open_interest: float = float("nan")
    bid: float = float("nan")
    ask: float = float("nan")


class DepthLevel(NamedTuple):
    """One price level of the order book: units, index points, number of orders."""

    quantity: int
    price: float
    orders: int


class MarketSnapshot(NamedTuple):
    """What a full packet says about a contract at one moment.

    Attributes
    ----------
    instrument : SandboxInstrument
        The contract.
    time : datetime.datetime
        Of the exchange when the snapshot was taken, aware, Asia/Kolkata: the newest print's or the newest
        ``advance``'s, whichever is later.
    last_trade_time : datetime.datetime or None
        Of the newest print; None before the first of the day.
    last_price : float
        Index points; the previous close before the first print, 0.0 if that is not known.
    last_quantity, volume : int
        Units of the newest print, and of the day so far.
    average_price : float
        Volume-weighted over the day, index points; 0.0 before the first print.
    buy_quantity, sell_quantity : int
        Units waiting in the book on each side.
    open, high, low : float
        Of the day, index points; 0.0 before the first print.
    close : float
        Of the session BEFORE, index points; 0.0 if not known.
    oi, oi_day_high, oi_day_low : int
        Open interest, units; 0 where not given.
    lower_circuit, upper_circuit : float
        Price limits of the day, index points; 0.0 if not known.
    buy, sell : tuple of DepthLevel
        Five levels each, best first.
    """

    instrument: SandboxInstrument
    time: dt.datetime
    last_trade_time: dt.datetime | None
    last_price: float
    last_quantity: int
    volume: int
    average_price: float
    buy_quantity: int
    sell_quantity: int
    open: float
    high: float
    low: float
    close: float
    oi: int
    oi_day_high: int
    oi_day_low: int
    lower_circuit: float
    upper_circuit: float
    buy: tuple[DepthLevel, ...]
    sell: tuple[DepthLevel, ...]


class Market:
    """The day of one contract.

    Parameters
    ----------
    instrument : SandboxInstrument
        The contract.
    circuit_percent : float
        Allowed distance from the previous close, percent.
    previous_close : float
        Index points; 0.0 if not known.

    Attributes
    ----------
    last_price : float
        Of the newest print; the previous close before the first, 0.0 if that is not known.
    last_time : datetime.datetime or None
        Of the newest print.
    volume : int
        Units of the day.
    """

    def __init__(self, instrument: SandboxInstrument, circuit_percent: float, previous_close: float) -> None:
        self.instrument = instrument
        self.previous_close = previous_close
        self.last_price = previous_close
        self.last_time: dt.datetime | None = None
        self.last_quantity = self.volume = 0
        self._circuit_percent = circuit_percent
        self._turnover = 0.0
        self._open = self._high = self._low = 0.0
        self._oi = self._oi_high = self._oi_low = 0
        self._bid = self._ask = math.nan

    @property
    def circuit(self) -> tuple[float, float]:
        """Lower and upper price limit of the day, on the tick; both 0.0 while no price is known."""
        middle, tick = self.previous_close or self._open, self.instrument.tick
        band = middle * self._circuit_percent / 100.0
        lower, upper = math.ceil((middle - band) / tick - _TOLERANCE), (middle + band) / tick + _TOLERANCE
        return round(lower * tick, 2), round(math.floor(upper) * tick, 2)

    def use_previous_close(self, price: float) -> None:
        """Take a close of the session before, unless one is known; index points."""
        if not self.previous_close:
            self.previous_close = price
            self.last_price = self.last_price or price

    def take(self, trade: MarketTrade) -> None:
        """Take a print."""
        if self.last_time is None:
            self._open = self._high = self._low = trade.price
        self._high, self._low = max(self._high, trade.price), min(self._low, trade.price)
        self.last_price, self.last_quantity = trade.price, trade.quantity
        self.last_time = trade.time if self.last_time is None else max(self.last_time, trade.time)
        self.volume += trade.quantity
        self._turnover += trade.quantity * trade.price
        self._bid, self._ask = trade.bid, trade.ask
        if math.isfinite(trade.open_interest):
            self._oi = int(trade.open_interest)
            self._oi_high = max(self._oi_high, self._oi)
            self._oi_low = min(self._oi_low or self._oi, self._oi)

    def snapshot(self, now: dt.datetime) -> MarketSnapshot:
        """Return what a full packet says now."""
        buy, sell = self._depth()
        lower, upper = self.circuit
        return MarketSnapshot(
            instrument=self.instrument,
            time=now if self.last_time is None else max(now, self.last_time),
            last_trade_time=self.last_time,
            last_price=self.last_price,
            last_quantity=self.last_quantity,
            volume=self.volume,
            average_price=round(self._turnover / self.volume, 2) if self.volume else 0.0,
            buy_quantity=sum(level.quantity for level in buy),
            sell_quantity=sum(level.quantity for level in sell),
            open=self._open,
            high=self._high,
            low=self._low,
            close=self.previous_close,
            oi=self._oi,
            oi_day_high=self._oi_high,
            oi_day_low=self._oi_low,
            lower_circuit=lower,
            upper_circuit=upper,
            buy=buy,
            sell=sell,
        )

    def _depth(self) -> tuple[tuple[DepthLevel, ...], tuple[DepthLevel, ...]]:
        # Only prints and at best one level are recorded; the rest of the book is made up around them.
        if not self.last_price:
            nothing = (DepthLevel(0, 0.0, 0),) * _LEVELS
            return nothing, nothing
        tick, lot = self.instrument.tick, self.instrument.lot
        bid = self._bid if self._bid > 0 else self.last_price - tick
        ask = self._ask if self._ask > 0 else self.last_price + tick
        steps = range(_LEVELS)
        buy = tuple(DepthLevel(lot * (k + 1), round(max(bid - k * tick, tick), 2), k + 1) for k in steps)
        sell = tuple(DepthLevel(lot * (k + 1), round(ask + k * tick, 2), k + 1) for k in steps)
        return buy, sell
