"""The login by the status page: out with a state, back with it once."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from analyzers.status.controls import Outcome
from analyzers.status.kite_login import LoginStates
from feeds.secrets import Secrets
from tests.analyzers.status.examples import Counter, Sent, app_of, board_of, log_in, now_of

WRONG = "this is not a login that was asked for"


@pytest.fixture
def clock():
    return Counter()


@pytest.fixture
def sent():
    return Sent(Outcome("done", "logged in as AB1234"))


@pytest.fixture
def secrets():
    return Secrets()


@pytest.fixture
def client(tmp_path, sent, clock, secrets):
    board = board_of(tmp_path, now_of())
    return app_of(board, send=sent, monotonic=clock, secrets=secrets).test_client()


def begin(client):
    """Log in and go out; return the state that Kite hands back."""
    log_in(client)
    answer = client.get("/kite/login")
    assert answer.status_code == 302
    address = urlsplit(answer.headers["Location"])
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://kite.zerodha.com/connect/login"
    fields = parse_qs(address.query)
    assert fields["api_key"] == ["apikey"]
    return parse_qs(fields["redirect_params"][0])["state"][0]


def back(client, **fields):
    """Come back as from another site: without the cookie."""
    return client.application.test_client().get(
        "/kite/callback", query_string=fields, headers={"Sec-Fetch-Site": "cross-site"}
    )


def test_a_login_from_end_to_end(client, sent, secrets):
    state = begin(client)
    answer = back(client, action="login", status="success", request_token="abcDEF123456", state=state)
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert "<p>logged in as AB1234</p>" in answer.text
    assert sent.commands == [("login", "page", "", {"request_token": "abcDEF123456"})]
    assert secrets.mask("token abcDEF123456!") == "token ***!"


def test_a_state_comes_back_once(client, sent):
    state = begin(client)
    assert back(client, request_token="abc", state=state).status_code == 200
    answer = back(client, request_token="abc", state=state)
    assert answer.status_code == 400
    assert WRONG in answer.text
    assert len(sent.commands) == 1


@pytest.mark.parametrize(("seconds", "status"), [(599.0, 200), (600.0, 400), (601.0, 400)])
def test_a_login_takes_ten_minutes_at_most(client, clock, sent, seconds, status):
    state = begin(client)
    clock.seconds += seconds
    assert back(client, request_token="abc", state=state).status_code == status
    assert len(sent.commands) == (status == 200)


@pytest.mark.parametrize(
    "fields",
    [{}, {"state": ""}, {"state": "other"}, {"request_token": "abc"}, {"state": "\0"}, {"state": "é"}],
)
def test_a_state_that_is_none_of_ours(client, sent, fields):
    begin(client)
    answer = back(client, **fields)
    assert answer.status_code == 400
    assert WRONG in answer.text
    assert sent.commands == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "no request_token"),
        ({"request_token": ""}, "no request_token"),
        ({"request_token": "a b"}, "no request_token"),
        ({"request_token": "é"}, "no request_token"),
        ({"request_token": '","command":"kill'}, "no request_token"),
        ({"request_token": "x" * 129}, "no request_token"),
        ({"request_token": "abc", "status": "cancelled"}, "ended with status"),
    ],
)
def test_a_malformed_callback_is_refused_and_spends_the_state(client, sent, fields, words):
    state = begin(client)
    answer = back(client, state=state, **fields)
    assert answer.status_code == 400
    assert words in answer.text
    assert back(client, request_token="abc", state=state).status_code == 400
    assert sent.commands == []


def test_going_out_needs_a_session(client):
    """A link in a mail brings no cookie: it leads to the page, which does."""
    for headers in ({}, {"Authorization": "Bearer token-of-the-page-7"}):
        answer = client.get("/kite/login", headers=headers)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"login_page": ""}, "nothing to log in to"),
        ({"api_key": ""}, "nothing to log in to"),
        ({"login_page": "javascript:alert(1)"}, "broker.kite.login_page"),
    ],
)
def test_where_there_is_nothing_to_log_in_to(tmp_path, changes, words):
    client = app_of(board_of(tmp_path, now_of(**changes)), send=Sent()).test_client()
    log_in(client)
    answer = client.get("/kite/login")
    assert answer.status_code == 503
    assert words in answer.text


@pytest.mark.parametrize(("outcome", "status"), [("refused", 409), ("unknown", 202)])
def test_what_came_of_it_is_told(tmp_path, outcome, status):
    client = app_of(board_of(tmp_path, now_of()), send=Sent(Outcome(outcome, "because"))).test_client()
    answer = back(client, state=begin(client), request_token="abc")
    assert answer.status_code == status
    assert "<p>because</p>" in answer.text


def test_of_too_many_logins_the_oldest_is_forgotten():
    states = LoginStates(Counter())
    begun = [states.begin() for _ in range(17)]
    assert len(set(begun)) == 17
    assert not states.finish(begun[0])
    assert all(states.finish(state) for state in begun[1:])
