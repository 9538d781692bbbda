"""When contracts change: by the expiry rule, by two contracts' open interest, by what one series shows."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.contracts import listed_contracts
from feeds.errors import DataError
from feeds.rolls import (
    Roll,
    check_rolls,
    rolls_by_expiry,
    rolls_by_open_interest,
    rolls_seen_in_open_interest,
)
from tests.feeds.frames import day_frame

CALENDAR = TradingCalendar()


def interest(**by_day: tuple[float, float]) -> pd.DataFrame:
    """Return two bars a day with the open interest of its first and its last minute."""
    parts = []
    for day, (first, last) in by_day.items():
        frame = day_frame(day.removeprefix("d").replace("_", "-"), 2)
        frame["open_interest"] = [first, last]
        parts.append(frame)
    return pd.concat(parts)


@pytest.mark.parametrize(
    ("day", "months"),
    [
        ("2026-09-29", ["2026-09", "2026-10", "2026-11"]),  # the expiry itself
        ("2026-09-30", ["2026-10", "2026-11", "2026-12"]),
    ],
)
def test_near_next_and_far_go_on_by_one_the_morning_after_the_expiry(day, months):
    listed = listed_contracts("NIFTY", dt.date.fromisoformat(day), CALENDAR)
    assert [contract.month for contract in listed] == months
    assert [contract.expiry for contract in listed] == sorted(contract.expiry for contract in listed)


def test_a_roll_by_expiry_is_the_morning_after():
    sessions = CALENDAR.sessions(dt.date(2024, 5, 27), dt.date(2024, 6, 4))
    index = pd.DatetimeIndex([session.open for session in sessions])
    assert rolls_by_expiry(index, "NIFTY", CALENDAR) == [Roll(dt.date(2024, 5, 30), dt.date(2024, 5, 31))]


@pytest.mark.parametrize(("sessions", "first_day"), [(1, 5), (2, 6), (3, None)])
def test_a_roll_by_open_interest_comes_after_so_many_closes_ahead(sessions, first_day):
    days = {f"d2024_06_0{day}": (10.0, 10.0) for day in (3, 4, 5, 6)}
    near = interest(**days)
    following = interest(
        d2024_06_03=(5.0, 9.0), d2024_06_04=(11.0, 11.0), d2024_06_05=(12.0, 12.0), d2024_06_06=(8.0, 8.0)
    )
    found = rolls_by_open_interest(near, following, sessions)
    assert [roll.first_day.day for roll in found] == ([] if first_day is None else [first_day])


def test_a_tie_is_not_ahead():
    same = interest(d2024_06_03=(10.0, 10.0), d2024_06_04=(10.0, 10.0))
    assert rolls_by_open_interest(same, same) == []


@pytest.mark.parametrize(
    ("opens_with", "is_roll"), [(99.0, False), (100.0, False), (101.0, True), (499.0, True), (500.0, False)]
)
def test_an_open_above_the_last_close_is_another_contract_and_ten_times_is_an_extra_digit(
    opens_with, is_roll
):
    frame = interest(d2024_06_03=(90.0, 100.0), d2024_06_04=(opens_with, 300.0))
    assert bool(rolls_seen_in_open_interest(frame)) is is_roll


def test_unknown_open_interest_is_passed_over():
    frame = interest(d2024_06_03=(90.0, 100.0), d2024_06_04=(0.0, 0.0), d2024_06_05=(150.0, 150.0))
    assert rolls_seen_in_open_interest(frame) == [Roll(dt.date(2024, 6, 3), dt.date(2024, 6, 5))]


def test_rolls_out_of_order_are_refused():
    one, two = (
        Roll(dt.date(2024, 5, 30), dt.date(2024, 5, 31)),
        Roll(dt.date(2024, 6, 27), dt.date(2024, 6, 28)),
    )
    check_rolls([one, two])
    with pytest.raises(DataError, match="order of time"):
        check_rolls([two, one])
    with pytest.raises(DataError, match="swap the days"):
        check_rolls([Roll(one.first_day, one.last_day)])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("underlying", "found", "missed", "invented"),
    [
        (
            "NIFTY",
            43,
            ["2013-03-01", "2013-04-01", "2013-06-28", "2013-08-30", "2014-03-28"],
            ["2014-03-24"],  # the night after a special session of 90 minutes on a Saturday
        ),
        ("BANKNIFTY", 21, [], []),
    ],
)
def test_rolls_of_real_bars_are_found(shared_data, underlying, found, missed, invented):
    file = shared_data / "data" / f"{underlying}_FUT_1min_2013_2016.parquet"
    frame = pd.read_parquet(file).set_index("datetime")
    listed = pd.read_csv(shared_data / "data" / "rolls_2013_2016.csv")
    first_days = listed.loc[listed["underlying"] == underlying, "first_day_of_new_contract"]
    known = {dt.date.fromisoformat(day) for day in first_days}
    index = pd.DatetimeIndex(frame.index)
    by_rule = rolls_by_expiry(index, underlying, CALENDAR)
    assert {roll.first_day for roll in by_rule} == known & set(index.date)
    seen = {roll.first_day for roll in rolls_seen_in_open_interest(frame)}
    assert len(seen & known) == found
    has_interest = set(index[frame["open_interest"] > 0].date)
    assert sorted(str(day) for day in (known & has_interest) - seen) == missed
    assert sorted(str(day) for day in seen - known) == invented
