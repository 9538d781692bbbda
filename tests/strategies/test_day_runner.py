"""What a day begins with: the cash that the days before have left, and the days that were never finished."""

import datetime as dt

import pytest

from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from strategies.day import plan_day
from strategies.day_runner import DayRunner
from strategies.days_file import DAYS_FILE, DayRow, read_days, write_day_row
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
