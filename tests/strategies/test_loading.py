"""From a source to the bars a run trades on."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.store.parquet import ParquetStore
from strategies.loading import load_run_bars
from tests.support import settings_of


@pytest.fixture(scope="module")
def calendar():
    return TradingCalendar()


@pytest.fixture(scope="module")
def minutes(calendar):
    return make_bars(SyntheticSettings(sessions=5), calendar)


@pytest.fixture
def file(minutes, tmp_path):
    path = tmp_path / "bars.parquet"
    minutes.drop(columns="complete").to_parquet(path)
    return path


def test_minutes_are_aggregated_and_kept(minutes, file, calendar):
    bars = load_run_bars(settings_of(data={"source": str(file)}), calendar)
    pd.testing.assert_frame_equal(bars.frame, aggregate(minutes, 3, calendar))
    assert len(bars.minutes) == len(minutes)
    assert bars.info["sessions"] == 5
    assert bars.info["rows_read"] == len(minutes)
    assert bars.info["missing_sessions"] == []
    assert not bars.info["synthetic"]


def test_bars_of_the_right_size_are_taken_as_they_are(minutes, tmp_path, calendar):
    three = aggregate(minutes, 3, calendar)
    three.to_parquet(tmp_path / "bars.parquet")
    bars = load_run_bars(settings_of(data={"source": str(tmp_path / "bars.parquet")}), calendar)
    pd.testing.assert_frame_equal(bars.frame, three, check_freq=False)
    assert bars.minutes is None


@pytest.mark.parametrize(
    ("first", "last", "sessions"),
    [
        (None, None, 5),
        (dt.date(2023, 1, 3), None, 4),
        (None, dt.date(2023, 1, 3), 2),
        (dt.date(2023, 1, 3), dt.date(2023, 1, 3), 1),
        (dt.date(2022, 1, 1), dt.date(2024, 1, 1), 5),
    ],
)
def test_both_ends_of_the_range_are_included(file, calendar, first, last, sessions):
    bars = load_run_bars(settings_of(data={"source": str(file)}), calendar, first=first, last=last)
    assert bars.info["sessions"] == sessions
    assert len(bars.frame) == sessions * 125
    assert len(bars.minutes) == sessions * 375


@pytest.mark.parametrize(("first", "last"), [(dt.date(2023, 2, 1), None), (None, dt.date(2023, 1, 1))])
def test_a_range_without_bars(file, calendar, first, last):
    with pytest.raises(DataError, match="its bars run from 2023-01-02 to 2023-01-06"):
        load_run_bars(settings_of(data={"source": str(file)}), calendar, first=first, last=last)


def test_a_range_that_runs_backwards(calendar):
    with pytest.raises(SettingsError, match="swap them"):
        load_run_bars(settings_of(), calendar, first=dt.date(2023, 1, 3), last=dt.date(2023, 1, 2))


@pytest.mark.parametrize("size", [1, 3])
def test_stored_bars_of_either_size(minutes, tmp_path, calendar, size):
    ParquetStore(tmp_path / "bars").append("NIFTY", size, aggregate(minutes, size, calendar))
    settings = settings_of(data={"source": "store", "store": str(tmp_path / "bars")})
    bars = load_run_bars(settings, calendar)
    expected = aggregate(minutes, 3, calendar)
    pd.testing.assert_frame_equal(
        bars.frame[expected.columns], expected, check_freq=False, check_index_type=False
    )
    assert (bars.minutes is None) == (size == 3)


def test_a_missing_session_is_named(minutes, tmp_path, calendar):
    gone = minutes[minutes.index.day != 4]
    gone.drop(columns="complete").to_parquet(tmp_path / "bars.parquet")
    bars = load_run_bars(settings_of(data={"source": str(tmp_path / "bars.parquet")}), calendar)
    assert bars.info["missing_sessions"] == ["2023-01-04"]
    assert bars.info["sessions"] == 4


def test_missing_minutes_are_counted(minutes, tmp_path, calendar):
    gone = minutes.drop(minutes.index[[10, 11, 20]])
    gone.drop(columns="complete").to_parquet(tmp_path / "bars.parquet")
    bars = load_run_bars(settings_of(data={"source": str(tmp_path / "bars.parquet")}), calendar)
    assert bars.info["incomplete_bars"] == 2


def test_bars_outside_the_calendar_are_rejected_only_on_request(minutes, tmp_path, calendar):
    late = minutes.tail(1).set_axis(minutes.index[-1:] + pd.Timedelta(hours=3))
    pd.concat([minutes, late]).drop(columns="complete").to_parquet(tmp_path / "bars.parquet")
    data = {"source": str(tmp_path / "bars.parquet")}
    with pytest.raises(DataError, match="outside the sessions"):
        load_run_bars(settings_of(data=data), calendar)
    bars = load_run_bars(settings_of(data=data | {"calendar_mismatch": "reject"}), calendar)
    assert bars.info["rejects"] == 1
    assert len(bars.minutes) == len(minutes)


def test_detail_needs_minutes(minutes, tmp_path, calendar):
    aggregate(minutes, 3, calendar).to_parquet(tmp_path / "bars.parquet")
    data = {"source": str(tmp_path / "bars.parquet"), "detail": "1minute"}
    with pytest.raises(DataError, match=r"data\.detail is 1minute, expected 1-minute bars"):
        load_run_bars(settings_of(data=data), calendar)


def test_synthetic_bars_are_called_synthetic_and_known_by_their_content(calendar):
    data = {"synthetic": SyntheticSettings(sessions=2)}
    first, again = (load_run_bars(settings_of(data=data), calendar).info for _ in range(2))
    other = load_run_bars(
        settings_of(data={"synthetic": SyntheticSettings(sessions=2, seed=8)}), calendar
    ).info
    assert first["synthetic"]
    assert first["source"].startswith("synthetic (seed 7")
    assert first["sha256"] == again["sha256"] != other["sha256"]
