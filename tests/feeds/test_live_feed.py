"""Live bars inside backtrader: the same lines, decisions and fills as the bars of the past."""

from __future__ import annotations

import datetime as dt
import threading

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from brokers.journal import Journal
from brokers.risk.gate import RiskGate
from brokers.settings import make_rules
from brokers.simulated import SimulatedBroker
from feeds.bars import aggregate, close_times
from feeds.clock import ReplayClock
from feeds.history import make_history_feed
from feeds.live import LiveFeed
from feeds.live_bars import LiveBars
from feeds.market_events import StreamDown, StreamUp
from feeds.terms import DatedTerms
from ml.features import FeatureSet
from ml.labels import horizon_labels
from ml.models import XGBoostModel
from ml.predict import ModelWindow, Predictor
from ml.settings import MlSettings
from strategies.assembly import assemble, make_execution
from strategies.engine import Engine
from strategies.indicators import bars_of
from tests.feeds.live_support import (
    CALENDAR,
    MINUTES,
    TODAY,
    History,
    Inline,
    at,
    closing_tick,
    framed,
    ticks_of,
)
from tests.support import settings_of

LINES = ("datetime", "open", "high", "low", "close", "volume", "openinterest", "complete")


def live_bars(*, warmup_bars=400, history=None, executor=None, clock=None):
    return LiveBars(
        calendar=CALENDAR, bar_minutes=3, clock=clock or ReplayClock(at("09:00")),
        history=history or History(), warmup_bars=warmup_bars,
        on_event=lambda name, facts: None, executor=executor or Inline(),
    )  # fmt: skip


def live_feed(bars, on_bar=None):
    return LiveFeed(bars=bars, on_bar=on_bar, name="NIFTY", timeframe=bt.TimeFrame.Minutes, compression=3)


def played(bars, minutes=TODAY):
    """Hand over a whole day before anybody asks for it."""
    ticks = ticks_of(minutes)
    for event in (StreamUp(), *ticks, closing_tick(ticks)):
        bars.put(event)
    return bars


def history_feed(delivered):
    """The same bars as a feed of the past; only those built from ticks count as complete there too."""
    frame = framed(delivered)
    frame["complete"] &= np.array([bar.origin == "ticks" for bar in delivered])
    closes = close_times(pd.DatetimeIndex(frame.index), 3, CALENDAR)
    return make_history_feed(frame, closes, name="NIFTY", bar_minutes=3), frame


@pytest.fixture(scope="module")
def predictor():
    bars = aggregate(MINUTES, 3, CALENDAR)
    features = FeatureSet(MlSettings().features)
    matrix, labels = features.compute(bars), horizon_labels(bars, 3, 0.05)
    rows = np.flatnonzero(np.isfinite(matrix).all(axis=1) & labels.valid)
    model = XGBoostModel(rounds=10, leaf_rows=20, purge_rows=3).fit(matrix[rows], labels.values[rows])
    return Predictor(features, [ModelWindow(model, None, None, bars.index[0].to_pydatetime())])


PLANS = {
    "ml": {"name": "ml", "parameters": {"buy_probability": 0.34, "sell_probability": 0.34}},
    "ema_cross": {"name": "ema_cross", "parameters": {"fast_bars": 2, "slow_bars": 5}},
}


def traded(feed, plan, predictor, **options):
    """Run a strategy over a feed: its records of every bar, its lines, and the journal."""
    settings = settings_of(strategy=PLANS[plan], broker={"latency_ms": 250.0})
    journal, records = Journal(), []
    terms = DatedTerms(settings.market, CALENDAR)
    broker = SimulatedBroker(
        cash=1e6,
        execution=make_execution(settings, terms),
        gate=RiskGate(make_rules(settings.risk), 1e6),
        journal=journal,
    )
    engine = assemble(
        settings, CALENDAR, feed=feed, broker=broker, terms=terms,
        predictor=predictor if plan == "ml" else None, engine=Engine(skip=False), on_bar=records.append,
    )  # fmt: skip
    strategy = engine.run(**options)[0]
    size = len(strategy)
    names = {
        f"{type(one).__name__} {alias}": np.array(getattr(one.lines, alias).array[:size])
        for one in (strategy.data, *strategy.getindicators())
        for alias in one.getlinealiases()
    }
    return records, names, journal


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("options", [{}, {"runonce": False}], ids=["once", "next"])
def test_a_strategy_sees_and_does_the_same_live_as_on_the_bars_of_the_past(plan, options, predictor):
    delivered = []
    live = traded(live_feed(played(live_bars()), delivered.append), plan, predictor)
    past = traded(history_feed(delivered)[0], plan, predictor, **options)
    assert {bar.origin for bar in delivered} == {"warmup", "ticks"}
    assert len(live[0]) > 125
    assert str(live[0]) == str(past[0])  # NaN equals NaN there
    for (ours, line), other in zip(live[1].items(), past[1].values(), strict=True):
        np.testing.assert_array_equal(line, other, err_msg=ours)
    assert len(live[2].fills) > 2
    assert live[2].fills == past[2].fills
    assert [fill.time.date() for fill in live[2].fills] == [at("09:00").date()] * len(live[2].fills)


def test_no_entry_is_asked_for_on_bars_of_history(predictor):
    delivered = []
    bars = live_bars()
    ticks = ticks_of(TODAY)
    for event in (StreamUp(), *ticks[:60], StreamDown("lost"), StreamUp(), *ticks[120:], closing_tick(ticks)):
        bars.put(event)
    records, names, _ = traded(live_feed(bars, delivered.append), "ema_cross", predictor)
    origins = [bar.origin for bar in delivered[-len(records) :]]
    assert origins.count("backfill") == 6  # five without a tick, and the one that the gap cut off
    assert not any(one.asked for one, origin in zip(records, origins, strict=True) if origin != "ticks")
    assert any(one.asked for one in records)
    complete = names["LiveFeed complete"][-len(records) :]
    assert not complete[[origin != "ticks" for origin in origins]].any()


class Watcher(bt.Strategy):
    """Counts what it is told, and keeps the feed."""

    params = (("seen", None), ("statuses", None))

    def next(self):
        self.p.seen.append((self.data.opened_at(), self.data.closed_at(), len(self)))

    def notify_data(self, data, status, *args, **kwargs):
        self.p.statuses.append(data._getstatusname(status))


class CountingBroker(bt.brokers.BackBroker):
    """Counts how often it is asked."""

    def __init__(self, on_next=None):
        super().__init__()
        self.turns = 0
        self.on_next = on_next

    def next(self):
        self.turns += 1
        if self.on_next is not None:
            self.on_next(self.turns)


def watched(bars, broker=None, on_bar=None):
    seen, statuses = [], []
    engine = Engine(skip=False)
    engine.adddata(live_feed(bars, on_bar))
    engine.broker = broker or CountingBroker()
    engine.addstrategy(Watcher, seen=seen, statuses=statuses)
    strategy = engine.run()[0]
    return strategy, seen, statuses


def test_lines_times_and_bars_are_those_of_the_history_feed():
    delivered = []
    strategy, seen, _ = watched(played(live_bars(warmup_bars=5)), on_bar=delivered.append)
    feed, frame = history_feed(delivered)
    engine = Engine(skip=False)
    engine.adddata(feed)
    engine.addstrategy(Watcher, seen=(past := []), statuses=[])
    engine.run()
    assert seen == past
    assert len(seen) == 130
    for line in LINES:
        ours, theirs = (getattr(one.lines, line).array for one in (strategy.data, feed))
        assert list(ours[:130]) == list(theirs[:130]), line
    pd.testing.assert_frame_equal(bars_of(strategy.data, 130), frame, check_freq=False)
    np.testing.assert_array_equal(strategy.data.opened(3, 9), feed.opened(3, 9))


def test_statuses_tell_the_strategy_where_the_stream_is():
    bars = live_bars(warmup_bars=5)
    ticks = ticks_of(TODAY)
    for event in (StreamUp(), *ticks[:30], StreamDown("lost")):
        bars.put(event)

    def on_next(turns):
        if bars.state == "GAP":
            for event in (StreamUp(), *ticks[40:], closing_tick(ticks)):
                bars.put(event)

    _, seen, statuses = watched(bars, CountingBroker(on_next))
    assert len(seen) == 130
    assert statuses == ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]


def test_the_broker_is_asked_while_no_tick_comes_and_the_end_stops_the_run():
    bars = live_bars(warmup_bars=5)
    enough = threading.Event()

    def on_next(turns):
        if turns == 5 + 6:  # one turn a bar, the others without any
            enough.set()
            bars.stop("enough")

    _, seen, _ = watched(bars, CountingBroker(on_next))
    assert enough.is_set()
    assert len(seen) == 5


def test_a_tick_of_another_thread_closes_a_bar_while_the_feed_waits():
    bars = live_bars(warmup_bars=5)
    ticks = ticks_of(TODAY)
    waiting = threading.Event()
    source = threading.Thread(
        target=lambda: [waiting.wait(30), *(bars.put(tick) for tick in [*ticks, closing_tick(ticks)])]
    )
    source.start()
    _, seen, _ = watched(bars, CountingBroker(lambda turns: turns == 8 and waiting.set()))
    source.join(30)
    assert len(seen) == 130


def test_the_feed_waits_no_longer_than_told():
    feed = live_feed(live_bars())
    assert feed.p.qcheck <= 0.05
    assert feed.islive()


def test_a_bar_s_strategy_runs_before_the_next_tick_is_handled():
    clock = ReplayClock(at("09:00"))
    bars = played(live_bars(warmup_bars=5, clock=clock))
    shown = []

    class Late(bt.Strategy):
        def next(self):
            shown.append(clock.now().replace(tzinfo=None) - self.data.closed_at())

    engine = Engine(skip=False)
    engine.adddata(live_feed(bars))
    engine.addstrategy(Late)
    engine.run()
    assert set(shown[5:]) == {dt.timedelta(0)}
