"""Who may look, who may order, and what every answer carries."""

from __future__ import annotations

import re

import pytest
from jinja2 import DictLoader

from analyzers.status.auth import SESSION_SECONDS, Auth
from analyzers.status.settings import StatusSettings
from feeds.secrets import Secrets
from tests.analyzers.status.examples import (
    EVERYWHERE,
    TOKEN,
    Counter,
    Sent,
    app_of,
    board_of,
    log,
    log_in,
    now_of,
    record,
)

READ = ("/api/status", "/metrics")
BEARER = {"Authorization": f"Bearer {TOKEN}"}
BEYOND = StatusSettings(host=EVERYWHERE)
LOOPBACK = {"Host": "localhost:8000"}


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def clock():
    return Counter()


@pytest.fixture
def client(state, sent, clock):
    return app_of(board_of(state, now_of()), send=sent, monotonic=clock).test_client()


def client_of(state, settings, **options):
    return app_of(board_of(state, now_of()), settings=settings, **options).test_client()


# -- reading -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READ)
def test_on_this_machine_anybody_may_look(client, path):
    assert client.get(path, headers=LOOPBACK).status_code == 200
    assert client.get(path, headers={"Host": "[::1]:8000"}).status_code == 200


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        (BEYOND, LOOPBACK),
        (StatusSettings(public_url="https://trading.example"), LOOPBACK),
        (StatusSettings(public_url="https://trading.example"), {"Host": "trading.example"}),
        (StatusSettings(host_names=["box"]), {"Host": "box:8000"}),
        (StatusSettings(), {**LOOPBACK, "X-Forwarded-For": "10.0.0.1"}),
        (StatusSettings(host_names=["box"]), LOOPBACK),
        *(
            (StatusSettings(), {**LOOPBACK, name: "x"})
            for name in (
                "Forwarded",
                "Via",
                "X-Forwarded-Proto",
                "X-Forwarded-Server",
                "X-Forwarded-Host",
                "X-Real-IP",
                "CF-Connecting-IP",
            )
        ),
    ],
    ids=str,
)
def test_from_elsewhere_looking_needs_the_token(state, path, settings, headers):
    client = client_of(state, settings)
    answer = client.get(path, headers=headers)
    assert answer.status_code == 401
    assert "token" in answer.text
    assert client.get(path, headers=headers | BEARER).status_code == 200
    assert client.get(path, headers=headers | {"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get(path, headers=headers | {"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert client.get(f"{path}?token={TOKEN}", headers=headers).status_code == 401


def test_a_session_opens_the_reading_too(state):
    client = client_of(state, BEYOND)
    log_in(client)
    assert client.get("/api/status").status_code == 200


def test_health_and_whether_one_is_logged_in_are_open(state):
    client = client_of(state, BEYOND)
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/api/session").get_json() == {"logged_in": False, "csrf": "", "controls": False}


def test_a_public_name_of_this_machine_changes_nothing(state):
    client = client_of(state, StatusSettings(public_url="http://localhost:8000"))
    assert client.get("/api/status", headers=LOOPBACK).status_code == 200


# -- hosts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", "/api/status", "/healthz", "/static/page.js", "/nowhere", "/kite/callback"]
)
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:8000", "127.0.0.1@evil", ""]
)
def test_another_name_is_refused_everywhere(client, path, host):
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert "status.host_names" in answer.text


@pytest.mark.parametrize(
    "host", ["trading.example", "TRADING.example:443", "box", "localhost", "192.168.1.5:8000"]
)
def test_the_names_given_are_taken(state, host):
    settings = StatusSettings(host="192.168.1.5", public_url="https://trading.example", host_names=["Box"])
    assert client_of(state, settings).get("/healthz", headers={"Host": host}).status_code == 200


# -- sessions ----------------------------------------------------------------------------------------------


def test_the_cookie_is_for_this_site_and_no_script(client):
    answer = client.post("/session", json={"token": TOKEN})
    (cookie,) = answer.headers.getlist("Set-Cookie")
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert parts >= {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"}
    assert "Secure" not in parts
    assert TOKEN not in cookie
    body = answer.get_json()
    assert body == {"logged_in": True, "csrf": body["csrf"], "controls": True}
    assert client.get("/api/session").get_json() == body


def test_by_https_the_cookie_stays_on_https(state):
    client = client_of(state, StatusSettings(public_url="https://trading.example"))
    answer = client.post(
        "/session", json={"token": TOKEN}, headers={"Origin": "https://trading.example", **LOOPBACK}
    )
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("body", [{}, {"token": "wrong"}, {"token": None}, {"token": [TOKEN]}, {"token": ""}])
def test_a_wrong_token_opens_nothing(client, body):
    answer = client.post("/session", json=body)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert client.get("/api/session").get_json()["logged_in"] is False


def test_five_wrong_tokens_make_wrong_ones_wait(client, clock):
    for _ in range(5):
        assert client.post("/session", json={"token": "wrong"}).status_code == 401
    answer = client.post("/session", json={"token": "wrong"})
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "31"
    wrong = {"Authorization": "Bearer wrong"}
    assert client.post("/api/control/pause", json={}, headers=wrong).status_code == 429
    assert client.get("/api/status").status_code == 200  # looking needs none here
    clock.seconds += 30.0
    assert client.post("/session", json={"token": "wrong"}).status_code == 401


def test_wrong_bearers_count_as_guesses_and_a_session_goes_on(client, sent):
    csrf = log_in(client)
    for _ in range(5):
        client.post("/api/control/pause", json={}, headers={"Authorization": "Bearer wrong"})
    assert client.post("/session", json={"token": "wrong"}).status_code == 429
    assert client.post("/api/control/pause", json={}, headers={"X-CSRF-Token": csrf}).status_code == 200
    assert client.post("/api/control/flatten", json={}, headers=BEARER).status_code == 200
    assert len(sent.commands) == 2


def test_a_session_ends_when_asked_and_by_itself(client, clock):
    csrf = log_in(client)
    answer = client.post("/session/end", json={})
    assert answer.get_json()["logged_in"] is False
    assert client.post("/api/control/pause", json={}, headers={"X-CSRF-Token": csrf}).status_code == 401
    csrf = log_in(client)
    clock.seconds += SESSION_SECONDS
    assert client.post("/api/control/pause", json={}, headers={"X-CSRF-Token": csrf}).status_code == 401


def test_the_end_really_ends_it_and_not_only_the_cookie(client):
    log_in(client)
    name = Auth(TOKEN).cookie
    cookie = client.get_cookie(name).value
    client.post("/session/end", json={})
    client.set_cookie(name, cookie)
    assert client.get("/api/session").get_json()["logged_in"] is False


def test_two_pages_on_a_host_have_a_cookie_each():
    one, two = Auth(TOKEN).cookie, Auth(f"{TOKEN}2").cookie
    assert one != two
    assert one == Auth(TOKEN).cookie
    assert re.fullmatch(r"muhurat_session_[0-9a-f]{8}", one)


# -- controls ----------------------------------------------------------------------------------------------

FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://localhost.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("path", ["/api/control/pause", "/session", "/session/end"])
def test_another_site_is_refused_whatever_it_knows(client, sent, headers, path):
    csrf = log_in(client)
    known = {"X-CSRF-Token": csrf, **BEARER, **headers}
    answer = client.post(path, json={"token": TOKEN}, headers=known)
    assert answer.status_code == 403
    assert sent.commands == []
    assert client.get("/api/session").get_json()["logged_in"] is True


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:80"}],
    ids=str,
)
def test_the_page_itself_may_order(client, sent, headers):
    csrf = log_in(client)
    answer = client.post(
        "/api/control/pause", json={"reason": "lunch"}, headers={"X-CSRF-Token": csrf, **headers}
    )
    assert (answer.status_code, answer.get_json()) == (200, {"outcome": "done", "words": "paused"})
    assert sent.commands == [("pause", "page", "lunch", {})]


def test_behind_a_proxy_the_public_name_is_the_pages_own(state, sent):
    client = client_of(state, StatusSettings(public_url="https://trading.example"), send=sent)
    headers = {**LOOPBACK, **BEARER, "Origin": "https://trading.example"}
    assert client.post("/api/control/pause", json={}, headers=headers).status_code == 200
    headers["Origin"] = "http://trading.example"
    assert client.post("/api/control/pause", json={}, headers=headers).status_code == 403


@pytest.mark.parametrize("csrf", [None, "", "wrong", "é"])
def test_a_cookie_alone_orders_nothing(client, sent, csrf):
    log_in(client)
    headers = {} if csrf is None else {"X-CSRF-Token": csrf.encode().decode("latin-1")}
    answer = client.post("/api/control/flatten", json={}, headers=headers)
    assert answer.status_code == 403
    assert "X-CSRF-Token" in answer.text
    assert sent.commands == []


def test_the_csrf_token_of_another_session_orders_nothing(client, sent):
    other = log_in(client.application.test_client())
    log_in(client)
    assert client.post("/api/control/flatten", json={}, headers={"X-CSRF-Token": other}).status_code == 403
    assert sent.commands == []


@pytest.mark.parametrize("command", ["pause", "resume", "flatten", "kill", "lift"])
def test_every_control_needs_a_credential(client, sent, command):
    body = {"word": "LIFT"}
    assert client.post(f"/api/control/{command}", json=body).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert client.post(f"/api/control/{command}", json=body, headers=wrong).status_code == 401
    assert client.get(f"/api/control/{command}", headers=BEARER).status_code == 405
    assert sent.commands == []
    assert client.post(f"/api/control/{command}", json=body, headers=BEARER).status_code == 200
    assert [each[0] for each in sent.commands] == [command]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx", ""],
)
@pytest.mark.parametrize("path", ["/api/control/pause", "/session", "/session/end"])
def test_what_a_form_can_send_is_refused(client, sent, path, kind):
    answer = client.post(path, data='{"token": "x"}', content_type=kind or None, headers=BEARER)
    assert answer.status_code == 415
    assert sent.commands == []


def test_a_long_body_is_refused(client, sent):
    body = '{"reason": "%s"}'
    exact = body % ("x" * (4096 - len(body) + 2))
    assert len(exact) == 4096
    post = {"content_type": "application/json", "headers": BEARER}
    assert client.post("/api/control/pause", data=exact, **post).status_code == 200
    assert client.post("/api/control/pause", data=f"{exact} ", **post).status_code == 413
    assert len(sent.commands) == 1
    assert len(sent.commands[0][2]) == 200


# -- what every answer carries -----------------------------------------------------------------------------

PATHS = (
    "/", "/api/status", "/api/session", "/healthz", "/metrics", "/static/none.js", "/none", "/kite/login",
    "/kite/callback?state=x", "/api/control/pause", "/api/none",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "PUT"])
def test_every_answer_is_locked_down(client, path, method):
    answer = client.open(path, method=method)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data:",
        "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache" if "static" in path else "no-store")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.status_code < 500


def test_the_page_knows_its_version_and_escapes(client):
    client.application.jinja_loader = DictLoader({"page.html.jinja": "{{ title }}|{{ version }}|{{ '<b>' }}"})
    answer = client.get("/")
    assert re.fullmatch(r"Muhurat\|\d+\.\d+\.\d+\S*\|&lt;b&gt;", answer.text)
    assert answer.mimetype == "text/html"


def test_the_real_page_has_nothing_inline_and_brings_its_files(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", answer.text)
    files = re.findall(r'(?:src|href)="/?(static/[^"]+)"', answer.text)
    assert any(".js" in file for file in files)
    assert any(".css" in file for file in files)
    for file in files:
        with client.get(f"/{file}") as found:
            assert (found.status_code, found.headers["Cache-Control"]) == (200, "no-cache")
            tag = found.headers["ETag"]
        with client.get(f"/{file}", headers={"If-None-Match": tag}) as again:
            assert again.status_code == 304


def test_errors_are_one_line_and_json_for_the_api(client):
    assert list(client.get("/api/none").get_json()) == ["error"]
    assert client.get("/none").mimetype == "text/plain"
    for path in ("/static/../now.json", "/static/%2e%2e/board.py", "/static//etc/passwd"):
        assert client.get(path).status_code == 404
    assert client.get("/<script>alert(1)</script>").text.count("<script>") == 0


# -- secrets -----------------------------------------------------------------------------------------------

SECRETS = {
    "KITE_API_SECRET": "kite-secret-1", "KITE_ACCESS_TOKEN": "access-secret-2", "SMTP_URL": "smtp://u:p3@h:25",
    "TELEGRAM_BOT_TOKEN": "12345:telegram-secret", "STATUS_TOKEN": TOKEN,
}  # fmt: skip


def test_no_secret_is_ever_answered(state, clock):
    everywhere = " ".join(SECRETS.values())
    secrets = Secrets(SECRETS)
    log(
        state / "watch.log",
        record("stream_down", reason=everywhere),
        record("odd", level="error", error=everywhere),
        record(
            "control",
            level="warning",
            id="1",
            command=everywhere,
            by="page",
            outcome="done",
            words=everywhere,
        ),
    )
    base = now_of()
    now = now_of(
        why=everywhere, paused=everywhere, kill_switch=everywhere, state="halted", strategy=everywhere,
        rules=[base.rules[0].model_copy(update={"name": everywhere, "blocks": everywhere})],
        broker=base.broker.model_copy(update={"obstacle": everywhere, "session": "dead"}),
        preflight=[base.preflight[0].model_copy(update={"words": everywhere, "outcome": "no_go"})],
        drift=base.drift.model_copy(update={"psi": {everywhere: 0.3}, "words": everywhere}),
    )  # fmt: skip
    channel = {"name": everywhere, "failed": 1, "last_error": everywhere}
    board = board_of(state, now, mask=secrets.mask, alert_counters=lambda: [channel])
    sent = Sent()
    sent.outcome = sent.outcome._replace(words=everywhere)
    client = app_of(board, send=sent, secrets=secrets, monotonic=clock).test_client()
    answers = []
    for headers in ({}, BEARER, {"Authorization": "Bearer wrong"}):
        answers += [
            client.open(path, method=method, headers=headers) for path in PATHS for method in ("GET", "POST")
        ]
    csrf = log_in(client)
    answers += [client.get(path) for path in PATHS]
    answers.append(client.post("/api/control/pause", json={}, headers={"X-CSRF-Token": csrf}))
    location = client.get("/kite/login").headers["Location"]
    answers.append(client.get(f"/kite/callback?state={state_in(location)}&request_token=requestsecret9"))
    answers.append(client.get(f"/kite/callback?state=x&request_token={TOKEN}"))
    answers.append(client.post("/session", json={"token": TOKEN}))
    answers.append(client.get(f"/{TOKEN}"))
    for answer in answers:
        told = answer.text + str(answer.headers)
        for value in (*SECRETS.values(), "requestsecret9"):
            assert value not in told, answer.request.path
    assert sum("***" in answer.text for answer in answers) >= 5


def state_in(location):
    return re.search(r"state%3D([\w-]+)", location).group(1)
