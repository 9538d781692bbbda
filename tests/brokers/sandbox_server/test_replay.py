"""What is replayed arrives as it was recorded: bars from the stream equal bars from the file."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from brokers.kite.packets import decode_frame
from brokers.sandbox.day import make_day
from brokers.sandbox.exchange import ExchangeConfig, MarketTrade
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.server_config import SandboxConfig
from feeds.calendar import TradingCalendar
from feeds.tick_bars import Bar, Tick, TickBarBuilder
from tests.brokers.sandbox_server.support import (
    CALENDAR,
    DAY,
    INSTRUMENTS,
    NEAR,
    at,
    config_of,
    listen,
    official_client,
    receive_market,
)


def offline_bars(trades: list[MarketTrade], calendar: TradingCalendar, minutes: int = 3) -> list[Bar]:
    builder = TickBarBuilder(calendar, minutes, cumulative=False)
    bars = []
    for trade in trades:
        bars += builder.add(Tick(trade.time, trade.price, trade.quantity, trade.open_interest))
    last_day = calendar.session(trades[-1].time.date())
    return bars + builder.advance(last_day.close)


def streamed_bars(config: SandboxConfig, minutes: int = 3) -> list[Bar]:
    calendar = config.exchange.calendar
    close = calendar.session(config.exchange.day).close
    builder = TickBarBuilder(calendar, minutes, cumulative=True)
    bars: list[Bar] = []
    with SandboxServer(config) as server, listen(server) as connection:
        while True:
            for packet in decode_frame(receive_market(connection)):
                bars += builder.add(
                    Tick(packet.exchange_time, packet.last_price, packet.volume, packet.open_interest)
                )
                if packet.exchange_time >= close:
                    return bars


def made_up_trades(seconds: int, *, start: str = "09:15", step: int = 1) -> list[MarketTrade]:
    return [
        MarketTrade(
            at(start) + dt.timedelta(seconds=n * step), 25_000.0 + (n * 7) % 11, 65 * (1 + n % 3), 650.0 * n
        )
        for n in range(seconds)
    ]  # fmt: skip


def test_bars_from_the_stream_equal_bars_from_the_trades():
    trades = made_up_trades(23_100, step=1)  # the whole session of 385 minutes
    config = config_of(trades, start="subscribe", clock_start=None, speed=50_000.0)
    bars = streamed_bars(config)
    assert bars == offline_bars(trades, CALENDAR)
    assert len(bars) == 129
    assert bars[-1].complete


def test_a_synthetic_day_arrives_whole_as_well():
    market = make_day("NIFTY", CALENDAR, day=DAY)
    exchange = ExchangeConfig(
        instruments=market.instruments, day=DAY, calendar=CALENDAR, previous_closes=market.previous_closes
    )
    config = SandboxConfig(
        exchange=exchange, trades={NEAR.token: market.trades}, speed=20_000.0, access_token="alive"
    )
    assert streamed_bars(config) == offline_bars(market.trades, CALENDAR)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_a_recorded_day_arrives_whole(shared_data, underlying):
    ticks = shared_data / f"data/ticks/{underlying}-I_20221101.csv.gz"
    market = make_day(underlying, CALENDAR, ticks=ticks)
    exchange = ExchangeConfig(
        instruments=market.instruments, day=market.day, previous_closes=market.previous_closes
    )
    config = SandboxConfig(
        exchange=exchange, trades={market.instruments[0].token: market.trades}, speed=10_000.0,
        access_token="alive",
    )  # fmt: skip
    token = market.instruments[0].token
    close = CALENDAR.session(market.day).close
    builder = TickBarBuilder(CALENDAR, 3, cumulative=True)
    bars: list[Bar] = []
    with SandboxServer(config) as server, listen(server, None) as connection:
        connection.send(json.dumps({"a": "mode", "v": ["full", [token]]}))
        now = at("09:00", market.day)
        while now < close:
            for packet in decode_frame(receive_market(connection)):
                now = packet.exchange_time
                bars += builder.add(Tick(now, packet.last_price, packet.volume, packet.open_interest))
    assert bars == offline_bars(market.trades, CALENDAR)


def test_each_trade_is_a_frame_of_its_own_with_the_volume_of_the_day_so_far():
    trades = [MarketTrade(at("09:15:01"), price, 65, 100.0) for price in (25_000.0, 25_001.0, 25_000.5)]
    with SandboxServer(config_of(trades)) as server, listen(server) as connection:
        (snapshot,) = decode_frame(receive_market(connection))
        assert (snapshot.volume, snapshot.last_price, snapshot.exchange_time) == (0, 25_000.0, at("09:15"))
        server.advance_to(at("09:15:10"))
        packets = [packet for _ in trades for packet in decode_frame(receive_market(connection))]
    assert [packet.last_price for packet in packets] == [25_000.0, 25_001.0, 25_000.5]
    assert [packet.volume for packet in packets] == [65, 130, 195]
    assert {packet.exchange_time for packet in packets} == {at("09:15:01")}


def test_the_close_is_told_with_the_volume_unchanged():
    trades = [MarketTrade(at("15:39:58"), 25_000.0, 65, 100.0)]
    with SandboxServer(config_of(trades, clock_start=at("15:39"))) as server, listen(server) as connection:
        receive_market(connection)
        server.advance_to(at("15:41"))
        traded, closing = (decode_frame(receive_market(connection))[0] for _ in range(2))
    assert (traded.volume, closing.volume) == (65, 65)
    assert closing.exchange_time == at("15:40")


def test_trades_from_before_the_start_have_happened_and_are_not_sent():
    trades = made_up_trades(10)
    config = config_of(trades, clock_start=at("09:15:05"))
    with SandboxServer(config) as server, listen(server) as connection:
        (snapshot,) = decode_frame(receive_market(connection))
        assert snapshot.volume == sum(trade.quantity for trade in trades[:6])
        server.advance(1)
        assert decode_frame(receive_market(connection))[0].volume == sum(t.quantity for t in trades[:7])


def test_time_waits_for_the_first_subscription():
    config = config_of(made_up_trades(5), start="subscribe", clock_start=at("09:14:59"), speed=100.0)
    with SandboxServer(config) as server:
        assert server.state()["is_running"] is False
        assert server.ask(lambda exchange: exchange.now) == at("09:14:59")
        with listen(server) as connection:
            assert len([receive_market(connection) for _ in range(6)]) == 6  # a snapshot, then the prints
            assert server.state()["is_running"] is True


def test_time_starts_when_told_and_a_subscription_does_not_start_it():
    config = config_of(made_up_trades(2), clock_start=at("09:14:59"), speed=100.0)
    with SandboxServer(config) as server, listen(server) as connection:
        receive_market(connection)
        assert server.state()["is_running"] is False
        server.start()
        assert len([receive_market(connection) for _ in range(2)]) == 2


def test_orders_meet_the_market_of_their_moment():
    trades = [MarketTrade(at("09:15:01"), 25_000.0, 65), MarketTrade(at("09:15:30"), 25_010.0, 65)]
    with SandboxServer(config_of(trades)) as server:
        kite = official_client(server)
        server.advance_to(at("09:15:29"))
        order_id = kite.place_order(
            "regular", "NFO", INSTRUMENTS[0].symbol, "BUY", 65, "MIS", "MARKET", market_protection=-1
        )
        server.advance_to(at("09:15:31"))
        (fill,) = kite.order_trades(order_id)
    assert fill["average_price"] == 25_010.0
    assert fill["exchange_timestamp"] == dt.datetime(2026, 9, 24, 9, 15, 30)  # noqa: DTZ001 # as the client reads it


def test_history_of_the_day_grows_with_the_replay():
    trades = made_up_trades(150)
    with SandboxServer(config_of(trades)) as server:
        kite = official_client(server)
        server.advance_to(at("09:16:30"))
        candles = kite.historical_data(NEAR.token, at("09:15"), at("15:40"), "minute", oi=True)
    assert [candle["volume"] for candle in candles] == [
        sum(trade.quantity for trade in trades[:60]), sum(trade.quantity for trade in trades[60:91]),
    ]  # fmt: skip
