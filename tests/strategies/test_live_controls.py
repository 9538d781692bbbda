"""What a person may order of a running process, and what stays when the process does not."""

import datetime as dt
from pathlib import Path

import pytest

from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError
from strategies.live_controls import Command, Controls

CLOCK = ReplayClock(dt.datetime(2026, 9, 24, 11, 30, tzinfo=IST))


class Account:
    """Remembers what it was told, and says whether entries were forbidden by then."""

    def __init__(self, folder):
        self.folder, self.left, self.open, self.was_forbidden = folder, [], "closing +130 NIFTY", []

    def leave(self, detail):
        self.left.append(detail)
        self.was_forbidden.append(sorted(path.name for path in self.folder.iterdir()))
        return self.open


def make(folder, account, *, log_in=None, **files):
    files = {"pause_file": folder / "PAUSED", "kill_switch_file": folder / "KILL"} | files
    return Controls(leave=account.leave, log_in=log_in, clock=CLOCK, **files)


@pytest.fixture
def account(tmp_path):
    return Account(tmp_path)


def ordered(controls, name, by="page", **fields):
    return controls.carry_out(Command(name, by, **fields))


def test_a_pause_is_a_file_that_says_who_when_and_why(tmp_path, account):
    controls = make(tmp_path, account)
    assert ordered(controls, "pause", reason="budget speech").outcome == "done"
    assert (tmp_path / "PAUSED").read_text() == "paused by page: budget speech on 2026-09-24 at 11:30:00\n"
    assert "budget speech" in controls.paused
    assert account.left == []


def test_resuming_removes_the_pause_and_says_what_still_holds(tmp_path, account):
    controls = make(tmp_path, account)
    ordered(controls, "pause")
    ordered(controls, "kill")
    told = ordered(controls, "resume")
    assert told.outcome == "done"
    assert "kill switch is still on" in told.words
    assert (controls.paused, bool(controls.kill_switch)) == ("", True)


def test_resuming_what_is_not_paused_changes_nothing(tmp_path, account):
    assert ordered(make(tmp_path, account), "resume").words == "entries were not paused"


@pytest.mark.parametrize(("command", "file"), [("flatten", "PAUSED"), ("kill", "KILL")])
def test_entries_are_forbidden_before_the_position_is_left(tmp_path, account, command, file):
    controls = make(tmp_path, account)
    told = ordered(controls, command, by="telegram", reason="enough")
    assert told.outcome == "done"
    assert "closing +130 NIFTY" in told.words
    assert account.left == ["telegram: enough"]
    assert account.was_forbidden == [[file]]


@pytest.mark.parametrize("command", ["flatten", "kill"])
def test_the_position_is_left_even_where_the_file_cannot_be_written(tmp_path, account, command):
    nowhere = tmp_path / "missing" / "FILE"
    controls = make(tmp_path, account, pause_file=nowhere, kill_switch_file=nowhere)
    told = ordered(controls, command)
    assert len(account.left) == 1
    assert " NOT " in told.words


def test_the_kill_switch_outlives_the_process(tmp_path, account):
    ordered(make(tmp_path, account), "kill", reason="runaway")
    again = make(tmp_path, Account(tmp_path))
    assert "runaway" in again.kill_switch


@pytest.mark.parametrize("word", ["", "lift", "LIFT ", "yes"])
def test_the_kill_switch_is_lifted_by_the_word_only(tmp_path, account, word):
    controls = make(tmp_path, account)
    ordered(controls, "kill")
    assert ordered(controls, "lift", word=word).outcome == "refused"
    assert controls.kill_switch
    assert ordered(controls, "lift", word="LIFT").outcome == "done"
    assert controls.kill_switch == ""


def test_lifting_leaves_a_pause_alone(tmp_path, account):
    controls = make(tmp_path, account)
    ordered(controls, "flatten")
    ordered(controls, "kill")
    assert "still paused" in ordered(controls, "lift", word="LIFT").words
    assert controls.paused


def test_a_second_stop_keeps_the_first_reason(tmp_path, account):
    controls = make(tmp_path, account)
    ordered(controls, "kill", reason="first")
    ordered(controls, "kill", reason="second")
    assert "first" in controls.kill_switch
    assert len(account.left) == 2


@pytest.mark.parametrize(
    ("command", "setting"),
    [("pause", "risk.pause_file"), ("resume", "risk.pause_file"), ("kill", "risk.kill_switch_file"),
     ("lift", "risk.kill_switch_file")],
)  # fmt: skip
def test_what_the_settings_have_switched_off_is_refused(tmp_path, account, command, setting):
    controls = make(tmp_path, account, pause_file=None, kill_switch_file=None)
    told = ordered(controls, command, word="LIFT")
    assert told.outcome == "refused"
    assert setting in told.words


def test_flatten_without_a_pause_file_still_closes_and_says_that_it_does_not_pause(tmp_path, account):
    told = ordered(make(tmp_path, account, pause_file=None), "flatten")
    assert len(account.left) == 1
    assert "NOT paused" in told.words


def test_a_login_is_handed_on_and_its_failure_told(tmp_path, account):
    def log_in(request_token):
        if request_token != "good":  # no secret
            raise BrokerError("Kite refuses the request token")
        return "logged in as AB1234"

    controls = make(tmp_path, account, log_in=log_in)
    assert ordered(controls, "login", request_token="good") == ("done", "logged in as AB1234")
    assert ordered(controls, "login", request_token="bad").outcome == "refused"
    assert ordered(controls, "login").outcome == "refused"


def test_a_demo_has_nothing_to_log_in_to(tmp_path, account):
    assert ordered(make(tmp_path, account), "login", request_token="x").outcome == "refused"


def test_an_unknown_command_does_nothing(tmp_path, account):
    assert ordered(make(tmp_path, account), "sell_everything" * 9).outcome == "refused"
    assert (account.left, list(Path(tmp_path).iterdir())) == ([], [])


def test_a_reason_is_one_short_line(tmp_path, account):
    controls = make(tmp_path, account)
    ordered(controls, "pause", reason="a\nb\x00" + "c" * 500)
    text = (tmp_path / "PAUSED").read_text()
    assert text.count("\n") == 1
    assert len(text) < 300


@pytest.mark.parametrize("command", ["flatten", "kill"])
def test_no_text_of_a_reason_keeps_the_position_open(tmp_path, account, command):
    told = ordered(make(tmp_path, account), command, reason="\ud800 \u202eenough\x00")
    assert told.outcome == "done"
    assert account.left == ["page: enough"]


@pytest.mark.parametrize("command", ["flatten", "kill"])
def test_the_position_is_left_whatever_goes_wrong_with_the_file(tmp_path, account, command, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("brokers.risk.file_switch.FileSwitch.turn_on", broken)
    with pytest.raises(ZeroDivisionError):
        ordered(make(tmp_path, account), command)
    assert len(account.left) == 1
