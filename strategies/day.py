"""The plan of a trading day: which steps, when, and what is left to do when the program starts late. Pure.

The times follow the day's session, whatever its hours: a Muhurat evening has its preflight in the afternoon.
Square-off and close are marks within the session; the other steps are begun by the scheduler.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from feeds.calendar import Session, TradingCalendar
from feeds.clock import IST
from feeds.contracts import expiry_of
from feeds.errors import DataError, SettingsError
from strategies.day_notes import day_notes
from strategies.settings import Settings
from strategies.square_off import square_off_time

__all__ = [
    "CatchUp",
    "DayPlan",
    "Step",
    "StepName",
    "catch_up",
    "next_plan",
    "plan_day",
]

StepName = Literal["morning", "preflight", "session", "square_off", "close", "post_market"]
"""``morning``: what the day will be, told; ``square_off``, ``close``: marks, done inside the session."""

_MORNING = dt.time(8, 0)
_MORNING_BEFORE_PREFLIGHT = dt.timedelta(minutes=15)
_DAY = dt.timedelta(days=1)
_JOBS = ("preflight", "session", "post_market")


class Step(NamedTuple):
    """One step of the day; ``at`` is aware, Asia/Kolkata."""

    name: StepName
    at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class DayPlan:
    """What a day will be.

    Attributes
    ----------
    day : datetime.date
        The trading day.
    session : Session
        Its hours.
    kind : str
        Of the session, see :class:`feeds.calendar.Session`.
    is_expiry : bool
        The near-month contract expires today.
    notes : tuple of str
        What is out of the ordinary, a sentence each.
    steps : tuple of Step
        In strict order of time.
    """

    day: dt.date
    session: Session
    kind: str
    is_expiry: bool
    notes: tuple[str, ...]
    steps: tuple[Step, ...]

    def at(self, name: StepName) -> dt.datetime:
        """Return when a step is due, aware, Asia/Kolkata."""
        return next(step.at for step in self.steps if step.name == name)


class CatchUp(NamedTuple):
    """What a program that starts at some time of the day has to do.

    Attributes
    ----------
    steps : tuple of StepName
        To do now, in this order.
    missed : tuple of Step
        To be reported: they are not made up for.
    to_come : tuple of Step
        Left for the scheduler.
    words : str
        All of it in a sentence.
    """

    steps: tuple[StepName, ...]
    missed: tuple[Step, ...]
    to_come: tuple[Step, ...]
    words: str


def plan_day(calendar: TradingCalendar, day: dt.date, settings: Settings) -> DayPlan | None:
    """Return the plan of a day, None where the exchange is closed.

    Raises
    ------
    DataError
        The calendar does not know the day, or its hours.
    SettingsError
        The session is a single bar long, so that nothing could be squared off within it.
    """
    session = calendar.session(day)
    if session is None:
        return None
    live = settings.live
    preflight = session.open - dt.timedelta(minutes=live.preflight_minutes)
    morning = min(dt.datetime.combine(day, _MORNING, IST), preflight - _MORNING_BEFORE_PREFLIGHT)
    square_off = square_off_time(calendar, session, settings)
    is_expiry = expiry_of(settings.market.instrument, f"{day:%Y-%m}", calendar) == day
    return DayPlan(
        day=day,
        session=session,
        kind=session.kind,
        is_expiry=is_expiry,
        notes=tuple(day_notes(calendar, session, settings, square_off, is_expiry=is_expiry)),
        steps=(
            Step("morning", morning),
            Step("preflight", preflight),
            Step("session", session.open - dt.timedelta(minutes=live.warmup_minutes)),
            Step("square_off", square_off),
            Step("close", session.close),
            Step("post_market", session.close + dt.timedelta(minutes=live.post_market_minutes)),
        ),
    )


def next_plan(calendar: TradingCalendar, now: dt.datetime, settings: Settings) -> DayPlan:
    """Return the first plan, from today on, that has a step after ``now``.

    A day that cannot be planned (its hours are not known) is left out, and the plan's notes say so first.

    Parameters
    ----------
    calendar : TradingCalendar
        Sessions.
    now : datetime.datetime
        Aware.
    settings : Settings
        Everything.

    Raises
    ------
    DataError
        The calendar ends before such a day.
    """
    day = now.astimezone(IST).date()
    left_out: list[str] = []
    while True:
        if day > calendar.last_date:
            skipped = f" ({left_out[0]})" if left_out else ""
            raise DataError(
                f"no trading day after {now:%Y-%m-%d %H:%M} is known{skipped}, expected one up to "
                f"{calendar.last_date}, where the calendar ends; update the project"
            )
        try:
            plan = plan_day(calendar, day, settings)
        except (DataError, SettingsError) as error:
            if not calendar.first_date <= day <= calendar.last_date:
                raise
            left_out.append(f"{day} is left out: {error}")
            plan = None
        if plan is not None and plan.steps[-1].at > now:
            return replace(plan, notes=(*left_out, *plan.notes))
        day += _DAY


def catch_up(plan: DayPlan, now: dt.datetime, *, has_journal: bool, is_done: bool) -> CatchUp:
    """Return what a program that starts at ``now`` has to do of today's plan.

    Parameters
    ----------
    plan : DayPlan
        Of today.
    now : datetime.datetime
        Aware; a step is due from its very moment on.
    has_journal : bool
        The day's session has begun before (its journal or paper book exists).
    is_done : bool
        The day was brought to its end, post-market included.
    """
    clock = f"{now.astimezone(IST):%H:%M}"
    due = tuple(step for step in plan.steps if step.at <= now)
    later = plan.steps[len(due) :]
    if is_done:
        return CatchUp((), (), (), f"the day is done; started at {clock}")
    if now >= plan.at("close") and has_journal:
        steps: tuple[StepName, ...] = ("post_market",) if now >= plan.at("post_market") else ()
        when = "now" if steps else f"at {plan.at('post_market'):%H:%M}"
        return CatchUp(steps, (), later, f"started at {clock}, after the close: post-market {when}")
    if now >= plan.at("square_off") and not has_journal:
        missed = tuple(step for step in due if step.name in _JOBS)
        moment = "the close" if now >= plan.at("close") else "the square-off"
        return CatchUp((), missed, (), f"started at {clock}, after {moment}: today's session is missed")
    if now >= plan.at("session") and has_journal:
        return CatchUp(("session",), (), later, f"restarted at {clock}: the session goes on")
    steps = tuple(step.name for step in due if step.name in ("morning", "preflight", "session"))
    return CatchUp(steps, (), later, _late_words(plan, now, steps, clock))


def _late_words(plan: DayPlan, now: dt.datetime, steps: tuple[StepName, ...], clock: str) -> str:
    if not steps:
        return f"started at {clock}, before the day's first step at {plan.steps[0].at:%H:%M}"
    names = ", ".join(steps)
    late = (now - plan.session.open).total_seconds() // 60
    tardy = f", {late:.0f} minutes after the open" if late > 0 else ""
    return f"started at {clock}{tardy}: {names} now"
