"""The server: it listens, it stops, and slow readers hold nobody up."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests
from flask import Flask, Response

from analyzers.status.server import StatusServer
from feeds.errors import SettingsError
from tests.analyzers.status.examples import app_of, board_of, csv_rows, now_of

WAIT = 30.0


def small_app(body=b"here"):
    app = Flask(__name__)
    app.add_url_rule("/", "page", lambda: Response(body))
    return app


def threads():
    return [
        thread for thread in threading.enumerate() if "status" in thread.name or "waitress" in thread.name
    ]


def test_it_listens_and_stops():
    before = threads()
    server = StatusServer(small_app(), "127.0.0.1", 0)
    url = server.start()
    answer = requests.get(url, timeout=WAIT)
    assert answer.text == "here"
    assert "Server" not in answer.headers
    server.stop()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=WAIT)
    assert threads() == before


def test_a_server_that_never_started_can_be_stopped():
    StatusServer(small_app(), "127.0.0.1", 0).stop()


def test_ipv6_where_there_is_any():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no ::1")
    with StatusServer(small_app(), "::1", 0) as server:
        assert server.url.startswith("http://[::1]:")
        assert requests.get(server.url, timeout=WAIT).text == "here"


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_taken_port_is_one_clear_line(taken):
    port = taken.getsockname()[1]
    before = threads()
    with pytest.raises(
        SettingsError, match=rf"port {port} of 127.0.0.1 .*Address already in use.*status.port"
    ):
        StatusServer(small_app(), "127.0.0.1", port).start()
    assert threads() == before


def test_a_host_that_is_none_of_this_machine():
    with pytest.raises(SettingsError, match=r"status\.host"):
        StatusServer(small_app(), "192.0.2.1", 0).start()


def test_with_patience_a_port_is_taken_over(taken):
    port = taken.getsockname()[1]
    freeing = threading.Timer(0.3, taken.close)
    freeing.start()
    server = StatusServer(small_app(), "127.0.0.1", port)
    try:
        assert server.start(patience_seconds=WAIT).endswith(f":{port}/")
        assert requests.get(server.url, timeout=WAIT).text == "here"
    finally:
        server.stop()
        freeing.join()


def test_slow_readers_hold_nobody_up():
    """More of them than threads ask for more than a socket's buffers hold, and read nothing."""
    with StatusServer(small_app(b"x" * 4_000_000), "127.0.0.1", 0) as server, contextlib.ExitStack() as stack:
        host, port = server.url.removeprefix("http://").strip("/").split(":")
        for _ in range(24):
            slow = stack.enter_context(socket.create_connection((host, int(port)), WAIT))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        begun = time.monotonic()
        assert len(requests.get(server.url, timeout=WAIT).content) == 4_000_000
        assert time.monotonic() - begun < 10.0


@pytest.mark.slow
def test_who_reads_nothing_at_all_is_let_go(monkeypatch):
    monkeypatch.setattr("analyzers.status.server._IDLE_SECONDS", 4)
    with StatusServer(small_app(b"x" * 8_000_000), "127.0.0.1", 0) as server:
        host, port = server.url.removeprefix("http://").strip("/").split(":")
        with socket.create_connection((host, int(port)), WAIT) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert slow.recv(1)
            over = time.monotonic() + WAIT
            while server.connections and time.monotonic() < over:
                threading.Event().wait(0.1)
            assert server.connections == 0


@pytest.mark.parametrize("begun", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx"])
def test_a_request_that_trickles_in_is_let_go(monkeypatch, begun):
    monkeypatch.setattr("analyzers.status.server._REQUEST_SECONDS", 0.5)
    with StatusServer(small_app(), "127.0.0.1", 0) as server:
        host, port = server.url.removeprefix("http://").strip("/").split(":")
        with socket.create_connection((host, int(port)), WAIT) as slow:
            slow.sendall(begun)
            slow.settimeout(0.05)
            over = time.monotonic() + WAIT
            while time.monotonic() < over:
                try:
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    with contextlib.suppress(OSError):
                        slow.sendall(b"x")
                except ConnectionError:
                    break
            assert time.monotonic() < over
        assert requests.get(server.url, timeout=WAIT).text == "here"


def test_an_address_has_only_so_many_connections(monkeypatch):
    monkeypatch.setattr("analyzers.status.server._CONNECTIONS_OF_AN_ADDRESS", 3)
    with StatusServer(small_app(), "127.0.0.1", 0) as server, contextlib.ExitStack() as stack:
        host, port = server.url.removeprefix("http://").strip("/").split(":")

        def connect():
            connection = stack.enter_context(socket.create_connection((host, int(port)), WAIT))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection

        assert all(connection.recv(1) for connection in [connect() for _ in range(5)])
        monkeypatch.setattr("analyzers.status.server.is_loopback", lambda _: False)
        over = time.monotonic() + WAIT
        while server.connections > 3 and time.monotonic() < over:
            threading.Event().wait(0.05)
        assert server.connections == 3


def test_a_request_that_is_too_long_is_refused():
    with StatusServer(small_app(), "127.0.0.1", 0) as server:
        answer = requests.get(server.url, headers={"X": "x" * 20_000}, timeout=WAIT)
        assert answer.status_code == 431
        answer = requests.post(server.url, data=b"x" * 5000, timeout=WAIT)
        assert answer.status_code == 413


def test_the_whole_of_it(tmp_path):
    with board_of(tmp_path, now_of()) as board, StatusServer(app_of(board), "127.0.0.1", 0) as server:
        assert requests.get(f"{server.url}api/status", timeout=WAIT).json()["now"]["mode"] == "live"
        rebound = requests.get(f"{server.url}api/status", headers={"Host": "evil.example"}, timeout=WAIT)
        assert rebound.status_code == 400


# -- python -m analyzers status ----------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def command(*arguments):
    process = subprocess.Popen(
        [sys.executable, "-m", "analyzers", "status", *arguments],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.slow
def test_the_command_serves_a_folder_until_it_is_told_to_end(tmp_path):
    csv_rows(tmp_path / "days.csv", "day,mode", "2026-09-23,live")
    before = sorted(tmp_path.iterdir())
    with command("--run", str(tmp_path)) as process:
        words = process.stdout.readline()
        url = words.split()[2]
        assert words == f"Status page: {url} (it only shows; Ctrl-C ends it)\n"
        body = requests.get(f"{url}api/status", timeout=WAIT).json()
        assert body["days"][0]["day"] == "2026-09-23"
        assert body["controls"]["can"] is False
        assert requests.get(f"{url}api/session", timeout=WAIT).json()["controls"] is False
        process.terminate()
        assert process.wait(WAIT) == 0
        assert process.stderr.read() == ""
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_the_command_refuses_what_it_cannot_serve(tmp_path, taken):
    for arguments, code, words in (
        (["--run", str(tmp_path / "none")], 2, "found no folder"),
        (["--run", str(tmp_path), "--port", str(taken.getsockname()[1])], 2, "cannot be listened on"),
        (["--run", str(tmp_path), "--port", "65536"], 2, "expected a port, 0 to 65535"),
        ([], 2, "--run"),
    ):
        with command(*arguments) as process:
            _, told = process.communicate(timeout=WAIT)
            assert process.returncode == code
            assert words in told
            assert "Traceback" not in told
