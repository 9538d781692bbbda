"""Charges by date, side and order."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.charge_table import CHARGES_CSV, ChargeTable
from brokers.charges import (
    ChargeBreakdown,
    ChargePlan,
    DatedCharges,
    PercentCharges,
    UpstoxCharges,
    ZerodhaCharges,
    latest_date,
)
from feeds.errors import DataError, SettingsError
from feeds.tables import read_table

ZERODHA = ZerodhaCharges()
PLANS: list[ChargePlan] = [ZERODHA, UpstoxCharges(), PercentCharges(0.02)]
DAYS = st.dates(dt.date(2013, 1, 1), dt.date(2030, 1, 1))
SIZES = st.floats(0.0, 1e6) | st.integers(1, 100_000).map(float)
PRICES = st.floats(0.0, 1e6)
SIDES = st.sampled_from([1.0, -1.0])


@pytest.mark.parametrize(
    ("component", "effective_from", "before", "after"),
    [
        ("stt_sell", "2013-06-01", 0.00017, 0.0001),
        ("stt_sell", "2023-04-01", 0.0001, 0.000125),
        ("stt_sell", "2024-10-01", 0.000125, 0.0002),
        ("stt_sell", "2026-04-01", 0.0002, 0.0005),
        ("exchange", "2021-01-01", 0.000019, 0.00002),
        ("exchange", "2023-04-01", 0.00002, 0.000019),
        ("exchange", "2024-04-01", 0.000019, 0.0000188),
        ("exchange", "2024-10-01", 0.0000188, 0.0000173),
        ("exchange", "2026-03-01", 0.0000173, 0.000018299),
        ("ipft", "2023-04-01", 1e-9, 1e-6),
        ("ipft", "2026-03-01", 1e-6, 1e-9),
        ("sebi", "2014-05-23", 1e-6, 2e-6),
        ("sebi", "2017-04-01", 2e-6, 1.5e-6),
        ("sebi", "2019-04-01", 1.5e-6, 1e-6),
        ("sebi", "2020-06-01", 1e-6, 5e-7),
        ("sebi", "2021-04-01", 5e-7, 1e-6),
        ("stamp_sell", "2020-07-01", 0.00002, 0.0),
        ("stamp_buy", "2020-07-01", 0.00002, 0.00002),
        ("gst", "2015-06-01", 0.1236, 0.14),
        ("gst", "2015-11-15", 0.14, 0.145),
        ("gst", "2016-06-01", 0.145, 0.15),
        ("gst", "2017-07-01", 0.15, 0.18),
        ("gst_on_sebi", "2022-07-18", 0.0, 1.0),
        ("gst_on_ipft", "2024-10-01", 0.0, 1.0),
        ("brokerage", "2020-01-01", 0.0001, 0.0003),
    ],
)
def test_a_rate_changes_on_its_day_and_not_before(component, effective_from, before, after):
    day = dt.date.fromisoformat(effective_from)
    table = ChargeTable()
    assert getattr(table.rates_on(day - dt.timedelta(days=1), "zerodha"), component) == before
    assert getattr(table.rates_on(day, "zerodha"), component) == after


def test_every_change_in_the_table_is_one_that_the_list_above_knows():
    # 25 cases above; one of them (stamp_buy) is the same row as stamp_sell
    rows = read_table(CHARGES_CSV, ["component", "effective_from"])
    firsts = {row["component"] for row in rows}
    assert len(rows) - len(firsts) == 24


def test_the_seller_pays_the_stt_and_the_buyer_the_stamp_duty():
    bought = ZERODHA.breakdown(dt.date(2026, 6, 1), 65, 25_000)
    sold = ZERODHA.breakdown(dt.date(2026, 6, 1), -65, 25_000)
    assert (bought.stt, sold.stt) == (0.0, 812.5)
    assert (bought.stamp, sold.stamp) == (pytest.approx(32.5), 0.0)


def test_before_july_2020_both_sides_pay_stamp_duty():
    both = [ZERODHA.breakdown(dt.date(2020, 6, 30), size, 10_000).stamp for size in (75, -75)]
    assert both == [pytest.approx(15.0)] * 2


@pytest.mark.parametrize(
    ("plan", "cap_binds_from"),
    [(ZERODHA, 20 / 0.0003), (UpstoxCharges(), 20 / 0.0005)],
    ids=["zerodha", "upstox"],
)
def test_brokerage_is_capped_per_order(plan, cap_binds_from):
    day = dt.date(2026, 6, 1)
    assert plan.breakdown(day, 1, cap_binds_from * 0.999).brokerage == pytest.approx(19.98)
    assert plan.breakdown(day, 1, cap_binds_from * 1.001).brokerage == 20.0
    assert plan.breakdown(day, 1800, 25_000).brokerage == 20.0


def test_two_orders_pay_the_cap_twice():
    day = dt.date(2026, 6, 1)
    one, half = ZERODHA.order_charges(day, 130, 25_000), ZERODHA.order_charges(day, 65, 25_000)
    assert 2 * half - one == pytest.approx(20 * 1.18)


def test_todays_charges_are_those_of_the_newest_row():
    day = latest_date()
    assert day == dt.date(2026, 4, 1)
    assert ZERODHA.order_charges(day, -65, 25_000) == ZERODHA.order_charges(dt.date(2099, 1, 1), -65, 25_000)
    assert ZERODHA.order_charges(day - dt.timedelta(days=1), -65, 25_000) < ZERODHA.order_charges(
        day, -65, 25_000
    )


def test_the_plain_percentage_is_the_same_on_every_day_and_side():
    plan = PercentCharges(0.02)
    assert plan.order_charges(dt.date(1990, 1, 1), -75, 6_000) == pytest.approx(90.0)
    assert plan.breakdown(dt.date(2026, 6, 1), 75, 6_000) == (pytest.approx(90.0), 0, 0, 0, 0, 0, 0)


@given(plan=st.sampled_from(PLANS), day=DAYS, side=SIDES, size=SIZES, price=PRICES)
def test_no_part_is_negative_and_the_parts_are_the_charges_to_the_last_bit(plan, day, side, size, price):
    parts = plan.breakdown(day, side * size, price)
    assert min(parts) >= 0.0
    assert parts.total == plan.order_charges(day, side * size, price)
    assert parts.total == pytest.approx(math.fsum(parts))


@given(plan=st.sampled_from(PLANS), day=DAYS, side=SIDES, size=SIZES, price=PRICES, more=st.floats(1.0, 10.0))
def test_charges_grow_with_the_turnover(plan, day, side, size, price, more):
    charges = plan.order_charges(day, side * size, price)
    assert plan.order_charges(day, side * size * more, price) >= charges
    assert plan.order_charges(day, side * size, price * more) >= charges


@given(day=DAYS, side=SIDES, size=st.integers(2, 5_000), price=st.floats(1.0, 1e5), data=st.data())
def test_cutting_an_order_up_is_never_cheaper(day, side, size, price, data):
    part = data.draw(st.integers(1, size - 1))
    whole = ZERODHA.order_charges(day, side * size, price)
    parts = sum(ZERODHA.order_charges(day, side * units, price) for units in (part, size - part))
    assert parts >= whole * (1 - 1e-12)


def test_a_day_before_the_table_is_refused_and_the_remedy_named():
    with pytest.raises(DataError, match=r"2012-12-31.*2013-01-01.*broker\.charges\.plan"):
        ZERODHA.order_charges(dt.date(2012, 12, 31), 75, 6_000)


@pytest.mark.parametrize("size", [math.nan, math.inf, -math.inf])
def test_a_size_that_is_no_number_is_refused(size):
    for plan in PLANS:
        with pytest.raises(DataError, match="finite size"):
            plan.order_charges(dt.date(2026, 6, 1), size, 25_000.0)


@pytest.mark.parametrize("price", [math.nan, math.inf, -0.05])
def test_a_price_that_would_make_charges_negative_is_refused(price):
    for plan in PLANS:
        with pytest.raises(DataError, match="price of 0 or more"):
            plan.order_charges(dt.date(2026, 6, 1), 65, price)


def test_an_unknown_broker_is_refused_at_once():
    with pytest.raises(SettingsError, match="no rows for angel_brokerage"):
        DatedCharges("angel")


@pytest.mark.parametrize("percent", [-0.01, math.inf, math.nan])
def test_a_percentage_that_is_none_is_refused(percent):
    with pytest.raises(SettingsError, match="expected 0 or more"):
        PercentCharges(percent)


def test_charges_may_be_nothing():
    assert PercentCharges(0.0).order_charges(dt.date(2026, 6, 1), 65, 25_000) == 0.0


HEADER = "component,effective_from,side,rate,unit,source,confidence,note\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("stt,2020-13-01,sell,0.1,of_turnover,s,c,\n", "row 2"),
        ("stt,2020-01-01,sell,lots,of_turnover,s,c,\n", "row 2"),
        ("stt,2020-01-01,sell,-0.1,of_turnover,s,c,\n", "row 2"),
        ("stt,2020-01-01,sell,nan,of_turnover,s,c,\n", "row 2"),
        ("stt,2020-01-01,seller,0.1,of_turnover,s,c,\n", "row 2"),
        ("gst,2020-01-01,both,0.1,of_brokerage+exchange+stt,s,c,\n", "row 2"),
        ("gst,2020-01-01,both,0.1,of_brokerage,s,c,\n", "row 2"),
        ("stt,2020-01-01,sell,0.1,of_turnover,,c,\n", "source"),
        (
            "stt,2020-01-01,sell,0.1,of_turnover,s,c,\nstt,2019-01-01,sell,0.1,of_turnover,s,c,\n",
            "ascending",
        ),
        (
            "stt,2020-01-01,sell,0.1,of_turnover,s,c,\nstt,2020-01-01,sell,0.2,of_turnover,s,c,\n",
            "ascending",
        ),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, rows, message):
    path = tmp_path / "charges.csv"
    path.write_text(HEADER + rows, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        ChargeTable(path)


def test_a_plan_begins_where_its_last_component_begins(tmp_path):
    lines = CHARGES_CSV.read_text(encoding="utf-8").splitlines(keepends=True)
    path = tmp_path / "charges.csv"
    path.write_text("".join(line for line in lines if "stt,2013-01-01" not in line), encoding="utf-8")
    assert ChargeTable().first_date("zerodha") == dt.date(2013, 1, 1)
    assert ChargeTable(path).first_date("zerodha") == dt.date(2013, 6, 1)


def test_breakdown_is_a_record_of_its_parts():
    parts = ChargeBreakdown(20.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert parts.total == 41.0
