"""The steps of days: what an error makes of the day and of the days, and what goes on tomorrow."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest

from analyzers.status.now import DriftNow
from brokers.paper_book import PaperBook
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError, DataError, HaltedError, SettingsError
from strategies import day_runner
from strategies.day import plan_day
from strategies.day_runner import DayRunner
from strategies.days_file import DAYS_FILE, DayRow, write_day_row
from strategies.live_folders import day_folder
from strategies.live_request import LiveRequest
from strategies.settings import Settings
from tests.analyzers.alerts.support import MemoryLog

CALENDAR = TradingCalendar()
THURSDAY, FRIDAY = dt.date(2026, 10, 15), dt.date(2026, 10, 16)
SETTINGS = Settings()
CASH = SETTINGS.broker.starting_cash


class Process:
    """Notes to which day commands would go, and what is shown of the drift."""

    def __init__(self):
        self.did, self.drift = [], None

    def attach(self, day, folder, clock):
        self.did.append("attached")

    def detach(self):
        self.did.append("detached")

    def show_drift(self, drift):
        self.drift = drift

    def __getattr__(self, name):
        return lambda *_, **__: None


class Session:
    """Stands for the day that is traded: each does what ``ends`` says next, a signal before it."""

    ends: ClassVar[list] = []
    begun: ClassVar[list] = []

    def __init__(self, request, calendar, clock, store, folder, log):
        self.stop_reason, self._folder = "", folder
        Session.begun.append(request)

    def run(self, is_stopped):
        PaperBook(self._folder / "paper.sqlite").close()
        end = Session.ends.pop(0) if Session.ends else 0
        if isinstance(end, tuple):
            self.stop_reason, end = end
        if isinstance(end, BaseException):
            raise end
        return end


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A runner in which those who ask others are stand-ins; ``asked`` is what they were asked."""
    monkeypatch.setattr(Session, "ends", [])
    monkeypatch.setattr(Session, "begun", [])
    asked = SimpleNamespace(post_markets=[], preflights=[], goes=[], broker=[], histories=[])

    @contextlib.contextmanager
    def connected(request, log):
        if asked.broker:
            raise asked.broker.pop(0)
        yield SimpleNamespace(find_contract=lambda name, day: day, history=lambda instrument: instrument)

    def preflight(context):
        asked.preflights.append(context)
        go = asked.goes.pop(0) if asked.goes else True
        check = SimpleNamespace(
            name="login", outcome="go" if go else "no_go", words="no token", model_dump=dict
        )
        return SimpleNamespace(go=go, checks=(check,), login_needed=not go)

    def post_market(folder, state_folder, settings, calendar, history, log, *, day, mode, outcome):
        asked.post_markets.append((day, outcome))
        asked.histories.append(history)
        row = DayRow(day, mode, 0, 0, 0.0, 0.0, CASH, outcome, f"../{folder.name}")
        with contextlib.suppress(DataError):
            write_day_row(state_folder / DAYS_FILE, row)
        return SimpleNamespace(drift=DriftNow(day=day, level="unknown", words=""), hit_rate=None)

    stand_ins = {"LiveDay": Session, "connected": connected, "run_preflight": preflight,
                 "run_post_market": post_market}  # fmt: skip
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(day_runner, name, stand_in)
    request = LiveRequest(settings=SETTINGS, mode="paper", clock="feed", out_dir=tmp_path, quiet=True)
    state = tmp_path / "state"
    state.mkdir()
    log, process = MemoryLog(), Process()
    clock = ReplayClock(dt.datetime.combine(THURSDAY, dt.time(9, 10), IST))
    runner = DayRunner(request, CALENDAR, clock, process, state, log)
    return SimpleNamespace(runner=runner, asked=asked, log=log, process=process, state=state, request=request)


def plan_of(day):
    return plan_day(CALENDAR, day, SETTINGS)


class Retraining:
    """Notes what was asked of it."""

    def __init__(self):
        self.stopped = []

    def stop(self, reason):
        self.stopped.append(reason)


@pytest.mark.parametrize(("may_go_on", "stopped"), [(False, ["a session begins"]), (True, [])])
def test_a_training_that_is_still_on_is_ended_before_a_session_unless_it_may_go_on(made, may_go_on, stopped):
    Session.ends.append(0)
    settings = Settings.model_validate({"ml": {"retrain": {"during_session": may_go_on}}})
    runner = made.runner
    runner._request = replace(made.request, settings=settings)
    runner._retraining = retraining = Retraining()
    with runner.day(plan_of(THURSDAY)):
        assert runner.prepare() == "ready"
        assert runner.trade()
    assert retraining.stopped == stopped


# -- how a session may end ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "is_over", "code", "trouble", "will_retry", "outcome"),
    [
        (0, True, 0, "", [], "done"),
        (1, True, 1, "something is open", [], "done"),
        (HaltedError("ended by KeyError"), True, 1, "ended by KeyError", [False], "ended by an error"),
        (BrokerError("no answer"), False, 0, "no answer", [True], "done"),
        (SettingsError("no such rule"), False, 0, "no such rule", [True], "done"),
        (DataError("no bars"), False, 0, "no bars", [True], "done"),
        (OSError(28, "No space left"), False, 0, "No space left", [True], "done"),
        (("SIGTERM", 0), True, 0, "", [], "stopped by SIGTERM"),
        (("SIGTERM", 1), True, 1, "something is open", [], "stopped by SIGTERM"),
        (KeyboardInterrupt(), True, 0, "", [], "done"),
    ],
    ids=["flat", "open", "halted", "broker", "settings", "data", "disk", "signal", "signal open", "early"],
)
def test_what_becomes_of_the_day(made, end, is_over, code, trouble, will_retry, outcome):
    Session.ends.append(end)
    runner = made.runner
    with runner.day(plan_of(THURSDAY)):
        assert runner.prepare() == "ready"
        assert runner.trade() is is_over
        assert runner.exit_code == code
        assert trouble in runner.trouble
        assert bool(runner.trouble) == bool(trouble)
        assert [record["will_retry"] for record in made.log.of("day_failed")] == will_retry
        assert runner.was_stopped is isinstance(end, (tuple, KeyboardInterrupt))
        assert made.process.did == ["attached", "detached"], "commands would go to a day that is gone"
        runner.post_market()
    assert made.asked.post_markets == [(THURSDAY, outcome)]


@pytest.mark.parametrize("error", [HaltedError("halted"), BrokerError("no answer"), OSError(28, "full")])
def test_a_signal_is_not_forgotten_over_an_error_on_the_way_out(made, error):
    Session.ends.append(("SIGTERM", error))
    with made.runner.day(plan_of(THURSDAY)):
        made.runner.trade()
        assert made.runner.was_stopped


def test_a_bug_before_the_day_has_begun_is_told_as_one(made):
    Session.ends.append(ZeroDivisionError())
    with made.runner.day(plan_of(THURSDAY)), pytest.raises(ZeroDivisionError):
        made.runner.trade()
    assert made.process.did == ["attached", "detached"]


def test_a_login_that_is_missing_as_the_session_begins(made):
    made.asked.broker.append(BrokerError("found no access token"))
    with made.runner.day(plan_of(THURSDAY)):
        assert not made.runner.trade()
        assert made.runner.trouble == "found no access token"
        assert not made.runner.has_begun
        assert made.runner.trade()
        assert made.runner.trouble == ""


def test_one_bad_day_stays_in_the_exit_code_and_not_in_the_next_day(made):
    Session.ends.append(HaltedError("halted"))
    for day in (THURSDAY, FRIDAY):
        with made.runner.day(plan_of(day)):
            assert made.runner.trouble == ""
            made.runner.trade()
            made.runner.post_market()
    assert (made.runner.exit_code, made.runner.trouble) == (1, "")
    assert made.asked.post_markets == [(THURSDAY, "ended by an error"), (FRIDAY, "done")]


def test_a_plan_of_another_day_than_it_is_begins_nothing(made, monkeypatch):
    """A machine that slept over the night wakes in the middle of yesterday's session."""
    made.runner._request = dataclasses.replace(made.request, clock="wall")
    late = dt.datetime.combine(FRIDAY, dt.time(0, 30), IST)
    monkeypatch.setattr(day_runner, "SteadyClock", lambda: ReplayClock(late))
    with made.runner.day(plan_of(THURSDAY)):
        assert not made.runner.trade()
    assert Session.begun == []
    assert "the plan is of 2026-10-15" in made.runner.trouble


# -- whether it may begin ----------------------------------------------------------------------------------


def test_a_no_go_is_asked_again_and_a_go_is_not(made):
    made.asked.goes = [False, False, True]
    runner = made.runner
    with runner.day(plan_of(THURSDAY)):
        runner.preflight()
        assert runner.trouble == "no go: login: no token"
        assert runner.prepare() == "not_ready"
        assert runner.prepare() == "ready"
        assert runner.trouble == ""
        assert runner.prepare() == "ready"
    assert len(made.asked.preflights) == 3
    assert [record["level"] for record in made.log.of("preflight")] == ["error", "error", "info"]


def test_an_attempt_that_failed_has_to_be_checked_again(made):
    made.asked.broker = [BrokerError("no answer")]
    with made.runner.day(plan_of(THURSDAY)):
        assert made.runner.prepare() == "ready"
        assert not made.runner.trade()
        made.asked.goes = [False]
        assert made.runner.prepare() == "not_ready"


def test_what_has_begun_goes_on_whatever_the_checks_say(made):
    Session.ends.append(BrokerError("the stream is refused"))
    with made.runner.day(plan_of(THURSDAY)):
        made.runner.trade()
        made.asked.goes = [False]
        assert made.runner.has_begun
        assert made.runner.prepare() == "ready"
    assert made.asked.preflights == []


def test_the_checks_know_the_last_day(made):
    for day in (THURSDAY, FRIDAY):
        with made.runner.day(plan_of(day)):
            made.runner.preflight()
            made.runner.trade()
            made.runner.post_market()
    first, second = made.asked.preflights
    assert first.previous_folder is None
    assert second.previous_folder.resolve() == day_folder(made.request, THURSDAY).resolve()


# -- after the market --------------------------------------------------------------------------------------


def test_without_a_broker_everything_else_is_done(made):
    made.asked.broker = [BrokerError("Kite no longer accepts our access token")]
    with made.runner.day(plan_of(THURSDAY)):
        made.runner.post_market()
    assert made.asked.histories == [None]
    (record,) = made.log.of("no_history")
    assert (record["level"], record["error"]) == ("warning", "Kite no longer accepts our access token")
    assert made.process.drift.day == THURSDAY


def test_a_day_is_done_once_it_is_in_the_list(made):
    with made.runner.day(plan_of(THURSDAY)):
        made.runner.trade()
        assert not made.runner.is_done
        made.runner.post_market()
        assert made.runner.is_done
    with made.runner.day(plan_of(FRIDAY)):
        assert not made.runner.is_done


def test_with_a_list_that_cannot_be_read_no_earlier_day_is_told_again(made):
    for day in (13, 14):
        folder = day_folder(made.request, dt.date(2026, 10, day))
        folder.mkdir()
        PaperBook(folder / "paper.sqlite").close()
    (made.state / DAYS_FILE).write_text("what?\n")
    for day in (THURSDAY, FRIDAY):
        with made.runner.day(plan_of(day)):
            assert made.runner.trade()
    assert made.asked.post_markets == [], "which of them were finished is not known"
    assert len(made.log.of("days_unreadable")) == 1
    (made.state / DAYS_FILE).unlink()
    with made.runner.day(plan_of(FRIDAY)):
        pass
    assert [day.day for day, _ in made.asked.post_markets] == [13, 14, 15]


# -- the cash that goes on ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "cash"),
    [
        ([(-500.0, CASH - 500.0), (200.0, CASH - 300.0)], CASH - 300.0),
        ([(-500.0, CASH - 500.0), (-200.0, None)], CASH - 700.0),  # an error has ended it: no report
        ([(-500.0, None)], CASH - 500.0),
        ([(-500.0, None), (-200.0, None), (100.0, None)], CASH - 600.0),
        ([(-500.0, None), (-200.0, 900_000.0)], 900_000.0),
    ],
)
@pytest.mark.parametrize("mode", ["paper", "live"])
def test_an_account_on_paper_goes_on_with_what_is_left(made, days, cash, mode):
    for number, (net, left) in enumerate(days, start=5):
        row = DayRow(dt.date(2026, 10, number), mode, 1, 0, net, 20.0, left, "done", f"../{number}")
        write_day_row(made.state / DAYS_FILE, row)
    made.runner._request = dataclasses.replace(made.request, mode=mode)
    with made.runner.day(plan_of(THURSDAY)):
        made.runner.trade()
    (request,) = Session.begun
    assert request.settings.broker.starting_cash == pytest.approx(cash if mode == "paper" else CASH)
