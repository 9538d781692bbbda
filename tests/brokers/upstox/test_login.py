"""The login at Upstox: its address, its answer, the token, and where that is kept."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from brokers.__main__ import main
from brokers.choice import chosen_broker
from brokers.sandbox.server import SandboxServer
from brokers.settings import BrokerSettings
from brokers.upstox.login import code_in, exchange, login_address
from brokers.upstox.session import find_session, token_store
from brokers.upstox.settings import UpstoxSettings
from brokers.upstox.store import UpstoxStore
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError, SettingsError
from feeds.log import NullLog
from feeds.secrets import Secrets
from tests.brokers.kite.servers import LOST, Answer, HttpServer
from tests.brokers.kite.test_login import Screen
from tests.brokers.sandbox_server.support import config_of

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=IST)
TOKEN = "POST /v2/login/authorization/token"


@pytest.fixture
def server():
    with HttpServer() as running:
        yield running


def finish(server):
    return exchange(
        UpstoxSettings(api_root=server.root, order_root=server.root), api_key="key", api_secret="hidden-1",
        code="code-7", redirect="http://127.0.0.1:8911/", clock=ReplayClock(NOW),
    )  # fmt: skip


def test_the_address_of_the_login_page():
    address = urlsplit(login_address(UpstoxSettings(), "key", "state-1", "http://127.0.0.1:8911/"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == UpstoxSettings().login_page
    assert parse_qs(address.query) == {
        "response_type": ["code"], "client_id": ["key"], "redirect_uri": ["http://127.0.0.1:8911/"],
        "state": ["state-1"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("code=abc&state=other", "does not belong to this login"),
        ("code=abc", "does not belong to this login"),
        ("state=state-1", "holds no code"),
        ("state=state-1&error=access_denied", "access_denied"),
    ],
)
def test_an_answer_that_is_none(query, words):
    with pytest.raises(BrokerError, match=words) as caught:
        code_in(f"http://127.0.0.1:8911/?{query}", "state-1")
    assert "abc" not in str(caught.value)


def test_a_code_is_exchanged_for_a_token_that_ends_at_half_past_three(server):
    server.on(TOKEN, Answer(json.dumps({"access_token": "token-9", "user_id": "AB1234"}).encode()))
    token = finish(server)
    assert (token.access_token, token.user_id) == ("token-9", "AB1234")
    assert token.ends == dt.datetime(2026, 11, 24, 3, 30, tzinfo=IST)
    (sent,) = server.requests
    assert sent.body == {
        "code": "code-7", "client_id": "key", "client_secret": "hidden-1", "grant_type": "authorization_code",
        "redirect_uri": "http://127.0.0.1:8911/",
    }  # fmt: skip
    assert "Authorization" not in sent.headers


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        Answer(
            b'{"status":"error","errors":[{"errorCode":"UDAPI100057","message":"Invalid Auth code"}]}', 401
        ),
        Answer(b'{"token-in-another-place": "hidden-2"}'),
        Answer(b"[1"),
    ],
)
def test_a_login_that_fails_shows_neither_secret_nor_token(server, answer):
    server.on(TOKEN, answer)
    with pytest.raises(BrokerError) as caught:
        finish(server)
    assert "hidden" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("login", "end"),
    [("2026-11-23T03:29:59", "2026-11-23T03:30:00"), ("2026-11-23T03:30:00", "2026-11-24T03:30:00")],
)
def test_a_token_ends_at_the_next_half_past_three(login, end):
    store = token_store(UpstoxSettings())
    found = store.end_of(dt.datetime.fromisoformat(f"{login}+05:30"))
    assert found == dt.datetime.fromisoformat(f"{end}+05:30")


def test_the_session_of_the_environment_goes_before_that_of_the_file(tmp_path):
    settings = UpstoxSettings(token_file=str(tmp_path / "none.json"))
    given = Secrets({"UPSTOX_API_KEY": "key", "UPSTOX_ACCESS_TOKEN": "token"})
    assert find_session(settings, given, ReplayClock(NOW)).origin == "UPSTOX_ACCESS_TOKEN"
    with pytest.raises(BrokerError, match="UPSTOX_API_KEY is not set"):
        find_session(settings, Secrets(), ReplayClock(NOW))
    with pytest.raises(BrokerError, match="found no access token"):
        find_session(settings, Secrets({"UPSTOX_API_KEY": "key"}), ReplayClock(NOW))


def book_at(addresses, access_token) -> None:
    """Read the book by a contract's symbol alone, as ``reconcile`` does."""
    store = UpstoxStore(UpstoxSettings(**(addresses | {"token_file": "none"})), access_token, NullLog())
    try:
        contract = store.find_contract("NIFTY", None)
        assert store.wire_of(contract.symbol).orders() == []
        with pytest.raises(BrokerError, match="found no future NIFTY26NOVFUT"):
            store.wire_of("NIFTY26NOVFUT")
    finally:
        store.close()


def test_login_account_and_instruments_at_the_sandbox(tmp_path, monkeypatch, capsys):
    with SandboxServer(config_of(access_token=None)) as sandbox:
        monkeypatch.setenv("UPSTOX_API_KEY", sandbox.api_key)
        monkeypatch.setenv("UPSTOX_API_SECRET", sandbox.api_secret)
        monkeypatch.delenv("UPSTOX_ACCESS_TOKEN", raising=False)
        given = {
            "api_root": sandbox.api_root, "order_root": sandbox.api_root, "callback_port": 0,
            "instruments_url": sandbox.instruments_url, "token_file": tmp_path / "token.json",
            "login_page": f"{sandbox.api_root}/v2/login/authorization/dialog",
        }  # fmt: skip
        arguments = ["--broker", "upstox"]
        for name, value in given.items():
            arguments += ["--set", f"broker.upstox.{name}={value}"]
        screen = Screen()
        monkeypatch.setattr("sys.stdout", screen)
        codes: list[int] = []
        thread = threading.Thread(target=lambda: codes.append(main(["login", *arguments])))
        thread.start()
        text = screen.wait_for("Waiting for it")
        page = next(line.strip() for line in text.splitlines() if "authorization/dialog" in line)
        with urlopen(page, timeout=10) as answer:  # noqa: S310 # of this machine
            assert answer.status == 200
        thread.join(10)
        assert codes == [0]
        assert "Logged in at Upstox as SB0001 until" in screen.getvalue()
        monkeypatch.setattr("sys.stdout", sys.__stdout__)
        assert main(["account", *arguments]) == 0
        assert main(["instruments", *arguments]) == 0
        book_at(given, sandbox.access_token)


@pytest.mark.parametrize("missing", ["upstox_client", "upstox_client.rest", "google.protobuf.message"])
def test_a_missing_package_names_the_extra(monkeypatch, missing):
    for name in [one for one in sys.modules if one.startswith("brokers.upstox")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SettingsError, match=r"muhurat\[live,upstox\]"):
        chosen_broker(BrokerSettings(name="upstox"))
