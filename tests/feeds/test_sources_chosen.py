from __future__ import annotations

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.settings import DataSettings, SyntheticSettings
from feeds.sources.chosen import in_bar_minutes, load_chosen
from feeds.store.parquet import ParquetStore

CALENDAR = TradingCalendar()
MADE = SyntheticSettings(sessions=3)


@pytest.fixture
def made():
    return load_chosen(DataSettings(synthetic=MADE), "NIFTY", CALENDAR)


def test_synthetic_bars_say_what_they_are_and_have_a_fingerprint(made):
    assert made.source == "synthetic (seed 7, edge none, 3 sessions)"
    assert (made.bar_minutes, made.rows_read, len(made.rejects)) == (1, 1125, 0)
    again = load_chosen(DataSettings(synthetic=MADE), "NIFTY", CALENDAR)
    other = load_chosen(DataSettings(synthetic=MADE.model_copy(update={"seed": 8})), "NIFTY", CALENDAR)
    assert made.sha256 == again.sha256 != other.sha256


def test_a_store_gives_the_size_asked_for_or_minutes(made, tmp_path):
    store = ParquetStore(tmp_path)
    store.append("NIFTY", 1, made.frame)
    data = DataSettings(source="store", store=str(tmp_path), bar_minutes=5)
    minutes = load_chosen(data, "NIFTY", CALENDAR)
    assert minutes.bar_minutes == 1
    fives = in_bar_minutes(minutes.frame, 1, 5, minutes.source, CALENDAR)
    store.append("NIFTY", 5, fives)
    stored = load_chosen(data, "NIFTY", CALENDAR)
    assert stored.bar_minutes == 5
    pd.testing.assert_frame_equal(stored.frame, fives, check_freq=False)


def test_missing_sessions_of_a_store_are_named(made, tmp_path):
    days = made.frame.index.normalize()
    ParquetStore(tmp_path).append("NIFTY", 1, made.frame[days != days.unique()[1]])
    found = load_chosen(DataSettings(source="store", store=str(tmp_path)), "NIFTY", CALENDAR)
    assert found.missing_sessions == (days.unique()[1].date(),)


def test_bars_of_another_size_are_refused_with_the_remedy(made):
    with pytest.raises(DataError, match=r"bars of 5 minutes, expected 1 or 3 .* set data.bar_minutes to 5"):
        in_bar_minutes(made.frame, 5, 3, "x.csv", CALENDAR)
