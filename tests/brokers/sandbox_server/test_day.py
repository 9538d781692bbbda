"""The day that is replayed: recorded or made up, with a past that fits it."""

from __future__ import annotations

import datetime as dt
import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.sandbox.day import SYNTHETIC_DAY, make_day
from brokers.sandbox.prints import prints_of
from feeds.bars import VALUE_COLUMNS, check_frame
from feeds.errors import DataError, SettingsError
from feeds.tick_bars import Tick, TickBarBuilder, frame_from_bars
from tests.brokers.sandbox_server.support import CALENDAR, DAY, NEAR, at

TICK = 0.05


def bars_of(rows: list[tuple[int, int, int, int, int]], lot: int) -> pd.DataFrame:
    """Rows: open, high above the body, low below it, close (all in ticks), lots."""
    open_, above, below, close, lots = np.array(rows, dtype=float).T
    index = pd.date_range(at("09:15"), periods=len(rows), freq="min", name="datetime").as_unit("us")
    return pd.DataFrame(
        {
            "open": np.round(open_ * TICK, 2),
            "high": np.round((np.maximum(open_, close) + above) * TICK, 2),
            "low": np.round((np.minimum(open_, close) - below) * TICK, 2),
            "close": np.round(close * TICK, 2),
            "volume": lots * lot,
            "open_interest": np.arange(1.0, len(rows) + 1) * lot,
            "complete": True,
        },
        index=index,
    )


minute_bars = st.lists(
    st.tuples(
        st.integers(300_000, 300_200), st.integers(0, 60), st.integers(0, 60), st.integers(300_000, 300_200),
        st.integers(4, 400),
    ),
    min_size=1, max_size=20,
)  # fmt: skip


@given(minute_bars, st.sampled_from([25, 50, 65, 75]), st.integers(0, 2**32))
def test_the_bars_of_made_up_prints_are_the_bars_they_were_made_from(rows, lot, seed):
    bars = bars_of(rows, lot)
    prints = prints_of(bars, lot=lot, tick=TICK, seed=seed)
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    built = []
    for one in prints:
        built += builder.add(Tick(one.time, one.price, one.quantity, one.open_interest))
    built += builder.advance(prints[-1].time + dt.timedelta(minutes=1))
    columns = list(VALUE_COLUMNS)
    pd.testing.assert_frame_equal(frame_from_bars(built)[columns], bars[columns], check_freq=False)
    assert all(one.quantity > 0 and one.quantity % lot == 0 for one in prints)
    times = [one.time for one in prints]
    assert times == sorted(set(times))


@pytest.mark.parametrize("lots", [1, 2, 3])
def test_a_minute_of_few_lots_keeps_close_and_volume(lots):
    prints = prints_of(bars_of([(300_000, 5, 5, 300_010, lots)], 65), lot=65, tick=TICK, seed=1)
    assert sum(one.quantity for one in prints) == lots * 65
    assert prints[-1].price == 15_000.5


def test_a_day_without_anything_is_synthetic_and_says_so():
    market = make_day("NIFTY", CALENDAR, day=DAY)
    assert market == make_day("NIFTY", CALENDAR, day=DAY)._replace(history=market.history)
    assert any("synthetic" in note and "no market data" in note for note in market.notes)
    assert {one.time.date() for one in market.trades} == {DAY}
    assert len(market.trades) > 8 * 385
    assert len(set(market.history.index.date)) == 30
    check_frame(market.history)
    assert market.history["close"].iloc[-1] == pytest.approx(market.trades[0].price, abs=NEAR.tick)
    assert market.instruments[0].token not in market.previous_closes
    assert all(one.token in market.previous_closes for one in market.instruments[1:])


def test_another_seed_is_another_day():
    first, second = (make_day("NIFTY", CALENDAR, day=DAY, seed=seed).trades for seed in (1, 2))
    assert [one.price for one in first] != [one.price for one in second]


def test_the_demo_day_has_a_session():
    assert CALENDAR.session(SYNTHETIC_DAY) is not None
    with pytest.raises(SettingsError, match="no session"):
        make_day("NIFTY", CALENDAR, day=dt.date(2026, 9, 26))


@pytest.fixture
def ticks(tmp_path):
    path = tmp_path / "ticks.csv.gz"
    lines = [
        "20260923,15:00:00,24900.00,65,650",
        "20260924,09:15:00,25000.00,65,650",
        "20260924,09:15:01,25001.00,130,650",
    ]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_recorded_ticks_are_replayed_as_they_are(ticks):
    market = make_day("NIFTY", CALENDAR, ticks=ticks, day=DAY)
    assert [(one.price, one.quantity) for one in market.trades] == [(25_000.0, 65), (25_001.0, 130)]
    assert [note for note in market.notes if "prices of the day" in note] == []
    assert market.history["close"].iloc[-1] == 25_000.0


def test_a_file_of_several_days_needs_a_day_that_it_holds(ticks):
    with pytest.raises(DataError, match=r"2 days.*--day"):
        make_day("NIFTY", CALENDAR, ticks=ticks)
    with pytest.raises(DataError, match="no trade of 2026-09-22"):
        make_day("NIFTY", CALENDAR, ticks=ticks, day=dt.date(2026, 9, 22))


def write_history(path, day: dt.date, *, minutes: int = 1, price: float = 300_000.0):
    frame = bars_of([(int(price), 1, 1, int(price), 4)] * 5, 65)
    frame.index = pd.date_range(at("09:15", day), periods=5, freq=f"{minutes}min", name="datetime").as_unit(
        "us"
    )
    frame.drop(columns="complete").to_parquet(path)
    return path


def test_history_from_before_the_day_is_served_and_gives_the_close(ticks, tmp_path):
    path = write_history(tmp_path / "bars.parquet", dt.date(2026, 9, 23))
    market = make_day("NIFTY", CALENDAR, ticks=ticks, day=DAY, history=path)
    assert len(market.history) == 5
    assert NEAR.token not in market.previous_closes
    assert market.notes == ()


def test_a_synthetic_day_goes_on_where_the_history_ends(tmp_path):
    path = write_history(tmp_path / "bars.parquet", dt.date(2026, 9, 23), price=240_000.0)
    market = make_day("NIFTY", CALENDAR, day=DAY, history=path)
    assert market.trades[0].price == pytest.approx(12_000.0, abs=NEAR.tick)


def test_a_close_of_long_ago_is_none_of_yesterday(ticks, tmp_path):
    path = write_history(tmp_path / "bars.parquet", dt.date(2020, 9, 23), price=160_000.0)
    market = make_day("NIFTY", CALENDAR, ticks=ticks, day=DAY, history=path)
    assert market.previous_closes[NEAR.token] == 25_000.0
    assert "history does not reach" in market.notes[0]


@pytest.mark.parametrize(
    ("day", "minutes", "words"),
    [(dt.date(2026, 9, 24), 1, "no bar from before"), (dt.date(2026, 9, 23), 3, "bars of 3 minutes")],
)
def test_history_that_cannot_serve_is_refused(ticks, tmp_path, day, minutes, words):
    path = write_history(tmp_path / "bars.parquet", day, minutes=minutes)
    with pytest.raises(DataError, match=words):
        make_day("NIFTY", CALENDAR, ticks=ticks, day=DAY, history=path)
