"""The paper account on the real live feed: ticks, a break, history in between."""

import datetime as dt

import backtrader as bt
import numpy as np
import pandas as pd

from brokers.journal import Journal
from brokers.paper_book import PaperBook
from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.clock import ReplayClock
from feeds.live import LiveFeed
from feeds.live_bars import LiveBars
from feeds.market_events import EndOfStream
from feeds.terms import DatedTerms
from feeds.tick_bars import Tick
from strategies.assembly import assemble as put_together
from tests.brokers.paper_cases import at, make_broker, told
from tests.support import assemble, frame_of, settings_of

CALENDAR = TradingCalendar()


class BuysOnce(bt.Strategy):
    """Buys on the first whole bar that closes at 09:24 or later, with a stop 20 points below."""

    def next(self):
        is_time = self.data.datetime.time(0) >= dt.time(9, 24) and not self.position
        if is_time and self.data.complete[0] and not self.broker.get_orders_open():
            entry = self.buy(size=75, transmit=False)
            self.sell(size=75, exectype=bt.Order.Stop, price=self.data.close[0] - 20, parent=entry)


def minutes_of_a_day():
    """Sixty minutes that fall by a point each from 09:30 on: the stop of the entry at 1000 goes at 09:49."""
    closes = 1000.0 - np.maximum(0, np.arange(60) - 14)
    opens = np.append(1000.0, closes[:-1])
    bars = [(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)]
    return frame_of(bars, bar_minutes=1, volume=400.0)


MINUTES = minutes_of_a_day()


def ticks_of(minutes):
    for number, (start, bar) in enumerate(minutes.iterrows()):
        first = number * 400.0
        for second, name in ((5, "open"), (20, "high"), (40, "low"), (55, "close")):
            first += 100.0
            yield Tick(start.to_pydatetime() + dt.timedelta(seconds=second), bar[name], first)


class History:
    def minutes(self, first, last):
        return MINUTES.loc[pd.Timestamp(first) : pd.Timestamp(last)]


def live(path, start, ticks):
    settings, clock, journal = settings_of(), ReplayClock(start), Journal()
    bars = LiveBars(
        calendar=CALENDAR, bar_minutes=3, clock=clock, history=History(), warmup_bars=5,
        idle_end_seconds=60.0, on_event=lambda name, fields: None,
    )  # fmt: skip
    broker = make_broker(settings, PaperBook(path), clock, journal)
    engine = put_together(
        settings, CALENDAR, feed=LiveFeed(bars=bars, name="NIFTY"), broker=broker,
        terms=DatedTerms(settings.market, CALENDAR),
    )  # fmt: skip
    engine.strats.clear()
    engine.addstrategy(BuysOnce)
    for tick in ticks:
        bars.put(tick)
    bars.put(EndOfStream("the test is over"))
    engine.run()
    broker.close()
    return journal, broker


def test_a_stop_that_goes_while_the_process_is_away_fills_where_a_backtest_fills_it(tmp_path):
    path, ticks = tmp_path / "paper.sqlite", list(ticks_of(MINUTES))
    journal, broker = live(path, at("09:14"), [tick for tick in ticks if tick.time < at("09:37")])
    assert told(journal) == [("entry", "03 09:24", 75, 1000.0)]
    assert broker.held == 75

    journal, broker = live(path, at("09:55"), [tick for tick in ticks if tick.time >= at("09:55")])
    tested = assemble(aggregate(MINUTES, 3, CALENDAR), settings_of(strategy={"name": "ema_cross"}))
    tested.engine.strats.clear()
    tested.engine.addstrategy(BuysOnce)
    tested.engine.run()
    assert told(journal)[:2] == told(tested.journal)[:2] == [
        ("entry", "03 09:24", 75, 1000.0), ("stop", "03 09:48", -75, 980.0),
    ]  # fmt: skip
    assert [fill.bar for fill in journal.fills][:2] == [3, 11]
