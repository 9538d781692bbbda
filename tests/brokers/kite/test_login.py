"""The login, with a throw-away server in Kite's place and a browser made of urllib."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from brokers.__main__ import main
from brokers.kite.login import exchange, login_address, request_token_in
from brokers.kite.settings import KiteSettings
from brokers.login_callback import LoginCallback
from feeds.clock import IST, ReplayClock, WallClock
from feeds.errors import BrokerError

from .servers import LOST, WAIT, Answer, HttpServer, data, error, html

CLOCK = ReplayClock(dt.datetime(2026, 11, 2, 8, 45, tzinfo=IST))
REQUEST_TOKEN = "request-token-1"
ACCESS_TOKEN = "access-token-1"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def server():
    with HttpServer() as server:
        yield server


@pytest.fixture
def settings(server):
    return KiteSettings(api_root=server.root, login_page=f"{server.root}/connect/login", callback_port=0)


def visit(address: str) -> tuple[int, str]:
    try:
        with OPENER.open(address, timeout=WAIT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


# -- the callback ------------------------------------------------------------------------------------------


def test_the_address_of_the_login_page():
    address = login_address(KiteSettings(), "my key", "a+b&c")
    assert address.startswith("https://kite.zerodha.com/connect/login?")
    fields = parse_qs(urlsplit(address).query)
    assert (fields["v"], fields["api_key"]) == (["3"], ["my key"])
    assert parse_qs(fields["redirect_params"][0]) == {"state": ["a+b&c"]}


def test_the_callback_takes_the_login_that_was_asked_for():
    with LoginCallback("broker.kite", 0, request_token_in) as callback:
        wrong = f"{callback.url}?request_token=evil&status=success"
        assert visit(f"{callback.url}favicon.ico")[0] == 404
        assert visit(wrong)[0] == 400
        assert visit(f"{wrong}&state=guess")[0] == 400
        status, page = visit(
            f"{callback.url}?action=login&status=success&request_token={REQUEST_TOKEN}&state={callback.state}"
        )
        assert (status, "Logged in" in page, REQUEST_TOKEN in page) == (200, True, False)
        assert callback.wait(WAIT) == REQUEST_TOKEN


def test_a_login_that_failed_ends_the_wait():
    with LoginCallback("broker.kite", 0, request_token_in) as callback:
        assert visit(f"{callback.url}?status=cancelled&state={callback.state}")[0] == 400
        with pytest.raises(BrokerError, match="ended with status 'cancelled'"):
            callback.wait(WAIT)


def test_a_browser_that_never_comes():
    with (
        LoginCallback("broker.kite", 0, request_token_in) as callback,
        pytest.raises(BrokerError, match="no login came back within 0 seconds"),
    ):
        callback.wait(0.01)


def test_a_connection_that_says_nothing_does_not_hold_up_the_login():
    with (
        LoginCallback("broker.kite", 0, request_token_in) as callback,
        socket.create_connection(("127.0.0.1", urlsplit(callback.url).port)),
    ):
        visit(f"{callback.url}?request_token={REQUEST_TOKEN}&state={callback.state}")
        assert callback.wait(WAIT) == REQUEST_TOKEN


def test_a_port_that_is_in_use():
    with (
        LoginCallback("broker.kite", 0, request_token_in) as callback,
        pytest.raises(BrokerError, match=r"broker\.kite\.callback_port"),
    ):
        LoginCallback("broker.kite", urlsplit(callback.url).port, request_token_in)


def test_the_callback_listens_on_this_machine_only():
    with LoginCallback("broker.kite", 0, request_token_in) as callback:
        assert callback._server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "words"),
    [("", "does not belong"), ("nonsense", "does not belong"),
     ("http://h/?request_token=x&state=t", "does not belong"),
     ("http://h/?state=s", "no request_token"), ("http://h/?state=s&status=no", "status 'no'")],
)  # fmt: skip
def test_a_pasted_address_that_is_wrong(address, words):
    with pytest.raises(BrokerError, match=words):
        request_token_in(address, "s")


def test_a_pasted_address():
    assert request_token_in("  http://127.0.0.1/?request_token=x&state=s&status=success\n", "s") == "x"


# -- the exchange ------------------------------------------------------------------------------------------


def session(**changes) -> Answer:
    return data(
        {"user_id": "AB1234", "access_token": ACCESS_TOKEN, "login_time": "2026-11-02 08:44:10", **changes}
    )


def trade_in(settings):
    return exchange(
        settings, api_key="key", api_secret="app-secret", request_token=REQUEST_TOKEN, clock=CLOCK
    )


def test_the_exchange(server, settings):
    server.on("POST /session/token", session())
    token = trade_in(settings)
    assert (token.api_key, token.access_token, token.user_id) == ("key", ACCESS_TOKEN, "AB1234")
    assert token.login_time == dt.datetime(2026, 11, 2, 8, 44, 10, tzinfo=IST)
    assert token.ends == dt.datetime(2026, 11, 3, 6, 0, tzinfo=IST)
    (asked,) = server.requests
    checksum = hashlib.sha256(f"key{REQUEST_TOKEN}app-secret".encode()).hexdigest()
    assert asked.body == {"api_key": "key", "request_token": REQUEST_TOKEN, "checksum": checksum}


def test_without_a_time_of_login_the_clock_is_asked(server, settings):
    server.on("POST /session/token", session(login_time=""))
    assert trade_in(settings).login_time == CLOCK.now()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error(403, "TokenException", "Token is invalid or has expired."), "Token is invalid or has expired"),
        (html(502), "DataException"),
        (LOST, "ConnectionError"),
        (Answer(json.dumps({"access_token": ACCESS_TOKEN}).encode()), "KeyError"),
        (Answer(f'{{"access_token": "{ACCESS_TOKEN}'.encode()), "DataException"),
        (session(access_token=""), "holds no access token"),
        (session(access_token=None), "holds no access token"),
        (data(None), "TypeError"),
    ],
)
def test_an_exchange_that_fails_is_not_repeated_and_shows_no_token(server, settings, answer, words):
    server.on("POST /session/token", answer)
    with pytest.raises(BrokerError, match=words) as caught:
        trade_in(settings)
    assert ACCESS_TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert len(server.requests) == 1


# -- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def arguments(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KITE_API_KEY", "key")
    monkeypatch.setenv("KITE_API_SECRET", "app-secret")
    monkeypatch.delenv("KITE_ACCESS_TOKEN", raising=False)
    file = tmp_path / "token.json"
    return [
        "--set", f"broker.kite.api_root={server.root}",
        "--set", f"broker.kite.login_page={server.root}/connect/login",
        "--set", "broker.kite.callback_port=0",
        "--set", f"broker.kite.token_file={file}",
    ]  # fmt: skip


class Screen(io.StringIO):
    """Standard output that lets a test wait for a line."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = threading.Condition()

    def write(self, text: str) -> int:
        with self.changed:
            self.changed.notify_all()
            return super().write(text)

    def wait_for(self, words: str) -> str:
        with self.changed:
            assert self.changed.wait_for(lambda: words in self.getvalue(), WAIT)
        return self.getvalue()


def test_login_account_and_instruments(server, arguments, monkeypatch, capsys, tmp_path):
    server.on("POST /session/token", session(login_time=f"{WallClock().now():%Y-%m-%d %H:%M:%S}"))
    screen, codes = Screen(), []
    monkeypatch.setattr("sys.stdout", screen)
    thread = threading.Thread(target=lambda: codes.append(main(["login", *arguments])))
    thread.start()
    text = screen.wait_for("Waiting for it")
    asked = parse_qs(urlsplit(next(line for line in text.split() if "connect/login" in line)).query)
    back = next(word for word in text.split() if word.startswith("http://127.0.0.1") and word.endswith("/"))
    visit(f"{back}?request_token={REQUEST_TOKEN}&status=success&{asked['redirect_params'][0]}")
    thread.join(WAIT)
    assert codes == [0]
    text = screen.getvalue()
    assert "Logged in at Kite as AB1234 until" in text
    assert not any(secret in text for secret in (ACCESS_TOKEN, REQUEST_TOKEN, "app-secret"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KITE_API_KEY", "key")
    monkeypatch.delenv("KITE_ACCESS_TOKEN", raising=False)

    server.on("GET /user/profile", data({"user_id": "AB1234", "user_name": "A B", "exchanges": ["NFO"]}))
    server.on("GET /user/margins", data({"equity": {"net": 99725.05, "utilised": {"debits": 1.5}}}))
    row = {"tradingsymbol": "NIFTY26NOVFUT", "product": "MIS", "quantity": 65, "average_price": 24_600.5}
    server.on("GET /portfolio/positions", data({"net": [row, {**row, "quantity": 0}], "day": []}))
    server.on("GET /orders", data([{"order_id": "1", "status": "COMPLETE", "quantity": 65, "tag": None}]))
    assert main(["account", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "AB1234 A B, exchanges NFO" in shown
    assert "rupees available 99,725.05, used 1.50" in shown
    assert "Positions: 1" in shown
    assert "24,600.50" in shown
    assert "COMPLETE" in shown
    assert server.of("GET /orders")[0].headers["Authorization"] == f"token key:{ACCESS_TOKEN}"

    dump = (
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
        "instrument_type,segment,exchange\n"
        "14000002,54687,NIFTY26NOVFUT,NIFTY,0,2026-11-24,0,0.1,65,FUT,NFO-FUT,NFO\n"
        "14000258,54688,NIFTY26DECFUT,NIFTY,0,2026-12-29,0,0.1,65,FUT,NFO-FUT,NFO\n"
    )
    server.on("GET /instruments/NFO", Answer(dump.encode(), 200, (("Content-Type", "text/csv"),)))
    assert main(["instruments", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Futures of NIFTY; NIFTY26NOVFUT is the nearest"
    assert [line.split() for line in lines[2:]] == [
        ["NIFTY26NOVFUT", "14000002", "2026-11-24", "65", "0.1"],
        ["NIFTY26DECFUT", "14000258", "2026-12-29", "65", "0.1"],
    ]


def test_login_by_pasting(server, arguments, monkeypatch, capsys):
    server.on("POST /session/token", session())
    monkeypatch.setattr("brokers.login_callback.random_secrets.token_urlsafe", lambda _: "state-1")
    monkeypatch.setattr(
        "sys.stdin", io.StringIO(f"http://127.0.0.1/?request_token={REQUEST_TOKEN}&state=state-1\n")
    )
    assert main(["login", "--paste", *arguments]) == 0
    assert "Logged in at Kite as AB1234" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("missing", "words"),
    [("KITE_API_KEY", "KITE_API_KEY is not set"), ("KITE_API_SECRET", "KITE_API_SECRET")],
)
def test_a_login_without_a_key(arguments, monkeypatch, capsys, missing, words):
    monkeypatch.delenv(missing)
    assert main(["login", *arguments]) == 4
    assert words in capsys.readouterr().err


def test_a_command_without_a_login(arguments, capsys):
    assert main(["account", *arguments]) == 4
    assert "python -m brokers login" in capsys.readouterr().err


def test_a_dead_login_is_told_without_the_token(server, arguments, monkeypatch, capsys):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", ACCESS_TOKEN)
    server.on("GET /user/profile", error(403, "TokenException", f"bad {ACCESS_TOKEN}"))
    assert main(["account", *arguments]) == 4
    told = capsys.readouterr().err
    assert told.startswith("error: Kite no longer accepts our access token")
    assert ACCESS_TOKEN not in told


def test_wrong_settings(capsys):
    assert main(["account", "--set", "broker.kite.product=CNC"]) == 2
    assert "'MIS' or 'NRML'" in capsys.readouterr().err
