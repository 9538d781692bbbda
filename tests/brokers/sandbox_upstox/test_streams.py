"""Upstox' two streams: addresses, frames, order updates, and what can go wrong with either."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import websocket
from google.protobuf.message import DecodeError
from websockets.exceptions import ConnectionClosed, InvalidStatus

from brokers.sandbox.faults import Fault
from brokers.sandbox.market import MarketTrade
from brokers.sandbox.server import SandboxServer
from brokers.sandbox.upstox.names import key_of
from tests.brokers.sandbox_server.support import (
    INSTRUMENTS,
    NEAR,
    PRICE,
    WAIT,
    at,
    config_of,
    fill_one,
    market_order,
)
from tests.brokers.sandbox_server.support import official_client as kite_client
from tests.brokers.sandbox_upstox.support import (
    KEY,
    MARKET,
    PORTFOLIO,
    address,
    ask,
    get,
    market,
    opened,
    price,
    receive,
    refusal,
    update,
)


@pytest.fixture
def server():
    """No pings, so that the frames that go out are those that the test makes."""
    with SandboxServer(config_of(heartbeat_seconds=3600.0)) as running:
        running.trade(PRICE)
        yield running


def refused_with(url: str) -> int:
    with pytest.raises(InvalidStatus) as refused, opened(url):
        pass
    return refused.value.response.status_code


# -- market data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "part", "number"),
    [("ltpc", "ltpc", 0), ("full", "fullFeed", 1), ("option_greeks", "firstLevelWithGreeks", 2),
     ("full_d30", "fullFeed", 3), (None, "ltpc", 0)],
)  # fmt: skip
def test_the_mode_decides_what_is_told(server, mode, part, number):
    with market(server, None) as connection:
        ask(connection, "sub", mode)
        first = receive(connection)
        server.trade(PRICE + 1)
        second = receive(connection)
    for frame, kind in ((first, 0), (second, 1)):  # initial_feed, live_feed
        feed = frame.feeds[KEY]
        assert (frame.type, feed.WhichOneof("FeedUnion"), feed.requestMode) == (kind, part, number)


def test_a_full_frame_holds_the_day_and_the_minute(server):
    with market(server) as connection:
        receive(connection)
        server.trade(PRICE + 3, seconds=65)
        server.trade(PRICE + 1, 2 * NEAR.lot, seconds=1)
        _, frame = (receive(connection) for _ in range(2))
    full = frame.feeds[KEY].fullFeed.marketFF
    day, minute = full.marketOHLC.ohlc
    assert (day.interval, day.open, day.high, day.close, day.vol) == (
        "1d", PRICE, PRICE + 3, PRICE + 1, 4 * NEAR.lot,
    )  # fmt: skip
    assert (minute.interval, minute.open, minute.close, minute.vol) == (
        "I1", PRICE + 3, PRICE + 1, 3 * NEAR.lot,
    )  # fmt: skip
    assert day.ts == at("00:00").timestamp() * 1000
    assert minute.ts == at("09:16").timestamp() * 1000
    assert full.vtt == 4 * NEAR.lot
    assert frame.currentTs == full.ltpc.ltt == at("09:16:06").timestamp() * 1000


def test_modes_change_and_what_is_unsubscribed_is_not_sent(server):
    other = key_of(INSTRUMENTS[1])
    with market(server) as connection:
        receive(connection)
        ask(connection, "change_mode", "ltpc", [KEY, other])
        assert {next(iter(receive(connection).feeds)) for _ in range(2)} == {KEY, other}
        ask(connection, "unsub", None)
        ask(connection, "sub", "full", [other])
        receive(connection)
        server.trade(PRICE + 1)
        server.trade(PRICE + 2, token=INSTRUMENTS[1].token)
        assert list(receive(connection).feeds) == [other]
        assert server.state()["subscriptions"] == [{str(INSTRUMENTS[1].token): "full"}]


@pytest.mark.parametrize(("time", "status"), [("09:14:59", 3), ("09:15", 2), ("15:29:59", 2), ("15:40", 3)])
def test_the_status_of_the_market_comes_first(time, status):
    with SandboxServer(config_of(clock_start=at(time))) as server, opened(address(server)) as connection:
        frame = receive(connection)
    assert (frame.type, dict(frame.marketInfo.segmentStatus)["NSE_FO"]) == (2, status)
    assert frame.currentTs == at(time).timestamp() * 1000


@pytest.mark.parametrize(
    "message",
    [b"no json", b"[]", b'{"method": "sub"}', b'{"method": "sub", "data": {"instrumentKeys": 7}}',
     b'{"method": "dance", "data": {"instrumentKeys": []}}',
     json.dumps({"method": "sub", "data": {"instrumentKeys": [KEY], "mode": "everything"}}).encode(),
     json.dumps({"method": "sub", "data": {"instrumentKeys": [KEY], "mode": "full"}})],
)  # fmt: skip
def test_what_is_not_understood_text_among_it_is_passed_over(server, message):
    with market(server, None) as connection:
        connection.send(message)
        ask(connection, "sub", "ltpc", ["NSE_FO|1", KEY])
        feeds = receive(connection).feeds
        assert [(key, feed.requestMode) for key, feed in feeds.items()] == [(KEY, 0)]
        assert server.state()["subscriptions"] == [{str(NEAR.token): "ltpc"}]


def test_a_silent_market_is_pinged_and_answers_pings():
    with SandboxServer(config_of(heartbeat_seconds=0.05)) as server:
        socket = websocket.create_connection(address(server), timeout=WAIT)
        codes = {socket.recv_data_frame(control_frame=True)[0] for _ in range(3)}
        socket.close()
        assert codes == {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_PING}
        with opened(address(server)) as connection:
            assert connection.ping().wait(WAIT)


# -- who may listen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [MARKET, PORTFOLIO])
def test_an_address_is_good_for_one_connection(server, path):
    url = address(server, path)
    with opened(url):
        assert refused_with(url) == 403
    assert refused_with(url) == 403
    assert refused_with(url[:-1]) == 403


@pytest.mark.parametrize("path", [MARKET, PORTFOLIO])
def test_whoever_comes_with_the_token_is_sent_to_an_address(server, path):
    status, _, headers = get(server, path, token=server.access_token)
    assert status == 302
    with opened(headers["Location"]):
        assert len(server.state()["subscriptions"]) == 1


@pytest.mark.parametrize("path", [MARKET, PORTFOLIO, f"{MARKET}/authorize", f"{PORTFOLIO}/authorize"])
@pytest.mark.parametrize("token", [None, "dead"])
def test_without_the_token_there_is_no_address(server, path, token):
    assert refusal(server, path, token=token) == (401, "UDAPI100050")


def test_a_connection_outlives_its_token_but_an_address_does_not(server):
    unused = address(server)
    with market(server) as connection:
        receive(connection)
        server.kill_token()
        server.trade(PRICE + 1)
        assert price(connection) == PRICE + 1
        assert refused_with(unused) == 401
        assert refusal(server, f"{MARKET}/authorize", token=server.access_token) == (401, "UDAPI100050")


@pytest.mark.parametrize(("time", "status"), [("03:29:59", 200), ("03:30:00", 401)])
def test_a_token_ends_at_half_past_three(time, status):
    with SandboxServer(config_of(clock_start=at("03:00"))) as server:
        server.advance_to(at(time))
        found, _, _ = get(server, f"{MARKET}/authorize", token=server.access_token)
        client = kite_client(server)
        assert client.profile()  # Kite's end is at six
        client.reqsession.close()
    assert found == status


# -- order updates -----------------------------------------------------------------------------------------


def test_order_updates_come_without_being_asked_for_and_nowhere_else(server):
    with market(server) as ticks, opened(address(server, PORTFOLIO)) as orders:
        receive(ticks)
        fill_one(server, "first")
        found = [update(orders)]
        while found[-1]["status"] != "complete":
            found.append(update(orders))
        assert receive(ticks).type == 1
    last = found[-1]
    assert (last["tag"], last["filled_quantity"], last["instrument_token"]) == ("first", NEAR.lot, KEY)


def test_an_update_holds_the_whole_order_as_it_is():
    def in_parts(exchange):
        order = market_order(quantity=str(4 * NEAR.lot))
        exchange.place(order.pop("variety"), order)
        for _ in range(40):
            time = exchange.now + dt.timedelta(seconds=1)
            exchange.on_trade(NEAR.token, MarketTrade(time, PRICE, 10 * NEAR.lot, 0.0))

    rules = {"partial_fill_probability": 0.9}
    with SandboxServer(config_of(exchange=rules)) as server, opened(address(server, PORTFOLIO)) as orders:
        server.trade(PRICE)
        server.ask(in_parts)  # its updates are told together, afterwards
        (row,) = server.ask(lambda exchange: exchange.orders())
        found = [update(orders) for _ in range(2)]
    assert row["status"] == "COMPLETE"
    assert [(one["status"], one["filled_quantity"]) for one in found] == [("complete", 4 * NEAR.lot)] * 2


@pytest.mark.parametrize(
    ("query", "is_told"),
    [("", True), ("?update_types=order", True), ("?update_types=holding%2Corder", True),
     ("?update_types=position", False)],
)  # fmt: skip
def test_the_address_says_what_is_told(server, query, is_told):
    with opened(address(server, PORTFOLIO, query)) as orders:
        fill_one(server, "first")
        if is_told:
            assert update(orders)["tag"] == "first"
        else:
            with pytest.raises(TimeoutError):
                orders.recv(timeout=0.3)


@pytest.mark.parametrize(
    ("fault", "tags"),
    [({"kind": "drop_event"}, ["second"]), ({"kind": "duplicate_event"}, ["first", "first", "second"]),
     ({"kind": "late_event", "seconds": 1.0}, ["second", "first"])],
)  # fmt: skip
def test_updates_are_lost_doubled_or_late(server, fault, tags):
    server.faults.add(Fault(**fault, where={"tag": "first", "status": "COMPLETE"}))
    with opened(address(server, PORTFOLIO)) as orders:
        fill_one(server, "first")
        fill_one(server, "second")
        found = []
        while len(found) < len(tags):
            one = update(orders)
            found += [one["tag"]] if one["status"] == "complete" else []
    assert found == tags


# -- the connections ---------------------------------------------------------------------------------------


def test_one_stream_can_fall_silent_while_the_other_goes_on():
    with SandboxServer(config_of(heartbeat_seconds=0.05)) as server:
        (number,) = server.faults.add(Fault(kind="silent_socket", where={"stream": "portfolio"}))
        with market(server) as ticks, opened(address(server, PORTFOLIO)) as orders:
            receive(ticks)
            while not server.faults.happened(number):
                server.state()
            fill_one(server, "first")
            assert price(ticks) == PRICE
            assert not orders.ping().wait(0.3)
            with pytest.raises(TimeoutError):
                orders.recv(timeout=0.01)
            assert ticks.ping().wait(WAIT)


@pytest.mark.parametrize("stream", ["market", "portfolio"])
def test_a_fault_meets_the_stream_it_is_for(server, stream):
    server.faults.add(Fault(kind="refuse_upgrade", status=503, where={"stream": stream}))
    statuses = {}
    for name, path in (("market", MARKET), ("portfolio", PORTFOLIO)):
        try:
            with opened(address(server, path)):
                statuses[name] = 101
        except InvalidStatus as refused:
            statuses[name] = refused.response.status_code
    assert statuses == {"market": 101, "portfolio": 101, stream: 503}


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "close", "code": 1011}, 1011), ({"kind": "reset"}, None)]
)
def test_a_connection_ends(server, fault, code):
    with market(server) as connection:
        receive(connection)
        server.faults.add(Fault(**fault))
        server.trade(PRICE)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=WAIT)
    assert (closed.value.rcvd.code if closed.value.rcvd else None) == code


def test_a_malformed_frame_is_one_and_what_follows_is_whole(server):
    with market(server) as connection:
        receive(connection)
        server.faults.add(Fault(kind="malformed_frame"))
        server.trade(PRICE + 1)
        with pytest.raises(DecodeError):
            receive(connection)
        assert price(connection) == PRICE + 1


def test_a_gap_swallows_ticks_while_the_volume_goes_on(server):
    with market(server) as connection:
        before = receive(connection).feeds[KEY].fullFeed.marketFF
        server.faults.add(Fault(kind="tick_gap", seconds=30))
        for _ in range(4):
            server.trade(PRICE + 1, seconds=10)
        after = receive(connection).feeds[KEY].fullFeed.marketFF
    assert after.vtt - before.vtt == 4 * NEAR.lot
    assert after.ltpc.ltt - before.ltpc.ltt == 40_000
