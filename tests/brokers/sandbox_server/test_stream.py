"""The WebSocket side: subscriptions, modes, heartbeats, order updates, and what can go wrong with them."""

from __future__ import annotations

import collections
import itertools
import json
import socket
import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from brokers.kite.packets import decode_frame
from brokers.sandbox.faults import Fault
from brokers.sandbox.packets import HEARTBEAT
from brokers.sandbox.server import SandboxServer
from feeds.errors import DataError
from tests.brokers.sandbox_server.support import (
    INSTRUMENTS,
    NEAR,
    PRICE,
    WAIT,
    config_of,
    fill_one,
    listen,
    receive_market,
    receive_order_update,
)


@pytest.fixture
def server():
    with SandboxServer(config_of(heartbeat_seconds=0.05)) as running:
        running.trade(PRICE)
        yield running


@pytest.fixture
def quiet_server():
    """No heartbeat, so that the frames that go out are those that the test makes."""
    with SandboxServer(config_of(heartbeat_seconds=3600.0)) as running:
        running.trade(PRICE)
        yield running


def say(connection, action: str, value: object) -> None:
    connection.send(json.dumps({"a": action, "v": value}))


def prices(connection, count: int) -> list[float]:
    return [decode_frame(receive_market(connection))[0].last_price for _ in range(count)]


def read_until_it_ends(connection, timeout: float = WAIT) -> None:
    while True:
        connection.recv(timeout=timeout)


def trade_until_closed(server, connection) -> ConnectionClosed:
    """Read until the connection ends, and return how."""
    server.trade(PRICE)
    with pytest.raises(ConnectionClosed) as closed:
        read_until_it_ends(connection)
    return closed.value


# -- subscriptions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "length"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_the_mode_decides_how_much_is_told(quiet_server, mode, length):
    with listen(quiet_server, mode) as connection:
        frames = [receive_market(connection)]
        quiet_server.trade(PRICE + 1)
        frames.append(receive_market(connection))
    assert [struct.unpack(">HH", frame[:4]) for frame in frames] == [(1, length)] * 2
    assert decode_frame(frames[1])[0].last_price == PRICE + 1


def test_a_subscription_is_answered_by_a_snapshot_in_quote_mode_and_the_mode_can_change(quiet_server):
    with listen(quiet_server, None) as connection:
        say(connection, "subscribe", [NEAR.token, INSTRUMENTS[1].token])
        modes = [decode_frame(receive_market(connection))[0] for _ in range(2)]
        assert [(packet.token, packet.mode) for packet in modes] == [
            (NEAR.token, "quote"), (INSTRUMENTS[1].token, "quote"),
        ]  # fmt: skip
        say(connection, "mode", ["full", [NEAR.token]])
        assert decode_frame(receive_market(connection))[0].mode == "full"
        assert quiet_server.state()["subscriptions"] == [
            {str(NEAR.token): "full", str(INSTRUMENTS[1].token): "quote"}
        ]


def test_what_is_unsubscribed_is_not_sent(quiet_server):
    with listen(quiet_server) as connection:
        prices(connection, 1)
        say(connection, "unsubscribe", [NEAR.token])
        say(connection, "mode", ["ltp", [INSTRUMENTS[1].token]])
        receive_market(connection)
        quiet_server.trade(PRICE + 1)
        quiet_server.trade(PRICE + 2, token=INSTRUMENTS[1].token)
        assert prices(connection, 1) == [PRICE + 2]


def test_subscribing_twice_sends_everything_once(quiet_server):
    with listen(quiet_server) as connection:
        say(connection, "subscribe", [NEAR.token])
        say(connection, "mode", ["full", [NEAR.token]])
        prices(connection, 3)
        quiet_server.trade(PRICE + 1)
        quiet_server.trade(PRICE + 2)
        assert prices(connection, 2) == [PRICE + 1, PRICE + 2]


@pytest.mark.parametrize(
    "message",
    ["no json", "[]", '{"a": "mode"}', '{"a": "mode", "v": ["all", [1]]}', '{"a": "mode", "v": 7}',
     '{"a": "subscribe", "v": ["x"]}', '{"a": "dance", "v": []}'],
)  # fmt: skip
def test_what_is_not_understood_is_told_and_does_no_harm(quiet_server, message):
    with listen(quiet_server, None) as connection:
        connection.send(message)
        assert json.loads(connection.recv(timeout=WAIT)) == {"type": "error", "data": "Invalid message"}
        say(connection, "mode", ["ltp", [NEAR.token]])
        assert prices(connection, 1) == [PRICE]


def test_unknown_instruments_are_ignored_and_too_many_are_refused(quiet_server):
    with listen(quiet_server, None) as connection:
        say(connection, "subscribe", [1, NEAR.token])
        assert prices(connection, 1) == [PRICE]
        say(connection, "subscribe", list(range(3000)))
        answer = json.loads(connection.recv(timeout=WAIT))
        assert answer["type"] == "error"
        assert "3000" in answer["data"]


def test_silence_is_filled_with_heartbeats(server):
    with listen(server, None) as connection:
        assert [connection.recv(timeout=WAIT) for _ in range(3)] == [HEARTBEAT] * 3


def test_a_ping_is_answered(server):
    with listen(server) as connection:
        assert connection.ping().wait(WAIT)


# -- who may listen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"access_token": "dead"}, {"api_key": "other"}])
def test_without_the_token_there_is_no_connection(server, wrong):
    with pytest.raises(InvalidStatus) as refused, listen(server, **wrong):
        pass
    assert refused.value.response.status_code == 403


def test_a_connection_outlives_its_token_but_there_is_no_new_one(quiet_server):
    token = quiet_server.access_token
    with listen(quiet_server) as connection:
        prices(connection, 1)
        quiet_server.kill_token()
        quiet_server.trade(PRICE + 1)
        assert prices(connection, 1) == [PRICE + 1]
        with pytest.raises(InvalidStatus), listen(quiet_server, access_token=token):
            pass


def test_a_fourth_connection_is_one_too_many(server):
    with listen(server) as first, listen(server) as second:
        with listen(server) as third:
            for connection in (first, second, third):
                receive_market(connection)
            with pytest.raises(InvalidStatus) as refused, listen(server):
                pass
            assert refused.value.response.status_code == 429
        while len(server.state()["subscriptions"]) > 2:
            first.recv(timeout=WAIT)  # paced by heartbeats
        with listen(server) as fourth:
            receive_market(fourth)


@pytest.mark.parametrize(("status", "where"), [(403, {}), (429, {"stream": "kite"})])
def test_an_upgrade_can_be_refused(server, status, where):
    server.faults.add(Fault(kind="refuse_upgrade", status=status, where=where))
    with pytest.raises(InvalidStatus) as refused, listen(server):
        pass
    assert refused.value.response.status_code == status
    with listen(server) as connection:
        receive_market(connection)


# -- order updates -----------------------------------------------------------------------------------------


def test_updates_come_without_a_subscription_and_not_for_plain_acceptance(quiet_server):
    with listen(quiet_server, None) as connection:
        quiet_server.state()
        fill_one(quiet_server, "first")
        update = receive_order_update(connection)
    assert (update["status"], update["tag"], update["filled_quantity"]) == ("COMPLETE", "first", NEAR.lot)
    assert "tags" not in update


def test_updates_of_a_time_without_connection_are_lost(quiet_server):
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
    while quiet_server.state()["subscriptions"]:
        pass
    fill_one(quiet_server, "missed")
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
        fill_one(quiet_server, "seen")
        assert receive_order_update(connection)["tag"] == "seen"


def test_an_update_can_be_dropped(quiet_server):
    quiet_server.faults.add(Fault(kind="drop_event", where={"tag": "first"}))
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
        fill_one(quiet_server, "first")
        fill_one(quiet_server, "second")
        assert receive_order_update(connection)["tag"] == "second"


def test_an_update_can_come_twice(quiet_server):
    quiet_server.faults.add(Fault(kind="duplicate_event"))
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
        fill_one(quiet_server, "first")
        fill_one(quiet_server, "second")
        assert [receive_order_update(connection)["tag"] for _ in range(3)] == ["first", "first", "second"]


def test_an_update_can_come_after_the_one_that_follows_it(quiet_server):
    quiet_server.faults.add(Fault(kind="late_event", seconds=1.5))
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
        fill_one(quiet_server, "first")
        fill_one(quiet_server, "second")
        assert [receive_order_update(connection)["tag"] for _ in range(2)] == ["second", "first"]


def test_the_update_of_a_late_row_is_late_as_well(quiet_server):
    quiet_server.faults.add(Fault(kind="late_row", seconds=1.5))
    with listen(quiet_server, "ltp") as connection:
        receive_market(connection)
        fill_one(quiet_server, "first")
        fill_one(quiet_server, "second")
        assert [receive_order_update(connection)["tag"] for _ in range(2)] == ["second", "first"]


# -- the connection ----------------------------------------------------------------------------------------


def test_a_silent_socket_says_nothing_not_even_pong_and_the_next_one_works(server):
    (number,) = server.faults.add(Fault(kind="silent_socket"))
    with listen(server) as connection:
        while not server.faults.happened(number):
            server.trade(PRICE)
        with pytest.raises(TimeoutError):
            read_until_it_ends(connection, timeout=0.4)  # eight heartbeats long
        assert not connection.ping().wait(0.4)
    with listen(server) as connection:
        assert prices(connection, 1) == [PRICE]


def test_silence_can_end(server):
    server.faults.add(Fault(kind="silent_socket", seconds=0.4, skip=2))
    with listen(server) as connection:
        times = []
        for _ in range(5):
            connection.recv(timeout=WAIT)
            times.append(time.monotonic())
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[1] > 0.35


def test_a_reset_is_a_reset(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT) as raw:
        raw.sendall(
            f"GET /?api_key={server.api_key}&access_token={server.access_token} HTTP/1.1\r\nHost: x\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert b" 101 " in raw.recv(1000)
        server.faults.add(Fault(kind="reset"))
        with pytest.raises(ConnectionResetError):
            collections.deque(iter(lambda: raw.recv(1000), b""), maxlen=0)


def test_a_close_has_its_code(server):
    with listen(server) as connection:
        prices(connection, 1)
        server.faults.add(Fault(kind="close", code=1011))
        closed = trade_until_closed(server, connection)
    assert closed.rcvd.code == 1011


def test_a_malformed_frame_is_one_and_what_follows_is_whole(quiet_server):
    with listen(quiet_server) as connection:
        prices(connection, 1)
        quiet_server.faults.add(Fault(kind="malformed_frame"))
        quiet_server.trade(PRICE + 1)
        with pytest.raises(DataError):
            decode_frame(receive_market(connection))
        assert prices(connection, 1) == [PRICE + 1]


def test_a_gap_swallows_ticks_while_the_volume_goes_on(quiet_server):
    with listen(quiet_server) as connection:
        (before,) = decode_frame(receive_market(connection))
        quiet_server.faults.add(Fault(kind="tick_gap", seconds=30))
        for _ in range(4):
            quiet_server.trade(PRICE + 1, seconds=10)
        (after,) = decode_frame(receive_market(connection))
    assert after.volume - before.volume == 4 * NEAR.lot
    assert (after.exchange_time - before.exchange_time).total_seconds() == 40


def test_at_the_end_everybody_is_told():
    with SandboxServer(config_of()) as server, listen(server) as connection:
        receive_market(connection)
        server.__exit__(None, None, None)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=WAIT)
    assert closed.value.rcvd.code == 1001
