"""The HTTP side through the unmodified official client: answers, refusals, limits, faults."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from kiteconnect import exceptions as kite_errors

from brokers.sandbox.faults import Fault
from brokers.sandbox.server import SandboxServer
from feeds.errors import BrokerError
from tests.brokers.sandbox_server.support import (
    INSTRUMENTS,
    NEAR,
    PRICE,
    WAIT,
    at,
    config_of,
    market_order,
    official_client,
)


@pytest.fixture
def server():
    with SandboxServer(config_of(clock_start=at("09:15"))) as running:
        running.trade(PRICE)
        yield running


@pytest.fixture
def kite(server):
    client = official_client(server, timeout=WAIT)
    yield client
    client.reqsession.close()


def orders_at(server: SandboxServer) -> int:
    return len(server.ask(lambda exchange: exchange.orders()))


def get(server: SandboxServer, path: str, **options) -> requests.Response:
    headers = {"Authorization": f"token {server.api_key}:{server.access_token}"}
    return requests.get(server.api_root + path, headers=headers, timeout=WAIT, **options)


# -- orders ------------------------------------------------------------------------------------------------


def test_an_order_lives_through_the_states_of_kite(server, kite):
    order_id = kite.place_order(**market_order(tag="mine"))
    assert [row["status"] for row in kite.orders()] == ["PUT ORDER REQ RECEIVED"]
    server.advance(1)
    server.trade(PRICE + 1, seconds=1)
    server.advance(1)
    assert [row["status"] for row in kite.order_history(order_id)] == [
        "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "COMPLETE",
    ]  # fmt: skip
    (row,) = kite.orders()
    assert (row["tag"], row["filled_quantity"], row["average_price"]) == ("mine", NEAR.lot, PRICE + 1)
    assert [trade["order_id"] for trade in kite.trades()] == [order_id]
    assert [position["quantity"] for position in kite.positions()["net"]] == [NEAR.lot]


def test_modify_and_cancel_answer_with_the_order(server, kite):
    limit = market_order(order_type="LIMIT", price=PRICE - 50, market_protection=None)
    order_id = kite.place_order(**limit)
    server.advance(1)
    assert kite.modify_order("regular", order_id, price=PRICE - 40) == order_id
    server.advance(1)
    assert kite.orders()[0]["price"] == PRICE - 40
    assert kite.cancel_order("regular", order_id) == order_id
    server.advance(1)
    assert kite.orders()[0]["status"] == "CANCELLED"


def test_an_order_above_the_freeze_quantity_is_sliced(server, kite):
    order = market_order(quantity=28 * NEAR.lot)
    answer = kite.place_autoslice_order(**order)
    assert [set(child) for child in answer["children"]] == [{"order_id"}, {"order_id"}]
    assert [row["quantity"] for row in kite.orders()] == [27 * NEAR.lot, NEAR.lot]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"market_protection": None}, kite_errors.InputException, "market protection"),
        ({"quantity": 64}, kite_errors.InputException, "multiple"),
        ({"quantity": 28 * NEAR.lot}, kite_errors.InputException, "higher than the maximum quantity"),
        ({"tradingsymbol": "NIFTY20JANFUT"}, kite_errors.InputException, "does not exist"),
        ({"product": "CNC"}, kite_errors.InputException, "product"),
    ],
)
def test_what_the_exchange_refuses_is_raised_by_the_client(kite, change, error, words):
    with pytest.raises(error, match=words) as refused:
        kite.place_order(**market_order(**change))
    assert refused.value.code == 400


# -- session -----------------------------------------------------------------------------------------------


def test_login_by_request_token_ends_the_session_before(server, kite):
    old = official_client(server)
    page = get(server, f"/connect/login?v=3&api_key={server.api_key}")
    assert page.headers["content-type"].startswith("text/html")
    token = page.text.split("<code>")[1].split("</code>")[0]
    session = kite.generate_session(token, server.api_secret)
    assert session["access_token"] == server.access_token
    assert session["login_time"] == dt.datetime(2026, 9, 24, 9, 15)  # noqa: DTZ001 # as the client reads it
    assert kite.profile()["user_id"] == "SB0001"
    with pytest.raises(kite_errors.TokenException):
        old.profile()
    with pytest.raises(kite_errors.TokenException):
        kite.generate_session(token, server.api_secret)  # a request token is good for once


def test_a_wrong_checksum_opens_nothing(server, kite):
    page = get(server, f"/connect/login?v=3&api_key={server.api_key}")
    token = page.text.split("<code>")[1].split("</code>")[0]
    with pytest.raises(kite_errors.TokenException, match="checksum"):
        kite.generate_session(token, "another secret")
    assert kite.generate_session(token, server.api_secret)["access_token"]


def test_the_login_page_sends_the_browser_back_to_the_app():
    config = config_of(redirect="http://127.0.0.1:1/callback?app=1")
    with SandboxServer(config) as server:
        answer = get(
            server, f"/connect/login?v=3&api_key={server.api_key}&redirect_params=a%3D1%26b%3D2",
            allow_redirects=False,
        )  # fmt: skip
        url = urlsplit(answer.headers["location"])
        fields = {name: values[0] for name, values in parse_qs(url.query).items()}
        token = fields.pop("request_token")
        text = f"{server.api_key}{token}{server.api_secret}"
        form = {
            "api_key": server.api_key, "request_token": token,
            "checksum": hashlib.sha256(text.encode()).hexdigest(),
        }  # fmt: skip
        posted = requests.post(server.api_root + "/session/token", data=form, timeout=WAIT)
    assert (answer.status_code, url.path) == (302, "/callback")
    assert fields == {"app": "1", "a": "1", "b": "2", "action": "login", "type": "login", "status": "success"}
    assert posted.json()["data"]["access_token"]


def test_another_app_cannot_log_in(server):
    answer = get(server, "/connect/login?v=3&api_key=other")
    assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


def test_logout_kills_the_token(server, kite):
    expired = []
    kite.set_session_expiry_hook(lambda: expired.append(True))
    assert kite.invalidate_access_token(server.access_token) is True
    with pytest.raises(kite_errors.TokenException) as refused:
        kite.orders()
    assert refused.value.code == 403
    assert expired == [True]
    assert not server.is_token_alive


@pytest.mark.parametrize(("time", "lives"), [("05:59:59", True), ("06:00:00", False)])
def test_the_token_dies_at_six(time, lives):
    with SandboxServer(config_of(clock_start=at("05:00"))) as server:
        kite = official_client(server)
        server.advance_to(at(time))
        if lives:
            assert kite.profile()
        else:
            with pytest.raises(kite_errors.TokenException):
                kite.profile()


def test_a_token_made_after_six_lives_all_day(server, kite):
    server.advance_to(at("23:59:59"))
    assert kite.profile()


@pytest.mark.parametrize("header", [None, "token sandbox", "token sandbox:dead", "Bearer alive", "token :"])
def test_without_the_token_nothing_is_answered(server, header):
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(server.api_root + "/orders", headers=headers, timeout=WAIT)
    assert (answer.status_code, answer.json()["error_type"]) == (403, "TokenException")


# -- form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nowhere", 404), ("PATCH", "/orders", 405), ("GET", "/", 400)]
)
def test_what_is_not_served_is_told_in_json(server, method, path, status):
    query = f"?api_key={server.api_key}&access_token={server.access_token}"
    answer = requests.request(method, server.api_root + path + query, timeout=WAIT)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["status"] == "error"


def test_bodies_that_are_no_json_are_refused(server):
    headers = {
        "Authorization": f"token {server.api_key}:{server.access_token}", "Content-Type": "application/json",
    }  # fmt: skip
    for body in ("{", '{"a": 1}', "[1]"):
        answer = requests.post(server.api_root + "/margins/orders", body, headers=headers, timeout=WAIT)
        assert (answer.status_code, answer.json()["error_type"]) == (400, "InputException")


def test_connections_are_kept(server, kite):
    for _ in range(3):
        kite.profile()
    (adapter,) = {id(kite.reqsession.get_adapter(server.api_root))}
    assert adapter
    (pool,) = kite.reqsession.get_adapter(server.api_root).poolmanager.pools._container.values()
    assert pool.num_connections == 1


def test_instruments_are_csv_and_come_zipped(server):
    answer = get(server, "/instruments/NFO")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-encoding"] in ("gzip", "deflate")
    assert len(answer.text.splitlines()) == 1 + len(INSTRUMENTS)
    assert get(server, "/instruments/BSE").text.count("\n") == 1


def test_quotes_leave_out_what_they_do_not_know_and_have_a_limit(server, kite):
    assert set(kite.ltp([f"NFO:{NEAR.symbol}", "NSE:NOTHING"])) == {f"NFO:{NEAR.symbol}"}
    with pytest.raises(kite_errors.InputException, match="500"):
        kite.quote([f"NFO:{number}" for number in range(501)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"interval": "2hour"}, "interval"),
        ({"instrument_token": 1}, "invalid token"),
        ({"continuous": True}, "continuous"),
    ],
)  # fmt: skip
def test_history_refuses_what_kite_refuses(kite, change, words):
    asked = {
        "instrument_token": NEAR.token, "from_date": at("09:15"), "to_date": at("15:40"),
        "interval": "minute", **change,
    }  # fmt: skip
    with pytest.raises(kite_errors.InputException, match=words):
        kite.historical_data(**asked)


# -- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allowed"), [("/quote/ltp?i=1", 1), ("/instruments/historical/{}/minute", 3), ("/orders", 10)]
)
def test_reads_are_limited_by_the_second(path, allowed):
    config = config_of(exchange={"rate_limits": True})
    query = "?from=2026-09-24 09:15:00&to=2026-09-24 15:40:00" if "historical" in path else ""
    with SandboxServer(config) as server, requests.Session() as session:
        session.headers["Authorization"] = f"token {server.api_key}:{server.access_token}"
        url = server.api_root + path.format(NEAR.token) + query
        # More than two seconds can hold: however the seconds fall, one is too many, and few are enough.
        statuses = [session.get(url, timeout=WAIT).status_code for _ in range(3 * allowed + 1)]
    assert set(statuses) == {200, 429}
    assert statuses[:allowed].count(200) == allowed


def test_order_limits_follow_the_market_clock():
    with SandboxServer(config_of(exchange={"rate_limits": True})) as server:
        kite = official_client(server)
        server.trade(PRICE)
        for _ in range(10):
            kite.place_order(**market_order())
        with pytest.raises(kite_errors.NetworkException, match="Too many requests") as refused:
            kite.place_order(**market_order())
        assert refused.value.code == 429
        server.advance(1)
        assert kite.place_order(**market_order())


# -- faults ------------------------------------------------------------------------------------------------


def refusal(status: int, error_type: str) -> dict[str, object]:
    return {"kind": "refuse", "status": status, "error_type": error_type}


@pytest.mark.parametrize(
    ("fault", "error", "code", "is_placed"),
    [
        ({"kind": "drop_request"}, requests.ConnectionError, None, False),
        ({"kind": "refuse"}, kite_errors.GeneralException, 500, False),
        (refusal(400, "MarginException"), kite_errors.GeneralException, 400, False),
        (refusal(503, "NetworkException"), kite_errors.NetworkException, 503, False),
        ({"kind": "too_many_requests"}, kite_errors.NetworkException, 429, False),
        ({"kind": "kill_token"}, kite_errors.TokenException, 403, False),
        ({"kind": "lost_answer"}, requests.ConnectionError, None, True),
        ({"kind": "bad_gateway"}, kite_errors.DataException, 502, True),
        ({"kind": "gateway_timeout"}, kite_errors.DataException, 502, True),
        ({"kind": "timed_out"}, kite_errors.NetworkException, 400, True),
        ({"kind": "unreadable"}, kite_errors.DataException, 502, True),
    ],
)  # fmt: skip
def test_a_fault_of_an_order_is_what_the_client_sees_of_kite(server, kite, fault, error, code, is_placed):
    (number,) = server.faults.add(Fault(**fault))
    with pytest.raises(error) as seen:
        kite.place_order(**market_order())
    assert getattr(seen.value, "code", None) == code
    assert orders_at(server) == int(is_placed)
    assert server.faults.happened(number) == 1


def test_the_next_order_goes_through(server, kite):
    server.faults.add(Fault(kind="lost_answer"))
    with pytest.raises(requests.ConnectionError):
        kite.place_order(**market_order())
    assert kite.place_order(**market_order()) == kite.orders()[1]["order_id"]


@pytest.mark.parametrize(("kind", "is_placed"), [("delay", False), ("late_answer", True)])
def test_an_answer_can_take_longer_than_the_client_waits(server, kind, is_placed):
    server.faults.add(Fault(kind=kind, seconds=WAIT))
    impatient = official_client(server, timeout=0.2)
    with pytest.raises(requests.ReadTimeout):
        impatient.place_order(**market_order())
    assert orders_at(server) == int(is_placed)


def test_a_gateway_answers_html_with_its_own_status(server):
    server.faults.add(Fault(kind="gateway_timeout", route="GET /orders"))
    answer = get(server, "/orders")
    assert answer.status_code == 504
    assert answer.headers["content-type"].startswith("text/html")


def test_a_late_row_is_in_no_list_until_its_time(server, kite):
    server.faults.add(Fault(kind="late_row", seconds=3600), Fault(kind="lost_answer"))
    with pytest.raises(requests.ConnectionError):
        kite.place_order(**market_order())
    server.trade(PRICE, seconds=1)
    server.advance(1)
    order_id = server.ask(lambda exchange: exchange.orders()[0]["order_id"])
    assert (kite.orders(), kite.trades()) == ([], [])
    for ask in (kite.order_history, kite.order_trades):
        with pytest.raises(kite_errors.GeneralException):
            ask(order_id)
    assert kite.positions()["net"][0]["quantity"] == NEAR.lot  # the account knows
    server.faults.add(Fault(kind="late_row", seconds=0))
    assert kite.place_order(**market_order()) in [row["order_id"] for row in kite.orders()]


@pytest.mark.parametrize("path", ["/user/profile", "/orders/unknown"])
def test_the_date_of_an_answer_can_be_off(server, path):
    server.faults.add(Fault(kind="clock_skew", seconds=-600, count=None))
    true = get(server, "/sandbox/state").headers["date"]
    shown = get(server, path).headers["date"]
    form = "%a, %d %b %Y %H:%M:%S GMT"
    gap = dt.datetime.strptime(true, form) - dt.datetime.strptime(shown, form)  # noqa: DTZ007
    assert 590 <= gap.total_seconds() <= 600


def test_a_fault_of_stop_orders_spares_the_others(server, kite):
    server.faults.add(Fault(kind="refuse", where={"order_type": "SL"}))
    kite.place_order(**market_order())
    stop = market_order(
        "SELL", order_type="SL", price=PRICE - 60, trigger_price=PRICE - 50, market_protection=None
    )
    with pytest.raises(kite_errors.GeneralException, match="told to refuse"):
        kite.place_order(**stop)
    assert kite.place_order(**stop)


# -- control -----------------------------------------------------------------------------------------------


def control(server: SandboxServer, method: str, path: str, body: object = None) -> tuple[int, dict]:
    answer = requests.request(method, server.api_root + "/sandbox" + path, json=body, timeout=WAIT)
    return answer.status_code, answer.json()


def test_faults_are_put_up_shown_and_taken_down_over_http(server, kite):
    status, answer = control(
        server, "POST", "/faults", [{"kind": "lost_answer"}, {"kind": "delay", "seconds": 0}]
    )
    assert (status, answer["data"]) == (200, {"ids": [1, 2]})
    with pytest.raises(requests.ConnectionError):
        kite.place_order(**market_order())
    _, answer = control(server, "GET", "/faults")
    assert [(row["kind"], row["happened"]) for row in answer["data"]] == [("lost_answer", 1), ("delay", 1)]
    control(server, "DELETE", "/faults")
    assert control(server, "GET", "/faults")[1]["data"] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"kind": "explode"}),
        ("/advance", {}),
        ("/advance", {"seconds": -1}),
        ("/advance", {"to": "noon"}),
        ("/advance", {"to": "10:15:00+05:30"}),
        ("/trade", {"price": "high"}),
        ("/trade", {"price": True}),
        ("/trade", {"price": 25_000.0, "token": 1}),
    ],
)
def test_control_refuses_what_it_cannot_read(server, path, body):
    status, answer = control(server, "POST", path, body)
    assert (status, answer["error_type"]) == (400, "InputException")


def test_time_and_market_are_moved_over_http(server):
    control(server, "POST", "/advance", {"to": "10:15:00"})
    control(server, "POST", "/advance", {"seconds": 2.5})
    _, answer = control(server, "POST", "/trade", {"price": 25_050.5})
    assert answer["data"]["now"] == at("10:15:02.500000").isoformat()
    assert server.ask(lambda exchange: exchange.snapshot(NEAR.token)).last_price == 25_050.5
    control(server, "POST", "/start")
    assert control(server, "GET", "/state")[1]["data"]["is_running"] is True


def test_the_token_is_killed_over_http(server, kite):
    assert control(server, "POST", "/token/kill")[1]["data"] is True
    with pytest.raises(kite_errors.TokenException):
        kite.orders()


def test_the_state_tells_what_is_open(server, kite):
    kite.place_order(**market_order())
    server.trade(PRICE, seconds=1)
    server.advance(1)
    waiting = kite.place_order(**market_order(order_type="LIMIT", price=PRICE - 50, market_protection=None))
    state = server.state()
    assert state["orders"] == 2
    assert state["open_orders"] == [waiting]
    assert state["positions"] == {f"{NEAR.symbol}/MIS": NEAR.lot}
    assert state["charges"] > 0
    assert json.loads(json.dumps(state)) == state


# -- life --------------------------------------------------------------------------------------------------


def test_it_is_not_asked_when_it_does_not_run():
    server = SandboxServer(config_of())
    with pytest.raises(BrokerError, match="not running"):
        server.state()
    with server:
        url = server.api_root + "/sandbox/state"
        assert requests.get(url, timeout=WAIT).status_code == 200
    with pytest.raises(BrokerError, match="not running"):
        server.state()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=WAIT)


def test_a_port_that_is_taken_is_told(server):
    with pytest.raises(BrokerError, match=f"{server.port}.*choose another"):
        SandboxServer(config_of(port=server.port)).__enter__()


def test_what_is_asked_in_the_thread_of_the_exchange_raises_where_it_was_asked():
    def fail(_):
        raise RuntimeError("my own fault")

    with SandboxServer(config_of()) as server:
        with pytest.raises(RuntimeError, match="my own fault"):
            server.ask(fail)
        assert server.state()


def break_it(server: SandboxServer, name: str) -> None:
    def fail(*_):
        raise RuntimeError("broken inside")

    server.ask(lambda exchange: setattr(exchange, name, fail))


def test_a_market_that_breaks_ends_the_server_and_is_told():
    server = SandboxServer(config_of(start="now"))
    server.__enter__()
    with pytest.raises(RuntimeError, match="broken inside"):
        break_it(server, "advance")  # already seen on the way out
    server._thread.join(WAIT)
    with pytest.raises(BrokerError, match="broken inside"):
        server.__exit__(None, None, None)


def test_a_request_that_breaks_is_told_at_the_end(caplog):
    server = SandboxServer(config_of())
    server.__enter__()
    break_it(server, "profile")
    assert get(server, "/user/profile").status_code == 500
    assert "broken inside" in caplog.text
    with pytest.raises(BrokerError, match="broken inside"):
        server.__exit__(None, None, None)
