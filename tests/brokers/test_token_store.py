from __future__ import annotations

import datetime as dt
import json
import os

import pytest

from brokers.kite.session import find_session
from brokers.kite.settings import KiteSettings
from brokers.token_store import StoredToken
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError
from feeds.secrets import Secrets
from tests.brokers.kite.tokens import load_token, save_token, token_end

SECRET = "tokentokentoken"
LOGIN = dt.datetime(2026, 11, 2, 8, 45, tzinfo=IST)
TOKEN = StoredToken("key", SECRET, "AB1234", LOGIN, dt.datetime(2026, 11, 3, 6, 0, tzinfo=IST))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "new" / "folder" / "token.json"


@pytest.mark.parametrize(
    ("login", "end"),
    [
        ("2026-11-02T08:45:00+05:30", "2026-11-03T06:00:00+05:30"),
        ("2026-11-02T05:59:59+05:30", "2026-11-02T06:00:00+05:30"),
        ("2026-11-02T06:00:00+05:30", "2026-11-03T06:00:00+05:30"),
        ("2026-11-02T00:15:00+00:00", "2026-11-02T06:00:00+05:30"),
        ("2026-12-31T23:00:00+05:30", "2027-01-01T06:00:00+05:30"),
    ],
)
def test_a_token_ends_at_the_next_six_oclock(login, end):
    assert token_end(dt.datetime.fromisoformat(login)) == dt.datetime.fromisoformat(end)


def test_what_is_saved_is_loaded_and_closed_to_others(file):
    save_token(file, TOKEN)
    save_token(file, TOKEN)
    assert load_token(file, api_key="key", now=LOGIN) == TOKEN
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert SECRET not in repr(TOKEN)


def test_a_token_that_has_ended(file):
    save_token(file, TOKEN)
    second = dt.timedelta(seconds=1)
    assert load_token(file, api_key="key", now=TOKEN.ends - second) == TOKEN
    with pytest.raises(BrokerError, match=r"ended on 2026-11-03 at 06:00.*python -m brokers login"):
        load_token(file, api_key="key", now=TOKEN.ends)


def test_a_token_that_is_not_there(file):
    with pytest.raises(BrokerError, match=r"found no access token at .*python -m brokers login"):
        load_token(file, api_key="key", now=LOGIN)


def test_a_token_of_another_app(file):
    save_token(file, TOKEN)
    with pytest.raises(BrokerError, match="belongs to another app"):
        load_token(file, api_key="other", now=LOGIN)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_refused(file, mode):
    save_token(file, TOKEN)
    file.chmod(mode)
    with pytest.raises(BrokerError, match=f"mode {mode:04o}"):
        load_token(file, api_key="key", now=LOGIN)


GOOD = {
    "api_key": "key", "access_token": SECRET, "user_id": "AB1234", "login_time": LOGIN.isoformat(),
    "ends": TOKEN.ends.isoformat(),
}  # fmt: skip


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "5", json.dumps({**GOOD, "access_token": ""}), json.dumps({**GOOD, "access_token": None}),
     json.dumps({**GOOD, "ends": "2026-11-03T06:00:00"}), json.dumps({**GOOD, "ends": "soon"}),
     json.dumps({"access_token": SECRET}), f'{{"access_token": "{SECRET}'],
)  # fmt: skip
def test_a_damaged_file_is_refused_and_not_quoted(file, content):
    save_token(file, TOKEN)
    file.write_text(content)
    with pytest.raises(BrokerError, match="is damaged") as caught:
        load_token(file, api_key="key", now=LOGIN)
    assert SECRET not in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerError, match=r"broker\.kite\.token_file"):
        save_token(tmp_path / "file" / "token.json", TOKEN)


def test_a_write_that_fails_leaves_the_old_file(file, monkeypatch):
    save_token(file, TOKEN)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BrokerError, match="No space left"):
        save_token(file, TOKEN._replace(access_token="other"))
    assert load_token(file, api_key="key", now=LOGIN) == TOKEN
    assert list(file.parent.iterdir()) == [file]


# -- which login -------------------------------------------------------------------------------------------


def test_the_environment_goes_before_the_file(file):
    save_token(file, TOKEN)
    settings = KiteSettings(token_file=str(file))
    given = find_session(
        settings, Secrets({"KITE_API_KEY": "key", "KITE_ACCESS_TOKEN": "given!"}), ReplayClock(LOGIN)
    )
    assert (given.access_token, given.ends) == ("given!", None)
    secrets = Secrets({"KITE_API_KEY": "key"})
    stored = find_session(settings, secrets, ReplayClock(LOGIN))
    assert (stored.api_key, stored.access_token, stored.ends) == ("key", SECRET, TOKEN.ends)
    assert secrets.mask(f"a {SECRET}") == "a ***"
    assert SECRET not in repr(stored)


def test_without_a_key_there_is_no_session(file):
    with pytest.raises(BrokerError, match="KITE_API_KEY is not set"):
        find_session(KiteSettings(token_file=str(file)), Secrets(), ReplayClock(LOGIN))


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save_token(tmp_path / "t.json", TOKEN)
    settings = KiteSettings(token_file="~/t.json")
    session = find_session(settings, Secrets({"KITE_API_KEY": "key"}), ReplayClock(LOGIN))
    assert session.origin == str(tmp_path / "t.json")
