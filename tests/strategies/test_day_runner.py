"""What a day begins with: the cash that the days before have left, and the days that were never finished."""

import datetime as dt
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import pytest

from brokers.settings import make_rules
from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from strategies import day_runner, drift_standing
from strategies.day import plan_day
from strategies.day_runner import DayRunner
from strategies.days_file import DAYS_FILE, DayRow, read_days, write_day_row
from strategies.drift_standing import DriftStanding, write_standing
from strategies.live_folders import day_folder
from strategies.live_request import LiveRequest
from strategies.settings import Settings
from tests.analyzers.alerts.support import MemoryLog

CALENDAR = TradingCalendar()
TODAY = dt.date(2026, 9, 24)


class Process:
    def __getattr__(self, name):
        return lambda *_, **__: None


def row(day, cash, net=0.0):
    return DayRow(day, "paper", 0, 0, net, 0.0, cash, "done", f"../{day:%Y%m%d}")


@pytest.fixture
def runner(tmp_path):
    settings = Settings()
    request = LiveRequest(settings=settings, mode="paper", clock="wall", out_dir=tmp_path)
    clock = ReplayClock(dt.datetime(2026, 9, 24, 8, 0, tzinfo=IST))
    state = tmp_path / "state"
    state.mkdir()
    made = DayRunner(request, CALENDAR, clock, Process(), state, MemoryLog())
    made.state, made.log, made.request = state, made._log, request
    return made


def begun(runner):
    with runner.day(plan_day(CALENDAR, TODAY, runner.request.settings)):
        return runner._days_request.settings.broker.starting_cash


@pytest.mark.parametrize(
    ("rows", "cash"),
    [
        ([], Settings().broker.starting_cash),
        ([row(dt.date(2026, 9, 22), 410_000.0)], 410_000.0),
        ([row(dt.date(2026, 9, 22), 410_000.0), row(dt.date(2026, 9, 23), None, -5_000.0)], 405_000.0),
        ([row(dt.date(2026, 9, 23), None, -5_000.0)], Settings().broker.starting_cash - 5_000.0),
    ],
)
def test_an_account_on_paper_goes_on_with_what_it_had(runner, rows, cash):
    for one in rows:
        write_day_row(runner.state / DAYS_FILE, one)
    assert begun(runner) == cash


def test_a_list_of_days_that_cannot_be_read_keeps_nobody_from_trading(runner):
    (runner.state / DAYS_FILE).write_text("day;mode\n")
    begun(runner)
    assert not runner.is_done
    assert len(runner.log.of("days_unreadable")) == 1


def test_a_day_that_never_reached_its_end_is_finished_first(runner):
    folder = day_folder(runner.request, dt.date(2026, 9, 23))
    folder.mkdir(parents=True)
    (folder / "paper.sqlite").touch()
    begun(runner)
    assert [record["day"] for record in runner.log.of("day_unfinished")] == [dt.date(2026, 9, 23)]
    assert len(runner.log.of("post_market")) == 1
    assert len(read_days(runner.state / DAYS_FILE)) <= 1


# -- drift and training ------------------------------------------------------------------------------------


class Retraining:
    def __init__(self):
        self.started, self.stopped = [], []

    def start(self, settings, reason):
        self.started.append(reason)

    def stop(self, reason):
        self.stopped.append(reason)


def with_settings(runner, **sections):
    settings = Settings.model_validate(sections)
    runner._request = runner._days_request = replace(runner.request, settings=settings)
    runner._retraining = Retraining()
    return settings


def session_of(runner, monkeypatch):
    """Have a session do nothing but keep the request it is given."""
    requests = []

    class Day:
        stop_reason = ""

        def __init__(self, request, *_):
            requests.append(request)

        def run(self, _):
            return 0

    nothing = nullcontext(SimpleNamespace())
    monkeypatch.setattr(day_runner, "LiveDay", Day)
    monkeypatch.setattr(day_runner, "connected", lambda *_: nothing)
    monkeypatch.setattr(day_runner, "day_log", lambda *_: nothing)
    runner._request = runner._days_request = replace(runner._request, clock="feed")
    return requests


def test_the_level_after_the_last_session_is_that_of_the_next_days_rule(runner, monkeypatch):
    monkeypatch.setattr(drift_standing, "_model_of", lambda _: "v0001")
    settings = with_settings(runner, risk={"on_drift": {"alarm": "stop"}})
    standing = DriftStanding(day=dt.date(2026, 9, 23), model="v0001", level="alarm", words="far")
    write_standing(standing, runner.state)
    traded = session_of(runner, monkeypatch)
    with runner.day(plan_day(CALENDAR, TODAY, settings)):
        assert runner.trade()
    rules = {rule.name: rule.describe() for rule in make_rules(traded[0].settings.risk)}
    assert rules["model_drift"] == "model drift: alarm after the last session, no entries"
    assert [record["drift"] for record in runner.log.of("drift_standing")] == ["alarm"]
    # What is trained after the market is not traded under it
    assert runner._days_request.settings.risk.on_drift.level == "unknown"


def test_a_model_promoted_overnight_is_not_held_to_what_was_found_of_the_one_before(runner, monkeypatch):
    """The next day begins, and waits, as soon as the one before is over."""
    settings = with_settings(runner, risk={"on_drift": {"alarm": "stop"}})
    standing = DriftStanding(day=dt.date(2026, 9, 23), model="v0001", level="alarm", words="far")
    write_standing(standing, runner.state)
    champion = ["v0001"]
    monkeypatch.setattr(drift_standing, "_model_of", lambda _: champion[0])
    traded = session_of(runner, monkeypatch)
    with runner.day(plan_day(CALENDAR, TODAY, settings)):
        champion[0] = "v0002"
        assert runner.trade()
    assert traded[0].settings.risk.on_drift.level == "unknown"
    (told,) = runner.log.of("drift_standing")
    assert told["reason"] == "the last check was of model v0001, the day asks v0002"


@pytest.mark.parametrize(
    ("retrain", "drift", "reasons"),
    [
        ({}, "alarm", []),
        ({"schedule": "weekly"}, "ok", ["first session of the week"]),
        ({"on_drift": True}, "alarm", ["drift alarm"]),
        ({"on_drift": True}, "warning", []),
    ],
)
def test_a_training_is_started_where_one_is_due(runner, retrain, drift, reasons, tmp_path):
    settings = with_settings(runner, ml={"retrain": retrain, "registry": str(tmp_path / "models")})
    with runner.day(plan_day(CALENDAR, TODAY, settings)):
        runner._retrain(drift)
    assert runner._retraining.started == reasons


def test_a_registry_that_may_not_be_read_ends_no_day(runner, monkeypatch):
    settings = with_settings(runner, ml={"retrain": {"schedule": "weekly"}})

    def denied(_):
        raise PermissionError(13, "Permission denied", "models")

    monkeypatch.setattr(day_runner, "newest_training", denied)
    with runner.day(plan_day(CALENDAR, TODAY, settings)):
        runner._retrain("ok")
    assert [record["outcome"] for record in runner.log.of("retrained")] == ["failed"]


def test_a_registry_that_cannot_be_read_ends_no_day(runner, tmp_path):
    settings = with_settings(
        runner, ml={"retrain": {"schedule": "weekly"}, "registry": str(tmp_path / "models")}
    )
    (tmp_path / "models" / "v0001").mkdir(parents=True)
    with runner.day(plan_day(CALENDAR, TODAY, settings)):
        runner._retrain("ok")
    assert runner._retraining.started == []
    assert [record["outcome"] for record in runner.log.of("retrained")] == ["failed"]
