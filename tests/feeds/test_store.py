"""The contract of every bar store; a further back end joins in ``STORES`` and in ``fresh_store``."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.errors import DataError, SettingsError
from feeds.store.base import Appended, BarStore, DateSpan, FetchedSpan, Series
from feeds.store.parquet import ParquetStore
from feeds.store.timescale import TimescaleStore
from tests.feeds.frames import day_frame, frame_of
from tests.feeds.postgres import empty_tables

STORES = ("parquet", "timescale")


@pytest.fixture(params=STORES)
def fresh_store(request, tmp_path_factory) -> Callable[[], BarStore]:
    """Gives an empty store each time it is called."""
    if request.param == "parquet":
        return lambda: ParquetStore(tmp_path_factory.mktemp("bars"))
    server = request.getfixturevalue("postgres")

    def make() -> BarStore:
        empty_tables(server)
        return TimescaleStore(server.dsn())

    return make


@pytest.fixture
def store(fresh_store) -> BarStore:
    return fresh_store()


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


def test_a_second_object_on_the_same_place_sees_the_bars(store):
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    assert copy.copy(store).coverage("NIFTY", 1).bars == 5


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
def test_any_overlapping_pieces_in_any_order_make_the_whole(fresh_store, data):
    whole = frame_of("2015-12-30", "2015-12-31", "2016-01-01", bars=4)
    cuts = data.draw(st.lists(st.tuples(st.integers(0, 11), st.integers(1, 12)), max_size=4))
    pieces = data.draw(st.permutations([(0, 7), (5, 12), *cuts]))
    store = fresh_store()
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


# -- spans that were fetched -------------------------------------------------------------------------------


def span(first: str, last: str, source: str = "kite") -> FetchedSpan:
    return FetchedSpan(source, dt.date.fromisoformat(first), dt.date.fromisoformat(last))


def spans(store: BarStore, source: str = "kite") -> list[tuple[str, str]]:
    return [(str(first), str(last)) for first, last in store.fetched("NIFTY", 1, source)]


def test_nothing_was_fetched_where_nobody_said_so(store):
    assert spans(store) == []
    store.append("NIFTY", 1, frame_of("2016-01-04"))
    assert spans(store) == []


def test_spans_that_touch_or_overlap_are_one(store):
    store.append("NIFTY", 1, frame_of("2016-01-11"), fetched=span("2016-01-11", "2016-01-12"))
    store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-05"))
    assert spans(store) == [("2016-01-04", "2016-01-05"), ("2016-01-11", "2016-01-12")]
    store.append("NIFTY", 1, frame_of("2016-01-06"), fetched=span("2016-01-06", "2016-01-08"))
    assert spans(store) == [("2016-01-04", "2016-01-08"), ("2016-01-11", "2016-01-12")]
    store.append("NIFTY", 1, frame_of("2016-01-07"), fetched=span("2016-01-07", "2016-01-10"))
    assert spans(store) == [("2016-01-04", "2016-01-12")]


def test_a_span_may_cross_a_year(store):
    frame = frame_of("2015-12-31", "2016-01-01")
    store.append("NIFTY", 1, frame, fetched=span("2015-12-30", "2016-01-02"))
    assert spans(store) == [("2015-12-30", "2016-01-02")]


def test_spans_are_kept_apart_by_source_and_series(store):
    store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    assert spans(store, "upstox") == []
    assert store.fetched("BANKNIFTY", 1, "kite") == []
    assert store.fetched("NIFTY", 3, "kite") == []
    store.append("NIFTY", 1, frame_of("2016-01-05"), fetched=span("2016-01-05", "2016-01-05", "upstox"))
    assert spans(store) == [("2016-01-04", "2016-01-04")]
    assert spans(store, "upstox") == [("2016-01-05", "2016-01-05")]


def test_known_bars_may_turn_out_to_be_a_whole_answer(store):
    store.append("NIFTY", 1, frame_of("2016-01-04"))
    answered = store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    assert answered == Appended(0, 5)
    assert store.fetched("NIFTY", 1, "kite") == [DateSpan(dt.date(2016, 1, 4), dt.date(2016, 1, 4))]
    store.append("NIFTY", 1, frame_of("2016-01-04"), fetched=span("2016-01-04", "2016-01-04"))
    assert len(spans(store)) == 1


def test_a_refused_answer_leaves_no_span(store):
    store.append("NIFTY", 1, frame_of("2016-01-04"))
    other = frame_of("2016-01-04", "2016-01-05").assign(volume=1.0)
    with pytest.raises(DataError, match="5 bars are stored"):
        store.append("NIFTY", 1, other, fetched=span("2016-01-04", "2016-01-05"))
    assert spans(store) == []


@pytest.mark.parametrize(
    ("first", "last", "is_inside"),
    [
        ("2016-01-04", "2016-01-06", True),
        ("2016-01-03", "2016-01-07", True),
        ("2016-01-05", "2016-01-06", False),
        ("2016-01-04", "2016-01-05", False),
    ],
)
def test_an_answer_holds_no_bar_of_another_day(store, first, last, is_inside):
    frame = frame_of("2016-01-04", "2016-01-06")
    if is_inside:
        assert store.append("NIFTY", 1, frame, fetched=span(first, last)).added == 10
    else:
        with pytest.raises(DataError, match="holds bars from 2016-01-04 to 2016-01-06; nothing was stored"):
            store.append("NIFTY", 1, frame, fetched=span(first, last))
        assert store.instruments() == []


def test_an_answer_without_a_bar_proves_nothing(store):
    with pytest.raises(DataError, match="holds no bar, which proves nothing"):
        store.append("NIFTY", 1, frame_of("2016-01-04").iloc[:0], fetched=span("2016-01-04", "2016-01-04"))
    assert spans(store) == []


def test_a_span_has_two_ends_and_a_source(store):
    frame = frame_of("2016-01-04")
    with pytest.raises(SettingsError, match="2016-01-05 is after the last date 2016-01-04"):
        store.append("NIFTY", 1, frame, fetched=span("2016-01-05", "2016-01-04"))
    with pytest.raises(SettingsError, match="source 'Kite/x' cannot name"):
        store.append("NIFTY", 1, frame, fetched=span("2016-01-04", "2016-01-04", "Kite/x"))


# -- columns -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [["close"], ["complete", "open"], []])
def test_only_the_columns_asked_for(store, columns):
    whole = frame_of("2015-12-31", "2016-01-01")
    store.append("NIFTY", 1, whole)
    first = dt.date(2016, 1, 1)
    loaded = store.load("NIFTY", 1, first, first, columns=columns)
    expected = whole.loc["2016-01-01", columns]
    pd.testing.assert_frame_equal(loaded, expected, check_freq=False, check_column_type=bool(columns))


def test_an_unknown_column_is_refused(store):
    store.append("NIFTY", 1, frame_of("2016-01-01"))
    with pytest.raises(SettingsError, match="column 'signal' is not stored; expected some of open, high"):
        store.load("NIFTY", 1, columns=["close", "signal"])


def test_stamps_in_nanoseconds_are_kept_in_microseconds(store):
    frame = frame_of("2016-01-01")
    store.append("NIFTY", 1, frame.set_axis(frame.index.as_unit("ns"), axis=0))
    assert store.load("NIFTY", 1).index.unit == "us"
    odd = frame.set_axis(frame.index.as_unit("ns") + pd.Timedelta(1, "ns"), axis=0)
    with pytest.raises(DataError, match="expected whole microseconds"):
        store.append("NIFTY", 1, odd)


@pytest.mark.parametrize("day", ["1990-01-01", "1994-12-31", "1995-01-01", "2049-12-31", "2050-01-01"])
def test_any_year_has_its_place(store, day):
    frame = frame_of(day)
    store.append("NIFTY", 1, frame)
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_freq=False)


@given(
    values=st.lists(
        st.tuples(st.floats(0.05, 1e9), st.floats(0, 1e15), st.floats(0, 1e15) | st.just(float("nan"))),
        min_size=1,
        max_size=5,
    ),
    complete=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_comes_back_as_it_went_in(fresh_store, values, complete):
    store = fresh_store()
    price, volume, open_interest = map(np.array, zip(*values, strict=True))
    frame = day_frame("2016-01-01", len(values)).assign(
        open=price, high=price, low=price, close=price, volume=volume, open_interest=open_interest,
        complete=complete,
    )  # fmt: skip
    store.append("NIFTY", 1, frame)
    pd.testing.assert_frame_equal(store.load("NIFTY", 1), frame, check_exact=True, check_freq=False)
    assert store.append("NIFTY", 1, frame) == Appended(0, len(frame))
