"""The timer of real days: APScheduler with real, short schedules."""

import datetime as dt
import threading

import pytest

from feeds.clock import IST, WallClock
from run_live import ScheduledTimer
from strategies.day import Step

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
