"""Days that run themselves: prepare, trade, square off, report, and wait for the next morning.

What is to be done at a moment is asked of :func:`strategies.day.catch_up` each time, whether the program has
just started, woken up, or come to a step's time: there is no path that only a late start takes.
"""

from __future__ import annotations

import datetime as dt
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from analyzers.status.now import StepNow
from feeds.calendar import TradingCalendar
from feeds.clock import IST, Clock
from feeds.errors import DataError
from feeds.log import Log
from strategies.day import CatchUp, DayPlan, Step, StepName, catch_up, next_plan, plan_day
from strategies.day_runner import DayRunner, Preparation
from strategies.live_process import LiveProcess
from strategies.settings import Settings
from strategies.step_timer import StepTimer

__all__ = ["Unattended"]

_JOBS = ("morning", "preflight", "session", "post_market")


class Unattended:
    """Runs trading days until told to stop.

    Parameters
    ----------
    settings : Settings
        Everything.
    calendar : TradingCalendar
        Sessions.
    clock : Clock
        Says when which step is due; a day's own clock may be a steadier one.
    timer : StepTimer
        Waits for steps.
    runner : DayRunner
        Does them.
    process : LiveProcess
        Shows what is being done.
    log : Log
        Told of every step.
    until : datetime.date or None
        The last day; None for ever.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        calendar: TradingCalendar,
        clock: Clock,
        timer: StepTimer,
        runner: DayRunner,
        process: LiveProcess,
        log: Log,
        until: dt.date | None = None,
    ) -> None:
        self._settings = settings
        self._calendar = calendar
        self._clock = clock
        self._timer = timer
        self._runner = runner
        self._process = process
        self._log = log
        self._until = until
        self._outcomes: dict[str, StepNow] = {}

    def run(self) -> int:
        """Run days; return the exit code.

        Returns
        -------
        int
            0 after the last day or a signal; 1 where a day has left something open.
        """
        worst = 0
        self._log.info("unattended_begins", until=self._until)
        with self._signals():
            newest: dt.date | None = None
            while not self._timer.is_stopped:
                plan = self._next_day(newest)
                if plan is None:
                    break
                with self._runner.day(plan):
                    self._run_day(plan)
                worst = max(worst, self._runner.exit_code)
                newest = plan.day
        reason = "stopped by a signal" if self._timer.is_stopped else "the last day is over"
        self._log.info("unattended_ends", reason=reason)
        return worst

    def _next_day(self, newest: dt.date | None) -> DayPlan | None:
        """Return the plan of the next day after ``newest``; None when there is none to be run.

        A day that was begun and not finished comes first, however late it has become.
        """
        now = self._clock.now()
        today = now.astimezone(IST).date()
        if newest is None and self._runner.has_begun_on(today):
            plan = plan_day(self._calendar, today, self._settings)
            if plan is not None:
                return plan
        if newest is not None:
            now = max(now, dt.datetime.combine(newest + dt.timedelta(days=1), dt.time(), IST))
        if self._until is not None and now.date() > self._until:
            return None
        plan = self._plan_after(now)
        if plan is None:
            return None
        if plan.day > now.date():
            self._log.info("no_session", day=now.date(), next=plan.day)
        return None if self._until is not None and plan.day > self._until else plan

    def _plan_after(self, now: dt.datetime) -> DayPlan | None:
        """Return the next plan; where the calendar ends, say so every day instead of dying in the night."""
        while not self._timer.is_stopped:
            try:
                return next_plan(self._calendar, now, self._settings)
            except DataError as error:
                self._log.error("no_plan", error=str(error))
                self._process.show("waiting", trouble=str(error))
                now += dt.timedelta(days=1)
                self._timer.wait(Step("morning", now))
        return None

    # -- a day -----------------------------------------------------------------------------------

    def _run_day(self, plan: DayPlan) -> None:
        self._outcomes = {}
        self._log.info(
            "plan", day=plan.day, kind=plan.kind, notes=list(plan.notes),
            steps=[{"name": step.name, "at": step.at} for step in plan.steps],
        )  # fmt: skip
        while not self._timer.is_stopped:
            todo = self._todo(plan)
            self._report_missed(plan, todo)
            due = next((name for name in todo.steps if name not in self._outcomes), None)
            if due is not None:
                self._do(plan, due)
                if due == "session" and not self._runner.has_begun:
                    return  # given up: there is nothing to report on after the market
                continue
            step = next((step for step in todo.to_come if self._is_job(step)), None)
            if step is None:
                return
            self._wait(plan, step)

    def _todo(self, plan: DayPlan) -> CatchUp:
        return catch_up(
            plan,
            self._clock.now(),
            has_journal=self._runner.has_begun,
            is_done="post_market" in self._outcomes or self._runner.is_done,
        )

    def _is_job(self, step: Step) -> bool:
        return step.name in _JOBS and step.name not in self._outcomes

    def _report_missed(self, plan: DayPlan, todo: CatchUp) -> None:
        missed = [step for step in todo.missed if step.name not in self._outcomes]
        for step in missed:
            self._note(step.name, step.at, "missed")
        if missed:
            self._log.error("session_missed", day=plan.day, reason=todo.words)

    def _wait(self, plan: DayPlan, step: Step) -> None:
        note = f"{step.name.replace('_', ' ')} at {step.at:%H:%M on %a %d %b}"
        self._note(step.name, step.at, "next")
        self._show_plan(plan)
        if "session" not in self._outcomes and "preflight" in self._outcomes:
            self._process.show("preflight", note, trouble=self._runner.trouble)
        else:
            self._process.show("waiting", note, trouble=self._runner.trouble)
        arrival = self._timer.wait(step)
        self._outcomes.pop(step.name, None)
        if arrival == "missed":
            late = (self._clock.now() - step.at).total_seconds() / 60.0
            self._log.error("step_missed", name=step.name, at=step.at, late_minutes=round(late, 1))

    def _do(self, plan: DayPlan, name: StepName) -> None:
        at = plan.at(name)
        self._note(name, at, "now")
        self._show_plan(plan)
        self._log.info("step", name=name, at=at)
        match name:
            case "morning":
                self._process.begin_day()
            case "preflight":
                self._runner.preflight()
            case "session":
                self._trade(plan)
            case "post_market":
                self._process.show("post_market", "candles, parity, report, backup")
                self._runner.post_market()
        is_wrong = name != "morning" and bool(self._runner.trouble)
        self._note(name, at, "failed" if is_wrong else "done")
        self._show_plan(plan)

    # -- the session -----------------------------------------------------------------------------

    def _trade(self, plan: DayPlan) -> None:
        """Trade, and where nothing has begun yet ask again until it is too late."""
        while self._is_in_time(plan):
            preparation: Preparation = self._runner.prepare()
            if self._timer.is_stopped:  # a signal came while it was asked
                return
            if preparation == "ready":
                self._note("preflight", plan.at("preflight"), "done")
                is_over = self._runner.trade()
                if self._runner.was_stopped:
                    self._timer.stop()
                if is_over or self._runner.was_stopped:
                    return
            again = self._clock.now() + dt.timedelta(minutes=self._settings.live.preflight_repeat_minutes)
            self._process.show("preflight", f"asked again at {again:%H:%M}", trouble=self._runner.trouble)
            if again < self._ends(plan) and self._timer.wait(Step("preflight", again)) == "stopped":
                return
            if again >= self._ends(plan):
                break
        if not self._timer.is_stopped:
            self._log.error("session_missed", day=plan.day, reason=self._runner.trouble)

    def _is_in_time(self, plan: DayPlan) -> bool:
        """Whether the session may still begin; a machine that slept may wake on another day."""
        return not self._timer.is_stopped and self._clock.now() < self._ends(plan)

    def _ends(self, plan: DayPlan) -> dt.datetime:
        """Return until when: what may be open has the close, a new day is not begun after the square-off."""
        return plan.at("close" if self._runner.has_begun else "square_off")

    def _note(self, name: str, at: dt.datetime, outcome: str) -> None:
        self._outcomes[name] = StepNow.model_validate({"name": name, "at": at, "outcome": outcome})

    def _show_plan(self, plan: DayPlan) -> None:
        """Show every step; the marks inside the session are done once their time has passed."""
        now = self._clock.now()
        steps: list[StepNow] = []
        for step in plan.steps:
            known = self._outcomes.get(step.name)
            if known is None:
                known = StepNow(name=step.name, at=step.at, outcome="done" if step.at <= now else "next")
            steps.append(known)
        self._process.show_plan(steps)

    # -- signals ---------------------------------------------------------------------------------

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end the waiting; only the main thread can take them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            self._timer.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
