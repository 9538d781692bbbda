"""The timer of real days: APScheduler with real, short schedules."""

import dataclasses
import datetime as dt
import threading

import pytest

from feeds.calendar import TradingCalendar
from feeds.clock import IST, WallClock
from run_live import ScheduledTimer
from strategies.day import Step, plan_day
from strategies.settings import Settings
from strategies.unattended import Unattended
from tests.strategies.test_unattended import Log, Process, Runner

_CLOCK = WallClock()


@pytest.fixture
def timer():
    made = ScheduledTimer(dt.timedelta(minutes=10))
    yield made
    made.close()


def after(seconds):
    return Step("preflight", _CLOCK.now() + dt.timedelta(seconds=seconds))


def test_a_step_arrives_at_its_time_and_not_before(timer):
    step = after(0.4)
    assert timer.wait(step) == "due"
    assert _CLOCK.now() >= step.at


def test_steps_arrive_one_after_another(timer):
    assert [timer.wait(after(seconds)) for seconds in (0.1, 0.05, 0.0)] == ["due"] * 3


def test_a_step_that_is_late_within_the_grace_is_due(timer):
    assert timer.wait(after(-9 * 60)) == "due"


def test_a_step_that_is_later_than_the_grace_was_missed(timer):
    assert timer.wait(after(-11 * 60)) == "missed"
    assert timer.wait(after(0.0)) == "due"


def test_stopping_ends_the_wait_that_is_on_and_every_later_one(timer):
    waiter_answers = []
    waiter = threading.Thread(target=lambda: waiter_answers.append(timer.wait(after(3600))))
    waiter.start()
    timer.stop()
    waiter.join(30)
    assert waiter_answers == ["stopped"]
    assert timer.is_stopped
    assert timer.wait(after(0.0)) == "stopped"


def test_times_are_those_of_the_exchange_whatever_the_machines_zone(timer, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    step = after(0.2)
    assert step.at.tzinfo is IST
    assert timer.wait(step) == "due"


def test_a_whole_day_runs_on_real_schedules(timer):
    """The steps of a day lie tenths of a second apart, and APScheduler brings each."""
    begins = _CLOCK.now()
    names = ("morning", "preflight", "session", "square_off", "close", "post_market")
    usual = plan_day(TradingCalendar(), dt.date(2026, 10, 15), Settings())
    steps = tuple(
        Step(name, begins + dt.timedelta(seconds=0.3 * place)) for place, name in enumerate(names, start=1)
    )
    plan = dataclasses.replace(usual, day=begins.date(), steps=steps)
    runner = Runner(_CLOCK)
    arrived = []

    def note(what):
        arrived.append((what, _CLOCK.now()))
        if what == "session":  # as a real one does, it lasts until the close
            runner._begun.add(plan.day)
            while _CLOCK.now() < plan.at("close"):
                threading.Event().wait(0.05)

    runner.preflight = lambda: note("preflight")
    runner.prepare = lambda: "ready"
    runner.trade = lambda: note("session") or True
    runner.post_market = lambda: note("post_market")
    log = Log()
    unattended = Unattended(
        settings=Settings(), calendar=TradingCalendar(), clock=_CLOCK, timer=timer, runner=runner,
        process=Process(), log=log, until=plan.day,
    )  # fmt: skip
    with runner.day(plan):
        unattended._run_day(plan)
    assert [what for what, _ in arrived] == ["preflight", "session", "post_market"]
    for what, when in arrived:
        assert dt.timedelta() <= when - plan.at(what) < dt.timedelta(seconds=20)
    assert log.of("step_missed") == []
