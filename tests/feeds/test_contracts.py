from __future__ import annotations

import csv
import datetime as dt

import pytest

from feeds.calendar import TradingCalendar
from feeds.contracts import (
    contract_for,
    expiry_of,
    freeze_quantity_of,
    lot_of,
    margin_percent_of,
    tick_of,
)
from feeds.errors import DataError
from feeds.tables import FACTS, read_table


@pytest.fixture(scope="module")
def calendar() -> TradingCalendar:
    return TradingCalendar()


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("underlying", "before", "lot_before", "after", "lot_after"),
    [
        ("NIFTY", "2014-10-30", 50, "2014-10-31", 25),
        ("NIFTY", "2015-10-29", 25, "2015-10-30", 75),
        ("NIFTY", "2021-06-24", 75, "2021-06-25", 50),
        ("NIFTY", "2024-04-25", 50, "2024-04-26", 25),
        ("NIFTY", "2025-01-30", 25, "2025-01-31", 75),
        ("NIFTY", "2025-12-30", 75, "2025-12-31", 65),
        ("BANKNIFTY", "2015-10-29", 25, "2015-10-30", 30),
        ("BANKNIFTY", "2016-06-30", 30, "2016-07-01", 40),
        ("BANKNIFTY", "2018-10-25", 40, "2018-10-26", 20),
        ("BANKNIFTY", "2020-06-25", 20, "2020-06-26", 25),
        ("BANKNIFTY", "2023-06-28", 25, "2023-06-30", 15),
        ("BANKNIFTY", "2025-01-30", 15, "2025-01-31", 30),
        ("BANKNIFTY", "2025-06-26", 30, "2025-06-27", 35),
        ("BANKNIFTY", "2025-12-30", 35, "2025-12-31", 30),
    ],
)
def test_lot_of_the_near_month_changes_the_morning_after_expiry(
    calendar, underlying, before, lot_before, after, lot_after
):
    old, new = (contract_for(underlying, day(text), calendar) for text in (before, after))
    assert (old.lot, new.lot) == (lot_before, lot_after)
    assert old.expiry == day(before)
    assert new.expiry > day(after)


def test_every_change_of_lot_is_tested_above():
    changes = len(read_table(FACTS / "lot_sizes.csv", ("month_from", "underlying", "lot")))
    assert changes - 2 == 14  # the first row of each of two underlyings changes nothing


@pytest.mark.parametrize(
    ("underlying", "month", "expiry"),
    [
        ("NIFTY", "2011-10", "2011-10-25"),  # Muhurat on Wednesday, holiday on Thursday
        ("NIFTY", "2014-02", "2014-02-26"),
        ("NIFTY", "2017-01", "2017-01-25"),
        ("NIFTY", "2023-06", "2023-06-28"),
        ("NIFTY", "2025-08", "2025-08-28"),  # the last Thursday
        ("NIFTY", "2025-09", "2025-09-30"),  # the first Tuesday
        ("NIFTY", "2026-03", "2026-03-30"),
        ("NIFTY", "2026-11", "2026-11-23"),
        ("BANKNIFTY", "2024-02", "2024-02-29"),
        ("BANKNIFTY", "2024-03", "2024-03-27"),  # Wednesdays of 2024
        ("BANKNIFTY", "2024-12", "2024-12-24"),  # Christmas falls on one
        ("NIFTY", "2024-12", "2024-12-26"),
        ("BANKNIFTY", "2025-01", "2025-01-30"),
        ("BANKNIFTY", "2025-09", "2025-09-30"),
    ],
)
def test_expiries(calendar, underlying, month, expiry):
    assert expiry_of(underlying, month, calendar) == day(expiry)


def test_a_late_holiday_moves_the_expiry():
    calendar = TradingCalendar(extra_holidays=[day("2026-08-25")])
    assert expiry_of("NIFTY", "2026-08", calendar) == day("2026-08-24")


def test_roll_is_the_morning_after_expiry(calendar):
    months = [contract_for("NIFTY", day(f"2026-08-{number}"), calendar).month for number in (24, 25, 26)]
    assert months == ["2026-08", "2026-08", "2026-09"]
    assert contract_for("NIFTY", day("2015-12-31"), calendar).month == "2015-12"
    assert contract_for("NIFTY", day("2025-12-31"), calendar).month == "2026-01"


@pytest.mark.parametrize(
    ("underlying", "date", "level", "tick"),
    [
        ("NIFTY", "2025-04-14", None, 0.05),
        ("NIFTY", "2025-04-15", None, 0.10),
        ("NIFTY", "2025-04-14", 40_000, 0.05),
        ("NIFTY", "2025-04-15", 15_000, 0.05),
        ("NIFTY", "2025-04-15", 15_000.05, 0.10),
        ("NIFTY", "2025-04-15", 30_000, 0.10),
        ("NIFTY", "2025-04-15", 30_000.05, 0.20),
        ("BANKNIFTY", "2025-04-14", None, 0.05),
        ("BANKNIFTY", "2025-04-15", None, 0.20),
        ("MIDCPNIFTY", "2025-04-15", 12_000, 0.05),
    ],
)
def test_tick_size(underlying, date, level, tick):
    assert tick_of(underlying, day(date), level) == tick


def test_tick_that_depends_on_an_unknown_level_is_not_guessed():
    with pytest.raises(DataError, match="depends on the level of the index"):
        tick_of("MIDCPNIFTY", day("2025-04-15"))


@pytest.mark.parametrize(
    ("underlying", "date", "level", "units"),
    [
        ("NIFTY", "2021-07-30", None, None),
        ("NIFTY", "2021-08-02", None, 2800),
        ("NIFTY", "2023-03-31", None, 2800),
        ("NIFTY", "2023-04-03", None, 1800),
        ("NIFTY", "2026-08-20", None, 1800),
        ("NIFTY", "2021-08-02", 17_250, 2800),
        ("NIFTY", "2021-08-02", 17_250.05, 1800),
        ("NIFTY", "2026-08-20", 27_500, 1800),
        ("NIFTY", "2026-08-20", 27_500.05, 1200),
        ("BANKNIFTY", "2018-10-25", None, None),
        ("BANKNIFTY", "2018-10-26", None, 2500),
        ("BANKNIFTY", "2021-08-01", None, 2500),
        ("BANKNIFTY", "2021-08-02", None, 1200),
        ("BANKNIFTY", "2025-08-29", None, 600),
        ("BANKNIFTY", "2025-09-01", None, 900),
        ("BANKNIFTY", "2026-06-30", None, 900),
        ("BANKNIFTY", "2026-07-01", None, 600),
        ("BANKNIFTY", "2026-07-01", 55_000, 900),
        ("BANKNIFTY", "2026-07-01", 55_000.05, 600),
    ],
)
def test_freeze_quantity(underlying, date, level, units):
    assert freeze_quantity_of(underlying, day(date), level) == units


@pytest.mark.parametrize(
    ("date", "percent"),
    [("2013-01-01", 8), ("2018-11-30", 8), ("2018-12-03", 10), ("2020-05-29", 10), ("2020-06-01", 15)],
)
def test_margin(date, percent):
    assert margin_percent_of("NIFTY", day(date)) == percent


def test_unknown_underlying_and_early_months_are_refused(calendar):
    with pytest.raises(DataError, match="BANKNIFTY, NIFTY"):
        contract_for("SENSEX", day("2020-01-01"), calendar)
    with pytest.raises(DataError, match=r"from 2013-01 on.*market\.lot_size"):
        lot_of("NIFTY", "2012-12")


def test_contract_has_every_term(calendar):
    contract = contract_for("NIFTY", day("2026-08-20"), calendar)
    assert contract == ("NIFTY", "2026-08", day("2026-08-25"), 65, 0.1, 1800)


@pytest.mark.real_data
def test_all_monthly_expiries_are_reproduced(shared_data, calendar):
    with (shared_data / "facts/monthly_expiries.csv").open(encoding="utf-8") as file:
        expected = {row["contract_month"]: row["actual_expiry"] for row in csv.DictReader(file)}
    assert len(expected) == 144
    assert {month: str(expiry_of("NIFTY", month, calendar)) for month in expected} == expected


@pytest.mark.real_data
def test_rolls_in_the_bars_are_reproduced(shared_data, calendar):
    with (shared_data / "data/rolls_2013_2016.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert str(expiry_of(row["underlying"], row["expiry"][:7], calendar)) == row["expiry"]
        first_new = contract_for(row["underlying"], day(row["first_day_of_new_contract"]), calendar)
        assert str(first_new.expiry) > row["expiry"]


@pytest.mark.real_data
@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_lot_divides_every_volume(shared_data, calendar, underlying):
    import pandas as pd

    bars = pd.read_parquet(shared_data / f"data/{underlying}_FUT_1min_2013_2016.parquet")
    if underlying == "BANKNIFTY":
        # days of January to July 2015 have single units in their volumes
        bars = bars[(bars["datetime"] < "2015-01-01") | (bars["datetime"] >= "2015-08-01")]
    days = bars["datetime"].dt.date
    lots = days.map({date: contract_for(underlying, date, calendar).lot for date in days.unique()})
    assert (bars["volume"] % lots == 0).all()
