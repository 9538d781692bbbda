"""Requests: as few as can be, each missing session in one of them, nothing that was fetched in any."""

from __future__ import annotations

import datetime as dt
import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.clock import IST, ReplayClock
from feeds.errors import BrokerError, DataError, SettingsError
from feeds.fetch.days import SETTLE_MINUTES, closed_days, time_at
from feeds.fetch.parts import Part, find_parts
from feeds.fetch.plan import plan_requests
from feeds.fetch.wanted import Wanted, interval_minutes
from feeds.sources.history import FutureKey
from tests.feeds.fetch_support import CALENDAR, BarHistory, minutes_of, wanted

START = dt.date(2026, 1, 1)


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def fewest(days: list[int], known: set[int], span: int) -> int:
    """Try every way to cut: the least number of requests that ask for no known day."""

    @functools.cache
    def least(place: int) -> int:
        if place == len(days):
            return 0
        if days[place] in known:
            return least(place + 1)
        best, end = len(days) + 1, place
        while end < len(days) and days[end] not in known and days[end] - days[place] < span:
            end += 1
            best = min(best, 1 + least(end))
        return best

    return least(0)


@settings(max_examples=150, deadline=None)
@given(
    days=st.sets(st.integers(0, 60), min_size=1, max_size=25),
    known=st.sets(st.integers(0, 60), max_size=12),
    span=st.integers(1, 20),
)
def test_a_plan_asks_for_each_missing_session_once_in_as_few_requests_as_can_be(days, known, span):
    ordered = sorted(days)
    requests = plan_requests(
        [Part(1, "NIFTY", tuple(map(day, ordered)))], {day(number) for number in known}, span
    )
    asked = [one for request in requests for one in request.days]
    assert asked == [day(number) for number in ordered if number not in known]
    assert all((request.last - request.first).days < span for request in requests)
    for request in requests:
        between = [one for one in map(day, ordered) if request.first <= one <= request.last]
        assert list(request.days) == between
    assert len(requests) == fewest(ordered, known, span)


@pytest.mark.parametrize(("days", "requests"), [(99, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_a_request_covers_the_span_and_not_a_day_more(days, requests):
    part = Part(1, "NIFTY", tuple(day(number) for number in range(days)))
    assert len(plan_requests([part], set(), 100)) == requests


def test_a_request_asks_for_one_contract_only():
    parts = [Part(1, "OCT", (day(0), day(1))), Part(2, "NOV", (day(2), day(3)))]
    assert [(one.key, one.days) for one in plan_requests(parts, set(), 100)] == [
        (1, (day(0), day(1))), (2, (day(2), day(3))),
    ]  # fmt: skip


# -- what is wanted ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("minute", 1), ("1minute", 1), ("3minute", 3), ("15Minutes", 15), ("375minute", 375)],
)
def test_intervals(text, minutes):
    assert interval_minutes(text) == minutes


@pytest.mark.parametrize("text", ["day", "3", "0minute", "minut", "-3minute", "3 minute", "week", ""])
def test_other_words_are_no_intervals(text):
    with pytest.raises(SettingsError, match="--interval"):
        interval_minutes(text)


def test_series_are_named_by_what_they_hold():
    assert wanted("2026-11-02", "2026-11-03").series == "NIFTY-INDEX"
    assert wanted("2026-11-02", "2026-11-03", is_index=False).series == "NIFTY"
    assert wanted("2026-11-02", "2026-11-03", is_index=False, month="2026-11").series == "NIFTY-2026-11"
    with pytest.raises(SettingsError, match="--contract and --index"):
        wanted("2026-11-02", "2026-11-03", month="2026-11")


# -- which days --------------------------------------------------------------------------------------------


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=IST)


@pytest.mark.parametrize(
    ("minute", "over"),
    [(SETTLE_MINUTES - 1, False), (SETTLE_MINUTES, True), (SETTLE_MINUTES + 1, True)],
)
def test_a_session_is_over_some_minutes_after_its_close(minute, over):
    now = at("2026-10-23 15:40") + dt.timedelta(minutes=minute)
    closed = closed_days(wanted("2026-10-22", "2026-10-23"), now, CALENDAR)
    assert closed.days == [dt.date(2026, 10, 22), dt.date(2026, 10, 23)][: 1 + over]
    assert closed.left_out == [dt.date(2026, 10, 23)][over:]


def test_days_that_cannot_be_had():
    now = at("2026-10-23 12:00")
    with pytest.raises(SettingsError, match="--to 2026-10-24 is in the future, expected 2026-10-23"):
        closed_days(wanted("2026-10-01", "2026-10-24"), now, CALENDAR)
    with pytest.raises(SettingsError, match="that of 2026-10-23 is open, or closed less than 15 minutes ago"):
        closed_days(wanted("2026-10-23", "2026-10-23"), now, CALENDAR)
    with pytest.raises(SettingsError, match="the exchange was closed"):
        closed_days(wanted("2026-10-17", "2026-10-18"), now, CALENDAR)
    with pytest.raises(SettingsError, match="--from 2026-11-03 is after --to 2026-11-02; swap them"):
        wanted("2026-11-03", "2026-11-02")
    with pytest.raises(DataError, match="the calendar knows"):
        closed_days(wanted("2001-01-02", "2001-01-03"), now, CALENDAR)


def test_the_brokers_clock_goes_before_this_machines():
    bars = minutes_of("2026-10-22", "2026-10-22")
    machine = ReplayClock(at("2026-10-28 12:00"))
    assert time_at(BarHistory(bars, now=at("2026-10-23 12:00")), machine) == (at("2026-10-23 12:00"), "")
    now, note = time_at(BarHistory(bars, now=None), machine)
    assert now == at("2026-10-28 00:00")
    assert "only days before 2026-10-28" in note


# -- which contracts ---------------------------------------------------------------------------------------

SESSIONS = [one.date for one in CALENDAR.sessions(dt.date(2026, 9, 1), dt.date(2026, 10, 23))]


def parts(what: Wanted, source: BarHistory, days: list[dt.date] = SESSIONS) -> list[Part]:
    return find_parts(what, days, source, CALENDAR)


def near(**changes: object) -> Wanted:
    return wanted("2026-09-01", "2026-10-23", is_index=False, **changes)


@pytest.fixture
def source() -> BarHistory:
    source = BarHistory(minutes_of("2026-10-22", "2026-10-22"))
    source.months = ["2026-09", "2026-10", "2026-11"]
    return source


def test_the_near_month_changes_on_the_morning_after_an_expiry(source):
    found = parts(near(), source)
    assert [one.symbol for one in found] == ["NIFTY2026-09", "NIFTY2026-10"]
    assert found[0].days[-1] == dt.date(2026, 9, 29)
    assert found[1].days[0] == dt.date(2026, 9, 30)
    assert [*found[0].days, *found[1].days] == SESSIONS


def test_one_contract_has_its_days_up_to_its_expiry(source):
    (part,) = parts(near(month="2026-09"), source)
    assert part.days[-1] == dt.date(2026, 9, 29)
    with pytest.raises(SettingsError, match="expired on 2026-09-29, expected --from on or before it"):
        parts(near(month="2026-09"), source, SESSIONS[-3:])
    with pytest.raises(SettingsError, match="--contract 2026-13 is no month"):
        parts(near(month="2026-13"), source)


def test_a_contract_that_the_broker_no_longer_has_is_said_with_the_ways_out(source):
    source.months = ["2026-10", "2026-11"]
    with pytest.raises(BrokerError) as error:
        parts(near(), source)
    assert str(error.value) == (
        "kite has no candles of the NIFTY future of 2026-09, expected one of those it lists (NIFTY2026-10, "
        "NIFTY2026-11); --from 2026-09-30, or take another way"
    )
    source.months = []
    with pytest.raises(BrokerError, match=r"2026-09, 2026-10, .* lists \(none\); take another way"):
        parts(near(), source)


def test_another_expiry_than_the_calendars_is_refused(source, monkeypatch):
    wrong = [FutureKey(1, "NIFTY26OCTFUT", dt.date(2026, 10, 29))]
    monkeypatch.setattr(source, "futures", lambda *_: wrong)
    with pytest.raises(DataError, match="expires on 2026-10-29, the calendar that it does on 2026-10-27"):
        parts(near(), source, SESSIONS[-3:])


def test_an_underlying_that_the_tables_do_not_know(source):
    with pytest.raises(DataError, match="know nothing of NIFTTY"):
        parts(near(underlying="NIFTTY"), source)
