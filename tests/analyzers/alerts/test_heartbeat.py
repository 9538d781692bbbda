"""The heartbeat: called while all is well, silent otherwise, and never a hindrance."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from analyzers.alerts.heartbeat import Heartbeat, make_heartbeat
from feeds.errors import SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets
from tests.analyzers.alerts.support import MemoryLog, settings_of
from tests.telegram_server import WAIT, LoopbackServer


class Switch:
    """An outside dead-man's switch: counts calls, answers with the next of ``statuses``, may hang."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.changed = threading.Condition()
        self.is_hanging = False
        self.closing = threading.Event()
        switch = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format, *args):
                pass

            def do_GET(self):
                with switch.changed:
                    switch.paths.append(self.path)
                    status = switch.statuses.pop(0) if switch.statuses else 200
                    switch.changed.notify_all()
                if switch.is_hanging:
                    switch.closing.wait(WAIT)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.http = LoopbackServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/ping/secretPart9"

    def wait(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.paths) >= count, WAIT)

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def switch():
    switch = Switch()
    yield switch
    switch.close()


def test_it_is_called_at_once_and_again(switch):
    heartbeat = Heartbeat(switch.address, lambda: True, NullLog(), every_seconds=0.01)
    heartbeat.start()
    switch.wait(3)
    heartbeat.stop()
    assert set(switch.paths) == {"/ping/secretPart9"}


def test_it_is_silent_while_something_is_wrong(switch):
    asked, answers = threading.Semaphore(0), [True, False, False, False, True]

    def is_well():
        asked.release()
        return answers.pop(0) if answers else False

    heartbeat = Heartbeat(switch.address, is_well, NullLog(), every_seconds=0.001)
    heartbeat.start()
    for _ in range(10):
        assert asked.acquire(timeout=WAIT)
    heartbeat.stop()
    assert len(switch.paths) == 2


def test_a_failing_address_is_told_once_and_so_is_its_return(switch):
    switch.statuses = [500, 404, 503]
    log = MemoryLog()
    heartbeat = Heartbeat(switch.address, lambda: True, log, every_seconds=0.001)
    heartbeat.start()
    log.wait("heartbeat_again")
    switch.wait(8)
    heartbeat.stop()
    assert [record["event"] for record in log.records] == ["heartbeat_failing", "heartbeat_again"]
    assert "500" in log.records[0]["error"]
    assert "secretPart9" not in str(log.records)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (299, ""),
        (300, "it answered 300; redirects are not followed"),
        (301, "it answered 301; redirects are not followed"),
        (399, "it answered 399; redirects are not followed"),
        (400, "it answered 400"),
    ],
)
def test_only_a_success_is_one(switch, status, words):
    switch.statuses = [status] * 3
    log = MemoryLog()
    heartbeat = Heartbeat(switch.address, lambda: True, log, every_seconds=0.001)
    heartbeat.start()
    switch.wait(5)
    heartbeat.stop()
    assert [record["error"] for record in log.of("heartbeat_failing")] == ([words] if words else [])


def test_a_hanging_address_is_given_up_and_a_stop_does_not_wait_for_it(switch):
    switch.is_hanging = True
    log = MemoryLog()
    heartbeat = Heartbeat(switch.address, lambda: True, log, every_seconds=0.001, timeout_seconds=0.2)
    heartbeat.start()
    assert "within 0.2 seconds" in log.wait("heartbeat_failing")[0]["error"]
    switch.wait(2)
    heartbeat.stop()

    patient = Heartbeat(switch.address, lambda: True, log, timeout_seconds=100)
    patient.start()
    switch.wait(len(switch.paths) + 1)
    begun = time.monotonic()
    patient.stop()
    assert time.monotonic() - begun < 10


def test_there_is_one_where_there_is_an_address():
    assert make_heartbeat(settings_of(), Secrets(), lambda: True, NullLog()) is None
    secrets = Secrets({"HEARTBEAT_URL": "https://hc.example.com/abc-def"})
    assert make_heartbeat(settings_of(), secrets, lambda: True, NullLog()) is not None
    assert secrets.mask("see https://hc.example.com/abc-def") == "see ***"


@pytest.mark.parametrize("address", ["ping", "ftp://host/secretPart9", "https://"])
def test_what_is_no_address_is_refused_without_being_quoted(address):
    with pytest.raises(SettingsError, match="HEARTBEAT_URL is no address") as caught:
        Heartbeat(address, lambda: True, NullLog())
    assert "secretPart9" not in str(caught.value)
