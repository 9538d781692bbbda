from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.bars import BAR_COLUMNS, aggregate, check_frame, close_times, detect_bar_minutes
from feeds.calendar import TradingCalendar
from feeds.errors import DataError

CALENDAR = TradingCalendar()


def minutes_of(*days: str) -> pd.DatetimeIndex:
    parts = [
        pd.date_range(start, end, freq="min", inclusive="left", unit="us")
        for text in days
        for start, end in CALENDAR.session(dt.date.fromisoformat(text)).segments
    ]
    return (
        pd.DatetimeIndex(np.concatenate([part.tz_convert("UTC").tz_localize(None) for part in parts]))
        .tz_localize("UTC")
        .tz_convert("Asia/Kolkata")
    )


def walk(index: pd.DatetimeIndex, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    close = 10_000 + np.cumsum(generator.integers(-20, 21, len(index))) * 0.05
    open_ = close + generator.integers(-20, 21, len(index)) * 0.05
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) + generator.integers(0, 9, len(index)) * 0.05,
            "low": np.minimum(open_, close) - generator.integers(0, 9, len(index)) * 0.05,
            "close": close,
            "volume": generator.integers(1, 100, len(index)) * 75.0,
            "open_interest": generator.integers(1, 100, len(index)) * 75.0,
            "complete": True,
        },
        index=index.set_names("datetime"),
    )


@pytest.fixture
def frame() -> pd.DataFrame:
    return walk(minutes_of("2015-03-02", "2015-03-03"))


def test_a_good_frame_passes(frame):
    check_frame(frame)
    check_frame(frame.iloc[:0])
    check_frame(frame.assign(open_interest=np.nan, signal=1.0))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.reset_index(drop=True), "index of RangeIndex"),
        (lambda f: f.rename_axis("time"), "named 'time'"),
        (lambda f: f.tz_localize(None), "without a time zone"),
        (lambda f: f.tz_convert("UTC"), "time zone UTC"),
        (lambda f: f.iloc[::-1], "2015-03-03 15:28:00.* after 2015-03-03 15:29"),
        (lambda f: f.iloc[[0, 1, 1, 2]], "strictly increasing"),
        (lambda f: f.drop(columns="low"), "no column low"),
        (lambda f: f.astype({"volume": "int64"}), "column volume of type int64"),
        (lambda f: f.astype({"complete": "float64"}), "column complete of type float64"),
    ],
)
def test_shape_is_checked(frame, spoil, message):
    with pytest.raises(DataError, match=message):
        check_frame(spoil(frame))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("open", np.nan, "a missing or non-positive price"),
        ("high", np.inf, "a missing or non-positive price"),
        ("close", 0.0, "a missing or non-positive price"),
        ("low", -1.0, "a missing or non-positive price"),
        ("high", 1.0, "a high below"),
        ("low", 99_999.0, "a low above"),
        ("volume", np.nan, "a missing or negative volume"),
        ("volume", -75.0, "a missing or negative volume"),
        ("open_interest", -75.0, "a negative open interest"),
    ],
)
def test_values_are_checked_and_the_bar_is_named(frame, column, value, message):
    frame.iloc[7, frame.columns.get_loc(column)] = value
    with pytest.raises(DataError, match=rf"{message}.* in 1 bar, first 2015-03-02 09:22"):
        check_frame(frame)


def test_close_is_start_plus_length_but_never_after_the_segment():
    index = pd.DatetimeIndex(
        ["2015-03-03 09:15", "2015-03-03 15:27", "2020-03-13 09:21", "2026-08-03 15:39"], tz="Asia/Kolkata"
    )
    assert list(close_times(index, 3, CALENDAR).strftime("%H:%M")) == ["09:18", "15:30", "09:22", "15:40"]
    assert list(close_times(index, 1, CALENDAR).strftime("%H:%M")) == ["09:16", "15:28", "09:22", "15:40"]


def test_no_close_outside_sessions():
    with pytest.raises(DataError, match=r"1 bars outside.*2015-03-03 15:30.*market\.extra_sessions"):
        close_times(pd.DatetimeIndex(["2015-03-03 15:30"], tz="Asia/Kolkata"), 3, CALENDAR)


@pytest.mark.parametrize(
    ("day", "bar_minutes", "bars", "last"),
    [
        ("2015-03-03", 3, 125, "15:27"),
        ("2015-03-03", 7, 54, "15:26"),
        ("2026-08-03", 3, 129, "15:39"),
        ("2022-10-24", 3, 20, "19:12"),
        ("2020-03-13", 3, 3 + 103, "15:27"),
        ("2024-03-02", 7, 7 + 9, "12:26"),
    ],
)
def test_bins_start_at_each_segment(day, bar_minutes, bars, last):
    result = aggregate(walk(minutes_of(day)), bar_minutes, CALENDAR)
    assert len(result) == bars
    assert f"{result.index[-1]:%H:%M}" == last
    assert result["complete"].all()
    starts = {f"{start:%H:%M}" for start, _ in CALENDAR.session(dt.date.fromisoformat(day)).segments}
    assert starts <= set(result.index.strftime("%H:%M"))


def test_one_minute_bars_stay_as_they_are(frame):
    pd.testing.assert_frame_equal(aggregate(frame, 1, CALENDAR), frame)


def test_missing_and_incomplete_minutes_mark_the_bar(frame):
    frame.iloc[10, frame.columns.get_loc("complete")] = False
    result = aggregate(frame.drop(frame.index[[4, 375]]), 3, CALENDAR)
    incomplete = result.index[~result["complete"]].strftime("%d %H:%M")
    assert list(incomplete) == ["02 09:18", "02 09:24", "03 09:15"]
    assert result.index[125] == frame.index[375]  # the label is the bin's start, though its minute is missing


def test_a_bin_without_minutes_makes_no_bar(frame):
    assert len(aggregate(frame.drop(frame.index[3:6]), 3, CALENDAR)) == 249


def test_further_columns_take_the_last_value(frame):
    result = aggregate(frame.assign(signal=np.arange(len(frame), dtype=float)), 3, CALENDAR)
    assert list(result["signal"][:3]) == [2.0, 5.0, 8.0]
    assert list(result.columns) == [*BAR_COLUMNS, "signal"]


def test_empty_frame_aggregates_to_an_empty_frame(frame):
    result = aggregate(frame.iloc[:0], 3, CALENDAR)
    check_frame(result)
    assert len(result) == 0


def test_bars_outside_sessions_are_not_aggregated(frame):
    outside = walk(pd.DatetimeIndex(["2015-03-03 15:30"], tz="Asia/Kolkata"))
    with pytest.raises(DataError, match="outside the exchange's sessions"):
        aggregate(pd.concat([frame, outside]), 3, CALENDAR)


def test_length_must_be_a_minute_at_least(frame):
    with pytest.raises(DataError, match=r"data\.bar_minutes"):
        aggregate(frame, 0, CALENDAR)


@given(st.integers(1, 120), st.integers(0, 2**32 - 1), st.floats(0.0, 0.6))
def test_aggregation_equals_pandas_on_a_regular_day(bar_minutes, seed, dropped):
    frame = walk(minutes_of("2015-03-03"), seed)
    keep = np.random.default_rng(seed).random(len(frame)) >= dropped
    frame = frame[keep]
    if frame.empty:
        return
    result = aggregate(frame, bar_minutes, CALENDAR)
    bins = frame.resample(f"{bar_minutes}min", origin=pd.Timestamp("2015-03-03 09:15", tz="Asia/Kolkata"))
    expected = bins.agg(
        {
            "open": "first",
            "high": "max",
            "low": "min",
            "close": "last",
            "volume": "sum",
            "open_interest": "last",
        }
    ).dropna()
    pd.testing.assert_frame_equal(
        result.drop(columns="complete"), expected, check_freq=False, check_index_type=False
    )
    whole = np.minimum(bar_minutes, 375 - np.arange(0, 375, bar_minutes))
    counts = bins["close"].count()
    positions = ((counts.index - counts.index[0]) // pd.Timedelta(minutes=bar_minutes)).to_numpy()
    first = int((counts.index[0] - pd.Timestamp("2015-03-03 09:15", tz="Asia/Kolkata")).total_seconds() // 60)
    full = counts.to_numpy() == whole[positions + first // bar_minutes]
    np.testing.assert_array_equal(result["complete"], full[counts.to_numpy() > 0])


@pytest.mark.parametrize("bar_minutes", [1, 3, 5, 15, 60])
def test_bar_size_is_found(bar_minutes):
    frame = aggregate(walk(minutes_of("2015-03-02", "2020-03-13", "2024-03-02")), bar_minutes, CALENDAR)
    assert detect_bar_minutes(frame.index) == bar_minutes


def test_missing_minutes_do_not_disturb_the_size(frame):
    assert detect_bar_minutes(frame.drop(frame.index[[4, 5, 100]]).index) == 1


def test_mixed_sizes_are_refused(frame):
    coarse, fine = aggregate(frame, 3, CALENDAR).index, frame.index
    for mixed in (
        fine[:375].append(coarse[125:]),
        coarse[:125].append(fine[375:]),
        coarse[:200].append(fine[700:703]),
    ):
        with pytest.raises(DataError, match=r"bars . minutes apart at 2015-03-0[23] .*one size"):
            detect_bar_minutes(mixed)


def test_size_needs_two_bars_of_a_day(frame):
    with pytest.raises(DataError, match="no two of them on one day"):
        detect_bar_minutes(frame.index[[0, 375]])


def test_stamps_between_minutes_are_refused(frame):
    with pytest.raises(DataError, match="whole minutes"):
        detect_bar_minutes(frame.index + pd.Timedelta(seconds=59))


@pytest.mark.real_data
def test_three_minute_reference_is_reproduced(shared_data):
    minutes = pd.read_parquet(shared_data / "data/NIFTY_FUT_1min_2013_2016.parquet").set_index("datetime")
    result = aggregate(minutes.astype("float64").assign(complete=True), 3, CALENDAR)
    reference = pd.read_parquet(
        shared_data / "data/reference/bars_3min_with_signal_2013_2016.parquet"
    ).set_index("datetime")
    columns = ["open", "high", "low", "close", "volume"]
    pd.testing.assert_frame_equal(
        result.loc[reference.index, columns], reference[columns].astype("float64"), check_freq=False
    )
    assert int((~result["complete"]).sum()) == 5
