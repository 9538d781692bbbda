"""Days that run themselves: what keeps them from beginning is one line; a clock that jumps delays none."""

from __future__ import annotations

import datetime as dt
import re
import threading

import pytest
from apscheduler.executors import base as executors
from apscheduler.schedulers import base as schedulers

import run_live
from brokers.instance_lock import InstanceLock
from brokers.kite.session import token_store
from brokers.kite.settings import KiteSettings
from brokers.login_lock import LoginLock
from feeds.clock import IST, WallClock
from run_live import ScheduledTimer, main
from strategies.day import Step
from tests.live_market import DAY, NO_PAGE, TOKEN, WAIT, at

STATE = "{mode}-NIFTY-ema_cross"
MODES = pytest.mark.parametrize("mode", ["paper", "live", "demo"])
REAL = pytest.mark.parametrize("mode", ["paper", "live"])


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KITE_API_KEY", "sandbox")
    monkeypatch.setenv("KITE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setattr(WallClock, "now", lambda _: at("07:30"))


@pytest.fixture
def refuse(tmp_path, capsys):
    """Run days into ``out``, and return the one line of the refusal."""

    def run(exit_code, mode, *more):
        agreed = ["--yes"] if mode == "live" else []
        given = ["--mode", mode, *agreed, "--out", "out", "--quiet", "--strategy", "ema_cross", *NO_PAGE]
        assert main([str(part) for part in [*given, *more]]) == exit_code
        told = capsys.readouterr()
        assert re.fullmatch(r"error: [^\n]+\n", told.err), f"expected one line, found: {told.err}"
        assert told.out == ""
        line = told.err.removeprefix("error: ").strip()
        assert ";" in line, "no remedy"
        return line

    return run


# -- what is wrong with the arguments ----------------------------------------------------------------------


@REAL
@pytest.mark.parametrize("days", [1, 400])
def test_a_last_day_that_has_passed(refuse, tmp_path, mode, days):
    until = DAY - dt.timedelta(days=days)
    line = refuse(2, mode, "--until", until)
    assert line.startswith(f"--until {until} has passed, today is {DAY}")
    assert not (tmp_path / "out").exists()


def test_a_last_day_before_the_first_of_a_demo(refuse):
    line = refuse(2, "demo", "--day", "2026-10-15", "--until", "2026-10-14")
    assert line.startswith("--until 2026-10-14 lies before the first day, 2026-10-15")


@REAL
def test_a_last_day_before_the_next_session_is_no_day_at_all(capsys, mode, monkeypatch):
    monkeypatch.setattr(WallClock, "now", lambda _: at("07:30", dt.date(2026, 9, 26)))
    agreed = ["--yes"] if mode == "live" else []
    arguments = ["--mode", mode, *agreed, "--out", "out", "--until", "2026-09-27", *NO_PAGE]
    assert main([*arguments, "--strategy", "ema_cross"]) == 0
    assert "the last day is over" in capsys.readouterr().out


@MODES
def test_the_folder_of_a_run_is_none_of_days(refuse, tmp_path, mode):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "summary.json").write_text("{}")
    line = refuse(2, mode)
    assert line.startswith("--out out holds a run, expected a folder for the folders of many days")
    assert [file.name for file in folder.iterdir()] == ["summary.json"]


@MODES
def test_a_backtest_stands_where_the_state_belongs(refuse, tmp_path, mode):
    folder = tmp_path / "out" / STATE.format(mode=mode)
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")
    assert "holds another kind of run" in refuse(2, mode)
    assert [file.name for file in folder.iterdir()] == ["summary.json"]


@MODES
def test_out_is_a_file(refuse, tmp_path, mode):
    (tmp_path / "out").write_text("something")
    line = refuse(2, mode)
    assert line.startswith("--out out/")
    assert (tmp_path / "out").read_text() == "something"


@MODES
def test_a_folder_that_cannot_be_made(refuse, monkeypatch, mode):
    def deny(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", deny)
    assert "Permission denied" in refuse(2, mode)


@MODES
@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("live.preflight_minutes=5", "preflight_minutes is 5, expected more than warmup_minutes"),
        ("live.misfire_grace_minutes=0", "misfire_grace_minutes"),
        ("live.preflight_repeat_minutes=-1", "preflight_repeat_minutes"),
        ("live.keep_backups=0", "keep_backups"),
        ("strategy.parameters.no_such=1", "no_such"),
        ("status.port=70000", "status.port"),
        ("alerts.no_such=1", "alerts"),
    ],
)
def test_a_setting_that_is_wrong(refuse, tmp_path, mode, setting, words):
    assert words in refuse(2, mode, "--set", setting)
    assert not (tmp_path / "out").exists()


# -- a second one ------------------------------------------------------------------------------------------


@MODES
def test_a_second_instance_in_the_same_folder(refuse, tmp_path, mode):
    folder = tmp_path / "out" / STATE.format(mode=mode)
    folder.mkdir(parents=True)
    held = InstanceLock(folder / "watch.log", "the state folder of")
    line = refuse(4, mode)
    held.release()
    assert "is in use by another process" in line
    assert str(mode) in line
    assert [file.name for file in folder.iterdir()] == ["watch.lock"], (
        "it has written into the other's folder"
    )


def test_a_second_live_process_of_the_same_login(refuse, tmp_path):
    file = tmp_path / "token.json"
    held = LoginLock(token_store(KiteSettings(token_file=str(file))), "NIFTY")
    line = refuse(4, "live", "--set", f"broker.kite.token_file={file}")
    held.release()
    assert line.startswith(f"NIFTY is traded live by another process with the login of {file}")
    # The state folder was given back: the other one is not in it
    InstanceLock(tmp_path / "out" / STATE.format(mode="live") / "watch.log", "the state folder of").release()


# -- the timer ---------------------------------------------------------------------------------------------


class JumpingClock(dt.datetime):
    """What APScheduler takes for the machine's clock; a test may set it."""

    ahead = dt.timedelta()

    @classmethod
    def now(cls, tz=None):
        return dt.datetime.now(tz) + cls.ahead


@pytest.fixture
def jumping(monkeypatch):
    monkeypatch.setattr(JumpingClock, "ahead", dt.timedelta())
    for module in (executors, schedulers):
        monkeypatch.setattr(module, "datetime", JumpingClock)
    monkeypatch.setattr(run_live, "_LOOK_SECONDS", 0.02)
    return JumpingClock


@pytest.mark.parametrize(
    ("late_minutes", "arrival"), [(0, "due"), (9, "due"), (11, "missed")], ids=["at once", "grace", "beyond"]
)
def test_a_machine_that_slept_looks_at_the_clock_as_it_wakes(jumping, late_minutes, arrival):
    """A scheduler waits by a counter that stands still while the machine sleeps, whatever the clock says."""
    timer = ScheduledTimer(dt.timedelta(minutes=10))
    arrivals = []
    step = Step("preflight", dt.datetime.now(IST) + dt.timedelta(hours=2))
    waiter = threading.Thread(target=lambda: arrivals.append(timer.wait(step)))
    try:
        waiter.start()
        jumping.ahead = dt.timedelta(hours=2, minutes=late_minutes)
        waiter.join(WAIT)
        assert arrivals == [arrival]
    finally:
        timer.stop()
        waiter.join(WAIT)
        timer.close()


def test_a_clock_that_is_set_back_lets_nothing_come_early(jumping):
    timer = ScheduledTimer(dt.timedelta(minutes=10))
    arrivals, looked = [], threading.Event()
    step = Step("preflight", dt.datetime.now(IST) + dt.timedelta(seconds=0.5))
    jumping.ahead = -dt.timedelta(hours=1)
    waiter = threading.Thread(target=lambda: arrivals.append(timer.wait(step)))
    try:
        waiter.start()
        assert not looked.wait(0.4)
        assert arrivals == []
        jumping.ahead = dt.timedelta()
        waiter.join(WAIT)
        assert arrivals == ["due"]
    finally:
        timer.stop()
        waiter.join(WAIT)
        timer.close()
