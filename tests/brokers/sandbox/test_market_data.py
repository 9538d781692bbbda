"""Snapshots, candles, instruments and order updates."""

from __future__ import annotations

import datetime as dt
import hashlib
import math

import pandas as pd
import pytest

from brokers.sandbox.exchange import ExchangeError, MarketTrade, near_next_far
from feeds.bars import aggregate
from feeds.errors import DataError
from feeds.tick_bars import Tick, TickBarBuilder, frame_from_bars
from tests.brokers.sandbox.scene import CALENDAR, DAY, FAR, LOT, NEAR, Scene, at
from tests.support import frame_of


def test_the_day_in_a_snapshot():
    scene = Scene()
    prints = [(1, 26_010.0, 65), (2, 25_990.0, 130), (3, 26_050.0, 65), (4, 26_000.0, 65)]
    for second, price, quantity in prints:
        scene.tick(second, price, quantity)
    scene.advance(10)
    found = scene.exchange.snapshot(NEAR.token)
    assert (found.open, found.high, found.low, found.last_price) == (26_010.0, 26_050.0, 25_990.0, 26_000.0)
    assert (found.volume, found.last_quantity, found.close) == (325, 65, 26_000.0)
    assert found.average_price == pytest.approx((26_010 + 25_990 * 2 + 26_050 + 26_000) / 5)
    assert (found.time, found.last_trade_time) == (at(10), at(4))
    assert (found.lower_circuit, found.upper_circuit) == (23_400.0, 28_600.0)
    assert (found.oi, found.oi_day_high, found.oi_day_low) == (1_000_000,) * 3


def test_before_the_first_print():
    scene = Scene()
    found = scene.exchange.snapshot(NEAR.token)
    assert (found.last_price, found.volume, found.open, found.last_trade_time) == (26_000.0, 0, 0.0, None)
    unknown = scene.exchange.snapshot(FAR.token)
    assert (unknown.last_price, unknown.upper_circuit, unknown.buy[0].quantity) == (0.0, 0.0, 0)


def test_the_book_is_around_the_recorded_quotes_or_the_last_price():
    scene = Scene()
    scene.exchange.on_trade(NEAR.token, MarketTrade(at(1), 26_000.0, 65, math.nan, 25_999.5, 26_000.4))
    found = scene.exchange.snapshot(NEAR.token)
    assert [level.price for level in found.buy] == [25_999.5, 25_999.4, 25_999.3, 25_999.2, 25_999.1]
    assert [level.price for level in found.sell] == [26_000.4, 26_000.5, 26_000.6, 26_000.7, 26_000.8]
    scene.exchange.on_trade(NEAR.token, MarketTrade(at(2), 26_010.0, 65))
    found = scene.exchange.snapshot(NEAR.token)
    assert (found.buy[0].price, found.sell[0].price) == (26_009.9, 26_010.1)
    assert found.buy_quantity == sum(level.quantity for level in found.buy)


def test_the_circuit_comes_from_the_first_print_where_no_close_is_known():
    scene = Scene(previous_closes={})
    scene.tick(1, 10_000.0)
    assert scene.exchange.snapshot(NEAR.token).lower_circuit == 9_000.0
    scene.tick(2, 10_500.0)
    assert scene.exchange.snapshot(NEAR.token).lower_circuit == 9_000.0


@pytest.mark.parametrize("call", ["snapshot", "on_trade", "candles", "add_history"])
def test_an_unknown_token(call):
    exchange = Scene().exchange
    arguments = {
        "snapshot": (1,), "on_trade": (1, MarketTrade(at(), 1.0, 1)), "candles": (1, "minute", at(), at(1)),
        "add_history": (1, pd.DataFrame()),
    }  # fmt: skip
    with pytest.raises(ExchangeError, match="invalid token"):
        getattr(exchange, call)(*arguments[call])


# -- candles -----------------------------------------------------------------------------------------------


def printed(scene, seconds):
    """Print around a wandering price at these seconds after 09:15; return the ticks."""
    ticks = []
    for count, second in enumerate(seconds):
        time, price = at(second, clock="09:15"), 26_000.0 + (count * 7) % 23 - 11
        ticks.append(Tick(time, price, LOT * (1 + count % 3), 1_000_000.0 + count))
        scene.exchange.on_trade(
            NEAR.token, MarketTrade(*ticks[-1][:2], int(ticks[-1].quantity), ticks[-1][3])
        )
    return ticks


@pytest.mark.parametrize(("interval", "minutes"), [("minute", 1), ("3minute", 3), ("15minute", 15)])
def test_todays_candles_equal_the_bars_built_from_the_same_ticks(interval, minutes):
    scene = Scene(start=at(clock="09:14"))
    ticks = printed(scene, [13.7 * count for count in range(200)])
    builder = TickBarBuilder(CALENDAR, minutes, cumulative=False)
    bars = [bar for tick in ticks for bar in builder.add(tick)]
    expected = frame_from_bars([*bars, *builder.advance(at(clock="15:40"))])
    rows = scene.exchange.candles(NEAR.token, interval, at(clock="09:15"), at(clock="15:40"), oi=True)
    assert len(rows) == len(expected) > 2
    for row, (start, bar) in zip(rows, expected.iterrows(), strict=True):
        values = [bar["open"], bar["high"], bar["low"], bar["close"], bar["volume"], bar["open_interest"]]
        assert row == [f"{start:%Y-%m-%dT%H:%M:%S}+0530", *values]


def test_the_bounds_are_the_opens_of_the_candles_and_both_included():
    scene = Scene(start=at(clock="09:14"))
    printed(scene, range(0, 600, 10))
    naive = [at(clock=clock).replace(tzinfo=None) for clock in ("09:16", "09:19")]
    rows = scene.exchange.candles(NEAR.token, "minute", *naive)
    assert [row[0][11:16] for row in rows] == ["09:16", "09:17", "09:18", "09:19"]


def test_the_forming_candle_is_there_and_changes():
    scene = Scene(start=at(clock="09:14"))
    printed(scene, [0, 10])
    before = scene.exchange.candles(NEAR.token, "3minute", at(clock="09:15"), at(clock="09:20"))
    printed(scene, [20])
    after = scene.exchange.candles(NEAR.token, "3minute", at(clock="09:15"), at(clock="09:20"))
    assert before[0][0] == after[0][0]
    assert after[0][5] > before[0][5]


def test_a_print_outside_the_session_moves_the_price_and_makes_no_candle_and_no_fill():
    scene = Scene(start=at(clock="15:39"))
    order = scene.place()
    scene.exchange.on_trade(NEAR.token, MarketTrade(at(clock="15:40"), 26_001.0, 65))
    assert scene.exchange.candles(NEAR.token, "minute", at(clock="09:15"), at(clock="16:00")) == []
    assert scene.exchange.snapshot(NEAR.token).last_price == 26_001.0
    assert scene.row(order)["filled_quantity"] == 0


def history(day=dt.date(2026, 11, 18), count=375):
    prices = [25_000.0 + number for number in range(count)]
    return frame_of([(p, p + 2, p - 1, p + 1) for p in prices], day=day, bar_minutes=1)


def test_earlier_days_come_from_the_history_and_make_the_previous_close():
    scene = Scene(previous_closes={}, start=at(clock="09:14"))
    bars = history()
    scene.exchange.add_history(NEAR.token, bars)
    assert scene.exchange.snapshot(NEAR.token).close == bars["close"].iloc[-1]
    printed(scene, range(0, 300, 10))
    first, last = dt.datetime(2026, 11, 18, tzinfo=at().tzinfo), at(clock="15:40")
    assert len(scene.exchange.candles(NEAR.token, "minute", first, last)) == 375 + 5
    rows = scene.exchange.candles(NEAR.token, "3minute", first, last)
    expected = aggregate(bars, 3, CALENDAR)
    assert [row[4] for row in rows[:125]] == list(expected["close"])
    days = scene.exchange.candles(NEAR.token, "day", first, last)
    assert [row[0] for row in days] == ["2026-11-18T00:00:00+0530", "2026-11-20T00:00:00+0530"]
    assert days[0][1:6] == [25_000.0, 25_376.0, 24_999.0, 25_375.0, 375 * 75_000]


def test_history_of_today_is_left_out_and_a_set_close_stays():
    scene = Scene()
    scene.exchange.add_history(NEAR.token, history(day=DAY))
    assert scene.exchange.candles(NEAR.token, "minute", at(clock="09:15"), at(clock="15:40")) == []
    scene.exchange.add_history(NEAR.token, history())
    assert scene.exchange.snapshot(NEAR.token).close == 26_000.0
    with pytest.raises(DataError):
        scene.exchange.add_history(NEAR.token, pd.DataFrame({"close": [1.0]}))


@pytest.mark.parametrize(
    ("interval", "days"), [("minute", 60), ("3minute", 100), ("30minute", 200), ("day", 2000)]
)
def test_the_longest_span_of_a_request(interval, days):
    exchange = Scene().exchange
    assert exchange.candles(NEAR.token, interval, at() - dt.timedelta(days=days), at()) == []
    with pytest.raises(ExchangeError, match=f"interval exceeds max limit: {days} days"):
        exchange.candles(NEAR.token, interval, at() - dt.timedelta(days=days, seconds=1), at())
    with pytest.raises(ExchangeError, match="invalid interval"):
        exchange.candles(NEAR.token, "2minute", at(), at())


# -- instruments and events --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("underlying", "day", "symbols", "lot", "freeze"),
    [
        ("NIFTY", dt.date(2022, 11, 1), ["NIFTY22NOVFUT", "NIFTY22DECFUT", "NIFTY23JANFUT"], 50, 2800),
        ("NIFTY", dt.date(2022, 11, 25), ["NIFTY22DECFUT", "NIFTY23JANFUT", "NIFTY23FEBFUT"], 50, 2800),
        ("BANKNIFTY", dt.date(2022, 11, 1),
         ["BANKNIFTY22NOVFUT", "BANKNIFTY22DECFUT", "BANKNIFTY23JANFUT"], 25, 1200),
        ("NIFTY", dt.date(2026, 11, 20), ["NIFTY26NOVFUT", "NIFTY26DECFUT"], 65, 1800),
    ],
)  # fmt: skip
def test_near_next_and_far(underlying, day, symbols, lot, freeze):
    found = near_next_far(underlying, day, CALENDAR)
    assert [one.symbol for one in found] == symbols  # the calendar ends in 2026
    assert [one.expiry for one in found] == sorted(one.expiry for one in found)
    assert (found[0].lot, found[0].freeze) == (lot, freeze)
    assert all(one.token == one.exchange_token * 256 + 2 for one in found)


def test_no_two_contracts_share_a_token():
    days = [dt.date(year, month, 1) for year in range(2013, 2026) for month in range(1, 13)]
    found = {
        one.token: one.symbol
        for underlying in ("NIFTY", "BANKNIFTY")
        for day in days
        for one in near_next_far(underlying, day, CALENDAR)
    }
    assert len(found) == len(set(found.values())) > 300


def test_order_updates_are_signed_and_have_no_tags():
    scene = Scene()
    scene.tick(0, 26_000.0)
    order = scene.place(tag="abc")
    scene.advance(1)
    assert scene.exchange.take_events() == []  # nothing is sent of plain acceptance
    scene.tick(2, 26_000.0)
    scene.advance(3)
    (event,) = scene.exchange.take_events()
    assert scene.exchange.take_events() == []
    signed = f"{order}{event['order_timestamp']}sandbox-secret"
    assert event["checksum"] == hashlib.sha256(signed.encode()).hexdigest()
    assert (event["status"], event["tag"], event["user_id"]) == ("COMPLETE", "abc", "SB0001")
    assert not {"tags", "modified", "account_id"} & set(event)
    assert event["order_timestamp"] == "2026-11-20 10:00:02"


def test_rows_are_copies():
    scene = Scene()
    scene.tick(0, 26_000.0)
    order = scene.place()
    scene.tick(1, 26_000.0)
    scene.advance(2)
    exchange = scene.exchange
    for read in (
        exchange.orders,
        exchange.trades,
        lambda: exchange.order_history(order),
        lambda: exchange.order_trades(order),
    ):
        before = read()
        read()[0].clear()
        assert read() == before


def test_time_does_not_run_backwards():
    scene = Scene()
    scene.advance(10)
    scene.advance(5)
    assert scene.exchange.now == at(10)
    order = scene.place()
    assert scene.exchange.next_due() == at(10) + dt.timedelta(milliseconds=100) / 3
    scene.tick(7, 26_000.0)
    assert scene.exchange.now == at(10)
    assert scene.row(order)["order_timestamp"] == "2026-11-20 10:00:10"
