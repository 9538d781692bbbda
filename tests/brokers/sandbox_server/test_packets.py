"""Packets read by the official parser are what was sent."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from brokers.kite.packets import decode_frame
from brokers.sandbox.exchange import DepthLevel, MarketSnapshot
from brokers.sandbox.packets import HEARTBEAT, MODES, encode_frame, encode_packet
from feeds.clock import IST
from tests.brokers.sandbox_server.support import NEAR

LARGEST = 2**32 - 1
SEGMENT_UNITS = {1: 100, 2: 100, 3: 10_000_000, 4: 100, 5: 100, 6: 10_000, 7: 100, 8: 100, 9: 100, 12: 10_000}

counts = st.integers(0, LARGEST)
moments = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(IST)).map(  # noqa: DTZ001
    lambda time: time.replace(microsecond=0)
)


@st.composite
def snapshots(draw: st.DrawFn) -> MarketSnapshot:
    segment = draw(st.sampled_from(sorted(SEGMENT_UNITS)))
    unit = SEGMENT_UNITS[segment]
    prices = counts.map(lambda units: units / unit)
    levels = st.tuples(*[st.builds(DepthLevel, counts, prices, st.integers(0, 65_535))] * 5)
    token = draw(st.integers(0, LARGEST // 256)) * 256 + segment
    return MarketSnapshot(
        instrument=NEAR._replace(token=token), time=draw(moments), last_trade_time=draw(moments),
        last_price=draw(prices), last_quantity=draw(counts), volume=draw(counts), average_price=draw(prices),
        buy_quantity=draw(counts), sell_quantity=draw(counts), open=draw(prices), high=draw(prices),
        low=draw(prices), close=draw(prices), oi=draw(counts), oi_day_high=draw(counts),
        oi_day_low=draw(counts), lower_circuit=0.0, upper_circuit=0.0, buy=draw(levels), sell=draw(levels),
    )  # fmt: skip


def official(frame: bytes) -> list[dict]:
    return KiteTicker("key", "token")._parse_binary(frame)


def as_naive_local(time: dt.datetime) -> dt.datetime:
    """The official client gives times without a zone, in that of the machine."""
    return dt.datetime.fromtimestamp(time.timestamp())  # noqa: DTZ006


def as_rows(levels: tuple[DepthLevel, ...]) -> list[dict]:
    return [{"quantity": one.quantity, "price": one.price, "orders": one.orders} for one in levels]


@given(st.lists(snapshots(), min_size=1, max_size=4), st.sampled_from(MODES))
def test_the_official_parser_reads_what_was_sent(sent, mode):
    ticks = official(encode_frame([encode_packet(snapshot, mode) for snapshot in sent]))
    assert len(ticks) == len(sent)
    for tick, snapshot in zip(ticks, sent, strict=True):
        is_index = snapshot.instrument.token & 0xFF == 9
        assert tick["instrument_token"] == snapshot.instrument.token
        assert tick["tradable"] is not is_index
        assert tick["mode"] == mode
        assert tick["last_price"] == snapshot.last_price
        if mode == "ltp":
            assert len(tick) == 4
            continue
        assert tick["ohlc"] == {
            "open": snapshot.open, "high": snapshot.high, "low": snapshot.low, "close": snapshot.close,
        }  # fmt: skip
        if mode == "full":
            assert tick["exchange_timestamp"] == as_naive_local(snapshot.time)
        if is_index:
            continue
        assert tick["last_traded_quantity"] == snapshot.last_quantity
        assert tick["average_traded_price"] == snapshot.average_price
        assert tick["volume_traded"] == snapshot.volume
        assert tick["total_buy_quantity"] == snapshot.buy_quantity
        assert tick["total_sell_quantity"] == snapshot.sell_quantity
        if mode == "full":
            assert tick["last_trade_time"] == as_naive_local(snapshot.last_trade_time)
            assert (tick["oi"], tick["oi_day_high"], tick["oi_day_low"]) == (
                snapshot.oi, snapshot.oi_day_high, snapshot.oi_day_low,
            )  # fmt: skip
            assert tick["depth"] == {"buy": as_rows(snapshot.buy), "sell": as_rows(snapshot.sell)}


@given(snapshots(), st.sampled_from(MODES))
def test_our_own_decoder_reads_the_same(snapshot, mode):
    (packet,) = decode_frame(encode_frame([encode_packet(snapshot, mode)]))
    assert (packet.token, packet.mode, packet.last_price) == (
        snapshot.instrument.token, mode, snapshot.last_price,
    )  # fmt: skip
    if mode == "full":
        assert packet.exchange_time == snapshot.time


@pytest.mark.parametrize(
    ("segment", "mode", "length"),
    [(2, "ltp", 8), (2, "quote", 44), (2, "full", 184), (9, "ltp", 8), (9, "quote", 28), (9, "full", 32)],
)
def test_the_length_says_what_a_packet_is(segment, mode, length):
    assert len(encode_packet(plain(segment), mode)) == length


def test_an_index_that_has_risen_tells_its_change():
    packet = encode_packet(plain(9)._replace(last_price=105.0, close=100.0), "quote")
    assert int.from_bytes(packet[24:28], "big") == 500


def test_what_does_not_fit_is_cut_and_does_not_fail():
    (tick,) = official(encode_frame([encode_packet(plain(2)._replace(volume=2**40, oi=-5), "full")]))
    assert tick["volume_traded"] == LARGEST
    assert tick["oi"] == 0


def test_a_contract_without_a_trade_has_no_time_of_one():
    packet = encode_packet(plain(2)._replace(last_trade_time=None), "full")
    assert packet[44:48] == b"\x00" * 4


def test_a_heartbeat_is_one_byte_and_no_tick():
    assert len(HEARTBEAT) == 1
    assert decode_frame(HEARTBEAT) == []


def plain(segment: int) -> MarketSnapshot:
    time = dt.datetime(2026, 9, 24, 9, 15, tzinfo=IST)
    return MarketSnapshot(
        NEAR._replace(token=1000 * 256 + segment), time, time, 100.0, 1, 1, 100.0, 0, 0, 100.0, 100.0, 100.0,
        100.0, 0, 0, 0, 0.0, 0.0, (DepthLevel(0, 0.0, 0),) * 5, (DepthLevel(0, 0.0, 0),) * 5,
    )  # fmt: skip
