"""A new login is found, whatever came first: the end of the old session, or the new token in its file."""

from __future__ import annotations

import threading

import pytest

from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.token_store import StoredToken
from feeds.clock import WallClock
from feeds.secrets import Secrets
from strategies.token_watch import TokenWatch
from tests.brokers.kite.tokens import save_token, token_end

WAIT = 30.0
LOOK = 0.02


class Told:
    """A log that keeps its events."""

    def __init__(self):
        self.events = []

    def info(self, event, /, **fields):
        self.events.append(event)

    debug = warning = error = info


class Session:
    """Stands for the connection: what is in use, and whether it is accepted."""

    def __init__(self, token):
        self.token = token
        self.refused = set()
        self.changed = threading.Condition()
        self.watch = None

    def renew(self, token):
        with self.changed:
            self.token = token
            self.changed.notify_all()
        if token in self.refused:
            self.watch.begin("refused again")

    def wait_for(self, token):
        with self.changed:
            return self.changed.wait_for(lambda: self.token == token, WAIT)


def store(path, token, api_key="key"):
    now = WallClock().now()
    save_token(path, StoredToken(api_key, token, "AB1234", now, token_end(now)))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "token.json"


@pytest.fixture
def watching(file):
    watches = []

    def make(token):
        session, log = Session(token), Told()
        secrets = Secrets({"KITE_API_KEY": "key", "KITE_ACCESS_TOKEN": token})
        session.watch = TokenWatch(
            token_store(KiteSettings(token_file=str(file))),
            secrets,
            lambda: session.token,
            session.renew,
            log,
            LOOK,
        )
        watches.append(session.watch)
        return session, session.watch, log, secrets

    yield make
    for watch in watches:
        watch.end()


def test_a_token_stored_after_the_death_is_found(file, watching):
    store(file, "morning")
    session, watch, log, secrets = watching("morning")
    watch.begin("403")
    watch.begin("403 again, from another thread")
    assert log.events == ["login_needed"]
    store(file, "tokenOfNoon")
    assert session.wait_for("tokenOfNoon")
    assert log.events == ["login_needed", "login_found"]
    assert "tokenOfNoon" not in secrets.mask("the token is tokenOfNoon")


def test_a_login_elsewhere_that_ended_the_session_is_found_although_it_was_stored_before(file, watching):
    session, watch, _, _ = watching("morning")
    store(file, "tokenOfNoon")
    watch.begin("403")
    assert session.wait_for("tokenOfNoon")


def test_a_found_token_that_is_refused_at_once_is_not_the_last_one_looked_for(file, watching):
    session, watch, log, _ = watching("morning")
    session.refused.add("stale")
    store(file, "stale")
    watch.begin("403")
    assert session.wait_for("stale")
    store(file, "tokenOfNoon")
    assert session.wait_for("tokenOfNoon")
    assert log.events == ["login_needed", "login_found"] * 2


def test_the_dead_token_and_one_of_another_app_are_not_taken(file, watching):
    session, watch, log, _ = watching("morning")
    store(file, "morning")
    watch.begin("403")
    store(file, "foreign", api_key="another")
    store(file, "morning")
    watch.end()
    assert session.token == "morning"
    assert log.events == ["login_needed"]


def test_after_the_end_nothing_begins(file, watching):
    _, watch, log, _ = watching("morning")
    watch.end()
    watch.begin("403")
    assert log.events == []
