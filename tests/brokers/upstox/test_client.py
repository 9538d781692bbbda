"""The HTTP client against a real socket, faults included: what is sent, how often, and what is concluded."""

from __future__ import annotations

import gzip
import json
import threading

import pytest
import upstox_client

from brokers.funds import Funds
from brokers.upstox.client import UpstoxClient
from brokers.upstox.settings import UpstoxSettings
from brokers.websocket import checked_address
from brokers.wire import (
    NotNowError,
    OrderRefusedError,
    OutcomeUnknownError,
    SessionDeadError,
    UnreachableError,
)
from feeds.errors import BrokerError
from tests.brokers.kite.servers import LOST, Answer, HttpServer, data, html, tcp_server

PLACE, MODIFY, CANCEL = "POST /v3/order/place", "PUT /v3/order/modify", "DELETE /v3/order/cancel"
BOOK = "GET /v2/order/retrieve-all"
ADDRESS = "GET /v3/feed/market-data-feed/authorize"
ORDER = {"instrument_token": "NSE_FO|1", "quantity": 65, "tag": "mu1"}


def refusal(status: int, code: str, message: str = "no") -> Answer:
    rows = [{"errorCode": code, "message": message, "propertyPath": None, "invalidValue": None}]
    return Answer(json.dumps({"status": "error", "errors": rows}).encode(), status)


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def write(self, event, /, **_):
        self.events.append(event)

    debug = info = warning = error = write


@pytest.fixture
def server():
    with HttpServer() as running:
        yield running


@pytest.fixture
def make(server):
    made: list[UpstoxClient] = []

    def make(**settings) -> UpstoxClient:
        addresses = {"api_root": server.root, "order_root": server.root, "timeout_seconds": 5.0}
        client = UpstoxClient(
            UpstoxSettings(**(addresses | settings)), "token-1", Log(), sleep=lambda _: None
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def test_an_order_goes_to_its_own_host_with_token_and_name_of_the_algorithm(server, make):
    with HttpServer() as order_host:
        order_host.on(PLACE, data({"order_ids": ["17"]}))
        client = make(order_root=order_host.root, algo_name="my-algo")
        assert client.place(ORDER, is_exit=False) == "17"
        (sent,) = order_host.requests
    assert sent.body == ORDER
    assert sent.headers["Authorization"] == "Bearer token-1"
    assert sent.headers["X-Algo-Name"] == "my-algo"
    assert server.requests == []


@pytest.mark.parametrize(
    ("call", "act"),
    [
        (PLACE, lambda client: client.place(ORDER, is_exit=False)),
        (MODIFY, lambda client: client.modify("17", {"price": 1.0})),
        (CANCEL, lambda client: client.cancel("17")),
    ],
)
@pytest.mark.parametrize("answer", [LOST, html(502), refusal(500, "UDAPI100500"), Answer(b'{"stat')])
def test_a_write_whose_answer_is_lost_is_sent_once_and_its_outcome_is_unknown(
    server, make, call, act, answer
):
    server.on(call, answer)
    with pytest.raises(OutcomeUnknownError):
        act(make())
    assert len(server.of(call)) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(server, make, status):
    server.on(PLACE, Answer(b"", status, (("Location", f"{server.root}/elsewhere"),)))
    with pytest.raises(OutcomeUnknownError):
        make().place(ORDER, is_exit=False)
    assert len(server.requests) == 1


@pytest.mark.parametrize("ids", [[], ["1", "2"], None, "17", [""]])
def test_ids_that_are_not_one_leave_the_outcome_unknown(server, make, ids):
    server.on(PLACE, data({"order_ids": ids}))
    with pytest.raises(OutcomeUnknownError, match="expected one"):
        make().place(ORDER, is_exit=False)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(400, "UDAPI1026", "Price is outside the band"), OrderRefusedError),
        (refusal(422, "UDAPI1", "no"), OrderRefusedError),
        (refusal(400, "UDAPI1", "Request timed out, check the order book"), OutcomeUnknownError),
        (refusal(429, "UDAPI10005"), NotNowError),
        (refusal(401, "UDAPI100050"), SessionDeadError),
        (html(400), OutcomeUnknownError),  # a page of something in between says nothing of the order
        (html(401), OutcomeUnknownError),
    ],
)
def test_what_an_answer_to_a_write_means(server, make, answer, kind):
    server.on(PLACE, answer)
    with pytest.raises(kind) as caught:
        make().place(ORDER, is_exit=False)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answers", "asked"), [([LOST, html(502), data([])], 3), ([refusal(429, "UDAPI10005"), data([])], 2)]
)
def test_a_read_is_tried_again(server, make, answers, asked):
    server.on(BOOK, *answers)
    assert make().orders() == []
    assert len(server.of(BOOK)) == asked


@pytest.mark.parametrize(
    ("answer", "kind", "asked"),
    [
        (LOST, UnreachableError, 4),
        (data({"rows": 1}), UnreachableError, 1),
        (Answer(b'{"status":"success"}'), UnreachableError, 4),
        (refusal(400, "UDAPI1"), BrokerError, 1),
        (refusal(401, "UDAPI100050"), SessionDeadError, 1),
    ],
)
def test_a_read_that_cannot_be_had_raises(server, make, answer, kind, asked):
    server.on(BOOK, answer)
    with pytest.raises(kind):
        make().orders()
    assert len(server.of(BOOK)) == asked


def test_nobody_there_is_nothing_sent(make):
    client = make(order_root="http://127.0.0.1:1")
    with pytest.raises(NotNowError, match="nothing was sent"):
        client.place(ORDER, is_exit=False)


def test_a_call_waits_only_so_long():
    hung = threading.Event()
    with tcp_server(lambda _: hung.set()) as (host, port):
        root = f"http://{host}:{port}"
        settings = UpstoxSettings(api_root=root, order_root=root, timeout_seconds=0.2)
        client = UpstoxClient(settings, "token", Log())
        with pytest.raises(OutcomeUnknownError, match="timed out"):
            client.cancel("17")
        client.close()
    assert hung.is_set()


def test_the_hidden_singleton_decides_nothing(server, make, monkeypatch):
    monkeypatch.setattr(upstox_client.Configuration, "_default", None)
    theirs = upstox_client.Configuration(sandbox=True)  # whoever comes first fixes it for the process
    theirs.host = "http://127.0.0.1:1"
    upstox_client.Configuration.set_default(theirs)
    server.on(BOOK, data([]))
    client = make()
    assert client.orders() == []
    server.on(PLACE, data({"order_ids": ["1"]}))
    client.place(ORDER, is_exit=False)


def test_a_client_that_would_ask_somebody_else_is_not_used(server, make):
    client = make()
    client._connection._client.configuration.order_host = "http://127.0.0.1:1"
    with pytest.raises(BrokerError, match="nothing was sent"):
        client.place(ORDER, is_exit=False)
    assert server.requests == []


def test_an_error_of_an_older_login_says_nothing_of_todays(server, make):
    client = make()
    real = client._connection.call

    def replaced(*args, **how):
        client.set_token("token-2")
        return real(*args, **how)

    client._connection.call = replaced
    server.on(BOOK, refusal(401, "UDAPI100050"), data([]))
    assert client.orders() == []
    server.on(PLACE, refusal(401, "UDAPI100050"))
    client.set_token("token-1")
    with pytest.raises(NotNowError) as caught:
        client.place(ORDER, is_exit=False)
    assert type(caught.value) is NotNowError


def test_nothing_of_the_client_writes_to_the_terminal(server, make, capfd):
    server.on(BOOK, html(502))
    with pytest.raises(UnreachableError):
        make().orders()
    assert capfd.readouterr() == ("", "")


def test_the_list_of_contracts_is_asked_for_without_the_token(server, make):
    rows = [{"instrument_key": "NSE_FO|1"}]
    server.on("GET /list.gz", Answer(gzip.compress(json.dumps(rows).encode())))
    assert make(instruments_url=f"{server.root}/list.gz").instruments() == rows
    (asked,) = server.requests
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize(
    "body",
    [b"", b"no gzip", gzip.compress(b"[1]", mtime=0), gzip.compress(b"{}", mtime=0)[:10]],
    ids=["empty", "no gzip", "no rows", "broken off"],
)
def test_a_broken_list_of_contracts_is_none(server, make, body):
    server.on("GET /list.gz", Answer(body))
    with pytest.raises(UnreachableError):
        make(instruments_url=f"{server.root}/list.gz").instruments()


def test_money_and_times(server, make):
    server.on(
        "GET /v2/user/get-funds-and-margin",
        data({"equity": {"available_margin": 99_725.05, "used_margin": 1.5}}),
    )
    server.on("GET /v2/user/profile", data({"user_id": "AB1234"}))
    server.on("POST /v2/charges/margin", data({"final_margin": 123.5}))
    client = make()
    assert client.funds() == Funds(99_725.05, 1.5)
    assert client.profile()["user_id"] == "AB1234"
    assert client.order_margin([{}]) == 123.5
    assert f"{client.server_time()}" == "2026-11-02 09:30:00+05:30"


@pytest.mark.parametrize("found", [{}, {"equity": None}, {"equity": {"available_margin": "nan"}}])
def test_money_of_another_form_is_no_number(server, make, found):
    server.on("GET /v2/user/get-funds-and-margin", data(found))
    with pytest.raises(BrokerError, match="another form"):
        make().funds()


def test_threads_are_gone_once_it_is_closed(server, make):
    before = threading.active_count()
    server.on(BOOK, data([]))
    client = make()
    client.orders()
    client.close()
    assert threading.active_count() <= before + 1  # the server's own for the connection


def test_an_address_of_a_stream_is_asked_for_once_because_the_stream_tries_again(server, make):
    server.on(ADDRESS, html(502), data({"authorizedRedirectUri": "ws://127.0.0.1:1/feed?code=ticket"}))
    client = make()
    with pytest.raises(UnreachableError):
        client.stream_address(ADDRESS.partition(" ")[2])
    assert len(server.of(ADDRESS)) == 1
    assert client.stream_address(ADDRESS.partition(" ")[2]) == "ws://127.0.0.1:1/feed?code=ticket"


@pytest.mark.parametrize("found", [None, "", 17, {}, "None", "http://127.0.0.1:1/feed?code=ticket", "//[x"])
def test_what_is_no_address_of_a_stream_is_said_without_the_ticket(server, make, found):
    server.on(ADDRESS, data({"authorized_redirect_uri": found, "authorizedRedirectUri": found}))
    with pytest.raises(BrokerError, match="has another form than expected") as caught:
        make().stream_address(ADDRESS.partition(" ")[2])
    assert "ticket" not in str(caught.value)


def test_no_stream_in_the_clear_where_the_api_is_encrypted():
    assert checked_address("wss://feeder/x", given_by="https://api.upstox.com") == "wss://feeder/x"
    assert checked_address("ws://127.0.0.1:1/x", given_by="http://127.0.0.1:1") == "ws://127.0.0.1:1/x"
    with pytest.raises(ValueError, match=r"expected \(wss\)"):
        checked_address("ws://feeder/x?code=ticket", given_by="https://api.upstox.com")
