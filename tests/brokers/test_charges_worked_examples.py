"""Brokers' own worked examples, and our own figures for a round trip in each period.

The shipped table holds NSE index futures. Examples in other segments go through the same code with a table of
their rates, given here: they test the formula (cap, sides, base of the tax), not the shipped figures.
"""

from __future__ import annotations

import datetime as dt

import pytest

from brokers.charge_table import ChargeTable
from brokers.charges import DatedCharges, ZerodhaCharges

COLUMNS = "component,effective_from,side,rate,unit,source,confidence\n"
CAP = "zerodha_brokerage_cap,2018-01-01,both,20,rupees_per_order,zerodha,confirmed\n"


def plan_of(tmp_path, **rates):
    """Make a plan from component=(side, rate, unit), with Zerodha's brokerage where none is given."""
    rates = {"zerodha_brokerage": ("both", 0.0003, "of_turnover"), **rates}
    rows = "".join(
        f"{component},2018-01-01,{side},{rate},{unit},worked example,confirmed\n"
        for component, (side, rate, unit) in rates.items()
    )
    path = tmp_path / "charges.csv"
    path.write_text(COLUMNS + CAP + rows, encoding="utf-8")
    return DatedCharges("zerodha", ChargeTable(path))


@pytest.mark.parametrize("day", ["2024-10-01", "2025-06-02", "2026-02-28", "2026-03-31"])
def test_zerodha_calculator_index_future_of_10_lakh_turnover(day):
    # Zerodha's calculator, October 2024 to March 2026: buy 1000, sell 1000, 500 units -> 179.97
    plan, day = ZerodhaCharges(), dt.date.fromisoformat(day)
    bought, sold = plan.breakdown(day, 500, 1000), plan.breakdown(day, -500, 1000)
    assert bought.brokerage + sold.brokerage == 40.0
    assert bought.stt + sold.stt == pytest.approx(100.0)
    assert sum(leg.exchange + leg.ipft for leg in (bought, sold)) == pytest.approx(18.30)
    assert bought.sebi + sold.sebi == pytest.approx(1.00)
    assert bought.stamp + sold.stamp == pytest.approx(10.00)
    assert round(bought.gst + sold.gst, 2) == 10.67
    assert round(bought.total + sold.total, 2) == 179.97


@pytest.mark.parametrize(
    ("day", "units", "price", "stt"),
    [
        ("2026-03-31", 65, 24_800, 322.40),
        ("2026-04-01", 65, 24_800, 806.00),
        ("2026-03-31", 80, 25_000, 400.00),
        ("2026-04-01", 80, 25_000, 1_000.00),
    ],
)
def test_stt_of_a_future_around_the_rise_of_2026(day, units, price, stt):
    # Angel One 2026-02-03 (24,800 x 65) and ClearTax (20 lakh)
    parts = ZerodhaCharges().breakdown(dt.date.fromisoformat(day), -units, price)
    assert parts.stt == pytest.approx(stt, abs=1e-9)


def test_exchange_charge_of_one_crore():
    # NSE/FA/73061: 182.99 and 0.01 rupees per crore on each side
    for size in (1_000, -1_000):
        parts = ZerodhaCharges().breakdown(dt.date(2026, 3, 1), size, 10_000)
        assert parts.exchange == pytest.approx(182.99, abs=1e-9)
        assert parts.ipft == pytest.approx(0.01, abs=1e-9)


def test_zerodha_calculator_equity_intraday(tmp_path):
    # Same inputs as the future, October 2024 to March 2026 -> 224.61
    plan = plan_of(
        tmp_path,
        stt=("sell", 0.00025, "of_turnover"),
        exchange=("both", 0.0000297, "of_turnover"),
        ipft=("both", 0.000001, "of_turnover"),
        sebi=("both", 0.000001, "of_turnover"),
        stamp=("buy", 0.00003, "of_turnover"),
        gst=("both", 0.18, "of_brokerage+exchange+sebi+ipft"),
    )
    day = dt.date(2025, 6, 2)
    assert round(plan.order_charges(day, 500, 1000) + plan.order_charges(day, -500, 1000), 2) == 224.61


def test_calculator_of_2018_with_the_sebi_fee_outside_the_tax(tmp_path):
    # thincredblu.com: equity intraday, buy 1000, sell 1100, 400 shares, no stamp duty shown -> 190.67
    plan = plan_of(
        tmp_path,
        stt=("sell", 0.00025, "of_turnover"),
        exchange=("both", 0.0000325, "of_turnover"),
        ipft=("both", 0, "of_turnover"),
        sebi=("both", 0.0000015, "of_turnover"),
        stamp=("both", 0, "of_turnover"),
        gst=("both", 0.18, "of_brokerage+exchange"),
    )
    day = dt.date(2018, 9, 3)
    assert round(plan.order_charges(day, 400, 1000) + plan.order_charges(day, -400, 1100), 2) == 190.67


def option_plan(tmp_path, ipft):
    return plan_of(
        tmp_path,
        zerodha_brokerage=("both", 1, "of_turnover"),  # on options always 20 rupees, without a percentage
        stt=("sell", 0.000625, "of_turnover"),
        exchange=("both", 0.0005, "of_turnover"),
        ipft=("both", ipft, "of_turnover"),
        sebi=("both", 0.000001, "of_turnover"),
        stamp=("buy", 0, "of_turnover"),
        gst=("both", 0.18, "of_brokerage+exchange+sebi"),
    )


def test_kite_charges_of_a_bought_option(tmp_path):
    # kiteconnect-mocks, virtual_contract_note.json: 100 units at 1.5 -> 23.689427, no stamp duty in the mock
    parts = option_plan(tmp_path, ipft=0.000005).breakdown(dt.date(2023, 7, 3), 100, 1.5)
    assert parts.exchange + parts.ipft == pytest.approx(0.07575, abs=1e-12)
    assert parts.gst == pytest.approx(3.613527, abs=1e-9)
    assert parts.total == pytest.approx(23.689427, abs=1e-9)


def test_kite_charges_of_a_sold_option(tmp_path):
    # kiteconnect-mocks, basket_margins.json: 50 units at 53.475 -> 26.851761275; this mock knows no IPFT
    parts = option_plan(tmp_path, ipft=0).breakdown(dt.date(2023, 7, 3), -50, 53.475)
    assert parts.stt == pytest.approx(1.67109375, abs=1e-9)
    assert parts.total == pytest.approx(26.851761275, abs=1e-9)


def test_kite_charges_of_a_small_order_below_the_cap(tmp_path):
    # kiteconnect-mocks, virtual_contract_note.json: one MCX GOLDPETAL sold at 5862 -> 2.84811132
    plan = plan_of(
        tmp_path,
        stt=("sell", 0.0001, "of_turnover"),
        exchange=("both", 0.000026, "of_turnover"),
        ipft=("both", 0, "of_turnover"),
        sebi=("both", 0.000001, "of_turnover"),
        stamp=("buy", 0.00002, "of_turnover"),
        gst=("both", 0.18, "of_brokerage+exchange+sebi"),
    )
    parts = plan.breakdown(dt.date(2023, 7, 3), -1, 5862)
    assert parts.brokerage == pytest.approx(1.7586, abs=1e-9)
    assert parts.total == pytest.approx(2.84811132, abs=1e-9)


@pytest.mark.parametrize(
    ("day", "bought_at", "sold_at", "units", "total"),
    [
        ("2016-09-01", 8_800, 8_800, 75, 169.88),
        ("2020-02-03", 11_700, 11_700, 75, 211.15),
        ("2022-06-01", 16_500, 16_500, 50, 186.79),
        ("2023-06-01", 18_500, 18_500, 50, 226.84),
        ("2024-06-03", 23_300, 23_300, 25, 160.05),
        ("2025-06-02", 24_700, 24_700, 75, 539.13),
        ("2026-03-10", 24_500, 24_500, 65, 470.09),
        ("2026-06-01", 25_000, 25_000, 65, 966.22),
        ("2026-06-01", 25_000, 25_000, 650, 9_237.355),
        ("2026-06-01", 25_000, 25_040, 65, 967.57),
        ("2026-06-01", 24_960, 25_000, 65, 966.10),
    ],
)
def test_round_trip_of_a_nifty_future_in_each_period(day, bought_at, sold_at, units, total):
    # Computed by hand from the dated rates; rounded to the paisa
    plan, day = ZerodhaCharges(), dt.date.fromisoformat(day)
    charges = plan.order_charges(day, units, bought_at) + plan.order_charges(day, -units, sold_at)
    assert charges == pytest.approx(total, abs=0.005)


@pytest.mark.parametrize(("side", "bought", "sold"), [("buy", 1, 0), ("sell", 0, 1), ("both", 1, 1)])
@pytest.mark.parametrize("component", ["stt", "stamp"])
def test_a_duty_falls_on_the_side_that_the_table_says(tmp_path, component, side, bought, sold):
    nothing = ("both", 0, "of_turnover")
    rates = dict.fromkeys(["zerodha_brokerage", "stt", "stamp", "exchange", "ipft", "sebi"], nothing)
    rates[component] = (side, 0.001, "of_turnover")
    plan = plan_of(tmp_path, gst=("both", 0.18, "of_brokerage+exchange"), **rates)
    day = dt.date(2025, 6, 2)
    assert plan.order_charges(day, 10, 100.0) == pytest.approx(bought * 1.0)
    assert plan.order_charges(day, -10, 100.0) == pytest.approx(sold * 1.0)
    assert getattr(plan.breakdown(day, 10, 100.0), component) == pytest.approx(bought * 1.0)
