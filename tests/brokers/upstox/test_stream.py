"""The two streams against a real socket: reading, silence, refusals, and what both together are."""

from __future__ import annotations

import datetime as dt
import json
import queue
import threading

import pytest
from upstox_client.feeder.proto.MarketDataFeedV3_pb2 import FeedResponse
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from brokers.broker_store import StreamState
from brokers.instrument import Instrument
from brokers.upstox.market_stream import ticks_in
from brokers.upstox.stream import UpstoxStream
from brokers.wire import SessionDeadError, UnreachableError
from feeds.clock import IST
from feeds.log import NullLog
from feeds.tick_bars import Tick

WAIT = 10.0
FUTURE = Instrument(35_313, "NIFTY FUT 24 NOV 26", "NSE_FO", dt.date(2026, 11, 24), 65, 0.1)
KEY = "NSE_FO|35313"
TIME = dt.datetime(2026, 11, 20, 9, 20, 1, 250_000, tzinfo=IST)


def frame(price=25_000.5, volume=650, key=KEY, time=TIME) -> bytes:
    response = FeedResponse(type=1, currentTs=1)
    full = response.feeds[key].fullFeed.marketFF
    full.ltpc.ltp, full.vtt, full.oi = price, volume, 12_000.0
    full.ltpc.ltt = int(time.timestamp() * 1000) if time else 0
    return response.SerializeToString()


class Upstox:
    """Hands out addresses, and plays both streams' other end."""

    def __init__(self, answers_pings=True):
        self.asked: list[str] = []
        self.refusals: list[Exception] = []
        self.is_answering = threading.Event()  # whether the ticks' address can be had
        self.is_answering.set()
        self.gone = {"market": threading.Event(), "portfolio": threading.Event()}
        self.peers: dict[str, queue.SimpleQueue] = {
            "market": queue.SimpleQueue(),
            "portfolio": queue.SimpleQueue(),
        }
        self.over = threading.Event()
        self._server = serve(
            self._serve, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.1
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def address(self, path):
        self.asked.append(path)
        if "market" in path:
            self.is_answering.wait(WAIT)
        if self.refusals:
            raise self.refusals.pop(0)
        port = self._server.socket.getsockname()[1]
        return f"ws://127.0.0.1:{port}/{'market' if 'market' in path else 'portfolio'}?code=ticket"

    def accept(self, which):
        return self.peers[which].get(timeout=WAIT)

    def _serve(self, connection):
        which = connection.request.path.strip("/").partition("?")[0]
        try:
            request = json.loads(connection.recv(timeout=WAIT)) if which == "market" else None
            self.peers[which].put((connection, request))
            while not self.over.is_set():
                connection.recv(timeout=WAIT)
        except (ConnectionClosed, TimeoutError):
            self.gone[which].set()

    def end(self):
        self.over.set()
        self._server.shutdown()
        self._thread.join()


class Told:
    def __init__(self):
        self.ticks: queue.SimpleQueue[tuple[Instrument, Tick]] = queue.SimpleQueue()
        self.updates: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self.states: queue.SimpleQueue[StreamState] = queue.SimpleQueue()
        self.errors: list[BaseException] = []

    def next_state(self) -> str:
        return self.states.get(timeout=WAIT).state


@pytest.fixture
def upstox():
    made = Upstox()
    yield made
    made.end()


@pytest.fixture
def listen(upstox):
    made = []

    def start(watchdog_seconds=WAIT, on_tick=None):
        told = Told()
        stream = UpstoxStream(
            upstox.address,
            "token",
            [FUTURE],
            on_tick=on_tick or (lambda *tick: told.ticks.put(tick)),
            on_order_update=told.updates.put,
            on_state=told.states.put,
            on_error=told.errors.append,
            log=NullLog(),
            watchdog_seconds=watchdog_seconds,
        )
        stream.start()
        made.append(stream)
        return stream, told

    yield start
    for stream in made:
        stream.stop()


def test_a_frame_is_a_tick_of_the_last_trade_and_the_volume_of_the_day():
    assert ticks_in(frame()) == {KEY: Tick(TIME, 25_000.5, 650.0, 12_000.0)}
    assert ticks_in(frame(time=None)) == {}
    assert ticks_in(FeedResponse(type=2).SerializeToString()) == {}


def test_ticks_and_order_updates_come_by_two_connections(upstox, listen):
    _, told = listen()
    market, request = upstox.accept("market")
    portfolio, _ = upstox.accept("portfolio")
    assert told.next_state() == "up"
    assert request["method"] == "sub"
    assert request["data"] == {"mode": "full", "instrumentKeys": [KEY]}
    assert "update_types=order" in upstox.asked[0] + upstox.asked[1]
    market.send(frame())
    market.send(frame(key="NSE_FO|1"))
    market.send(b"\x08\x01\x12\x7f\x0a")  # breaks off
    market.send(frame(25_001.0))
    assert told.ticks.get(timeout=WAIT) == (FUTURE, Tick(TIME, 25_000.5, 650.0, 12_000.0))
    assert told.ticks.get(timeout=WAIT)[1].price == 25_001.0
    portfolio.send("no JSON")
    portfolio.send(json.dumps({"update_type": "holding"}))
    portfolio.send(json.dumps({"update_type": "order", "order_id": "17"}))
    assert told.updates.get(timeout=WAIT)["order_id"] == "17"


@pytest.mark.parametrize("lost", ["market", "portfolio"])
def test_a_connection_that_is_lost_is_down_and_comes_back_by_a_new_address(upstox, listen, lost):
    _, told = listen()
    peers = {which: upstox.accept(which)[0] for which in ("market", "portfolio")}
    assert told.next_state() == "up"
    peers[lost].close_socket()
    assert told.next_state() == "down"
    upstox.accept(lost)
    assert told.next_state() == "up"
    assert len(upstox.asked) == 3


def test_silence_is_asked_and_an_answer_keeps_the_connection(upstox, listen):
    _, told = listen(watchdog_seconds=0.1)
    market, _ = upstox.accept("market")
    upstox.accept("portfolio")
    assert told.next_state() == "up"
    threading.Event().wait(0.5)  # five times the watchdog: the library answers our pings
    market.send(frame())
    assert told.ticks.get(timeout=WAIT)
    assert told.states.empty()


def test_a_server_that_answers_nothing_is_left(upstox, listen):
    _, told = listen(watchdog_seconds=0.2)
    market, _ = upstox.accept("market")
    upstox.accept("portfolio")
    assert told.next_state() == "up"
    market.recv_messages.close()  # its reader ends: no ping is answered any more
    market.socket.setblocking(True)
    market.protocol.receive_data = lambda data: None
    assert told.next_state() == "down"
    upstox.accept("market")
    assert told.next_state() == "up"


def test_a_dead_login_is_refused_and_a_new_token_goes_on(upstox, listen):
    upstox.refusals += [SessionDeadError("dead"), SessionDeadError("dead")]
    stream, told = listen()
    assert told.next_state() == "refused"
    assert told.next_state() == "refused"
    stream.set_token("token-2")
    upstox.accept("market")
    upstox.accept("portfolio")
    states = [told.next_state() for _ in range(2)]
    assert states[-1] == "up"


def test_an_address_that_cannot_be_had_is_asked_for_again(upstox, listen):
    upstox.refusals += [UnreachableError("busy")]
    _, told = listen()
    upstox.accept("market")
    upstox.accept("portfolio")
    while told.next_state() != "up":
        pass
    assert len(upstox.asked) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_fails_ends_the_stream_loudly(upstox, listen):
    def fail(*_):
        raise ZeroDivisionError("a bug")

    _, told = listen(on_tick=fail)
    market, _ = upstox.accept("market")
    upstox.accept("portfolio")
    assert told.next_state() == "up"
    market.send(frame())
    assert told.next_state() == "refused"
    assert isinstance(told.errors[0], ZeroDivisionError)


def test_both_are_ended_before_either_is_waited_for(upstox, listen):
    upstox.is_answering.clear()
    stream, _ = listen()
    upstox.accept("portfolio")
    stopping = threading.Thread(target=stream.stop)
    stopping.start()
    # The other one still asks for its address
    assert upstox.gone["portfolio"].wait(WAIT / 2)
    upstox.is_answering.set()
    stopping.join(WAIT)
    assert not stopping.is_alive()
    assert len(upstox.asked) == 2
