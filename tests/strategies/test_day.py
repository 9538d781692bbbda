"""The plan of a day: every kind of session, every boundary, and a start at any time of it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from feeds.bars import close_times
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError, SettingsError
from strategies.assembly import make_windows
from strategies.day import catch_up, next_plan, plan_day
from strategies.live_settings import LiveSettings
from strategies.settings import load_settings
from strategies.square_off import is_square_off_late
from tests.strategies.day_bars import bars_of

CALENDAR = TradingCalendar()
SETTINGS = load_settings(None)
THURSDAY = dt.date(2026, 9, 24)
SECOND = dt.timedelta(seconds=1)
NAMES = ["morning", "preflight", "session", "square_off", "close", "post_market"]


def day(text):
    return dt.date.fromisoformat(text)


def at(text, date=THURSDAY):
    return dt.datetime.combine(date, dt.time.fromisoformat(text), IST)


def times(plan):
    assert [step.name for step in plan.steps] == NAMES
    assert {step.at.date() for step in plan.steps} == {plan.day}
    return " ".join(f"{step.at:%H:%M}" for step in plan.steps)


def with_settings(*overrides):
    return load_settings(None, list(overrides))


@pytest.fixture(scope="module")
def plan():
    return plan_day(CALENDAR, THURSDAY, SETTINGS)


# -- the plan ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "kind", "expected"),
    [
        ("2026-09-24", "regular", "08:00 08:45 09:10 15:21 15:40 16:00"),
        ("2026-07-31", "regular", "08:00 08:45 09:10 15:21 15:30 15:50"),  # the last to close at 15:30
        ("2026-08-03", "regular", "08:00 08:45 09:10 15:21 15:40 16:00"),  # the first to close at 15:40
        ("2026-09-29", "regular", "08:00 08:45 09:10 15:21 15:40 16:00"),  # an expiry
        ("2026-02-01", "budget", "08:00 08:45 09:10 15:21 15:30 15:50"),  # a Sunday
        ("2024-01-20", "weekend", "08:00 08:45 09:10 15:21 15:30 15:50"),  # a full Saturday
        ("2024-03-02", "weekend", "08:00 08:45 09:10 12:21 12:30 12:50"),  # a Saturday in two parts
        ("2024-11-01", "muhurat", "08:00 17:30 17:55 18:51 19:00 19:20"),  # in the evening
        ("2025-10-21", "muhurat", "08:00 13:15 13:40 14:36 14:45 15:05"),  # in the afternoon
        ("2021-02-24", "outage", "08:00 08:45 09:10 15:48 17:00 17:20"),  # 15:20 lies in its break
        ("2020-03-13", "halt", "08:00 08:45 09:10 15:21 15:30 15:50"),
    ],
)
def test_the_steps_of_a_day(date, kind, expected):
    plan = plan_day(CALENDAR, day(date), SETTINGS)
    assert plan.kind == kind
    assert times(plan) == expected


@pytest.mark.parametrize(
    "date",
    [
        "2026-09-26",  # a Saturday
        "2026-09-27",  # a Sunday
        "2024-01-26",  # Republic Day
        "2024-05-20",  # an election
        "2026-01-15",  # municipal elections, announced late
    ],
)
def test_no_plan_where_the_exchange_is_closed(date):
    assert plan_day(CALENDAR, day(date), SETTINGS) is None


def test_a_session_of_unknown_hours_is_an_error_until_they_are_given():
    sunday = day("2026-11-08")
    with pytest.raises(DataError, match=r"2026-11-08 was announced, but its hours.*extra_sessions"):
        plan_day(CALENDAR, sunday, SETTINGS)
    told = TradingCalendar({sunday: "18:00-19:00"})
    plan = plan_day(told, sunday, SETTINGS)
    assert times(plan) == "08:00 17:30 17:55 18:51 19:00 19:20"
    assert plan.notes[0] == "hours from market.extra_sessions: 18:00-19:00"


def test_a_holiday_of_the_settings_is_one():
    assert plan_day(TradingCalendar((), [THURSDAY]), THURSDAY, SETTINGS) is None


def test_settings_move_the_steps():
    settings = with_settings(
        "live.preflight_minutes=90", "live.warmup_minutes=10", "live.post_market_minutes=5",
        "strategy.square_off='15:10'", "data.bar_minutes=5",
    )  # fmt: skip
    # The message of the morning comes before the preflight even where that is early
    assert times(plan_day(CALENDAR, THURSDAY, settings)) == "07:30 07:45 09:05 15:10 15:40 15:45"


@pytest.mark.parametrize(("preflight", "morning"), [(59, "08:00"), (60, "08:00"), (61, "07:59")])
def test_the_morning_is_a_quarter_of_an_hour_before_the_preflight_at_the_latest(preflight, morning):
    settings = with_settings(f"live.preflight_minutes={preflight}")
    assert f"{plan_day(CALENDAR, THURSDAY, settings).at('morning'):%H:%M}" == morning


@pytest.mark.parametrize(("warmup", "is_good"), [(29, True), (30, False), (31, False)])
def test_the_preflight_comes_before_the_warm_up(warmup, is_good):
    if is_good:
        assert LiveSettings(warmup_minutes=warmup).warmup_minutes == warmup
        return
    with pytest.raises(ValidationError, match="expected more than warmup_minutes"):
        LiveSettings(warmup_minutes=warmup)


def test_a_session_of_one_bar_cannot_be_planned():
    settings = with_settings("data.bar_minutes=60")
    with pytest.raises(SettingsError, match=r"2024-11-01 has a single bar of 60 minutes.*bar_minutes"):
        plan_day(CALENDAR, day("2024-11-01"), settings)
    assert plan_day(CALENDAR, day("2024-11-01"), with_settings("data.bar_minutes=59")) is not None


def test_every_known_session_has_a_plan_in_strict_order():
    sessions = [
        session
        for year in range(2013, 2026)
        for session in CALENDAR.sessions(dt.date(year, 1, 1), dt.date(year, 12, 31))
    ]
    sessions += CALENDAR.sessions(dt.date(2026, 1, 1), dt.date(2026, 11, 7))
    sessions += CALENDAR.sessions(dt.date(2026, 11, 9), dt.date(2026, 12, 31))
    assert len(sessions) > 3400
    kinds = Counter()
    for session in sessions:
        plan = plan_day(CALENDAR, session.date, SETTINGS)
        moments = [step.at for step in plan.steps]
        assert all(earlier < later for earlier, later in itertools.pairwise(moments)), session
        assert moments[0].date() == moments[-1].date() == session.date
        assert plan.at("session") < session.open < plan.at("square_off") < session.close == plan.at("close")
        kinds[plan.kind] += 1
    assert kinds["regular"] > 3300
    assert set(kinds) == {"regular", "muhurat", "budget", "weekend", "outage", "halt"}


@given(
    date=st.sampled_from(
        [session.date for session in CALENDAR.sessions(day("2020-01-01"), day("2026-11-07"))]
    ),
    bar_minutes=st.integers(1, 60),
    square_off=st.integers(9 * 60 + 30, 16 * 60),
    before_close=st.integers(0, 375),
)
def test_the_square_off_is_the_close_of_the_first_bar_on_which_the_strategy_does_it(
    date, bar_minutes, square_off, before_close
):
    wanted = dt.time(*divmod(square_off, 60))
    settings = with_settings(
        f"data.bar_minutes={bar_minutes}", f"strategy.square_off='{wanted:%H:%M}'",
        "strategy.last_entry='09:20'", f"strategy.square_off_before_close_minutes={before_close}",
    )  # fmt: skip
    try:
        plan = plan_day(CALENDAR, date, settings)
    except SettingsError:
        session = CALENDAR.session(date)
        assert len(session.segments) == 1
        assert session.minutes <= bar_minutes
        return
    closes = close_times(bars_of(plan.session, bar_minutes), bar_minutes, CALENDAR)
    due = make_windows(settings, CALENDAR).of(date.toordinal()).square_off
    first = next(close for close in closes if close.hour * 60 + close.minute >= due)
    assert plan.at("square_off") == first < plan.session.close


# -- what is out of the ordinary ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "notes"),
    [
        ("2026-09-24", []),
        ("2026-07-31", []),
        ("2026-08-03", ["derivatives trade until 15:40, up to now it was 15:30"]),
        ("2026-08-04", []),
        ("2026-09-28", []),
        ("2026-09-29", ["the near month of NIFTY expires today, traded to its end"]),
        (
            "2026-10-01",
            ["closed on Friday 2026-10-02; the next session is on Monday 2026-10-05"],
        ),
        ("2024-03-02", ["weekend session: 09:15-10:00 and 11:30-12:30",
                        "short session of 105 minutes, square-off at 12:21"]),
        ("2026-02-01", ["budget session: 09:15-15:30"]),
    ],
)  # fmt: skip
def test_the_notes_of_a_day(date, notes):
    assert list(plan_day(CALENDAR, day(date), SETTINGS).notes) == notes


def test_the_notes_of_muhurat():
    plan = plan_day(CALENDAR, day("2024-11-01"), SETTINGS)
    assert plan.notes == (
        "Muhurat trading: 18:00-19:00",
        "short session of 60 minutes, square-off at 18:51",
    )


def test_hours_that_are_not_known_are_told_on_the_session_before():
    (note,) = plan_day(CALENDAR, day("2026-11-06"), SETTINGS).notes
    assert "2026-11-08 was announced, but its hours are not known" in note
    assert "market.extra_sessions" in note


@pytest.mark.parametrize(("date", "is_told"), [("2026-12-01", False), ("2026-12-02", True)])
def test_the_end_of_the_calendar_is_told_a_month_before(date, is_told):
    notes = plan_day(CALENDAR, day(date), SETTINGS).notes
    assert any("the calendar ends on 2026-12-31" in note for note in notes) is is_told


def test_the_last_day_of_the_calendar_has_a_plan():
    last = CALENDAR.sessions(day("2026-12-20"), CALENDAR.last_date)[-1]
    assert plan_day(CALENDAR, last.date, SETTINGS) is not None


@pytest.mark.parametrize(
    ("date", "underlying", "is_expiry"),
    [
        ("2026-09-28", "NIFTY", False),
        ("2026-09-29", "NIFTY", True),
        ("2026-09-30", "NIFTY", False),
        ("2024-12-24", "BANKNIFTY", True),  # the Wednesday before a holiday
        ("2024-12-26", "NIFTY", True),
        ("2024-12-26", "BANKNIFTY", False),
    ],
)
def test_expiries(date, underlying, is_expiry):
    settings = with_settings(f"market.instrument={underlying}")
    plan = plan_day(CALENDAR, day(date), settings)
    assert plan.is_expiry is is_expiry
    assert any("expires today" in note for note in plan.notes) is is_expiry


@pytest.mark.parametrize(
    ("square_off", "product", "is_late"),
    [("15:24", "MIS", False), ("15:25", "MIS", False), ("15:26", "MIS", True), ("15:26", "NRML", False)],
)
def test_an_own_square_off_after_the_brokers_is_told(square_off, product, is_late):
    settings = with_settings(
        f"strategy.square_off='{square_off}'", "data.bar_minutes=1", f"broker.kite.product={product}"
    )
    plan = plan_day(CALENDAR, THURSDAY, settings)
    assert f"{plan.at('square_off'):%H:%M}" == square_off
    assert is_square_off_late(plan.session, plan.at("square_off"), settings) is is_late
    assert any("after 15:25" in note for note in plan.notes) is is_late


def test_the_brokers_time_is_not_that_of_an_evening():
    plan = plan_day(CALENDAR, day("2024-11-01"), SETTINGS)
    assert not is_square_off_late(plan.session, plan.at("square_off"), SETTINGS)


# -- the next plan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-09-24T00:00:00", "2026-09-24"),
        ("2026-09-24T15:59:59", "2026-09-24"),
        ("2026-09-24T16:00:00", "2026-09-25"),  # its last step is due, none is to come
        ("2026-09-24T16:00:01", "2026-09-25"),
        ("2026-09-25T18:00:00", "2026-09-28"),  # over a weekend
        ("2026-10-01T20:00:00", "2026-10-05"),  # over a holiday and a weekend
        ("2026-10-02T09:30:00", "2026-10-05"),
        ("2026-10-03T09:30:00", "2026-10-05"),
        ("2024-10-31T22:00:00", "2024-11-01"),  # Muhurat
        ("2024-11-01T19:19:59", "2024-11-01"),
        ("2024-11-01T19:20:00", "2024-11-04"),
        ("2024-03-01T22:00:00", "2024-03-02"),  # a Saturday with a session
        ("2026-01-30T22:00:00", "2026-02-01"),  # a Sunday with one
    ],
)
def test_the_next_plan(now, expected):
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=IST)
    found = next_plan(CALENDAR, moment, SETTINGS)
    assert found == plan_day(CALENDAR, day(expected), SETTINGS)


def test_the_day_is_that_of_the_exchange():
    # 20:00 in London on the 23rd is the 24th in Mumbai
    moment = dt.datetime(2026, 9, 23, 20, 0, tzinfo=dt.UTC)
    assert next_plan(CALENDAR, moment, SETTINGS).day == THURSDAY


@pytest.mark.parametrize("now", ["2026-11-06T18:00:00", "2026-11-08T10:00:00"])
def test_a_day_of_unknown_hours_is_left_out_and_told_first(now):
    plan = next_plan(CALENDAR, dt.datetime.fromisoformat(now).replace(tzinfo=IST), SETTINGS)
    assert plan.day == day("2026-11-09")
    assert plan.notes[0].startswith("2026-11-08 is left out: a session on 2026-11-08 was announced")


def test_a_day_of_a_single_bar_is_left_out_and_told():
    settings = with_settings("data.bar_minutes=60")
    plan = next_plan(CALENDAR, at("22:00", day("2024-10-31")), settings)
    assert plan.day == day("2024-11-04")
    assert "2024-11-01 is left out" in plan.notes[0]


@pytest.mark.parametrize("now", ["2026-12-31T23:00:00", "2027-03-01T09:00:00"])
def test_the_calendar_ends(now):
    with pytest.raises(DataError, match=r"calendar ends.*update the project"):
        next_plan(CALENDAR, dt.datetime.fromisoformat(now).replace(tzinfo=IST), SETTINGS)


def test_before_the_calendar():
    with pytest.raises(DataError, match="the calendar knows 2010-10-18"):
        next_plan(CALENDAR, at("09:00", day("2009-01-05")), SETTINGS)


# -- catching up -------------------------------------------------------------------------------------------

FRESH = {"has_journal": False, "is_done": False}
BEGUN = {"has_journal": True, "is_done": False}
DONE = {"has_journal": True, "is_done": True}


@pytest.mark.parametrize(
    ("now", "known", "steps", "missed", "to_come"),
    [
        # a first start
        ("07:59:59", FRESH, "", "", "morning preflight session square_off close post_market"),
        ("08:00:00", FRESH, "morning", "", "preflight session square_off close post_market"),
        ("08:44:59", FRESH, "morning", "", "preflight session square_off close post_market"),
        ("08:45:00", FRESH, "morning preflight", "", "session square_off close post_market"),
        ("09:09:59", FRESH, "morning preflight", "", "session square_off close post_market"),
        ("09:10:00", FRESH, "morning preflight session", "", "square_off close post_market"),
        ("11:00:00", FRESH, "morning preflight session", "", "square_off close post_market"),
        ("15:20:59", FRESH, "morning preflight session", "", "square_off close post_market"),
        ("15:21:00", FRESH, "", "preflight session", ""),
        ("15:25:00", FRESH, "", "preflight session", ""),
        ("15:40:00", FRESH, "", "preflight session", ""),
        ("15:59:59", FRESH, "", "preflight session", ""),
        ("16:00:00", FRESH, "", "preflight session post_market", ""),
        ("23:00:00", FRESH, "", "preflight session post_market", ""),
        # a restart
        ("09:09:59", BEGUN, "morning preflight", "", "session square_off close post_market"),
        ("09:10:00", BEGUN, "session", "", "square_off close post_market"),
        ("11:00:00", BEGUN, "session", "", "square_off close post_market"),
        ("15:21:00", BEGUN, "session", "", "close post_market"),
        ("15:25:00", BEGUN, "session", "", "close post_market"),  # to leave what is open
        ("15:39:59", BEGUN, "session", "", "close post_market"),
        ("15:40:00", BEGUN, "", "", "post_market"),
        ("15:59:59", BEGUN, "", "", "post_market"),
        ("16:00:00", BEGUN, "post_market", "", ""),
        ("23:00:00", BEGUN, "post_market", "", ""),
        # nothing is done twice
        ("11:00:00", DONE, "", "", ""),
        ("15:50:00", DONE, "", "", ""),
        ("16:00:00", DONE, "", "", ""),
    ],
)
def test_a_start_at_any_time_of_the_day(plan, now, known, steps, missed, to_come):
    found = catch_up(plan, at(now), **known)
    assert " ".join(found.steps) == steps
    assert " ".join(step.name for step in found.missed) == missed
    assert " ".join(step.name for step in found.to_come) == to_come
    assert now[:5] in found.words


@pytest.mark.parametrize(
    ("now", "known", "words"),
    [
        ("07:00", FRESH, "started at 07:00, before the day's first step at 08:00"),
        ("08:50", FRESH, "started at 08:50: morning, preflight now"),
        ("11:00", FRESH, "started at 11:00, 105 minutes after the open: morning, preflight, session now"),
        ("15:25", FRESH, "started at 15:25, after the square-off: today's session is missed"),
        ("16:00", FRESH, "started at 16:00, after the close: today's session is missed"),
        ("15:45", BEGUN, "started at 15:45, after the close: post-market at 16:00"),
        ("16:30", BEGUN, "started at 16:30, after the close: post-market now"),
        ("11:00", BEGUN, "restarted at 11:00: the session goes on"),
        ("16:30", DONE, "the day is done; started at 16:30"),
    ],
)
def test_what_a_late_start_says(plan, now, known, words):
    assert catch_up(plan, at(now), **known).words == words


@given(
    seconds=st.integers(0, 24 * 3600 - 1),
    has_journal=st.booleans(),
    is_done=st.booleans(),
    date=st.sampled_from([day("2026-09-24"), day("2024-11-01"), day("2024-03-02"), day("2021-02-24")]),
)
def test_catching_up_loses_nothing_and_begins_nothing_in_vain(seconds, has_journal, is_done, date):
    plan = plan_day(CALENDAR, date, SETTINGS)
    now = at("00:00", date) + seconds * SECOND
    found = catch_up(plan, now, has_journal=has_journal, is_done=is_done)
    order = [name for name in NAMES if name in found.steps]
    assert list(found.steps) == order
    assert all(step.at > now for step in found.to_come)
    assert all(step.at <= now for step in found.missed)
    assert not set(found.steps) & {step.name for step in (*found.missed, *found.to_come)}
    assert "square_off" not in found.steps
    assert "close" not in found.steps
    if "session" in found.steps:
        assert plan.at("session") <= now < plan.at("close")
        assert has_journal or now < plan.at("square_off")
    if has_journal and not is_done:
        # Whatever has begun is brought to its end
        assert {"post_market"} & {*found.steps, *(step.name for step in found.to_come)}
        assert not found.missed
