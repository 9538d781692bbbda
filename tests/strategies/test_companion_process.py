"""The companion as the trading process keeps it: started, heard, started anew when it dies, and ended."""

import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
import requests

from analyzers.status.auth import TOKEN_FILE
from feeds.clock import WallClock
from feeds.live_log import make_log
from feeds.secrets import Secrets
from strategies import kept_process
from strategies.companion_process import CompanionProcess
from strategies.live_controls import Outcome
from tests.analyzers.alerts.support import MemoryLog
from tests.analyzers.companion.running import WAIT, TradingProcess, configuration, first_line
from tests.live_market import wait_until
from tests.telegram_server import TelegramServer

KITE = {"KITE_API_KEY": "key", "KITE_API_SECRET": "s3cret-of-kite", "KITE_ACCESS_TOKEN": "t0ken-of-kite"}


class Trading(TradingProcess):
    """A trading process whose log is the real one, and that does what it is told."""

    def __init__(self, state):
        super().__init__(state)
        self.commands = []
        self._log = make_log(state / "watch.log", WallClock(), Secrets())

    def carry_out(self, command):
        self.commands.append(command)
        return Outcome("done", f"{command.name} done")

    def keep_companion(self, **options):
        return CompanionProcess(configuration(self.state, **options), self.carry_out, self._log)

    def told(self, event):
        lines = (self.state / "watch.log").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["event"] == event]

    def wait_told(self, event, count=1):
        wait_until(lambda: len(self.told(event)) >= count, f"{event} is told", WAIT)
        return self.told(event)

    def __exit__(self, *error):
        super().__exit__(*error)
        self._log.close()


@pytest.fixture
def trading(tmp_path):
    with Trading(tmp_path) as process:
        yield process


@pytest.fixture
def telegram():
    with TelegramServer() as server:
        yield server


def child_of(companion):
    """Return its process, which is what a test kills."""
    return companion._child._process


def test_the_page_orders_the_process_obeys_and_the_page_learns_of_it(trading):
    with trading.keep_companion():
        (page,) = trading.wait_told("status_page")
        token = (trading.state / TOKEN_FILE).read_text().strip()
        answer = requests.post(
            f"{page['url']}api/control/pause", json={"reason": "budget speech"},
            headers={"Authorization": f"Bearer {token}"}, timeout=WAIT,
        )  # fmt: skip
        assert answer.json() == {"outcome": "done", "words": "pause done"}
    (command,) = trading.commands
    assert (command.name, command.by, command.reason) == ("pause", "page", "budget speech")
    (control,) = trading.told("control")
    assert (control["command"], control["outcome"], control["by"]) == ("pause", "done", "page")
    assert trading.told("companion_died") == []


def test_a_killed_companion_is_started_anew_and_tells_nothing_twice(trading, telegram):
    with trading.keep_companion(telegram=telegram) as companion:
        trading.wait_told("status_page")
        trading.log("trip_closed", trip=1, net_pnl=10.0)
        telegram.wait_received(1)
        wait_until((trading.state / "alerts.json").exists, "the position is kept")
        child_of(companion).kill()
        trading.log("trip_closed", trip=2, net_pnl=20.0)  # while nobody looks
        trading.wait_told("status_page", 2)
        trading.log("trip_closed", trip=3, net_pnl=30.0)
        telegram.wait_received(4)
    (died,) = trading.told("companion_died")
    assert died["code"] == -signal.SIGKILL
    told = sorted(first_line(text).removeprefix("LIVE: ") for text in telegram.texts)
    assert told == [
        *(f"flat again, net +{number}0 rupees (closed)" for number in (1, 2, 3)),
        "status page and alerts were down for a moment",
    ]


def test_none_of_the_secrets_that_can_trade_reach_it(trading, monkeypatch):
    for name, value in (KITE | {"SMTP_URL": "smtp://me:hunter22@example.com"}).items():
        monkeypatch.setenv(name, value)
    with trading.keep_companion() as companion:
        trading.wait_told("status_page")
        process = Path(f"/proc/{child_of(companion).pid}")
        seen = [process.joinpath(name).read_text() for name in ("cmdline", "environ")]
    assert "PATH=" in seen[1]
    assert [value for value in (*KITE, "s3cret", "t0ken", "hunter22") if value in "".join(seen)] == []


def test_one_that_died_just_before_the_end_is_no_trouble(trading):
    """Its pipe is broken, and what we had to say is still in it."""
    with trading.keep_companion() as companion:
        trading.wait_told("status_page")
        child = child_of(companion)
        os.kill(child.pid, signal.SIGSTOP)
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write("x" * 100)  # not flushed
        child.kill()


def test_one_that_hangs_at_the_end_is_killed(trading, monkeypatch):
    monkeypatch.setattr(kept_process, "_END_SECONDS", 0.1)
    with trading.keep_companion() as companion:
        trading.wait_told("status_page")
        child = child_of(companion)
        os.kill(child.pid, signal.SIGSTOP)
    assert child.wait(WAIT) == -signal.SIGKILL


def test_an_end_before_it_has_begun(trading):
    with trading.keep_companion():
        pass
    assert trading.told("companion_died") == []


# -- one that keeps dying --------------------------------------------------------------------------------


class Deaths(MemoryLog):
    """Knows when there were enough."""

    def __init__(self, enough):
        super().__init__()
        self.enough, self.were_enough = enough, threading.Event()

    def error(self, event, /, **fields):
        super().error(event, **fields)
        if len(self.pauses) >= self.enough:
            self.were_enough.set()

    @property
    def pauses(self):
        return [told["next_try_seconds"] for told in self.records if told["event"] == "companion_died"]


def die_until(enough, monkeypatch, start):
    log = Deaths(enough)
    monkeypatch.setattr(kept_process.subprocess, "Popen", start)
    companion = CompanionProcess({}, lambda _: Outcome("done", ""), log)
    monkeypatch.setattr(companion._child._over, "wait", lambda seconds: log.were_enough.wait(0))
    with companion:
        assert log.were_enough.wait(WAIT)
    return log


def test_one_that_cannot_be_started_is_tried_again_ever_more_rarely(monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    log = die_until(8, monkeypatch, refuse)
    assert log.pauses[:8] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert {told["code"] for told in log.records} == {None}


def test_one_that_says_something_and_dies_is_started_ever_more_rarely(monkeypatch):
    real = subprocess.Popen

    says = 'echo \'{"event": "alerts_off", "error": "x"}\'; echo no JSON; exit 3'

    def babble(*_, **options):
        return real(["/bin/sh", "-c", says], **options)

    log = die_until(3, monkeypatch, babble)
    assert log.pauses[:3] == [1.0, 2.0, 4.0]
    events = [told["event"] for told in log.records]
    assert events[:3] == ["alerts_off", "companion_unreadable", "companion_died"]
    assert log.records[2]["code"] == 3


def test_a_command_that_ends_in_a_bug_ends_nothing_else(trading, monkeypatch):
    def carry_out(command):
        trading.commands.append(command)
        if command.name == "pause":
            raise ZeroDivisionError("a bug")
        return Outcome("done", "all is well")

    monkeypatch.setattr(trading, "carry_out", carry_out)
    with trading.keep_companion():
        page = trading.wait_told("status_page")[0]["url"].rstrip("/")
        token = (trading.state / TOKEN_FILE).read_text().strip()
        for command, status in (("pause", 409), ("flatten", 200)):
            answer = requests.post(
                f"{page}/api/control/{command}",
                headers={"Authorization": f"Bearer {token}"}, json={}, timeout=WAIT,
            )  # fmt: skip
            assert answer.status_code == status
    bug, done = trading.told("control")
    assert "ZeroDivisionError" in bug["words"]
    assert done["outcome"] == "done"
    assert trading.told("companion_died") == []
