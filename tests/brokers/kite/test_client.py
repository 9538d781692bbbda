"""The HTTP client against a real socket, faults included."""

from __future__ import annotations

import datetime as dt
import json
import socket
import threading

import pytest

from brokers.kite.account import Funds
from brokers.kite.client import KiteClient
from brokers.kite.settings import KiteSettings
from brokers.wire import (
    NotNowError,
    OrderRefusedError,
    OutcomeUnknownError,
    SessionDeadError,
    UnreachableError,
)
from feeds.bars import check_frame
from feeds.clock import IST
from feeds.errors import BrokerError, DataError
from feeds.sources.kite import KiteMinutes

from .servers import LOST, Answer, HttpServer, data, error, html

ORDER = {
    "exchange": "NFO", "tradingsymbol": "NIFTY26NOVFUT", "transaction_type": "BUY", "quantity": 65,
    "product": "MIS", "validity": "DAY", "tag": "mu1", "order_type": "MARKET", "market_protection": -1,
}  # fmt: skip
PLACE = "POST /orders/regular"


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict]] = []

    def write(self, event, /, **fields):
        self.events.append((event, fields))

    debug = info = warning = error = write


@pytest.fixture
def server():
    with HttpServer() as server:
        yield server


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def make_client(server, log):
    made = []

    def make(root: str | None = None, **changes) -> KiteClient:
        settings = KiteSettings(api_root=root or server.root, **{"timeout_seconds": 5.0, **changes})
        client = KiteClient(settings, "key", "token", log, sleep=lambda _: None)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(make_client):
    return make_client()


def candle(minute: str, volume: int = 650) -> list:
    return [f"2026-11-02T{minute}:00+0530", 24_600.0, 24_610.5, 24_590.0, 24_605.5, volume, 1_300]


# -- reads -------------------------------------------------------------------------------------------------


def test_every_call_carries_the_newest_token(server, client):
    server.on("GET /trades", data([]))
    client.trades()
    client.set_token("newer")
    client.trades()
    assert [call.headers["Authorization"] for call in server.requests] == [
        "token key:token",
        "token key:newer",
    ]
    assert len({call.connection for call in server.requests}) == 1


def test_each_thread_has_its_own_connection(server, client):
    server.on("GET /trades", data([]))
    client.trades()
    thread = threading.Thread(target=client.trades)
    thread.start()
    thread.join()
    assert len({call.connection for call in server.requests}) == 2


def test_a_path_in_the_address_is_kept(server, make_client):
    server.on("GET /oms/orders", data([]))
    server.on("DELETE /oms/orders/regular/7", data({"order_id": "7"}))
    client = make_client(server.root + "/oms/")
    assert client.orders() == []
    client.cancel("7")


def test_profile_funds_and_margin(server, client):
    server.on("GET /user/profile", data({"user_id": "AB1234", "user_name": "A B", "exchanges": ["NFO"]}))
    server.on(
        "GET /user/margins",
        data({"equity": {"enabled": True, "net": 99725.05, "utilised": {"debits": 1.5}}, "commodity": {}}),
    )
    server.on("POST /margins/orders", data([{"total": 180_000.25}]))
    assert client.profile().user_id == "AB1234"
    assert client.funds() == Funds(99725.05, 1.5)
    assert client.margins() == 99725.05
    assert client.order_margin({"exchange": "NFO", "quantity": 65}) == 180_000.25
    (asked,) = server.of("POST /margins/orders")
    assert asked.body == [
        {"variety": "regular", "price": 0, "trigger_price": 0, "exchange": "NFO", "quantity": 65}
    ]


@pytest.mark.parametrize(
    ("call", "answer", "ask"),
    [
        ("GET /user/profile", {}, KiteClient.profile),
        ("GET /user/margins", {"equity": {"enabled": False}}, KiteClient.margins),
        ("GET /user/margins", {"commodity": {}}, KiteClient.margins),
        ("GET /user/margins", {"equity": {"net": None, "utilised": {"debits": 0}}}, KiteClient.margins),
        ("POST /margins/orders", [], lambda client: client.order_margin({})),
        ("POST /margins/orders", [{"total": float("nan")}], lambda client: client.order_margin({})),
        ("GET /orders", {}, KiteClient.orders),
        ("GET /trades", None, KiteClient.trades),
        ("GET /portfolio/positions", {"day": []}, KiteClient.positions),
        ("GET /portfolio/positions", {"net": None}, KiteClient.positions),
    ],
)
def test_an_answer_of_another_form_is_an_error_and_never_empty(server, client, call, answer, ask):
    server.on(call, data(answer))
    with pytest.raises(BrokerError):
        ask(client)


def test_the_servers_time(server, client):
    server.on("GET /user/profile", data({"user_id": "AB1234"}))
    assert client.server_time() == dt.datetime(2026, 11, 2, 9, 30, tzinfo=IST)
    server.date = None
    assert client.server_time() is None
    server.date = "yesterday"
    assert client.server_time() is None


def test_minutes(server, client):
    server.on(
        "GET /instruments/historical/7/minute", data({"candles": [candle("09:15"), candle("09:16", 0)]})
    )
    first = dt.datetime(2026, 11, 2, 3, 45, tzinfo=dt.UTC)
    frame = client.minutes(7, first, first + dt.timedelta(minutes=1))
    check_frame(frame)
    assert [str(start) for start in frame.index] == ["2026-11-02 09:15:00+05:30", "2026-11-02 09:16:00+05:30"]
    assert frame["open_interest"].tolist() == [1300.0, 1300.0]
    (asked,) = server.requests
    assert (asked.fields["from"], asked.fields["to"], asked.fields["oi"]) == (
        ["2026-11-02 09:15:00"], ["2026-11-02 09:16:00"], ["1"],
    )  # fmt: skip


def test_the_history_of_one_instrument(server, client):
    server.on("GET /instruments/historical/7/minute", data({"candles": [candle("09:15")]}))
    moment = dt.datetime(2026, 11, 2, 9, 15, tzinfo=IST)
    assert KiteMinutes(client, 7).minutes(moment, moment).index[0] == moment


def test_a_long_range_of_minutes_is_asked_for_in_parts(server, client):
    call = "GET /instruments/historical/7/minute"
    server.on(call, data({"candles": [candle("09:15")]}), data({"candles": []}))
    first = dt.datetime(2026, 8, 1, tzinfo=IST)
    frame = client.minutes(7, first, first + dt.timedelta(days=100))
    assert len(frame) == 1
    assert [(call.fields["from"][0], call.fields["to"][0]) for call in server.of(call)] == [
        ("2026-08-01 00:00:00", "2026-09-29 23:59:00"),
        ("2026-09-30 00:00:00", "2026-11-09 00:00:00"),
    ]


def test_no_candles_are_an_empty_bar_frame(server, client):
    server.on("GET /instruments/historical/7/minute", data({"candles": []}))
    moment = dt.datetime(2026, 11, 2, 9, 15, tzinfo=IST)
    frame = client.minutes(7, moment, moment)
    check_frame(frame)
    assert frame.empty
    assert client.minutes(7, moment, moment - dt.timedelta(minutes=1)).empty


@pytest.mark.parametrize(
    "candles",
    [
        [candle("09:16"), candle("09:15")],
        [candle("09:15"), candle("09:15")],
        [["2026-11-02T09:15:00+0530", 24_600.0, 24_500.0, 24_590.0, 24_605.5, 1, 1]],
        [["2026-11-02T09:15:00", 24_600.0, 24_610.5, 24_590.0, 24_605.5, 1, 1]],
        [["2026-11-02T09:15:00+0530", None, 24_610.5, 24_590.0, 24_605.5, 1, 1]],
    ],
    ids=["unsorted", "twice", "high below", "no zone", "no price"],
)
def test_candles_that_are_no_bars_are_refused(server, client, candles):
    server.on("GET /instruments/historical/7/minute", data({"candles": candles}))
    moment = dt.datetime(2026, 11, 2, 9, 15, tzinfo=IST)
    with pytest.raises(DataError):
        client.minutes(7, moment, moment)


# -- reads that fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [LOST, html(502), html(429), error(503, "NetworkException", "no"), error(429, "NetworkException", "slow"),
     error(500, "GeneralException", "oops"), Answer(b"{cut"), Answer(b"[]")],
    ids=["lost", "502 page", "429 page", "503", "429", "500", "no json", "no object"],
)  # fmt: skip
def test_a_read_is_tried_again(server, client, log, fault):
    server.on("GET /trades", fault, fault, data([]))
    assert client.trades() == []
    assert [(event, fields["attempt"]) for event, fields in log.events] == [
        ("kite_read_again", 1), ("kite_read_again", 2),
    ]  # fmt: skip


def test_a_read_fails_after_its_last_attempt(server, make_client):
    server.on("GET /orders", html(502))
    with pytest.raises(UnreachableError, match="could not be asked"):
        make_client(read_attempts=3).orders()
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (error(403, "TokenException", "Incorrect `api_key` or `access_token`."), SessionDeadError),
        (error(400, "InputException", "invalid token"), BrokerError),
        (error(403, "PermissionException", "no subscription"), BrokerError),
    ],
)
def test_a_refusal_is_not_asked_again(server, client, fault, expected):
    server.on("GET /trades", fault)
    with pytest.raises(expected) as caught:
        client.trades()
    assert type(caught.value) is expected
    assert len(server.requests) == 1


def test_a_server_that_does_not_answer_in_time(server, make_client):
    release = threading.Event()

    class Slow(dict):
        def get(self, *_):
            release.wait(10)
            return LOST

    server.always = Slow()
    with pytest.raises(UnreachableError, match="ReadTimeout"):
        make_client(timeout_seconds=0.1, read_attempts=1).trades()
    release.set()


# -- orders ------------------------------------------------------------------------------------------------


def test_an_order_is_sent_as_it_is(server, client):
    server.on(PLACE, data({"order_id": "2611020000000000001"}))
    assert client.place(ORDER, is_exit=False) == "2611020000000000001"
    (sent,) = server.requests
    assert sent.body == {name: str(value) for name, value in ORDER.items()} | {"variety": "regular"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (LOST, OutcomeUnknownError),
        (html(502), OutcomeUnknownError),
        (html(504), OutcomeUnknownError),
        (html(429), NotNowError),
        (error(500, "OrderException", "no"), OutcomeUnknownError),
        (error(503, "NetworkException", "no"), OutcomeUnknownError),
        (error(429, "NetworkException", "Too many requests"), NotNowError),
        (error(400, "InputException", "Order request timed out."), OutcomeUnknownError),
        (error(400, "InputException", "quantity not a multiple of the lot"), OrderRefusedError),
        (error(400, "MarginException", "Insufficient funds"), OrderRefusedError),
        (error(403, "PermissionException", "address not registered"), OrderRefusedError),
        (error(403, "TokenException", "Incorrect `api_key` or `access_token`."), SessionDeadError),
        (Answer(b"{cut"), OutcomeUnknownError),
        (Answer(json.dumps({"status": "success"}).encode()), OutcomeUnknownError),
        (data({}), OutcomeUnknownError),
        (data({"order_id": None}), OutcomeUnknownError),
        (data({"order_id": ""}), OutcomeUnknownError),
        (Answer(b"{}", 307, (("Location", "/orders/regular"), ("Content-Type", "application/json"))),
         OutcomeUnknownError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("write", ["place", "cancel", "modify"])
def test_a_write_is_sent_once_whatever_becomes_of_it(server, client, log, write, answer, expected):
    call, ask = {
        "place": (PLACE, lambda: client.place(ORDER, is_exit=False)),
        "cancel": ("DELETE /orders/regular/7", lambda: client.cancel("7")),
        "modify": ("PUT /orders/regular/7", lambda: client.modify("7", {"trigger_price": 24_900.0})),
    }[write]
    server.on(call, answer)
    if write != "place" and b"order_id" in (answer.body or b""):
        ask()  # the answer to a cancel or a change says nothing that matters
    else:
        with pytest.raises(BrokerError) as caught:
            ask()
        assert type(caught.value) is expected
    assert len(server.requests) == 1
    assert log.events == []


def test_an_order_that_could_not_be_sent_at_all(make_client):
    with socket.create_server(("127.0.0.1", 0)) as free:
        root = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NotNowError, match="nothing was sent"):
        make_client(root).place(ORDER, is_exit=True)


def test_the_status_of_an_earlier_answer_is_forgotten(server, client):
    server.on(PLACE, html(429), LOST)
    with pytest.raises(NotNowError):
        client.place(ORDER, is_exit=False)
    with pytest.raises(OutcomeUnknownError):
        client.place(ORDER, is_exit=False)


def test_a_kept_connection_that_the_server_has_dropped(server, client):
    server.on("GET /trades", data([]))
    server.on(PLACE, LOST)
    client.trades()
    with pytest.raises(OutcomeUnknownError):
        client.place(ORDER, is_exit=True)
    assert len(server.of(PLACE)) == 1


def test_orders_of_others_count_against_the_day(server, client):
    server.on("GET /orders", data([{"order_id": str(number)} for number in range(4000)]))
    server.on(PLACE, data({"order_id": "1"}))
    client.orders()
    with pytest.raises(OrderRefusedError, match="4000 orders of today"):
        client.place(ORDER, is_exit=False)
    assert client.place(ORDER, is_exit=True) == "1"


def test_nothing_between_us_and_this_machine(server, client, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    server.on("GET /trades", data([]))
    assert client.trades() == []


class LateRefusal(dict):
    """Answers that the token is dead, just after a new one was given to the client."""

    def __init__(self, call):
        super().__init__({call: error(403, "TokenException", "Incorrect `access_token`.")})
        self.client = None

    def get(self, call, default=None):
        self.client.set_token("newer")
        return super().get(call, default)


@pytest.mark.parametrize("call", [PLACE, "GET /orders"])
def test_a_refusal_of_the_token_from_before_a_new_login_says_nothing_of_the_session(
    server, make_client, call
):
    client = make_client()
    server.always = LateRefusal(call)
    server.always.client = client
    if call == PLACE:
        with pytest.raises(NotNowError, match="replaced meanwhile") as refusal:
            client.place(ORDER, is_exit=True)
        assert not isinstance(refusal.value, SessionDeadError)
        with pytest.raises(SessionDeadError):  # now it is the new one that is refused
            client.place(ORDER, is_exit=True)
    else:
        with pytest.raises(SessionDeadError):
            client.orders()
    tokens = [request.headers["Authorization"] for request in server.of(call)]
    assert tokens == ["token key:token", "token key:newer"]
