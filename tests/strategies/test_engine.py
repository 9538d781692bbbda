"""Jumping over bars must change nothing that a strategy can see."""

import hashlib

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from strategies.column_signal import Strategy as ColumnSignal
from strategies.engine import SkippedBarError
from strategies.plugins import load_strategy, plugin_settings
from tests.support import assemble, frame_of, settings_of

COSTS = {
    "charges": {"plan": "zerodha"},
    "slippage": {"model": "volatility"},
    "latency_ms": 500.0,
    "max_percent_of_volume": 5.0,
}


@pytest.fixture(scope="module")
def bars():
    calendar = TradingCalendar()
    frame = aggregate(make_bars(SyntheticSettings(sessions=8, seed=5), calendar), 3, calendar)
    draws = np.random.default_rng(2).random(len(frame))
    frame["signal"] = np.where(draws < 0.1, 1.0, np.where(draws > 0.9, -1.0, 0.0))
    return frame


def notified(strategy, log):
    """Return a strategy that writes down everything it is told, as backtrader tells it."""

    class Listening(strategy):
        def notify_order(self, order):
            executed = order.executed
            log.append(
                f"order {order.ref} {order.status} {order.size!r} {order.created.price!r} {executed.size!r} "
                f"{executed.price!r} {executed.remsize!r} {executed.comm!r} {executed.pnl!r} {executed.dt!r} "
                f"{order.alive()} {order.role} at {self.data.datetime[0]!r} {len(self)}"
            )
            super().notify_order(order)

        def notify_trade(self, trade):
            log.append(
                f"trade {trade.size!r} {trade.price!r} {trade.pnl!r} {trade.pnlcomm!r} {trade.barlen} "
                f"{trade.isclosed} {trade.dtopen!r} {trade.dtclose!r}"
            )

        def stop(self):
            log.append(f"end {len(self)} {len(self.data)} {self.broker.getvalue()!r}")

    Listening.__name__ = strategy.__name__
    return Listening


def heard(bars, settings, *, cerebro=None, **options):
    log = []
    assembled = assemble(bars, settings, **options)
    (((strategy, arguments, keywords),),) = assembled.engine.strats
    assembled.engine.strats[:] = [[(notified(strategy, log), arguments, keywords)]]
    assembled.engine.run(**(cerebro or {}))
    return log


@pytest.mark.parametrize("name", ["column_signal", "ema_cross", "opening_range", "random_entry"])
@pytest.mark.parametrize("with_rules", [False, True])
def test_every_notification_is_the_same(bars, name, with_rules):
    rules = {
        "daily_loss_rupees": 20_000.0,
        "max_entries_per_day": 4,
        "cooldown_losses": 2,
        "cooldown_minutes": 30.0,
    }
    settings = settings_of(
        strategy={"name": name, "sizer": "risk"}, broker=COSTS, risk=rules if with_rules else {},
        market={"lot_size": "dated", "tick_size": "dated"},
    )  # fmt: skip
    expected = heard(bars, settings, skip=False)
    assert sum(line.startswith("trade") for line in expected) > 5
    digest = hashlib.sha256("\n".join(expected).encode()).hexdigest()
    for options, cerebro in (
        ({}, {}), ({"verify": True}, {}), ({}, {"runonce": False}), ({}, {"preload": False}),
    ):  # fmt: skip
        other = heard(bars, settings, cerebro=cerebro, **options)
        assert hashlib.sha256("\n".join(other).encode()).hexdigest() == digest


class Forgetful(ColumnSignal):
    """Declares no bar and acts all the same."""

    def entry_bars(self):
        return np.zeros(self.data.buflen(), dtype=bool)


def test_verify_finds_a_wrong_declaration(bars):
    settings = settings_of(strategy={"name": f"{__name__}:Forgetful"})
    with pytest.raises(SkippedBarError, match=r"would have been skipped.*Forgetful\.entry_bars"):
        assemble(bars, settings, verify=True).engine.run()


class Undeclared(ColumnSignal):
    """Says nothing about its bars."""

    def entry_bars(self):
        return None

    def next(self):
        self.visited = getattr(self, "visited", 0) + 1
        super().next()


def test_without_a_declaration_every_bar_is_visited_while_flat():
    frame = frame_of([(100, 101, 99, 100)] * 30, signal=[0] * 30, atr=[1.0] * 30)
    engine = assemble(frame, settings_of(strategy={"name": f"{__name__}:Undeclared"})).engine
    assert engine.run()[0].visited == 30


def test_an_analyzer_gets_every_bar():
    class Counting(bt.Analyzer):
        def start(self):
            self.bars = 0

        def next(self):
            self.bars += 1

    frame = frame_of([(100, 101, 99, 100)] * 30, signal=[0] * 30, atr=[1.0] * 30)
    engine = assemble(frame, settings_of()).engine
    engine.addanalyzer(Counting, _name="counting")
    assert engine.run()[0].analyzers.counting.bars == 30


def test_progress_is_told():
    day = frame_of([(100, 101, 99, 100)] * 125, signal=[1] * 125, atr=[1.0] * 125)
    weeks = [day.set_axis(day.index + pd.Timedelta(weeks=week)) for week in range(60)]
    frame = pd.concat(weeks)
    open_days = [TradingCalendar().session(stamp.date()) is not None for stamp in frame.index]
    told = []
    assemble(frame[open_days], settings_of(), on_progress=told.append).engine.run()
    assert told
    assert told == sorted(told)


def test_plugins_take_their_own_settings():
    strategy = load_strategy("ema_cross")
    assert plugin_settings("ema_cross", strategy, {"fast_bars": 3}).fast_bars == 3
