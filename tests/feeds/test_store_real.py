"""Four years of the market in both stores."""

from __future__ import annotations

import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from feeds.settings import DataSettings
from feeds.sources.chosen import load_chosen
from feeds.sources.files import load_bars
from feeds.store.parquet import ParquetStore
from feeds.store.timescale import TimescaleStore


@pytest.mark.real_data
@pytest.mark.slow
def test_real_bars_are_the_same_from_both_stores(shared_data, postgres, tmp_path, monkeypatch):
    calendar = TradingCalendar()
    file = shared_data / "data" / "NIFTY_FUT_1min_2013_2016.parquet"
    frame = load_bars(file, calendar=calendar).frame
    for store in (ParquetStore(tmp_path / "bars"), TimescaleStore(postgres.dsn())):
        assert store.append("NIFTY", 1, frame).added == len(frame) == 365_620
        assert store.append("NIFTY", 1, frame).added == 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIMESCALE_DSN", postgres.dsn())
    chosen = [DataSettings(source="store", store=name) for name in ("bars", "timescale")]
    folder, database = (load_chosen(data, "NIFTY", calendar) for data in chosen)
    assert folder.sha256 == database.sha256
    pd.testing.assert_frame_equal(folder.frame, database.frame, check_exact=True)
