"""The routes for the page and for machines."""

from __future__ import annotations

import gzip
import json

import pytest

from analyzers.status.controls import Outcome
from tests.analyzers.status.examples import TOKEN, Counter, Sent, app_of, board_of, csv_rows, log_in, now_of

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def clock():
    return Counter()


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def board(state, clock):
    return board_of(state, now_of(), monotonic=clock)


@pytest.fixture
def client(board):
    return app_of(board, send=Sent()).test_client()


def test_the_state_is_the_boards_own_bytes(client, board):
    answer = client.get("/api/status")
    assert answer.data == board.view.body
    assert answer.mimetype == "application/json"
    assert json.loads(answer.data)["now"]["mode"] == "live"
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("accepted", ["gzip", "br, gzip;q=0.5", "gzip, deflate, br, zstd"])
def test_the_state_comes_compressed_to_who_takes_it(client, board, accepted):
    answer = client.get("/api/status", headers={"Accept-Encoding": accepted})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == board.view.body


def test_and_not_to_who_does_not(client, board):
    answer = client.get("/api/status", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "Content-Encoding" not in answer.headers
    assert answer.data == board.view.body


def test_an_unchanged_state_is_not_sent_again(client, board, state):
    tag = client.get("/api/status").headers["ETag"]
    again = client.get("/api/status", headers={"If-None-Match": tag, "Accept-Encoding": "gzip"})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    csv_rows(state / "days.csv", "day,mode", "2026-09-23,live")
    board.poll()
    changed = client.get("/api/status", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(("seconds", "status"), [(15.0, 200), (15.1, 503)])
def test_a_board_that_hangs_does_not_pass_for_a_quiet_day(client, clock, seconds, status):
    clock.seconds += seconds
    answer = client.get("/api/status")
    assert answer.status_code == status
    health = client.get("/healthz")
    assert health.status_code == status
    assert f"muhurat_up {float(status == 200)}\n" in client.get("/metrics").text
    if status == 503:
        assert health.text == "the page's own reading of the files hangs\n"
        assert "hangs for 15 s" in answer.get_json()["error"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ok"),
        ({"phase": "over", "why": "SIGTERM"}, "the trading process has ended"),
        ({"pulse_age_seconds": 61.0}, "the trading process hangs"),
        ({"state": "halted", "why": "daily loss"}, "ok"),
    ],
)
def test_health_is_one_line(state, changes, words):
    answer = app_of(board_of(state, now_of(**changes))).test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (200 if words == "ok" else 503, f"{words}\n")


def test_health_names_no_folder(state):
    answer = app_of(board_of(state)).test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (503, "the trading process has said nothing yet\n")


def test_health_of_a_silent_process(client, board, clock):
    clock.seconds += 15.1
    board.poll()
    assert client.get("/healthz").text == "the trading process is silent\n"


def test_the_metrics_come_with_their_type(client):
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "muhurat_up 1.0" in answer.text
    client.get("/none")
    text = client.get("/metrics").text
    assert 'muhurat_http_requests_total{route="/metrics",status="200"} 1.0' in text
    assert 'muhurat_http_requests_total{route="unmatched",status="404"} 1.0' in text


@pytest.mark.parametrize("version", ["abc", "1.0.0.0.x", "1", "", "-1", "9e9"])
@pytest.mark.parametrize("kind", ["application/openmetrics-text", "text/plain"])
def test_an_odd_version_gets_metrics_all_the_same(client, kind, version):
    answer = client.get("/metrics", headers={"Accept": f"{kind}; version={version}"})
    assert answer.status_code == 200
    assert "muhurat_up 1.0" in answer.text


# -- controls ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome("done", "closing +130"), 200), (Outcome("refused", "no"), 409), (Outcome("unknown", "?"), 202)],
)
def test_the_answer_is_what_came_of_it(board, outcome, status):
    sent = Sent(outcome)
    client = app_of(board, send=sent).test_client()
    answer = client.post("/api/control/flatten", json={"reason": " a\nb "}, headers=BEARER)
    assert answer.status_code == status
    assert answer.get_json() == outcome._asdict()
    assert sent.commands == [("flatten", "page", "a b", {})]


@pytest.mark.parametrize(
    ("command", "body", "status", "words"),
    [
        ("nonsense", "{}", 404, "expected one of pause, resume"),
        ("login", "{}", 404, "expected one of"),
        ("pause", "[]", 400, "no object"),
        ("pause", "{", 400, ""),
        ("pause", "[" * 4000, 400, "nested too deeply"),
        ("pause", '"x"', 400, "no object"),
        ("pause", '{"reason": 3}', 400, "no text"),
        ("lift", "{}", 400, "expected the word LIFT"),
        ("lift", '{"word": "lift"}', 400, "expected the word LIFT"),
        ("lift", '{"word": ["LIFT"]}', 400, "expected the word LIFT"),
        ("lift", '{"word": "LIFT "}', 400, "expected the word LIFT"),
    ],
)
def test_an_order_that_is_none_is_not_sent(board, command, body, status, words):
    sent = Sent()
    client = app_of(board, send=sent).test_client()
    answer = client.post(
        f"/api/control/{command}", data=body, content_type="application/json", headers=BEARER
    )
    assert answer.status_code == status
    assert words in answer.get_json()["error"]
    assert sent.commands == []


def test_an_empty_body_is_an_order_without_words(board):
    sent = Sent()
    client = app_of(board, send=sent).test_client()
    answer = client.post("/api/control/pause", content_type="application/json", headers=BEARER)
    assert answer.status_code == 200
    assert sent.commands == [("pause", "page", "", {})]


def test_a_reason_is_handed_on_fit_to_be_shown(board):
    sent = Sent()
    client = app_of(board, send=sent).test_client()
    body = '{"reason": "doctor \\ud83d \\u202ex"}'
    client.post("/api/control/pause", data=body, content_type="application/json", headers=BEARER)
    assert sent.commands == [("pause", "page", "doctor \ufffd \ufffdx", {})]


def test_lifting_hands_the_word_on(board):
    sent = Sent()
    app_of(board, send=sent).test_client().post("/api/control/lift", json={"word": "LIFT"}, headers=BEARER)
    assert sent.commands == [("lift", "page", "", {"word": "LIFT"})]


def test_a_page_that_only_shows_has_no_controls(state):
    client = app_of(board_of(state, now_of(), read_only="a folder is only shown")).test_client()
    csrf = log_in(client)
    assert client.get("/api/session").get_json() == {"logged_in": True, "csrf": csrf, "controls": False}
    answer = client.post("/api/control/pause", json={}, headers={"X-CSRF-Token": csrf})
    assert (answer.status_code, answer.get_json()) == (403, {"error": "a folder is only shown"})
    assert client.get("/kite/login").status_code == 403
