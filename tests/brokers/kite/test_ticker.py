"""The stream against real sockets: what it reads, and every way in which a connection can go wrong."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import queue
import socket
import ssl
import struct
import threading
import time
from contextlib import suppress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed

from brokers.broker_store import StreamState
from brokers.kite.ticker import KiteStream
from feeds.clock import IST

from .servers import TOKEN, WAIT, StreamServer, frame, full_packet, tcp_server

SECRET = "s3cret+token/of=today"
SECONDS = 1_793_592_900  # 2026-11-02 09:45 IST
TIME = dt.datetime.fromtimestamp(SECONDS, tz=IST)


class Heard:
    """Callbacks that only enqueue, as they should; and a log that keeps its words."""

    def __init__(self) -> None:
        self.ticks: queue.SimpleQueue = queue.SimpleQueue()
        self.updates: queue.SimpleQueue = queue.SimpleQueue()
        self.states: queue.SimpleQueue = queue.SimpleQueue()
        self.errors: list[BaseException] = []
        self.words: list[str] = []
        self.logged = threading.Event()

    def write(self, event: str, /, **fields: object) -> None:
        self.words.append(f"{event} {fields}")
        self.logged.set()

    debug = info = warning = error = write

    def state(self) -> StreamState:
        return self.states.get(timeout=WAIT)

    def tick(self):
        return self.ticks.get(timeout=WAIT)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def server():
    with StreamServer() as server:
        yield server


@pytest.fixture
def make_stream(heard):
    made: list[KiteStream] = []

    def make(root: str, **changes) -> KiteStream:
        options = {
            "on_tick": lambda token, tick: heard.ticks.put((token, tick)),
            "on_order_update": heard.updates.put,
            "on_state": heard.states.put,
            "on_error": heard.errors.append,
            "log": heard,
            "watchdog_seconds": WAIT,
            "jitter": lambda: 0.0,
            **changes,
        }
        stream = KiteStream(root, "key", SECRET, [TOKEN, 256_265], **options)
        made.append(stream)
        stream.start()
        return stream

    yield make
    for stream in made:
        stream.stop()
        assert not stream.is_alive


def test_it_subscribes_in_full_and_hands_on_ticks(server, make_stream, heard):
    make_stream(server.root)
    peer = server.accept()
    assert peer.path == "/?api_key=key&access_token=s3cret%2Btoken%2Fof%3Dtoday"
    assert peer.messages == [
        {"a": "subscribe", "v": [TOKEN, 256_265]},
        {"a": "mode", "v": ["full", [TOKEN, 256_265]]},
    ]
    assert heard.state() == StreamState("up")
    peer.connection.send(frame(full_packet(24_600.5, 650, SECONDS), full_packet(24_601.0, 715, SECONDS)))
    assert heard.tick() == (TOKEN, (TIME, 24_600.5, 650.0, 12.0))
    assert heard.tick() == (TOKEN, (TIME, 24_601.0, 715.0, 12.0))


def test_a_packet_without_the_exchanges_time_is_no_tick(server, make_stream, heard):
    make_stream(server.root)
    connection = server.accept().connection
    connection.send(frame(struct.pack(">2I", TOKEN, 2_460_050), full_packet(24_600.5, 1, 0)))
    connection.send(frame(full_packet(24_602.0, 2, SECONDS)))
    assert heard.tick()[1].price == 24_602.0


def test_order_updates_and_texts(server, make_stream, heard):
    stream = make_stream(server.root)
    connection = server.accept().connection
    payload = {"order_id": "1", "status": "COMPLETE", "tag": "mu1"}
    for text in (
        {"type": "error", "data": f"no {SECRET}"},
        {"type": "message", "data": "hello"},
        {"type": "instruments_meta", "data": {"count": 1}},
        {"type": "order", "data": "not an object"},
        {"type": "order", "data": payload},
    ):
        connection.send(json.dumps(text))
    assert heard.updates.get(timeout=WAIT) == payload
    assert heard.updates.empty()
    assert heard.words == ["stream_error {'text': 'no ***'}", "stream_message {'text': 'hello'}"]
    assert stream.counts.malformed == 0


@pytest.mark.parametrize(
    "broken",
    [frame(full_packet(1.0, 1, SECONDS))[:50], "{no json", "[1, 2]", '"text"'],
    ids=["cut frame", "no json", "a list", "a text"],
)
def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(server, make_stream, heard, broken):
    stream = make_stream(server.root)
    connection = server.accept().connection
    connection.send(broken)
    connection.send(frame(full_packet(24_600.5, 650, SECONDS)))
    assert heard.tick()[1].price == 24_600.5
    assert stream.counts.malformed == 1
    assert stream.counts.connections == 1
    assert any(words.startswith("stream_malformed") for words in heard.words)


# -- lost connections --------------------------------------------------------------------------------------


def comes_back(server, heard, reason: str) -> None:
    down = heard.state()
    assert down.state == "down"
    assert reason in down.reason
    peer = server.accept()
    assert len(peer.messages) == 2
    assert heard.state() == StreamState("up")
    peer.connection.send(frame(full_packet(24_700.0, 900, SECONDS + 60)))
    assert heard.tick()[1].price == 24_700.0


def test_a_silent_connection_is_dropped(server, make_stream, heard):
    make_stream(server.root, watchdog_seconds=1.0)
    server.accept()
    assert heard.state() == StreamState("up")
    comes_back(server, heard, "nothing came for 1 seconds")


def test_heartbeats_are_no_silence(server, make_stream, heard):
    stream = make_stream(server.root, watchdog_seconds=1.5)
    connection = server.accept().connection
    assert heard.state() == StreamState("up")
    beat = threading.Event()
    for _ in range(20):
        beat.wait(0.1)
        connection.send(b"\x00")
    connection.send(frame(full_packet(24_600.5, 650, SECONDS)))
    assert heard.tick()[1].price == 24_600.5
    assert stream.counts.frames == 21
    assert stream.counts.connections == 1


def test_a_clean_close_is_connected_anew(server, make_stream, heard):
    make_stream(server.root)
    peer = server.accept()
    assert heard.state() == StreamState("up")
    peer.connection.close()
    comes_back(server, heard, "connection lost")


def test_a_reset_is_connected_anew(server, make_stream, heard):
    make_stream(server.root)
    peer = server.accept()
    assert heard.state() == StreamState("up")
    # Lingering for 0 seconds turns a close into a reset.
    peer.connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.connection.close_socket()
    comes_back(server, heard, "connection lost")


@pytest.mark.parametrize(
    ("status", "headers"), [(429, {}), (502, {}), (302, {"Location": "ws://127.0.0.1:1/other"})]
)
def test_another_answer_to_the_upgrade_is_tried_again(server, make_stream, heard, status, headers):
    server.statuses = [(status, headers)]
    make_stream(server.root)
    assert heard.state().state == "down"
    server.accept()
    assert heard.state() == StreamState("up")
    assert len(server.paths) == 2


def test_no_server_is_told_once_and_tried_again(make_stream, heard):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stream = make_stream(f"ws://127.0.0.1:{port}")
    assert "ConnectionRefusedError" in heard.state().reason
    give_up = time.monotonic() + WAIT
    while sum(words.startswith("stream_lost") for words in heard.words) < 3:
        assert heard.logged.wait(give_up - time.monotonic())
        heard.logged.clear()
    assert heard.states.empty()
    assert stream.is_alive


def test_pauses_grow_and_end_at_five_seconds(heard):
    stream = KiteStream(
        "ws://127.0.0.1:1", "key", SECRET, [1], on_tick=print, on_order_update=print,
        on_state=heard.states.put, log=heard, jitter=lambda: 1.0,
    )  # fmt: skip
    assert [stream._lost("gone") for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


# -- the login ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_stops_until_there_is_a_new_one(server, make_stream, heard, status):
    server.statuses = [(status, {}), (status, {})]
    stream = make_stream(server.root)
    assert heard.state() == StreamState("refused", f"Kite does not accept the login (HTTP {status})")
    stream.set_token("still wrong")
    assert heard.state().state == "refused"
    stream.set_token("right")
    assert server.accept().path == "/?api_key=key&access_token=right"
    assert heard.state() == StreamState("up")
    assert len(server.paths) == 3


def test_a_new_login_leaves_a_live_connection_alone(server, make_stream, heard):
    stream = make_stream(server.root)
    peer = server.accept()
    stream.set_token("new")
    peer.connection.send(frame(full_packet(24_600.5, 650, SECONDS)))
    assert heard.tick()[1].price == 24_600.5
    peer.connection.close()
    assert server.accept().path == "/?api_key=key&access_token=new"


def test_the_token_is_never_told(server, make_stream, heard, caplog):
    caplog.set_level("DEBUG")
    server.statuses = [(302, {"Location": f"http://127.0.0.1:1/?access_token={SECRET}"}), (403, {})]
    make_stream(server.root)
    told = [heard.state(), heard.state()]
    assert [state.state for state in told] == ["down", "refused"]
    # The server of the test logs the requests it is sent; the stream must not.
    ours = [record.getMessage() for record in caplog.records if "server" not in record.name]
    text = repr((told, heard.words, ours))
    assert SECRET not in text
    assert "s3cret%2B" not in text


# -- callbacks, and the end --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("callback", ["on_tick", "on_order_update", "on_state"])
def test_a_callback_that_raises_ends_the_stream_loudly(server, make_stream, heard, callback):
    ended = queue.SimpleQueue()

    def fail(*arguments: object) -> None:
        # The end itself is told through on_state, which must not fail a second time here.
        if arguments[0] == "refused" or getattr(arguments[0], "state", "") == "refused":
            ended.put(arguments[0])
            return
        raise ZeroDivisionError("a bug of ours")

    options = {"on_state": ended.put, callback: fail}
    stream = make_stream(server.root, **options)
    connection = server.accept().connection
    with suppress(ConnectionClosed):  # it may have left already
        connection.send(json.dumps({"type": "order", "data": {"order_id": "1"}}))
        connection.send(frame(full_packet(24_600.5, 650, SECONDS)))
    states = [ended.get(timeout=WAIT)]
    while states[-1].state != "refused":
        states.append(ended.get(timeout=WAIT))
    assert "ZeroDivisionError: a bug of ours" in states[-1].reason
    assert isinstance(heard.errors[0], ZeroDivisionError)
    assert isinstance(stream.failure, ZeroDivisionError)
    stream._thread.join(WAIT)
    assert not stream.is_alive
    assert stream.counts.connections == 1
    assert any(words.startswith("stream_failed") for words in heard.words)


def took(stream: KiteStream) -> float:
    begun = time.monotonic()
    stream.stop()
    assert not stream.is_alive
    return time.monotonic() - begun


def test_stop_is_prompt_while_it_waits_for_a_frame(server, make_stream, heard):
    stream = make_stream(server.root, watchdog_seconds=100.0)
    server.accept()
    heard.state()
    assert took(stream) < WAIT / 2
    assert heard.states.empty()


def test_stop_is_prompt_while_it_pauses(make_stream, heard):
    stream = make_stream("ws://127.0.0.1:1", jitter=lambda: 100.0)
    heard.state()
    assert took(stream) < WAIT / 2


def test_stop_is_prompt_while_it_waits_for_a_token(server, make_stream, heard):
    server.statuses = [(403, {})]
    stream = make_stream(server.root)
    heard.state()
    assert took(stream) < WAIT / 2


def test_stop_is_prompt_while_the_server_does_not_answer_the_upgrade(make_stream, heard):
    connected = threading.Event()
    with tcp_server(lambda _: connected.set()) as (host, port):
        stream = make_stream(f"ws://{host}:{port}", connect_seconds=100.0)
        assert connected.wait(WAIT)
        assert took(stream) < WAIT / 2


def test_a_server_that_does_not_answer_the_upgrade_is_left(make_stream, heard):
    with tcp_server(lambda _: None) as (host, port):
        make_stream(f"ws://{host}:{port}", connect_seconds=0.2)
        assert "TimeoutError" in heard.state().reason


def test_stop_from_within_a_callback(server, make_stream, heard):
    stopped = threading.Event()
    streams: list[KiteStream] = []

    def stop(*_: object) -> None:
        streams[0].stop()
        stopped.set()

    streams.append(make_stream(server.root, on_tick=stop))
    connection = server.accept().connection
    connection.send(frame(full_packet(1.0, 1, SECONDS), full_packet(2.0, 2, SECONDS)))
    assert stopped.wait(WAIT)
    streams[0]._thread.join(WAIT)
    assert not streams[0].is_alive
    assert streams[0].failure is None


# -- TLS ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that only its own maker trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


@pytest.fixture
def tls_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with StreamServer(ssl=context) as server:
        yield server


def test_a_server_that_is_not_trusted_never_sees_the_token(tls_server, make_stream, heard):
    make_stream(tls_server.root)
    assert "CERTIFICATE_VERIFY_FAILED" in heard.state().reason
    assert tls_server.paths == []


def test_a_server_that_is_trusted_is_used(tls_server, make_stream, heard, certificate):
    stream = make_stream(tls_server.root, ssl_context=ssl.create_default_context(cafile=certificate))
    tls_server.accept().connection.send(frame(full_packet(24_600.5, 650, SECONDS)))
    assert heard.tick()[1].price == 24_600.5
    assert took(stream) < WAIT / 2
