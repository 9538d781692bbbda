from __future__ import annotations

import stat

import pytest

from analyzers.status.auth import Auth, TooManyGuessesError, find_token
from analyzers.status.settings import StatusSettings
from feeds.errors import SettingsError
from feeds.secrets import Secrets
from tests.analyzers.status.examples import EVERYWHERE, TOKEN, Counter


@pytest.fixture
def clock():
    return Counter()


@pytest.fixture
def auth(clock):
    return Auth(TOKEN, clock)


@pytest.mark.parametrize("given", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é\ud800"])
def test_only_the_token_is_right(auth, given):
    assert auth.is_token(TOKEN, "a")
    assert not auth.is_token(given, "a")


def guess(auth, times, address="a"):
    for _ in range(times):
        assert not auth.is_token("wrong", address)


def test_the_fifth_wrong_token_begins_a_pause(auth):
    guess(auth, 4)
    assert auth.is_token(TOKEN, "a")  # and the count begins anew
    guess(auth, 5)
    with pytest.raises(TooManyGuessesError, match="30 s"):
        auth.is_token("wrong", "a")
    guess(auth, 1, "b")


def test_whoever_guesses_locks_nobody_out(auth):
    guess(auth, 5)
    assert auth.is_token(TOKEN, "a")


@pytest.mark.parametrize(("seconds", "is_over"), [(29.0, False), (30.0, True), (31.0, True)])
def test_the_pause_lasts_thirty_seconds(auth, clock, seconds, is_over):
    guess(auth, 5)
    clock.seconds += seconds
    if is_over:
        guess(auth, 1)
    else:
        with pytest.raises(TooManyGuessesError):
            auth.is_token("wrong", "a")


def test_guessing_on_through_the_pauses_is_five_in_thirty_seconds(auth, clock):
    looked_at = 0
    for _ in range(300):
        try:
            auth.is_token("wrong", "a")
        except TooManyGuessesError:
            pass
        else:
            looked_at += 1
        clock.seconds += 1.0
    assert looked_at <= 50


def test_many_addresses_are_forgotten_oldest_first(auth):
    guess(auth, 5, "first")
    for number in range(1024):
        guess(auth, 1, f"address {number}")
    guess(auth, 1, "first")


@pytest.mark.parametrize(("hours", "is_good"), [(0.0, True), (11.999, True), (12.0, False), (13.0, False)])
def test_a_session_is_good_for_twelve_hours(auth, clock, hours, is_good):
    session = auth.begin_session()
    clock.seconds += hours * 3600.0
    assert (auth.session(session.session_id) is not None) is is_good


def test_sessions_end_and_differ(auth):
    one, two = auth.begin_session(), auth.begin_session()
    assert len({one.session_id, one.csrf, two.session_id, two.csrf}) == 4
    auth.end_session(one.session_id)
    auth.end_session("never was")
    assert auth.session(one.session_id) is None
    assert auth.session(two.session_id) == two
    assert auth.session("") is None


def test_of_too_many_sessions_the_oldest_ends(auth):
    sessions = [auth.begin_session() for _ in range(65)]
    assert auth.session(sessions[0].session_id) is None
    assert all(auth.session(session.session_id) for session in sessions[1:])


# -- where the token comes from ----------------------------------------------------------------------------


def test_the_token_given_is_used_and_hidden(tmp_path):
    secrets = Secrets({"STATUS_TOKEN": "given"})
    assert find_token(StatusSettings(), secrets, tmp_path) == ("given", None)
    assert list(tmp_path.iterdir()) == []


def test_a_token_is_made_up_once_and_kept_for_its_owner(tmp_path):
    secrets = Secrets()
    value, file = find_token(StatusSettings(), secrets, tmp_path)
    assert len(value) >= 24
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secrets.mask(f"say {value} aloud") == "say *** aloud"
    assert find_token(StatusSettings(), Secrets(), tmp_path) == (value, file)
    assert [path.name for path in tmp_path.iterdir()] == ["status_token"]


@pytest.mark.parametrize("kept", [b"", b"short\n", b"\xff\xfe"])
def test_a_file_without_a_token_is_replaced(tmp_path, kept):
    (tmp_path / "status_token").write_bytes(kept)
    (tmp_path / ".status_token").write_bytes(b"left by a crash")
    value, file = find_token(StatusSettings(), Secrets(), tmp_path)
    assert file.read_text().strip() == value
    assert len(value) >= 24


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path):
    file = tmp_path / "status_token"
    file.write_text("a-token-long-enough\n")
    file.chmod(0o644)
    assert find_token(StatusSettings(), Secrets(), tmp_path).value == "a-token-long-enough"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("host", [EVERYWHERE, "192.168.1.5", "::", "trading.example"])
def test_beyond_this_machine_a_good_token_has_to_be_given(tmp_path, host):
    settings = StatusSettings(host=host)
    with pytest.raises(SettingsError, match=r"found no STATUS_TOKEN, expected one of 16 or more; set it"):
        find_token(settings, Secrets(), tmp_path)
    with pytest.raises(SettingsError, match="found a STATUS_TOKEN of 15 characters") as error:
        find_token(settings, Secrets({"STATUS_TOKEN": "x" * 15}), tmp_path)
    assert "xxx" not in str(error.value)
    assert find_token(settings, Secrets({"STATUS_TOKEN": "x" * 16}), tmp_path).value == "x" * 16


@pytest.mark.parametrize(
    "fields", [{"public_url": "https://trading.example"}, {"host_names": ["localhost", "box"]}], ids=str
)
def test_a_token_for_a_page_behind_a_proxy_is_no_short_one(tmp_path, fields):
    settings = StatusSettings(**fields)
    with pytest.raises(SettingsError, match=r"status\..* found a STATUS_TOKEN of 15 characters"):
        find_token(settings, Secrets({"STATUS_TOKEN": "x" * 15}), tmp_path)
    assert find_token(settings, Secrets({"STATUS_TOKEN": "x" * 16}), tmp_path).value == "x" * 16
    assert len(find_token(settings, Secrets(), tmp_path).value) >= 24


@pytest.mark.parametrize("fields", [{"public_url": "http://localhost:9"}, {"host_names": ["127.0.0.2"]}])
def test_other_names_of_this_machine_ask_for_nothing(tmp_path, fields):
    assert find_token(StatusSettings(**fields), Secrets({"STATUS_TOKEN": "given"}), tmp_path).value == "given"
