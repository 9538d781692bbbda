"""The page of a companion where its port is taken: a clear line at the end of its patience, no earlier."""

import socket
import threading

import pytest
from flask import Flask

from analyzers.companion.page import Page
from analyzers.status.settings import StatusSettings

WAIT = 30.0


class Told:
    def __init__(self):
        self.lines, self._told = [], threading.Event()

    def __call__(self, event, **fields):
        self.lines.append((event, fields))
        self._told.set()

    def wait(self):
        assert self._told.wait(WAIT)
        return self.lines[0]


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def page(tell, port, **options):
    status = StatusSettings(port=port, public_url=options.pop("public_url", None))
    return Page(Flask("page"), status, "the/file", tell, **options)


def test_a_port_that_stays_taken_is_named_with_the_remedy(taken):
    told = Told()
    port = taken.getsockname()[1]
    with page(told, port, patience_seconds=0.3):
        event, fields = told.wait()
    assert event == "no_status_page"
    assert fields["error"].startswith(f"port {port} of 127.0.0.1 cannot be listened on (Address already in")
    assert "set status.port" in fields["error"]
    assert "\n" not in fields["error"]


def test_a_port_that_is_let_go_within_the_patience_is_taken(taken):
    told = Told()
    port = taken.getsockname()[1]
    with page(told, port, patience_seconds=WAIT):
        taken.close()
        assert told.wait() == ("status_page", {"url": f"http://127.0.0.1:{port}/", "token_file": "the/file"})


def test_an_end_while_the_port_is_taken_is_no_trouble(taken):
    told = Told()
    with page(told, taken.getsockname()[1], patience_seconds=WAIT):
        pass
    assert told.lines == []


def test_the_address_that_others_use_is_told():
    told = Told()
    with page(told, 0, public_url="https://trader.example.com"):
        assert told.wait()[1]["url"] == "https://trader.example.com"
