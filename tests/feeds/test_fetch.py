"""Fetching into a store: whole, resumed, idempotent, and told what was not believed."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from feeds.bars import aggregate
from feeds.clock import IST
from feeds.errors import BrokerError, DataError, SettingsError
from feeds.store.base import DateSpan, FetchedSpan
from feeds.store.parquet import ParquetStore
from tests.feeds.fetch_support import CALENDAR, BarHistory, minutes_of, run_fetch, wanted

FIRST, LAST = "2026-08-03", "2026-10-21"
BARS = minutes_of(FIRST, LAST, open_interest=float("nan"))
WANTED = wanted(FIRST, LAST)
SESSIONS = [one.date for one in CALENDAR.sessions(WANTED.first, WANTED.last)]
SPAN = 20
REQUESTS = 4


@pytest.fixture
def store(tmp_path) -> ParquetStore:
    return ParquetStore(tmp_path / "bars")


def stored(store: ParquetStore) -> pd.DataFrame:
    return store.load("NIFTY-INDEX", 3)


def test_a_fetch_brings_every_bar_in_as_few_requests_as_can_be(store):
    source = BarHistory(BARS, span_days=SPAN)
    done = run_fetch(WANTED, source, store)
    expected = aggregate(BARS, 3, CALENDAR)
    pd.testing.assert_frame_equal(stored(store), expected, check_freq=False)
    assert (done.requests, done.added, done.already_stored) == (REQUESTS, len(expected), 0)
    assert (done.sessions, done.known, done.rejects, done.empty) == (len(SESSIONS), 0, [], [])
    assert source.asked[0][1] == WANTED.first
    assert source.asked[-1][2] == WANTED.last
    assert store.fetched("NIFTY-INDEX", 3, "kite")[0].first == WANTED.first


def test_what_was_fetched_is_not_asked_for_again(store):
    run_fetch(WANTED, BarHistory(BARS, span_days=SPAN), store)
    again = BarHistory(BARS, span_days=SPAN)
    done = run_fetch(WANTED, again, store)
    assert again.asked == []
    assert (done.requests, done.known, done.sessions) == (0, len(SESSIONS), len(SESSIONS))


def test_everything_can_be_asked_for_again_and_changes_nothing(store):
    run_fetch(WANTED, BarHistory(BARS, span_days=SPAN), store)
    before = stored(store)
    done = run_fetch(WANTED, BarHistory(BARS, span_days=SPAN), store, again=True)
    assert (done.requests, done.added, done.already_stored) == (REQUESTS, 0, len(before))
    pd.testing.assert_frame_equal(stored(store), before)


def test_days_on_both_sides_of_what_is_there_are_asked_for_alone(store):
    run_fetch(wanted("2026-09-01", "2026-09-11"), BarHistory(BARS), store)
    source = BarHistory(BARS)
    done = run_fetch(WANTED, source, store)
    assert [(first, last) for _, first, last in source.asked] == [
        (dt.date(2026, 8, 3), dt.date(2026, 8, 31)),
        (dt.date(2026, 9, 15), dt.date(2026, 10, 21)),
    ]
    assert done.known == 9
    pd.testing.assert_frame_equal(stored(store), aggregate(BARS, 3, CALENDAR), check_freq=False)


@pytest.mark.parametrize("at", [1, 2, REQUESTS])
def test_a_run_that_breaks_off_keeps_what_it_had_and_goes_on_there(store, at):
    source = BarHistory(BARS, span_days=SPAN)
    source.fails_at[at] = BrokerError("Kite could not be asked; ask again")
    with pytest.raises(BrokerError, match="could not be asked"):
        run_fetch(WANTED, source, store)
    done = run_fetch(WANTED, source, store)
    assert len(source.asked) == REQUESTS + 1
    assert done.requests == REQUESTS - at + 1
    pd.testing.assert_frame_equal(stored(store), aggregate(BARS, 3, CALENDAR), check_freq=False)


def test_a_store_that_fails_loses_nothing_that_was_kept(store, monkeypatch):
    source = BarHistory(BARS, span_days=SPAN)
    real, calls = store.append, []

    def append(*args: object, **options: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise DataError("no space left; make room there")
        return real(*args, **options)

    monkeypatch.setattr(store, "append", append)
    with pytest.raises(DataError, match="no space left"):
        run_fetch(WANTED, source, store)
    run_fetch(WANTED, source, store)
    assert len(source.asked) == REQUESTS + 1
    pd.testing.assert_frame_equal(stored(store), aggregate(BARS, 3, CALENDAR), check_freq=False)


def test_a_session_that_is_not_over_is_left_out_with_its_forming_candle(store):
    now = dt.datetime(2026, 10, 21, 11, 1, tzinfo=IST)
    done = run_fetch(WANTED, BarHistory(BARS[BARS.index <= now], now=now), store)
    assert done.left_out == [dt.date(2026, 10, 21)]
    assert stored(store).index[-1].date() == dt.date(2026, 10, 19)
    later = run_fetch(WANTED, BarHistory(BARS), store)
    assert (later.requests, later.known) == (1, len(SESSIONS) - 1)
    assert stored(store).index[-1].date() == dt.date(2026, 10, 21)


def test_a_session_without_a_candle_is_told_and_asked_for_again(store):
    hole = dt.date(2026, 9, 16)
    source = BarHistory(BARS[BARS.index.date != hole])
    done = run_fetch(WANTED, source, store)
    assert done.empty == [hole]
    later = BarHistory(BARS)
    assert run_fetch(WANTED, later, store).requests == 1
    assert [one[1:] for one in later.asked] == [(hole, hole)]
    pd.testing.assert_frame_equal(stored(store), aggregate(BARS, 3, CALENDAR), check_freq=False)


def test_nothing_at_all_is_an_error_and_is_not_recorded(store):
    with pytest.raises(
        DataError, match="kite gave no good candle of index NIFTY from 2026-08-03 to 2026-10-21"
    ):
        run_fetch(WANTED, BarHistory(BARS.iloc[:0]), store)
    assert store.instruments() == []


def test_candles_that_are_not_believed_are_told_and_not_stored(store):
    class Damaged(BarHistory):
        def answer(self, frame: pd.DataFrame) -> pd.DataFrame:
            frame = super().answer(frame)
            frame.iloc[4, frame.columns.get_loc("close")] = np.nan
            return frame

    done = run_fetch(WANTED, Damaged(BARS), store)
    (rejects,) = done.rejects
    assert rejects["reason"].tolist() == ["missing_value"]
    assert f"{rejects['datetime'].iloc[0]}" == "2026-08-03 09:27:00+05:30"
    assert len(stored(store)) == len(aggregate(BARS, 3, CALENDAR)) - 1


def test_other_values_than_those_stored_are_refused(store):
    run_fetch(WANTED, BarHistory(BARS), store)
    changed = BARS.assign(volume=BARS["volume"] + 75)
    with pytest.raises(DataError, match="other values"):
        run_fetch(WANTED, BarHistory(changed), store, again=True)
    pd.testing.assert_frame_equal(stored(store), aggregate(BARS, 3, CALENDAR), check_freq=False)


def test_another_sources_spans_say_nothing_of_this_one(store):
    frame = aggregate(BARS, 3, CALENDAR)
    store.append("NIFTY-INDEX", 3, frame, fetched=FetchedSpan("upstox", WANTED.first, WANTED.last))
    done = run_fetch(WANTED, BarHistory(BARS), store)
    assert (done.requests, done.added, done.already_stored) == (1, 0, len(frame))
    assert store.fetched("NIFTY-INDEX", 3, "kite") == [DateSpan(WANTED.first, WANTED.last)]


def test_the_near_month_is_put_together_from_its_contracts(store):
    source = BarHistory(BARS)
    source.months = ["2026-08", "2026-09", "2026-10"]
    run_fetch(wanted(FIRST, LAST, is_index=False), source, store)
    assert [(key, first, last) for key, first, last in source.asked] == [
        (1, dt.date(2026, 8, 3), dt.date(2026, 8, 25)),
        (2, dt.date(2026, 8, 26), dt.date(2026, 9, 29)),
        (3, dt.date(2026, 9, 30), dt.date(2026, 10, 21)),
    ]
    assert [series.instrument for series in store.instruments()] == ["NIFTY"]


def test_one_contract_is_a_series_of_its_own(store):
    source = BarHistory(BARS)
    source.months = ["2026-09"]
    run_fetch(wanted(FIRST, LAST, is_index=False, month="2026-09"), source, store)
    assert store.coverage("NIFTY-2026-09", 3).last.date() == dt.date(2026, 9, 29)


def test_a_length_that_the_broker_has_not(store):
    with pytest.raises(SettingsError, match="Kite has no candles of 7 minutes, expected one of 1, 3"):
        run_fetch(wanted(FIRST, LAST, bar_minutes=7), BarHistory(BARS), store)


def test_a_pause_before_the_first_request_for_what_a_killed_run_asked_a_moment_ago(store):
    paused = []
    source = BarHistory(BARS)
    run_fetch(WANTED, source, store, sleep=lambda seconds: paused.append((seconds, len(source.asked))))
    assert paused == [(1.0, 0)]


def test_two_at_once_lose_nothing(store):
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_fetch, WANTED, BarHistory(BARS, span_days=SPAN), store) for _ in range(2)]
        done = [run.result() for run in runs]
    expected = aggregate(BARS, 3, CALENDAR)
    assert sum(one.added for one in done) == len(expected)
    pd.testing.assert_frame_equal(stored(store), expected, check_freq=False)
