"""The contract of every bar store; a further back end joins by adding its factory to ``STORES``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from feeds.store.base import Appended, BarStore, Series
from feeds.store.parquet import ParquetStore
from tests.feeds.frames import day_frame, frame_of

STORES: dict[str, Callable[[Path], BarStore]] = {"parquet": ParquetStore}


@pytest.fixture(params=sorted(STORES))
def store(request, tmp_path) -> BarStore:
    return STORES[request.param](tmp_path / "bars")


def test_an_empty_store_holds_nothing(store):
    assert store.instruments() == []
    assert store.coverage("NIFTY", 1) is None
    with pytest.raises(DataError, match=r"no 1-minute bars of NIFTY .* holds nothing"):
        store.load("NIFTY", 1)


def test_what_is_appended_is_loaded_bit_for_bit(store):
    frame = frame_of("2015-12-30", "2015-12-31", "2016-01-01")
    frame.iloc[3, frame.columns.get_loc("complete")] = False
    frame.iloc[4, frame.columns.get_loc("close")] = 8000.1 + 0.2  # a value without a short decimal form
    assert store.append("NIFTY", 1, frame) == Appended(15, 0)
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_exact=True, check_freq=False)


def test_a_second_object_on_the_same_place_sees_the_bars(tmp_path):
    for name, make in STORES.items():
        make(tmp_path / name).append("NIFTY", 1, frame_of("2016-01-01"))
        assert make(tmp_path / name).coverage("NIFTY", 1).bars == 5


def test_appending_again_changes_nothing(store):
    frame = frame_of("2015-12-31", "2016-01-01")
    store.append("NIFTY", 1, frame)
    assert store.append("NIFTY", 1, frame) == Appended(0, 10)
    assert store.append("NIFTY", 1, frame.iloc[2:7]) == Appended(0, 5)
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_freq=False)


def test_an_empty_frame_is_no_bars(store):
    assert store.append("NIFTY", 1, frame_of("2016-01-01").iloc[:0]) == Appended(0, 0)
    assert store.instruments() == []


@pytest.mark.parametrize("column", ["open", "high", "low", "close", "volume", "open_interest", "complete"])
def test_other_values_are_refused_and_nothing_is_stored(store, column):
    stored = frame_of("2015-12-31", "2016-01-04")
    store.append("NIFTY", 1, stored)
    other = frame_of("2015-12-30", "2016-01-04", "2016-01-05")
    other.loc["2016-01-04 09:17", column] = {"complete": False, "high": 9000.0, "low": 7000.0}.get(
        column, 8000.5
    )
    with pytest.raises(
        DataError, match=rf"1 bars are stored .* 2016-01-04 09:17 \({column} .* nothing was stored"
    ):
        store.append("NIFTY", 1, other)
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), stored, check_freq=False)


def test_earlier_bars_may_come_later(store):
    store.append("NIFTY", 1, frame_of("2016-01-05"))
    store.append("NIFTY", 1, frame_of("2016-01-04"))
    loaded = store.load("NIFTY", 1)
    assert loaded.index.is_monotonic_increasing
    pd.testing.assert_frame_equal(loaded, frame_of("2016-01-04", "2016-01-05"), check_freq=False)


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_overlapping_pieces_in_any_order_make_the_whole(tmp_path_factory, data):
    whole = frame_of("2015-12-30", "2015-12-31", "2016-01-01", bars=4)
    cuts = data.draw(st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12)), max_size=4))
    pieces = data.draw(st.permutations([(0, 7), (5, 12), *cuts]))
    for make in STORES.values():
        store = make(tmp_path_factory.mktemp("bars"))
        added = sum(
            store.append("NIFTY", 1, whole.iloc[start : start + length]).added for start, length in pieces
        )
        assert added == 12
        pd.testing.assert_frame_equal(store.load("NIFTY", 1), whole, check_freq=False)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (None, None, ["2015-12-30", "2015-12-31", "2016-01-01"]),
        (dt.date(2015, 12, 31), None, ["2015-12-31", "2016-01-01"]),
        (None, dt.date(2015, 12, 31), ["2015-12-30", "2015-12-31"]),
        (dt.date(2016, 1, 1), dt.date(2016, 1, 1), ["2016-01-01"]),
        (dt.date(2010, 1, 1), dt.date(2015, 12, 30), ["2015-12-30"]),
        (dt.date(2016, 1, 1), dt.date(2030, 1, 1), ["2016-01-01"]),
    ],
)
def test_dates_are_included_at_both_ends(store, first, last, days):
    store.append("NIFTY", 1, frame_of("2015-12-30", "2015-12-31", "2016-01-01"))
    loaded = store.load("NIFTY", 1, first, last)
    assert [f"{day:%Y-%m-%d}" for day in loaded.index.normalize().unique()] == days


def test_a_range_belongs_to_indian_dates_not_to_utc(store):
    # 05:15 in India is still the day before in UTC.
    early = day_frame("2016-01-01", 2, start="05:15")
    store.append("NIFTY", 1, early)
    assert len(store.load("NIFTY", 1, dt.date(2016, 1, 1), dt.date(2016, 1, 1))) == 2
    assert store.coverage("NIFTY", 1).days == 1


@pytest.mark.parametrize(
    ("first", "last"),
    [(dt.date(2016, 1, 2), None), (None, dt.date(2015, 12, 29)), (dt.date(2015, 6, 1), dt.date(2015, 6, 30))],
)
def test_a_range_without_bars_says_what_there_is(store, first, last):
    store.append("NIFTY", 1, frame_of("2015-12-30", "2016-01-01"))
    with pytest.raises(DataError, match="holds 2015-12-30 to 2016-01-01"):
        store.load("NIFTY", 1, first, last)


def test_a_range_that_ends_before_it_starts_is_refused(store):
    with pytest.raises(SettingsError, match="2016-01-02 is after the last date 2016-01-01"):
        store.load("NIFTY", 1, dt.date(2016, 1, 2), dt.date(2016, 1, 1))


def test_series_are_kept_apart_by_name_and_bar_length(store):
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    store.append("NIFTY", 15, day_frame("2016-01-01", 3, bar_minutes=15))
    store.append("BANKNIFTY", 1, day_frame("2016-01-01", 2, price=16_000.0))
    store.append("M&M", 1, frame_of("2016-01-01"))
    assert store.instruments() == [
        Series("BANKNIFTY", 1),
        Series("M&M", 1),
        Series("NIFTY", 1),
        Series("NIFTY", 15),
    ]
    assert len(store.load("NIFTY", 15)) == 3
    assert store.load("BANKNIFTY", 1)["close"].iloc[0] == 16_000.0


def test_coverage(store):
    store.append("NIFTY", 1, frame_of("2015-12-31", "2016-01-01"))
    held = store.coverage("NIFTY", 1)
    assert (held.bars, held.days) == (10, 2)
    assert held.first == pd.Timestamp("2015-12-31 09:15", tz="Asia/Kolkata")
    assert held.last == pd.Timestamp("2016-01-01 09:19", tz="Asia/Kolkata")
    assert str(held.first.tz) == "Asia/Kolkata"


@pytest.mark.parametrize(
    "name", ["", "nifty", "../NIFTY", "NIFTY/X", ".", "..", "NIF TY", "N" * 33, "NIFTY\n", "-A"]
)
def test_a_name_that_could_be_a_path_is_refused(store, name):
    for ask in (store.coverage, store.load, lambda *key: store.append(*key, frame_of("2016-01-01"))):
        with pytest.raises(SettingsError, match="cannot name a stored series"):
            ask(name, 1)


@pytest.mark.parametrize("bar_minutes", [0, -1])
def test_a_bar_has_at_least_one_minute(store, bar_minutes):
    with pytest.raises(SettingsError, match="at least 1 minute"):
        store.append("NIFTY", bar_minutes, frame_of("2016-01-01"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame.tz_localize(None),
        lambda frame: frame.iloc[::-1],
        lambda frame: pd.concat([frame, frame.iloc[-1:]]),
        lambda frame: frame.assign(close=np.nan),
        lambda frame: frame.drop(columns="volume"),
        lambda frame: frame.assign(signal=1.0),
    ],
    ids=["naive", "unsorted", "twice", "missing value", "missing column", "extra column"],
)
def test_what_is_not_a_bar_frame_is_refused(store, spoil):
    with pytest.raises(DataError):
        store.append("NIFTY", 1, spoil(frame_of("2016-01-01")))
    assert store.instruments() == []


def test_a_conflict_names_the_column_that_differs(store):
    frame = frame_of("2016-01-01").assign(open_interest=np.nan)
    store.append("NIFTY", 1, frame)
    other = frame.assign(complete=False)
    with pytest.raises(DataError, match=r"\(complete True stored, False new\)"):
        store.append("NIFTY", 1, other)
