"""However a request for an order fails, it reaches the server once: no layer sends it again."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from brokers.kite.settings import KiteSettings
from brokers.kite.store import KiteStore
from brokers.kite.wire import KiteWire
from brokers.sandbox.faults import BEFORE_KINDS, Fault
from brokers.sandbox.server import SandboxServer
from brokers.wire import OrderRefusedError, OrderRequest, OutcomeUnknownError
from feeds.errors import BrokerError
from feeds.log import NullLog
from tests.brokers.sandbox_server.support import DAY
from tests.faults.exchange_audit import running_market
from tests.faults.live_rig import KEY, LOT, TOKEN

UNKNOWN = (
    "drop_request",
    "lost_answer",
    "bad_gateway",
    "gateway_timeout",
    "timed_out",
    "unreadable",
    "refuse",
)
REDIRECTS = (301, 302, 303, 307, 308)


def order(number: int, kind: str = "market") -> OrderRequest:
    return OrderRequest(
        f"mutest{number:08d}", LOT, kind, 0.0 if kind == "market" else 24_900.0, is_exit=False
    )


def wire_of(api_root: str, instrument=None) -> tuple[KiteStore, KiteWire]:
    kite = KiteSettings(api_root=api_root, timeout_seconds=1.0)
    store = KiteStore(kite, KEY, TOKEN, NullLog())
    return store, store.wire(instrument or store.find_contract("NIFTY", DAY))


@pytest.fixture
def counted():
    with SandboxServer(running_market(1)) as server:
        store, wire = wire_of(server.api_root)
        requests: Counter[str] = Counter()
        take = server.faults.take

        def note(kinds, now, *, route=None, fields=None):
            if kinds is BEFORE_KINDS and "/orders/" in str(route):
                requests[(fields or {}).get("tag") or route] += 1
            return take(kinds, now, route=route, fields=fields)

        server.faults.take = note
        yield server, wire, requests
        store.close()


@pytest.mark.parametrize("kind", [*UNKNOWN, "late_answer", "too_many_requests"])
def test_an_order_whose_answer_goes_wrong_is_sent_once(counted, kind):
    server, wire, requests = counted
    seconds = 1.5 if kind == "late_answer" else None
    server.faults.add(Fault(kind=kind, count=None, seconds=seconds))
    expected = OrderRefusedError if kind == "too_many_requests" else OutcomeUnknownError
    for number in range(3):
        with pytest.raises(expected):
            wire.place(order(number))
    assert requests == {f"mutest{number:08d}": 1 for number in range(3)}
    placed = 0 if kind in ("drop_request", "refuse", "too_many_requests") else 3
    assert len(server.ask(lambda exchange: exchange.orders())) == placed


@pytest.mark.parametrize("kind", UNKNOWN)
def test_a_cancel_whose_answer_goes_wrong_is_sent_once(counted, kind):
    server, wire, requests = counted
    order_id = wire.place(order(1, "limit"))
    server.advance(1.0)  # it has arrived, and rests
    server.faults.add(Fault(kind=kind, route="DELETE /orders/*", count=None))
    with pytest.raises(OutcomeUnknownError):
        wire.cancel(order_id)
    assert requests[f"DELETE /orders/regular/{order_id}"] == 1


@contextmanager
def pointing_elsewhere(status: int):
    """A server that sends every request on, to itself, and counts what comes."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append(self.command)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815 # the name that the library looks for

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", REDIRECTS)
def test_an_order_does_not_follow_a_redirect(counted, status):
    instrument = counted[1]._instrument
    with pointing_elsewhere(status) as (root, requests):
        store, wire = wire_of(root, instrument)
        with pytest.raises(BrokerError):
            wire.place(order(1))
        store.close()
    assert requests == ["POST"]
