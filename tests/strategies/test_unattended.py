"""Days that run themselves, on a clock that jumps from step to step: what is done when, and what is told."""

import contextlib
import datetime as dt

import pytest

from feeds.calendar import TradingCalendar
from feeds.clock import IST, ReplayClock
from strategies.settings import Settings
from strategies.step_timer import ReplayTimer
from strategies.unattended import Unattended

CALENDAR = TradingCalendar()
THURSDAY = dt.date(2026, 10, 15)
HOLIDAY = dt.date(2026, 10, 20)


def at(text, day=THURSDAY):
    return dt.datetime.combine(day, dt.time.fromisoformat(text), IST)


class Log:
    def __init__(self):
        self.told = []

    def _tell(self, event, /, **fields):
        self.told.append((event, fields))

    debug = info = warning = error = _tell

    def of(self, event):
        return [fields for name, fields in self.told if name == event]


class Runner:
    """Does nothing, remembers when it was asked, and behaves as a test says."""

    def __init__(self, clock, *, begun=(), go=(), sessions=(), done=()):
        self.clock, self.did = clock, []
        self.trouble, self.exit_code, self.was_stopped = "", 0, False
        self._begun, self._done = set(begun), set(done)
        self._go, self._sessions = list(go), list(sessions)
        self._is_go, self._day = False, None

    @contextlib.contextmanager
    def day(self, plan):
        self._day, self._is_go, self.trouble = plan.day, False, ""
        yield

    def has_begun_on(self, day):
        return day in self._begun

    @property
    def has_begun(self):
        return self._day in self._begun

    @property
    def is_done(self):
        return self._day in self._done

    def _note(self, what):
        self.did.append((f"{self.clock.now():%d %H:%M}", what))

    def preflight(self):
        self._note("preflight")
        self._is_go = self._go.pop(0) if self._go else True
        self.trouble = "" if self._is_go else "no go: login"

    def prepare(self):
        if self.has_begun:
            return "ready"
        if not self._is_go:
            self.preflight()
        return "ready" if self._is_go else "not_ready"

    def trade(self):
        self._note("session")
        self._is_go = False
        result = self._sessions.pop(0) if self._sessions else "traded"
        if result == "stopped, and not begun":
            self.was_stopped = True
            return False
        if result == "not begun":
            self.trouble = "could not ask"
            return False
        self.trouble = ""
        self._begun.add(self._day)
        if result == "stopped":
            self.was_stopped = True
        else:
            self.clock.set(at("15:40", self._day))
        return True

    def post_market(self):
        self._note("post_market")


class Process:
    def __init__(self):
        self.shown, self.plan, self.days = [], [], 0

    def begin_day(self):
        self.days += 1

    def show(self, phase, note="", *, trouble=""):
        self.shown.append((phase, note, trouble))

    def show_plan(self, plan):
        self.plan = [(step.name, step.outcome) for step in plan]


def run(start, *, until=None, timer=None, **behaviour):
    clock = ReplayClock(start)
    runner, log, process = Runner(clock, **behaviour), Log(), Process()
    timer = timer(clock) if timer else ReplayTimer(clock)
    unattended = Unattended(
        settings=Settings(), calendar=CALENDAR, clock=clock, timer=timer, runner=runner, process=process,
        log=log, until=until or start.date(),
    )  # fmt: skip
    return unattended.run(), runner, log, process


def test_an_ordinary_day_goes_from_preflight_to_post_market():
    code, runner, log, process = run(at("07:30"))
    assert code == 0
    assert runner.did == [("15 08:45", "preflight"), ("15 09:10", "session"), ("15 16:00", "post_market")]
    assert [fields["name"] for fields in log.of("step")] == ["morning", "preflight", "session", "post_market"]
    assert process.plan == [
        (name, "done")
        for name in ("morning", "preflight", "session", "square_off", "close", "post_market")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("08:00", [("15 08:45", "preflight"), ("15 09:10", "session"), ("15 16:00", "post_market")]),
        ("11:00", [("15 11:00", "preflight"), ("15 11:00", "session"), ("15 16:00", "post_market")]),
        ("15:25", []),
        ("16:00", []),
    ],
)
def test_a_late_start_does_what_is_left(start, expected):
    _, runner, log, _ = run(at(start))
    assert runner.did == expected
    if start == "15:25":
        assert [fields["day"] for fields in log.of("session_missed")] == [THURSDAY]


@pytest.mark.parametrize("start", ["11:00", "15:25"])
def test_a_restart_in_mid_session_goes_on_without_asking_whether_it_may(start):
    _, runner, _, _ = run(at(start), begun={THURSDAY}, go=[False])
    assert runner.did == [(f"15 {start}", "session"), ("15 16:00", "post_market")]


def test_a_day_that_was_begun_is_brought_to_its_end_in_the_evening():
    _, runner, _, _ = run(at("19:00"), begun={THURSDAY})
    assert runner.did == [("15 19:00", "post_market")]


def test_a_day_that_is_done_is_left_alone():
    _, runner, log, _ = run(at("19:00"), begun={THURSDAY}, done={THURSDAY}, until=THURSDAY)
    assert runner.did == []
    assert log.of("session_missed") == []


def test_a_week_skips_holiday_and_weekend():
    _, runner, log, _ = run(at("07:30"), until=dt.date(2026, 10, 22))
    assert [when[:2] for when, what in runner.did if what == "session"] == ["15", "16", "19", "21", "22"]
    assert [(fields["day"].day, fields["next"].day) for fields in log.of("no_session")] == [
        (17, 19),
        (20, 21),
    ]


def test_a_no_go_is_asked_again_until_it_is_a_go():
    _, runner, _, process = run(at("07:30"), go=[False, False, True])
    assert runner.did == [
        ("15 08:45", "preflight"), ("15 09:10", "preflight"), ("15 09:12", "preflight"),
        ("15 09:12", "session"), ("15 16:00", "post_market"),
    ]  # fmt: skip
    assert ("preflight", "asked again at 09:12", "no go: login") in process.shown


def test_a_day_that_never_gets_a_go_is_missed_at_the_square_off():
    _, runner, log, process = run(at("15:00"), go=[False] * 99)
    assert {what for _, what in runner.did} == {"preflight"}
    assert runner.did[-1][0] < "15 15:21"
    assert [fields["reason"] for fields in log.of("session_missed")] == ["no go: login"]
    assert ("session", "failed") in process.plan


def test_a_session_that_could_not_begin_is_checked_and_tried_again():
    _, runner, _, _ = run(at("07:30"), sessions=["not begun"])
    assert runner.did[1:4] == [
        ("15 09:10", "session"), ("15 09:12", "preflight"), ("15 09:12", "session"),
    ]  # fmt: skip


def test_what_may_be_open_is_looked_after_until_the_close():
    _, runner, _, _ = run(at("15:20"), begun={THURSDAY}, sessions=["not begun"] * 5)
    sessions = [when for when, what in runner.did if what == "session"]
    assert sessions[:6] == [f"15 15:{minute}" for minute in range(20, 32, 2)]


def test_a_signal_during_the_session_ends_it_all():
    code, runner, log, _ = run(at("07:30"), sessions=["stopped"], until=dt.date(2026, 10, 22))
    assert (code, runner.did[-1]) == (0, ("15 09:10", "session"))
    assert log.of("unattended_ends") == [{"reason": "stopped by a signal"}]


class SleepingTimer(ReplayTimer):
    """A machine that sleeps through the morning: it wakes at half past ten."""

    def __init__(self, clock):
        super().__init__(clock)
        self._sleeper = clock

    def wait(self, step):
        if step.name == "preflight" and self._sleeper.now() < at("10:30"):
            self._sleeper.set(at("10:30"))
            return "missed"
        return super().wait(step)


def test_a_missed_morning_is_told_and_made_up_for():
    _, runner, log, _ = run(at("07:30"), timer=SleepingTimer)
    assert runner.did[:2] == [("15 10:30", "preflight"), ("15 10:30", "session")]
    assert [(fields["name"], fields["late_minutes"]) for fields in log.of("step_missed")] == [
        ("preflight", 105.0)
    ]


def test_a_day_that_left_something_open_is_in_the_exit_code():
    clock = ReplayClock(at("07:30"))
    runner = Runner(clock)
    runner.exit_code = 1
    unattended = Unattended(
        settings=Settings(), calendar=CALENDAR, clock=clock, timer=ReplayTimer(clock), runner=runner,
        process=Process(), log=Log(), until=THURSDAY,
    )  # fmt: skip
    assert unattended.run() == 1


class NightTimer(ReplayTimer):
    """A machine that is closed after the first no-go and opened on the next day."""

    def __init__(self, clock):
        super().__init__(clock)
        self._sleeper = clock

    def wait(self, step):
        if step.at > at("09:10") and step.name == "preflight":
            self._sleeper.set(at("09:30", dt.date(2026, 10, 16)))
            return "missed"
        return super().wait(step)


def test_a_plan_of_yesterday_is_never_traded_today():
    _, runner, log, _ = run(at("07:30"), timer=NightTimer, go=[False, False, True])
    assert "session" not in [what for _, what in runner.did]
    assert [fields["day"] for fields in log.of("session_missed")] == [THURSDAY]


class Stopping(Runner):
    """A signal comes while the broker is asked."""

    def prepare(self):
        self.timer.stop()
        return super().prepare()


def test_a_signal_before_the_session_keeps_it_from_beginning(monkeypatch):
    clock = ReplayClock(at("09:30"))
    timer = ReplayTimer(clock)
    runner = Stopping(clock)
    runner.timer = timer
    unattended = Unattended(
        settings=Settings(), calendar=CALENDAR, clock=clock, timer=timer, runner=runner, process=Process(),
        log=Log(), until=THURSDAY,
    )  # fmt: skip
    assert unattended.run() == 0
    assert "session" not in [what for _, what in runner.did]


def test_a_signal_counts_also_where_the_session_did_not_end_well():
    _, runner, _, _ = run(at("07:30"), sessions=["stopped, and not begun"], until=dt.date(2026, 10, 22))
    assert [what for _, what in runner.did].count("session") == 1


def test_a_go_after_a_no_go_takes_the_red_from_the_page():
    *_, process = run(at("07:30"), go=[False, True])
    assert ("preflight", "done") in process.plan


def test_where_the_calendar_ends_at_the_last_day_nothing_is_wrong():
    last = CALENDAR.last_date
    code, _, log, _ = run(at("07:30", last), until=last)
    assert code == 0
    assert log.of("no_plan") == []
