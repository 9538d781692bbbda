"""Backtest, paper and live put the same strategy together; only feed and broker differ."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from brokers.live_broker import LiveBroker
from brokers.paper import PaperBroker
from brokers.simulated import SimulatedBroker
from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from feeds.history import HistoryFeed, make_history_feed
from feeds.live import LiveFeed
from feeds.live_bars import LiveBars
from feeds.log import NullLog
from feeds.terms import DatedTerms
from strategies.assembly import assemble, assemble_backtest
from strategies.live_accounts import ExchangeAccount, PaperAccount
from tests.brokers.desk.wire_model import ModelWire
from tests.support import DAY, frame_of, settings_of

CALENDAR = TradingCalendar()
START = dt.datetime.combine(DAY, dt.time(9, 14), IST)
DUE = START.replace(hour=15, minute=21)


class NoHistory:
    def minutes(self, first, last):
        return frame_of([], bar_minutes=1)


def live_feed(clock):
    bars = LiveBars(
        calendar=CALENDAR, bar_minutes=3, clock=clock, history=NoHistory(), warmup_bars=1,
        on_event=lambda name, fields: None,
    )  # fmt: skip
    return LiveFeed(bars=bars, name="NIFTY")


def assembled(mode, settings, tmp_path):
    frame = frame_of([(100.0, 101.0, 99.0, 100.0)] * 20)
    terms, clock = DatedTerms(settings.market, CALENDAR), ReplayClock(START)
    if mode == "backtest":
        return assemble_backtest(settings, frame, CALENDAR).engine, None
    if mode == "paper":
        account = PaperAccount(
            settings=settings, terms=terms, square_off_at=lambda day: DUE, clock=clock,
            book=tmp_path / "paper.sqlite", log=NullLog(),
        )  # fmt: skip
    else:
        account = ExchangeAccount(
            settings=settings, wire=ModelWire(), symbol="NIFTY24JUNFUT", terms=terms(DAY), day=DAY,
            square_off_at=DUE, clock=clock, folder=tmp_path, log=NullLog(),
            on_session_dead=lambda reason: None,
        )  # fmt: skip
    feed = live_feed(clock)
    return assemble(settings, CALENDAR, feed=feed, broker=account.broker, terms=terms), account


def plain(value):
    """Return what can be compared of an argument: objects of ours by class and contents."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return type(value), {
            name: plain(inner) for name, inner in vars(value).items() if not name.startswith("_known")
        }
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value if not callable(value) else getattr(value, "__qualname__", type(value))


def strategy_of(engine):
    (((strategy, positional, named),),) = engine.strats
    named = {name: value for name, value in named.items() if name != "windows"}
    return (
        strategy,
        positional,
        {
            name: (type(value), value) if name in ("settings", "plugin") else type(value)
            for name, value in named.items()
        },
    )


@pytest.mark.parametrize("name", ["ema_cross", "opening_range", "random_entry"])
def test_only_feed_and_broker_differ(name, tmp_path):
    settings = settings_of(strategy={"name": name, "sizer": "risk"})
    engines, accounts = {}, []
    for mode in ("backtest", "paper", "live"):
        (tmp_path / mode).mkdir()
        engines[mode], account = assembled(mode, settings, tmp_path / mode)
        accounts.append(account)
    assert strategy_of(engines["backtest"]) == strategy_of(engines["paper"]) == strategy_of(engines["live"])
    assert len({frozenset(engine.p._getkwargs().items()) for engine in engines.values()}) == 1
    assert len({type(engine) for engine in engines.values()}) == 1
    assert [type(engine.broker).__mro__[0] for engine in engines.values()] == [
        SimulatedBroker, PaperBroker, LiveBroker,
    ]  # fmt: skip
    feeds = [engine.datas for engine in engines.values()]
    assert [len(found) for found in feeds] == [1, 1, 1]
    assert isinstance(feeds[0][0], HistoryFeed)
    assert isinstance(feeds[1][0], LiveFeed)
    assert isinstance(feeds[2][0], LiveFeed)
    rules = [[rule.describe() for rule in engine.broker.gate.rules] for engine in engines.values()]
    assert rules[0] == rules[1] == rules[2]
    for account in accounts:
        if account is not None:
            account.shut_down(flatten=False, reason="end of test")


def test_both_feeds_have_the_same_lines():
    frame = frame_of([(100.0, 101.0, 99.0, 100.0)])
    closes = close_times(frame.index, 3, CALENDAR)
    history = make_history_feed(frame, closes, name="NIFTY", bar_minutes=3)
    assert history.getlinealiases() == live_feed(ReplayClock(START)).getlinealiases()
