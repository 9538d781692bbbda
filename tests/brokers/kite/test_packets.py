from __future__ import annotations

import datetime as dt
import math
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiteconnect import KiteTicker

from brokers.kite.packets import decode_frame
from feeds.clock import IST
from feeds.errors import DataError

from .servers import TOKEN, frame, full_packet

LENGTHS = (8, 28, 32, 44, 184)
# The official parser gives up on times that no date can hold.
SECONDS = st.integers(1, 4_102_444_800)


def official(payload: bytes) -> list[dict]:
    return KiteTicker("key", "token")._parse_binary(payload)


@st.composite
def bodies(draw):
    length = draw(st.sampled_from([*LENGTHS, 12, 60]))
    body = bytearray(draw(st.binary(min_size=length, max_size=length)))
    segment = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 12]))
    body[3:4] = bytes([segment])
    for place in (28,) if length == 32 else (44, 60) if length == 184 else ():
        body[place : place + 4] = struct.pack(">I", draw(SECONDS))
    return bytes(body)


@given(st.lists(bodies(), max_size=5))
def test_the_official_parser_reads_the_same(packets):
    payload = frame(*packets)
    ours, theirs = decode_frame(payload), official(payload)
    assert len(ours) == len(theirs)
    for packet, expected in zip(ours, theirs, strict=True):
        assert (packet.token, packet.mode, packet.last_price) == (
            expected["instrument_token"], expected["mode"], expected["last_price"],
        )  # fmt: skip
        if "ohlc" in expected:
            assert {name: getattr(packet, name) for name in ("open", "high", "low", "close")} == expected[
                "ohlc"
            ]
        if "volume_traded" in expected:
            assert packet.last_quantity == expected["last_traded_quantity"]
            assert packet.average_price == expected["average_traded_price"]
            assert packet.volume == expected["volume_traded"]
            assert packet.buy_quantity == expected["total_buy_quantity"]
            assert packet.sell_quantity == expected["total_sell_quantity"]
        if "exchange_timestamp" in expected:
            assert packet.exchange_time.timestamp() == expected["exchange_timestamp"].timestamp()
            assert packet.exchange_time.tzinfo is IST
        if "depth" in expected:
            assert packet.open_interest == expected["oi"]
            assert packet.last_trade_time.timestamp() == expected["last_trade_time"].timestamp()
            for ours_best, side in ((packet.bid, "buy"), (packet.ask, "sell")):
                best = expected["depth"][side][0]
                assert ours_best == best["price"] if best["quantity"] else math.isnan(ours_best)


def test_a_full_packet_in_the_exchanges_time():
    (packet,) = decode_frame(frame(full_packet(24_601.5, 650, 1_625_461_887)))
    assert packet.token == TOKEN
    assert packet.last_price == 24_601.5
    assert (packet.volume, packet.open_interest) == (650, 12.0)
    assert packet.exchange_time == dt.datetime(2021, 7, 5, 10, 41, 27, tzinfo=IST)
    assert math.isnan(packet.bid)


def test_a_time_of_zero_is_no_time():
    (packet,) = decode_frame(frame(full_packet(100.0, 0, 0)))
    assert packet.exchange_time is None
    assert packet.last_trade_time is None


@pytest.mark.parametrize("heartbeat", [b"", b"\x00", b"\x00\x00"])
def test_heartbeats_hold_nothing(heartbeat):
    assert decode_frame(heartbeat) == []


@pytest.mark.parametrize("cut", [3, 4, 10, 100, 187])
def test_a_frame_that_is_cut_is_refused(cut):
    with pytest.raises(DataError, match=f"frame of {cut} bytes"):
        decode_frame(frame(full_packet(100.0, 1, 1))[:cut])


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(payload):
    with suppress(DataError):
        assert len(decode_frame(payload)) <= len(payload)
