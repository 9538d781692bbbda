from __future__ import annotations

import datetime as dt
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.calendar import FIRST_DATE, LAST_DATE, TradingCalendar, parse_segments
from feeds.clock import IST
from feeds.errors import DataError, SettingsError
from feeds.tables import FACTS, read_table

DIWALI_2026 = dt.date(2026, 11, 8)


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return TradingCalendar()


def hours(calendar: TradingCalendar, day: str) -> str | None:
    session = calendar.session(dt.date.fromisoformat(day))
    return session and " ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in session.segments)


def stamps(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(texts, tz="Asia/Kolkata")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2015-03-03", "09:15-15:30"),
        ("2026-07-31", "09:15-15:30"),  # the last trading day before derivatives close at 15:40
        ("2026-08-03", "09:15-15:40"),
        ("2026-08-04", "09:15-15:40"),
        ("2013-05-11", "11:15-12:45"),  # Saturdays on other computers
        ("2014-03-22", "11:15-12:45"),
        ("2024-03-02", "09:15-10:00 11:30-12:30"),
        ("2015-02-28", "09:15-15:30"),  # budgets on a Saturday and on a Sunday
        ("2026-02-01", "09:15-15:30"),
        ("2013-11-03", "18:15-19:30"),  # Muhurat, on a Sunday, on weekdays, in an afternoon
        ("2015-11-11", "17:45-18:45"),
        ("2022-10-24", "18:15-19:15"),
        ("2025-10-21", "13:45-14:45"),
        ("2017-07-10", "09:15-09:56 12:30-15:30"),  # outages and halts
        ("2020-03-13", "09:15-09:22 10:21-15:30"),
        ("2020-03-23", "09:15-09:59 10:57-15:30"),
        ("2021-02-24", "09:15-11:41 15:45-17:00"),
        ("2026-01-15", None),  # election, announced three days before
        ("2024-05-20", None),
        ("2025-10-22", None),  # the day after Muhurat
        ("2026-08-02", None),  # an ordinary Sunday
        ("2013-11-15", None),  # Muharram; other calendars close on the 14th instead
    ],
)
def test_hours_of_days_that_matter(calendar, day, expected):
    assert hours(calendar, day) == expected


def test_regular_day_has_375_minutes_then_385(calendar):
    assert calendar.session(dt.date(2026, 7, 31)).minutes == 375
    assert calendar.session(dt.date(2026, 8, 3)).minutes == 385


def test_broken_day_counts_its_trading_minutes_only(calendar):
    session = calendar.session(dt.date(2020, 3, 13))
    assert session.minutes == 7 + 309
    assert (session.open.hour, session.close.hour) == (9, 15)


def test_muhurat_hours_on_weekdays_agree_with_the_calendar_package(calendar):
    import pandas_market_calendars as market_calendars

    schedule = market_calendars.get_calendar("NSE").schedule(
        str(FIRST_DATE), str(LAST_DATE), tz="Asia/Kolkata"
    )
    muhurat = schedule[schedule["market_open"].dt.time > dt.time(12)]
    assert len(muhurat) >= 11
    for day, row in muhurat.iterrows():
        expected = f"{row['market_open']:%H:%M}-{row['market_close']:%H:%M}"
        assert hours(calendar, str(day.date())) == expected


def test_the_calendar_package_knows_holidays_up_to_the_last_date():
    import pandas_market_calendars as market_calendars

    holidays = market_calendars.get_calendar("NSE").holidays().holidays
    assert max(pd.Timestamp(day).year for day in holidays) >= LAST_DATE.year


def test_every_special_session_is_a_session(calendar):
    rows = read_table(FACTS / "special_sessions.csv", ("date", "kind", "segments"))
    days = [row["date"] for row in rows]
    assert days == sorted(set(days))
    known = [row for row in rows if row["segments"]]
    assert all(calendar.session(dt.date.fromisoformat(row["date"])).kind == row["kind"] for row in known)


@pytest.mark.parametrize("year", range(2011, 2026))
def test_years_have_a_plausible_number_of_sessions(calendar, year):
    found = calendar.sessions(dt.date(year, 1, 1), dt.date(year, 12, 31))
    assert 240 <= len(found) <= 254
    assert all(earlier.close < later.open for earlier, later in itertools.pairwise(found))


def test_unknown_hours_are_loud_whoever_asks(calendar):
    before, after = DIWALI_2026 - dt.timedelta(days=2), DIWALI_2026 + dt.timedelta(days=1)
    message = "2026-11-08 was announced.*market.extra_sessions"
    for ask in (
        lambda: calendar.session(DIWALI_2026),
        lambda: calendar.sessions(before, after),
        lambda: calendar.next_session(before),
        lambda: calendar.previous_session(after),
        lambda: calendar.locate(stamps("2026-11-06 10:00", "2026-11-08 18:20", "2026-11-09 10:00")),
    ):
        with pytest.raises(DataError, match=message):
            ask()


def test_unknown_hours_trouble_nobody_else(calendar):
    assert calendar.previous_session(DIWALI_2026).date == dt.date(2026, 11, 6)
    assert calendar.next_session(DIWALI_2026).date == dt.date(2026, 11, 9)
    assert len(calendar.sessions(dt.date(2026, 11, 2), dt.date(2026, 11, 7))) == 5
    assert calendar.locate(stamps("2026-11-06 10:00", "2026-11-09 10:00")).in_session.all()


def test_settings_give_unknown_hours():
    calendar = TradingCalendar({DIWALI_2026: "18:00-19:00"})
    assert hours(calendar, "2026-11-08") == "18:00-19:00"
    assert calendar.next_session(dt.date(2026, 11, 6)).kind == "extra"


def test_settings_close_a_day_and_win_over_the_table():
    calendar = TradingCalendar({dt.date(2026, 8, 4): "09:15-12:00"}, [dt.date(2026, 8, 5), DIWALI_2026])
    assert hours(calendar, "2026-08-04") == "09:15-12:00"
    assert hours(calendar, "2026-08-05") is None
    assert hours(calendar, "2026-11-08") is None


def test_a_day_cannot_be_extra_and_closed():
    day = dt.date(2026, 8, 4)
    with pytest.raises(SettingsError, match="keep one"):
        TradingCalendar({day: "09:15-15:30"}, [day])


def test_extra_days_outside_the_calendar_are_refused():
    with pytest.raises(SettingsError, match="2027-01-01"):
        TradingCalendar(extra_holidays=[dt.date(2027, 1, 1)])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9-10",
        "18:00",
        "19:00-18:00",
        "09:15-12:00 11:00-15:30",
        "18:00-18:00",
        "09:15:30-10:00",
        "25:00-26:00",
    ],
)
def test_hours_that_cannot_be_read_are_refused(text):
    with pytest.raises(SettingsError, match=re.escape(repr(text))):
        parse_segments(dt.date(2026, 8, 4), text)


@pytest.mark.parametrize("day", [FIRST_DATE - dt.timedelta(days=1), LAST_DATE + dt.timedelta(days=1)])
def test_days_outside_the_calendar_raise(calendar, day):
    with pytest.raises(DataError, match="the calendar knows"):
        calendar.session(day)
    with pytest.raises(DataError, match="the calendar knows"):
        calendar.locate(pd.DatetimeIndex([pd.Timestamp(day, tz="Asia/Kolkata")]))


def test_first_and_last_day_are_inside(calendar):
    assert calendar.session(calendar.first_date) is not None
    assert calendar.session(calendar.last_date) is not None


def test_neighbours_step_over_weekends_and_holidays(calendar):
    assert calendar.previous_session(dt.date(2026, 8, 3)).date == dt.date(2026, 7, 31)
    assert calendar.next_session(dt.date(2025, 2, 1)).date == dt.date(2025, 2, 3)
    assert calendar.previous_session(dt.date(2025, 2, 3)).date == dt.date(2025, 2, 1)


def test_there_is_nothing_beyond_the_ends(calendar):
    with pytest.raises(DataError, match="no session before"):
        calendar.previous_session(FIRST_DATE)
    with pytest.raises(DataError, match="no session after"):
        calendar.next_session(LAST_DATE)


@pytest.mark.parametrize(
    ("time", "minute"),
    [
        ("2015-03-03 09:14:59", -1),
        ("2015-03-03 09:15:00", 0),
        ("2015-03-03 09:15:59", 0),
        ("2015-03-03 15:29:59", 374),
        ("2015-03-03 15:30:00", -1),
        ("2026-07-31 15:30:00", -1),
        ("2026-08-03 15:30:00", 375),
        ("2026-08-03 15:39:59", 384),
        ("2026-08-03 15:40:00", -1),
        ("2020-03-13 09:21:59", 6),
        ("2020-03-13 09:22:00", -1),
        ("2020-03-13 10:20:59", -1),
        ("2020-03-13 10:21:00", 7),
        ("2026-08-02 10:00:00", -1),
    ],
)
def test_edges_of_sessions_to_the_second(calendar, time, minute):
    located = calendar.locate(stamps(time))
    assert located.minute_of_session[0] == minute
    assert located.in_session[0] == (minute >= 0)
    assert (located.session_number[0] >= 0) == (minute >= 0)


def test_located_segment_is_the_part_between_breaks(calendar):
    located = calendar.locate(stamps("2020-03-13 10:21:00"))
    edges = [
        dt.datetime.fromtimestamp(int(v), tz=IST) for v in (located.segment_start[0], located.segment_end[0])
    ]
    assert [f"{edge:%H:%M}" for edge in edges] == ["10:21", "15:30"]


def test_session_numbers_lead_back_to_the_session(calendar):
    number = calendar.locate(stamps("2022-10-24 18:30")).session_number[0]
    assert calendar.session_at(int(number)).date == dt.date(2022, 10, 24)


def test_zone_and_resolution_of_the_index_do_not_matter(calendar):
    index = stamps("2015-03-03 09:15", "2015-03-03 10:00", "2015-03-01 10:00")
    expected = calendar.locate(index)
    for other in (
        index.tz_convert("UTC"),
        index.as_unit("s"),
        index.as_unit("ns").tz_convert("America/New_York"),
    ):
        for left, right in zip(expected, calendar.locate(other), strict=True):
            np.testing.assert_array_equal(left, right)


def test_empty_index_is_located(calendar):
    assert all(len(array) == 0 for array in calendar.locate(pd.DatetimeIndex([], tz="Asia/Kolkata")))


def test_naive_and_missing_stamps_are_refused(calendar):
    with pytest.raises(DataError, match=r"data\.timezone"):
        calendar.locate(pd.DatetimeIndex(["2015-03-03 10:00"]))
    with pytest.raises(DataError, match="NaT"):
        calendar.locate(pd.DatetimeIndex(["2015-03-03 10:00", None], tz="Asia/Kolkata"))


def test_missing_sessions_are_named(calendar):
    index = stamps("2015-03-02 10:00", "2015-03-05 10:00")
    assert [session.date.day for session in calendar.missing_sessions(index)] == [3, 4]
    assert calendar.missing_sessions(index[:1]) == []
    assert calendar.missing_sessions(index[:0]) == []


@given(st.datetimes(dt.datetime(2010, 10, 18), dt.datetime(2026, 11, 7, 23, 59)))  # noqa: DTZ001 # localised below
def test_locate_agrees_with_the_session_of_the_day(moment):
    calendar = TradingCalendar()
    time = moment.replace(tzinfo=IST)
    session = calendar.session(time.date())
    inside = session is not None and any(start <= time < end for start, end in session.segments)
    located = calendar.locate(pd.DatetimeIndex([time]))
    assert located.in_session[0] == inside
    if session is not None and inside:
        passed = sum(
            max(0, int((min(time, end) - start).total_seconds() // 60)) for start, end in session.segments
        )
        assert located.minute_of_session[0] == passed


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "missing"),
    [
        (
            "NIFTY_FUT_1min_2013_2016",
            "2015-02-06 2015-09-30 2015-10-06 2015-12-24 2015-12-28 2015-12-29 2015-12-30 2015-12-31 "
            "2016-07-29 2016-10-30",
        ),
        ("BANKNIFTY_FUT_1min_2013_2016", "2013-11-03 2014-10-23 2015-11-11 2016-10-30"),
        ("NIFTY_FUT_1min_2022-10-17_2022-11-15", ""),
    ],
)
def test_real_bars_lie_in_sessions(shared_data, calendar, name, missing):
    index = pd.DatetimeIndex(
        pd.read_parquet(shared_data / f"data/{name}.parquet", columns=["datetime"])["datetime"]
    )
    assert calendar.locate(index).in_session.all()
    assert " ".join(str(session.date) for session in calendar.missing_sessions(index)) == missing


@pytest.mark.real_data
def test_weekday_holidays_equal_the_official_list(shared_data, calendar):
    official = pd.read_csv(shared_data / "facts/holidays.csv")["date"]
    closed = {dt.date.fromisoformat(day) for day in official}
    weekdays = pd.bdate_range("2015-01-01", "2026-12-31")
    ours = {day.date() for day in weekdays if calendar.session(day.date()) is None}
    assert ours == closed
