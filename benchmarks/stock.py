"""The same rules written the ordinary way: stock backtrader, ``PandasData``, bracket orders."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import backtrader as bt
import pandas as pd

__all__ = ["run_stock"]


class SignalData(bt.feeds.PandasData):
    """Stock pandas feed with the two extra columns."""

    lines = ("signal", "atr")
    params = (("signal", "signal"), ("atr", "atr"), ("openinterest", None))


class StockBrackets(bt.Strategy):
    """Enter on the signal with a bracket, at most ten times a day, flat in the evening."""

    params: ClassVar[Any] = (
        ("units", 75),
        ("last_entry", dt.time(15, 0)),
        ("square_off", dt.time(15, 20)),
        ("entries_per_day", 10),
    )

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.leaving: Any = None
        self.day: dt.date | None = None
        self.entries = 0
        self.closed_trades = 0

    def notify_order(self, order: Any) -> None:  # noqa: ANN401 # backtrader's order
        if not order.alive():
            self.orders = [other for other in self.orders if other.ref != order.ref]
            if self.leaving is not None and order.ref == self.leaving.ref:
                self.leaving = None

    def notify_trade(self, trade: Any) -> None:  # noqa: ANN401 # backtrader's trade
        self.closed_trades += trade.isclosed

    def next(self) -> None:
        now = self.data.datetime.datetime(0)
        if now.date() != self.day:
            self.day, self.entries = now.date(), 0
        if self.position:
            if now.time() >= self.p.square_off and self.leaving is None:
                for order in self.orders:
                    self.cancel(order)
                self.leaving = self.close()
            return
        signal = self.data.signal[0]
        if (
            self.orders
            or not signal
            or now.time() >= self.p.last_entry
            or self.entries >= self.p.entries_per_day
        ):
            return
        self.entries += 1
        close, atr = self.data.close[0], self.data.atr[0]
        place = self.buy_bracket if signal > 0 else self.sell_bracket
        self.orders = place(
            size=self.p.units, exectype=bt.Order.Market,
            stopprice=close - signal * 2 * atr, limitprice=close + signal * 3 * atr,
        )  # fmt: skip


def run_stock(frame: pd.DataFrame) -> int:
    """Run the rules on stock backtrader and return the number of closed trades.

    Parameters
    ----------
    frame : pandas.DataFrame
        Bars stamped with their close, naive, with ``signal`` and ``atr``.
    """
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(SignalData(dataname=frame, timeframe=bt.TimeFrame.Minutes, compression=3))
    cerebro.broker.setcash(10_000_000.0)
    cerebro.broker.setcommission(commission=0.0002)
    cerebro.broker.set_slippage_perc(0.0002, slip_out=True)
    cerebro.addstrategy(StockBrackets)
    return cerebro.run()[0].closed_trades
