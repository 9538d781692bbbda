"""One series out of many contracts, and without the gaps between them."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.__main__ import main
from feeds.bars import check_frame
from feeds.calendar import TradingCalendar
from feeds.continuous import (
    adjusted,
    adjustments,
    near_month,
    read_adjustments,
    write_adjustments,
)
from feeds.errors import DataError
from feeds.rolls import Roll, rolls_by_expiry
from feeds.settings import DataSettings
from feeds.sources.chosen import load_chosen
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame

CALENDAR = TradingCalendar()
ROLL = Roll(dt.date(2024, 5, 30), dt.date(2024, 5, 31))
PRICES = ["open", "high", "low", "close"]


def contract(price: float, *days: str) -> pd.DataFrame:
    return pd.concat([day_frame(day, 5, price=price) for day in days])


@pytest.fixture
def store(tmp_path):
    """Two contracts that were both traded on the day of the first one's expiry, 100 points apart."""
    made = ParquetStore(tmp_path / "bars")
    made.append("NIFTY-2024-05", 1, contract(22_000.0, "2024-05-29", "2024-05-30"))
    made.append("NIFTY-2024-06", 1, contract(22_100.0, "2024-05-30", "2024-05-31", "2024-06-03"))
    return made


def test_the_near_month_holds_each_contract_up_to_its_expiry(store):
    frame = near_month(store, "NIFTY", 1, CALENDAR).frame
    check_frame(frame)
    opens = frame["open"].groupby(pd.DatetimeIndex(frame.index).date).first()
    assert opens.to_dict() == {
        dt.date(2024, 5, 29): 22_000.0, dt.date(2024, 5, 30): 22_000.0,
        dt.date(2024, 5, 31): 22_100.0, dt.date(2024, 6, 3): 22_100.0,
    }  # fmt: skip


def test_a_run_on_a_store_of_contracts_trades_the_near_month(store, tmp_path):
    loaded = load_chosen(
        DataSettings(source="store", store=str(tmp_path / "bars"), bar_minutes=1), "NIFTY", CALENDAR
    )
    assert loaded.frame.equals(near_month(store, "NIFTY", 1, CALENDAR).frame)
    assert loaded.source.endswith("by contract")


def with_interest(frame: pd.DataFrame, **by_day: float) -> pd.DataFrame:
    days = pd.Index(frame.index.strftime("d%m_%d"))
    return frame.assign(open_interest=[by_day[day] for day in days])


@pytest.mark.parametrize(
    ("ahead_on", "first_of_june"), [("d05_28", "2024-05-29"), ("d05_29", "2024-05-30"), (None, "2024-05-31")]
)
def test_by_open_interest_the_next_contract_is_held_from_the_morning_after_it_is_ahead(
    tmp_path, ahead_on, first_of_june
):
    days = ["2024-05-28", "2024-05-29", "2024-05-30"]
    may, june = contract(22_000.0, *days), contract(22_100.0, *days, "2024-05-31")
    lead = {day: (11.0 if ahead_on and day >= ahead_on else 9.0) for day in ("d05_28", "d05_29", "d05_30")}
    store = ParquetStore(tmp_path)
    store.append("NIFTY-2024-05", 1, with_interest(may, d05_28=10.0, d05_29=10.0, d05_30=10.0))
    store.append("NIFTY-2024-06", 1, with_interest(june, **lead, d05_31=9.0))
    near = near_month(store, "NIFTY", 1, CALENDAR, roll="open_interest")
    (roll,) = near.rolls
    assert str(roll.first_day) == first_of_june
    opens = near.frame["open"].groupby(pd.DatetimeIndex(near.frame.index).date).first()
    assert opens[roll.last_day] == 22_000.0
    assert opens[roll.first_day] == 22_100.0


def test_a_store_without_contracts_says_what_it_expected(tmp_path):
    with pytest.raises(DataError, match="expected series such as NIFTY-2026-11"):
        near_month(ParquetStore(tmp_path), "NIFTY", 1, CALENDAR)


def test_with_both_contracts_the_gap_is_that_of_one_moment(store):
    frame = near_month(store, "NIFTY", 1, CALENDAR).frame
    table = adjustments(frame, [ROLL], lambda day: store.load("NIFTY-2024-06", 1))
    (row,) = table.itertuples()
    assert row.new_price - row.old_price == 100.0
    made = adjusted(frame, table, "difference")
    # What the new contract did on its own over that night is still there
    assert made["close"].iloc[9] == pytest.approx(22_100.2)
    assert frame["close"].iloc[9] == pytest.approx(22_000.2)


@pytest.mark.parametrize("method", ["difference", "ratio"])
def test_without_the_next_contract_nothing_is_left_of_the_jump(store, method):
    frame = near_month(store, "NIFTY", 1, CALENDAR).frame
    table = adjustments(frame, [ROLL])
    made = adjusted(frame, table, method)
    check_frame(made)
    assert made["close"].iloc[9] == pytest.approx(made["open"].iloc[10], abs=1e-9)
    assert made[10:].equals(frame[10:])


def test_ratio_keeps_returns_and_difference_keeps_points(store):
    frame = near_month(store, "NIFTY", 1, CALENDAR).frame
    table = adjustments(frame, [ROLL])
    old = frame["close"].to_numpy()[:10]
    by_ratio = adjusted(frame, table, "ratio")["close"].to_numpy()[:10]
    by_points = adjusted(frame, table, "difference")["close"].to_numpy()[:10]
    assert by_ratio[1:] / by_ratio[:-1] == pytest.approx(old[1:] / old[:-1], rel=1e-12)
    assert np.diff(by_points) == pytest.approx(np.diff(old), abs=1e-9)


def test_a_table_that_was_kept_makes_the_same_adjustment(store, tmp_path):
    frame = near_month(store, "NIFTY", 1, CALENDAR).frame
    table = adjustments(frame, [ROLL])
    write_adjustments(table, tmp_path / "table.csv")
    assert adjusted(frame, read_adjustments(tmp_path / "table.csv"), "ratio").equals(
        adjusted(frame, table, "ratio")
    )


def test_another_file_is_no_table(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="has columns a, b, expected last_day"):
        read_adjustments(tmp_path / "other.csv")


def test_prices_below_zero_are_refused():
    frame = contract(50.0, "2024-05-30", "2024-05-31")
    frame.iloc[5:, frame.columns.get_indexer(PRICES)] -= 49.0
    with pytest.raises(DataError, match="use ratio"):
        adjusted(frame, adjustments(frame, [ROLL]), "difference")


@given(gap=st.floats(0.5, 2.0), lift=st.floats(10.0, 1e5))
def test_the_frame_given_is_never_changed(gap, lift):
    frame = contract(lift, "2024-05-30", "2024-05-31")
    frame.iloc[5:, frame.columns.get_indexer(PRICES)] *= gap
    before = frame.copy()
    adjusted(frame, adjustments(frame, [ROLL]), "ratio")
    assert frame.equals(before)


def test_the_command_writes_series_and_table_and_overwrites_neither(store, tmp_path, capsys):
    out = tmp_path / "nifty.parquet"
    arguments = ["continuous", str(out), "--store", str(tmp_path / "bars"), "--bar-minutes", "1"]
    assert main(arguments) == 0
    assert "at the same minute" in capsys.readouterr().out
    assert read_adjustments(tmp_path / "nifty.parquet.adjustments.csv").shape == (1, 4)
    assert main(arguments) == 2
    assert "is not overwritten" in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_returns_of_adjusted_real_bars_have_no_jump_on_roll_days(shared_data, underlying):
    file = shared_data / "data" / f"{underlying}_FUT_1min_2013_2016.parquet"
    frame = pd.read_parquet(file).set_index("datetime")
    frame = frame[[*PRICES, "volume", "open_interest"]].assign(complete=True)
    rolls = rolls_by_expiry(pd.DatetimeIndex(frame.index), underlying, CALENDAR)
    made = adjusted(frame, adjustments(frame, rolls), "ratio")
    for roll in rolls:
        days = pd.DatetimeIndex(frame.index).date
        last, first = (
            made[days == roll.last_day]["close"].iloc[-1],
            made[days == roll.first_day]["open"].iloc[0],
        )
        assert first / last - 1 == pytest.approx(0.0, abs=1e-12)
    assert len(rolls) > 40
