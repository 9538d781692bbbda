from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BrokerError, SettingsError
from feeds.secrets import Secrets, load_secrets, mask_patterns

TOKEN = "sXq81TokenOfTheDay"


@pytest.fixture
def secrets_file(tmp_path):
    def write(text, mode=0o600):
        file = tmp_path / "secrets.env"
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)
        return tmp_path

    return write


def test_the_environment_wins_over_the_file(secrets_file):
    folder = secrets_file("KITE_API_KEY=file-key\nKITE_API_SECRET=file-secret\n")
    secrets = load_secrets(folder, {"KITE_API_KEY": "environment-key", "PATH": "/bin"})
    assert secrets.get("KITE_API_KEY") == "environment-key"
    assert secrets.get("KITE_API_SECRET") == "file-secret"
    assert secrets.get("PATH") is None


def test_without_a_file_there_is_the_environment(tmp_path):
    assert load_secrets(tmp_path, {"KITE_ACCESS_TOKEN": TOKEN}).get("KITE_ACCESS_TOKEN") == TOKEN
    assert load_secrets(tmp_path, {"KITE_ACCESS_TOKEN": ""}).get("KITE_ACCESS_TOKEN") is None


def test_the_process_environment_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    assert load_secrets(tmp_path).get("KITE_ACCESS_TOKEN") == TOKEN


def test_forms_of_a_line(secrets_file):
    folder = secrets_file(
        "# my keys\n\nexport KITE_API_KEY='quoted'\n  SMTP_URL = \"smtp://u:p@h?x=1\"  \nSTATUS_TOKEN=\n"
    )
    secrets = load_secrets(folder, {})
    assert secrets.get("KITE_API_KEY") == "quoted"
    assert secrets.get("SMTP_URL") == "smtp://u:p@h?x=1"
    assert secrets.get("STATUS_TOKEN") is None


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620])
def test_a_file_that_others_can_read_is_refused(secrets_file, mode):
    folder = secrets_file(f"KITE_API_SECRET={TOKEN}\n", mode)
    with pytest.raises(SettingsError, match=rf"mode {mode:04o}\), expected 0600; run: chmod 600") as refused:
        load_secrets(folder, {})
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"KITE_API_SECRET {TOKEN}\n", "line 1: expected NAME=value"),
        (f"\nKITE_API_SECRT={TOKEN}\n", "line 2: unknown name 'KITE_API_SECRT'; did you mean 'KITE_API_SECR"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named_and_not_quoted(secrets_file, text, words):
    with pytest.raises(SettingsError) as refused:
        load_secrets(secrets_file(text), {})
    assert words in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "secrets.env").write_bytes(b"\xff\xfe")
    (tmp_path / "secrets.env").chmod(0o600)
    with pytest.raises(SettingsError, match="not UTF-8 text"):
        load_secrets(tmp_path, {})


def test_what_is_missing_is_named_with_the_remedy():
    with pytest.raises(BrokerError, match=r"KITE_API_KEY is not set, .*; see developers\.kite\.trade"):
        Secrets().require("KITE_API_KEY", "see developers.kite.trade")
    assert Secrets({"KITE_API_KEY": "k"}).require("KITE_API_KEY", "") == "k"


def test_nothing_secret_in_its_own_words():
    secrets = Secrets({"KITE_ACCESS_TOKEN": TOKEN})
    assert repr(secrets) == str(secrets) == "Secrets(KITE_ACCESS_TOKEN)"


def test_the_api_key_is_no_secret():
    assert Secrets({"KITE_API_KEY": "sandbox"}).mask("brokers.sandbox") == "brokers.sandbox"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (TOKEN, "***"),
        (f"wss://ws.kite.trade?api_key=k&x={TOKEN}", "wss://ws.kite.trade?api_key=k&x=***"),
        (f"{TOKEN}{TOKEN} and {TOKEN}", "****** and ***"),
        ("a/b+c", "***"),
        ("q=a%2Fb%2Bc;", "q=***;"),
        ("abc is short", "abc is short"),
        ("abc", "***"),
    ],
)
def test_known_values_are_hidden(text, masked):
    secrets = Secrets({"KITE_ACCESS_TOKEN": TOKEN, "STATUS_TOKEN": "abc"})
    secrets.remember("a/b+c/d", "a/b+c")
    assert secrets.mask(text) == masked


def test_a_secret_that_is_no_text_is_hidden_too():
    assert Secrets({"KITE_ACCESS_TOKEN": "bytes\udcff"}).mask("x bytes\udcff") == "x ***"


def test_a_longer_secret_goes_before_one_that_it_contains():
    assert Secrets({"KITE_ACCESS_TOKEN": "abcdef", "KITE_API_SECRET": "xabcdefy"}).mask("xabcdefy.") == "***."


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET /?access_token=abc&x=1", "GET /?access_token=***&x=1"),
        ("/connect?request_token=q9W&status=success", "/connect?request_token=***&status=success"),
        ('{"access_token": "abc", "user": "U"}', '{"access_token": "***", "user": "U"}'),
        ("{'checksum': 'ab12', 'a': 1}", "{'checksum': '***', 'a': 1}"),
        ("Authorization: token key123:tok456", "Authorization: token ***"),
        ("Bearer eyJhbGciOi.J9.x-y_z", "Bearer ***"),
        ("postgres://user:pass@host/db", "postgres://user:***@host/db"),
        ("http://127.0.0.1:8910/", "http://127.0.0.1:8910/"),
        ("the access_token: it is missing", "the access_token: it is missing"),
        ("instrument token 12345", "instrument token 12345"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text, masked):
    assert mask_patterns(text) == masked
    assert Secrets().mask(text) == masked


@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=6, max_size=40),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
)
def test_no_text_gives_a_secret_away(secret, before, after):
    assert secret not in Secrets({"KITE_ACCESS_TOKEN": secret}).mask(f"{before}{secret}{after}")


def test_secrets_learnt_by_several_threads_are_all_hidden():
    secrets = Secrets()
    values = [f"token-number-{number:03}" for number in range(200)]
    threads = [threading.Thread(target=secrets.remember, args=values[part::4]) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [value for value in values if secrets.mask(value) != "***"] == []


def test_what_is_adopted_is_held_and_hidden():
    secrets = Secrets({"KITE_API_KEY": "key"})
    others = Secrets({"KITE_ACCESS_TOKEN": TOKEN})
    others.remember("issued-later")
    secrets.adopt(others)
    assert secrets.get("KITE_ACCESS_TOKEN") == TOKEN
    assert secrets.get("KITE_API_KEY") == "key"
    assert secrets.mask(f"{TOKEN} issued-later") == "*** ***"
