from __future__ import annotations

import csv
import datetime as dt
import gzip
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.bars import aggregate, check_frame
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from feeds.errors import DataError
from feeds.tick_bars import Bar, Tick, TickBarBuilder, frame_from_bars

CALENDAR = TradingCalendar()


def at(text: str, day: str = "2026-08-04") -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day} {text}").replace(tzinfo=IST)


def feed(builder: TickBarBuilder, *ticks: tuple[str, float, float]) -> list[Bar]:
    return [bar for time, price, quantity in ticks for bar in builder.add(Tick(at(time), price, quantity))]


def test_a_bar_closes_at_its_end_by_exchange_time():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    assert feed(builder, ("09:15:00", 100, 65), ("09:15:30", 103, 65), ("09:15:59", 99, 130)) == []
    (bar,) = feed(builder, ("09:16:00", 105, 65))
    assert bar[:7] == (at("09:15:00"), at("09:16:00"), 100, 103, 99, 99, 260)
    assert bar.complete


def test_clock_closes_a_bar_without_a_tick():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, ("09:15:00", 100, 65))
    assert builder.advance(at("09:15:59")) == []
    assert len(builder.advance(at("09:16:00"))) == 1
    assert builder.advance(at("09:16:01")) == []


def test_ticks_behind_the_clock_are_taken_while_their_bar_is_open():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    builder.advance(at("09:15:10"))
    feed(builder, ("09:15:09", 100, 65))
    builder.advance(at("09:16:00"))
    assert feed(builder, ("09:15:59", 101, 65)) == []
    assert (builder.counts.used, builder.counts.late) == (1, 1)


def test_late_ticks_change_nothing():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, ("09:15:00", 100, 65), ("09:15:10", 101, 65), ("09:15:09", 999, 65))
    (bar,) = builder.advance(at("09:16:00"))
    assert (bar.high, bar.volume, builder.counts.late) == (101, 130, 1)


def test_last_bar_ends_with_the_session():
    builder = TickBarBuilder(CALENDAR, 15, cumulative=False)
    feed(builder, ("09:15:00", 100, 65), ("15:32:00", 100, 65))
    (bar,) = feed(builder, ("15:40:00", 101, 65))
    assert (bar.start, bar.end) == (at("15:30:00"), at("15:40:00"))
    assert builder.counts.outside == 1


def test_bins_start_anew_after_a_halt():
    builder = TickBarBuilder(CALENDAR, 3, cumulative=False)
    times = ("09:21:30", "10:21:00", "10:24:00")
    bars = [bar for time in times for bar in builder.add(Tick(at(time, "2020-03-13"), 100, 75))]
    assert [f"{bar.start:%H:%M}-{bar.end:%H:%M}" for bar in bars] == ["09:21-09:22", "10:21-10:24"]


def test_a_minute_without_a_trade_marks_the_bar():
    builder = TickBarBuilder(CALENDAR, 3, cumulative=False)
    feed(builder, ("09:15:00", 100, 65), ("09:17:00", 100, 65))
    (bar,) = builder.advance(at("09:18:00"))
    assert not bar.complete


def test_a_gap_marks_the_bar_under_way_or_else_the_next():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, ("09:15:00", 100, 65))
    builder.mark_gap()
    (first,) = builder.advance(at("09:16:00"))
    builder.mark_gap()
    (second,) = feed(builder, ("09:16:05", 100, 65), ("09:17:00", 100, 65))
    (third,) = builder.advance(at("09:18:00"))
    assert [bar.complete for bar in (first, second, third)] == [False, False, True]


@pytest.mark.parametrize(
    ("first", "complete"), [("09:15:59", True), ("09:16:00", False), ("11:00:00", False)]
)
def test_joining_within_a_session_marks_the_first_bar(first, complete):
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, (first, 100, 65))
    (bar,) = builder.advance(at("15:40:00"))
    assert bar.complete is complete


def test_cumulative_quantity_becomes_volume():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    feed(builder, ("09:15:00", 100, 650), ("09:15:01", 101, 650), ("09:15:02", 102, 1300))
    (first,) = feed(builder, ("09:16:00", 103, 1950))
    (second,) = builder.advance(at("09:17:00"))
    assert (first.volume, first.high, second.volume) == (1300, 102, 650)
    assert builder.counts.duplicate == 1


def test_units_of_the_opening_auction_belong_to_no_bar():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    feed(builder, ("09:08:00", 100, 5000), ("09:15:00", 100, 5650))
    (bar,) = builder.advance(at("09:16:00"))
    assert (bar.volume, builder.counts.outside) == (650, 1)


def test_what_was_traded_before_joining_is_not_volume():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    feed(builder, ("11:00:10", 100, 1_000_000), ("11:00:11", 100, 1_000_065))
    (bar,) = builder.advance(at("11:01:00"))
    assert (bar.volume, bar.complete) == (65, False)


def test_a_running_builder_that_misses_the_opening_says_so():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    feed(builder, ("09:15:00", 100, 65))
    builder.add(Tick(at("09:20:00", "2026-08-05"), 100, 9000))
    (bar,) = builder.advance(at("09:21:00", "2026-08-05"))
    assert (bar.volume, bar.complete) == (0, False)


def test_cumulative_quantity_that_falls_is_counted_and_marks_the_bar():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    feed(builder, ("09:15:00", 100, 650), ("09:15:01", 101, 65), ("09:15:02", 102, 130))
    (bar,) = builder.advance(at("09:16:00"))
    assert (bar.volume, bar.complete, builder.counts.resets) == (715, False, 1)


@pytest.mark.parametrize(
    ("price", "quantity"),
    [(0, 65), (-1, 65), (math.nan, 65), (math.inf, 65), (100, -1), (100, math.nan), (100, math.inf)],
)
def test_invalid_ticks_are_counted_and_left_out(price, quantity):
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, ("09:15:00", 100, 65), ("09:15:01", price, quantity))
    (bar,) = builder.advance(at("09:16:00"))
    assert (bar.high, bar.low, bar.volume, builder.counts.invalid) == (100, 100, 65, 1)


def test_the_time_of_an_invalid_tick_is_not_believed():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    feed(builder, ("09:15:00", 100, 65), ("15:00:00", 0, 0), ("09:15:30", 101, 65))
    (bar,) = builder.advance(at("09:16:00"))
    assert (bar.close, bar.volume, builder.counts.late, builder.counts.invalid) == (101, 130, 0, 1)


def test_open_interest_is_the_last_one_given_that_day():
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    builder.add(Tick(at("09:15:00"), 100, 65, 7000))
    feed(builder, ("09:15:01", 100, 65))
    (bar,) = feed(builder, ("09:16:00", 100, 65))
    (carried,) = builder.add(Tick(at("09:15:00", "2026-08-05"), 100, 65))
    (fresh,) = builder.advance(at("09:16:00", "2026-08-05"))
    assert (bar.open_interest, carried.open_interest) == (7000, 7000)
    assert math.isnan(fresh.open_interest)


def test_naive_ticks_are_refused():
    with pytest.raises(DataError, match="without a time zone"):
        TickBarBuilder(CALENDAR, 1, cumulative=False).add(Tick(dt.datetime(2026, 8, 4, 10), 100, 65))  # noqa: DTZ001


def test_length_must_be_a_minute_at_least():
    with pytest.raises(DataError, match=r"data\.bar_minutes"):
        TickBarBuilder(CALENDAR, 0, cumulative=False)


@st.composite
def day_of_ticks(draw):
    # Every minute trades at least once, as on a liquid day; a Saturday of two parts keeps it short.
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ticks = []
    for start, end in CALENDAR.session(dt.date(2024, 3, 2)).segments:
        for minute in range(int((end - start).total_seconds()) // 60):
            for second in np.sort(generator.integers(0, 60, generator.integers(1, 4))):
                time = start + dt.timedelta(minutes=minute, seconds=int(second))
                price = float(generator.integers(190, 210))
                ticks.append(Tick(time, price, 50.0 * float(generator.integers(1, 5)), 50.0))
    return ticks


def built(ticks: list[Tick], bar_minutes: int, *, cumulative: bool) -> pd.DataFrame:
    builder = TickBarBuilder(CALENDAR, bar_minutes, cumulative=cumulative)
    bars = [bar for tick in ticks for bar in builder.add(tick)]
    bars += builder.advance(ticks[-1].time + dt.timedelta(days=1))
    assert builder.counts.used == len(ticks)
    return frame_from_bars(bars)


@given(day_of_ticks(), st.integers(1, 30))
def test_builder_equals_aggregation_on_complete_data(ticks, bar_minutes):
    minutes = built(ticks, 1, cumulative=False)
    check_frame(minutes)
    expected = aggregate(minutes, bar_minutes, CALENDAR)
    pd.testing.assert_frame_equal(built(ticks, bar_minutes, cumulative=False), expected)
    total = np.cumsum([tick.quantity for tick in ticks])
    counted = [tick._replace(quantity=float(sum_)) for tick, sum_ in zip(ticks, total, strict=True)]
    pd.testing.assert_frame_equal(built(counted, bar_minutes, cumulative=True), expected)
    assert expected["complete"].all()


@given(day_of_ticks())
def test_minutes_equal_pandas(ticks):
    index = pd.DatetimeIndex([tick.time for tick in ticks]).tz_convert("Asia/Kolkata")
    by_minute = pd.DataFrame(
        {"price": [t.price for t in ticks], "quantity": [t.quantity for t in ticks]}, index
    )
    groups = by_minute.groupby(index.floor("min"))
    result = built(ticks, 1, cumulative=False)
    expected = groups["price"].ohlc().assign(volume=groups["quantity"].sum())
    np.testing.assert_array_equal(result[["open", "high", "low", "close", "volume"]], expected)
    assert list(result.index) == list(expected.index)


def test_after_bars_from_elsewhere_the_volume_counts_from_where_they_ended():
    builder = TickBarBuilder(CALENDAR, 3, cumulative=True)
    feed(builder, ("09:15:00", 100, 65))
    builder.advance(at("09:18:00"))
    builder.resume(at("09:21:00"), 1000.0, gap=False)
    assert builder.day_quantity == 1000
    (bar,) = feed(builder, ("09:20:59", 1, 9000), ("09:21:05", 101, 1065), ("09:22:00", 101, 1130),
                  ("09:23:00", 101, 1195), ("09:24:00", 101, 1260))  # fmt: skip
    assert (bar.start, bar.volume, bar.complete, builder.counts.late) == (at("09:21:00"), 195, True, 1)


@pytest.mark.parametrize(("quantity", "gap"), [(None, False), (1000.0, True)])
def test_after_bars_from_elsewhere_a_bar_is_incomplete_where_something_is_not_known(quantity, gap):
    builder = TickBarBuilder(CALENDAR, 1, cumulative=True)
    builder.resume(at("09:21:00"), quantity, gap=gap)
    feed(builder, ("09:21:00", 100, 1065), ("09:21:30", 100, 1130))
    assert builder.open_end == at("09:22:00")
    (bar,) = builder.advance(at("09:22:00"))
    assert (bar.volume, bar.complete) == (65 if quantity is None else 130, False)
    assert builder.open_end is None


@pytest.mark.real_data
def test_real_ticks_make_the_bars_of_the_other_vendor(shared_data):
    builder = TickBarBuilder(CALENDAR, 1, cumulative=False)
    bars: list[Bar] = []
    for path in sorted((shared_data / "data/ticks").glob("NIFTY-I_202211*.csv.gz"))[:3]:
        with gzip.open(path, "rt") as file:
            for day, time, price, quantity, interest in csv.reader(file):
                moment = dt.datetime.strptime(day + time, "%Y%m%d%H:%M:%S").replace(tzinfo=IST)
                bars += builder.add(Tick(moment, float(price), float(quantity), float(interest)))
    frame = frame_from_bars(bars)
    other = pd.read_parquet(shared_data / "data/NIFTY_FUT_1min_2022-10-17_2022-11-15.parquet").set_index(
        "datetime"
    )
    other = other.reindex(frame.index)
    check_frame(frame)
    assert len(frame) == 3 * 375
    assert frame["complete"].all()
    assert (frame["close"] == other["close"]).mean() > 0.99
    assert (frame["volume"] == other["volume"]).mean() > 0.9
    assert builder.counts.outside == 3  # one print at 15:30 a day
