"""Every arrow of the state machine of live bars, with a scripted source."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import threading
import time

import pandas as pd
import pytest

from feeds.clock import IST, ReplayClock
from feeds.market_events import EndOfStream, StreamDown, StreamUp
from feeds.tick_bars import Tick, TickBarBuilder
from tests.feeds.live_support import (
    CALENDAR,
    DAY,
    MINUTES,
    SESSION,
    TODAY,
    HandClock,
    History,
    Later,
    Scripted,
    at,
    closing_tick,
    framed,
    offline,
    starts,
    ticks_of,
)

TICKS = ticks_of(TODAY)
DOWN = StreamDown("silent")


def between(first: str, last: str):
    return [tick for tick in TICKS if at(first) <= tick.time < at(last)]


def replayed(start: str = "09:00", **options):
    return Scripted(ReplayClock(at(start)), **options)


def assert_equal_frames(live, expected):
    pd.testing.assert_frame_equal(framed(live), expected, check_freq=False, check_exact=True)


def test_a_whole_day_equals_the_bars_aggregated_offline():
    scripted = replayed()
    assert scripted.bars.state == "BACKFILL"
    live = scripted.put(StreamUp(), *TICKS, closing_tick(TICKS))
    assert_equal_frames(live, offline())
    assert {bar.origin for bar in live} == {"ticks"}
    assert scripted.bars.state == "OVER"
    assert scripted.told("market_over") == [{"reason": "the session has closed"}]
    assert scripted.bars.counts.late == scripted.bars.counts.resets == 0


def test_warm_up_is_what_closed_before_the_start():
    scripted = replayed(warmup_bars=200)
    expected = offline(MINUTES[MINUTES.index < pd.Timestamp(SESSION.open)]).iloc[-200:]
    assert_equal_frames(scripted.warmup, expected)
    assert {bar.origin for bar in scripted.warmup} == {"warmup"}
    assert scripted.told("warmup")[0]["bars"] == 200


def test_warm_up_within_a_session_ends_with_the_last_closed_bar_and_holds_all_of_today():
    scripted = replayed("12:31:30", warmup_bars=5)
    before = offline(TODAY[TODAY.index < pd.Timestamp(at("12:30"))])
    assert_equal_frames(scripted.warmup, before)


def test_start_within_a_bar_counts_its_volume_from_its_start_and_marks_it():
    scripted = replayed("12:31:30")
    (bar,) = scripted.put(StreamUp(), *between("12:31:40", "12:33:01"))
    expected = offline().loc[pd.Timestamp(at("12:30"))]
    assert (bar.bar.volume, bar.bar.complete, bar.origin) == (expected.volume, False, "ticks")
    assert starts(scripted.put(*between("12:33:20", "12:36:01"))) == ["12:33"]


def test_warm_up_asks_for_more_days_until_there_are_enough():
    holes = MINUTES[MINUTES.index.minute % 3 == 0].copy()  # a third of the minutes: every bar, incomplete
    holes = holes[holes.index.hour >= 14]
    scripted = replayed(history=History(holes), warmup_bars=150)
    assert len(scripted.history.asked) > 1
    assert len(scripted.warmup) == 150


def test_too_few_bars_for_the_warm_up_are_told():
    scripted = replayed(warmup_bars=5000)
    assert len(scripted.warmup) == len(offline(MINUTES)) - len(offline())
    assert scripted.told("warmup_short")[0]["wanted"] == 5000
    assert scripted.put(StreamUp(), *between("09:15", "09:18:01"))


def test_history_without_any_bar_is_a_short_warm_up():
    scripted = replayed(history=History(MINUTES.iloc[:0]))
    assert scripted.warmup == []
    assert scripted.told("warmup_short") == [{"wanted": 50, "bars": 0}]
    assert starts(scripted.put(StreamUp(), *between("09:15", "09:18:01"))) == ["09:15"]


def test_minutes_outside_the_sessions_and_the_minute_under_way_are_left_out():
    early = MINUTES.iloc[[-375]].set_axis(
        pd.DatetimeIndex([at("09:07")], name="datetime").as_unit("us").tz_convert("Asia/Kolkata")
    )
    scripted = replayed("12:31:30", history=History(pd.concat([MINUTES, early]).sort_index()))
    assert starts(scripted.warmup)[-1] == "12:27"
    assert "09:06" not in starts(scripted.warmup)


def test_a_warm_up_that_cannot_be_read_is_asked_again_at_the_first_tick():
    scripted = replayed(history=History(failures=1))
    assert scripted.warmup == []
    assert scripted.told("history_unreadable")[0]["error"] == "history is away"
    bars = scripted.put(StreamUp(), *between("09:15", "09:18:01"))
    assert [bar.origin for bar in bars] == ["warmup"] * 50 + ["ticks"]
    assert bars[-1].bar.complete


def test_a_warm_up_that_stays_unreadable_is_asked_once_more_when_the_first_bar_closes():
    scripted = replayed(history=History(failures=2))
    bars = scripted.put(StreamUp(), *between("09:15", "09:18:01"))
    assert [bar.origin for bar in bars] == ["warmup"] * 50 + ["ticks"]
    scripted = replayed(history=History(failures=3))
    bars = scripted.put(StreamUp(), *between("09:15", "09:21:01"))
    assert [bar.origin for bar in bars] == ["ticks"] * 2
    assert len(scripted.history.asked) == 3
    assert scripted.told("warmup_short")


def test_pre_open_messages_do_not_ask_again_and_again():
    scripted = replayed(history=History(failures=9))
    first = TICKS[0]
    scripted.put(StreamUp(), *(first._replace(time=at("09:08"), quantity=0.0) for _ in range(5)))
    assert len(scripted.history.asked) == 2


def test_the_close_of_another_day_in_the_first_message_is_late():
    scripted = replayed()
    other = TICKS[0]._replace(time=SESSION.open - dt.timedelta(days=1), quantity=9e9)
    bars = scripted.put(StreamUp(), other, *between("09:15", "09:18:01"))
    assert_equal_frames(bars, offline().iloc[:1])
    assert scripted.bars.counts.late == 1


def test_the_stream_lost_and_back_within_a_bar_keeps_the_volume_and_marks_the_bar():
    scripted = replayed()
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN)
    assert scripted.bars.state == "GAP"
    (bar,) = scripted.put(StreamUp(), *between("09:20", "09:21:01"))
    assert scripted.bars.state == "LIVE"
    expected = offline().iloc[1]
    assert (bar.bar.volume, bar.bar.complete, bar.origin) == (expected.volume, False, "ticks")
    assert len(scripted.history.asked) == 1


def test_bars_lost_with_the_stream_come_from_history():
    scripted = replayed()
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    lost = scripted.put(*between("09:25:40", "09:26"))
    assert_equal_frames(lost, offline().iloc[1:3])
    assert {bar.origin for bar in lost} == {"backfill"}
    rest = scripted.put(*between("09:26", "09:30:01"))
    assert starts(rest) == ["09:24", "09:27"]
    assert [bar.bar.complete for bar in rest] == [False, True]
    assert_equal_frames(rest[1:], offline().iloc[4:5])
    assert rest[0].bar.volume == offline().iloc[3].volume  # nothing of the gap's volume falls into it
    assert scripted.told("backfill")[0]["bars"] == 2


def test_a_tick_after_a_gap_is_enough_without_word_that_the_stream_is_up():
    scripted = replayed()
    bars = scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, *between("09:25:40", "09:26"))
    assert starts(bars) == ["09:15", "09:18", "09:21"]


def test_a_bar_that_history_does_not_have_whole_yet_is_taken_from_the_ticks():
    scripted = replayed(history=History(MINUTES.drop(pd.Timestamp(at("09:20")))))
    scripted.put(StreamUp(), *between("09:15", "09:20:59"), DOWN, StreamUp())
    (bar,) = scripted.put(*between("09:21", "09:22"))
    assert (bar.origin, bar.bar.complete) == ("ticks", False)
    assert bar.bar.volume > scripted.history.frame.loc[at("09:18") : at("09:19")]["volume"].sum()
    (after,) = scripted.put(*between("09:22", "09:24:01"))
    assert bar.bar.volume + after.bar.volume == offline().iloc[1:3]["volume"].sum()


def test_ticks_that_come_before_the_start_are_not_lost():
    clock = ReplayClock(at("09:00"))
    scripted = Scripted(clock, starts=False)
    for event in (StreamUp(), *between("09:15", "09:30:01")):
        scripted.bars.put(event)
    scripted.bars.start()
    bars = scripted.drain()[50:]
    assert_equal_frames(bars, offline().iloc[:5])


def test_unreadable_history_is_asked_again_when_the_next_bar_closes():
    history = History()
    scripted = replayed(history=history)
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    history.failures = 1
    assert scripted.put(*between("09:25:40", "09:27")) == []
    bars = scripted.put(*between("09:27", "09:30:01"))
    assert [(bar.origin, f"{bar.bar.start:%H:%M}") for bar in bars] == [
        ("backfill", "09:18"), ("backfill", "09:21"), ("ticks", "09:24"), ("ticks", "09:27"),
    ]  # fmt: skip
    assert bars[2].bar.complete is False
    assert bars[2].bar.volume < offline().iloc[3].volume  # counted from the first tick
    assert_equal_frames(bars[3:], offline().iloc[4:5])


def test_history_that_stays_unreadable_leaves_the_bars_out_and_says_which():
    history = History()
    scripted = replayed(history=history)
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    history.failures = 2
    bars = scripted.put(*between("09:25:40", "09:30:01"))
    assert [(bar.origin, f"{bar.bar.start:%H:%M}") for bar in bars] == [
        ("ticks", "09:18"), ("ticks", "09:24"), ("ticks", "09:27"),
    ]  # fmt: skip
    assert [bar.bar.complete for bar in bars] == [False, False, True]
    (told,) = scripted.told("bars_missing")
    assert (told["bars"], told["reason"]) == (1, "history could not be read")
    assert "T09:21" in told["starts"][0]


def test_a_second_gap_before_the_first_is_filled_is_filled_with_it():
    history = History()
    scripted = replayed(history=history)
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    history.failures = 1
    scripted.put(*between("09:25:40", "09:26"), DOWN, StreamUp())
    bars = scripted.put(*between("09:31", "09:32"))
    assert starts(bars) == ["09:18", "09:21", "09:24", "09:27"]
    assert_equal_frames(bars, offline().iloc[1:5])


def test_bars_without_ticks_are_filled_although_the_stream_never_said_it_was_down():
    scripted = replayed()
    bars = scripted.put(StreamUp(), *between("09:15", "09:20:30"), *between("09:27:20", "09:33:01"))
    assert starts(bars) == ["09:15", "09:18", "09:21", "09:24", "09:27", "09:30"]
    assert [bar.origin for bar in bars] == ["ticks", "ticks", "backfill", "backfill", "ticks", "ticks"]
    # The bar before the hole may have lost its own end, the one after it its beginning
    assert [bar.bar.complete for bar in bars] == [True, False, True, True, False, True]


def test_a_quiet_market_is_no_gap():
    hole = TODAY.index[6:12]
    scripted = replayed(history=History(MINUTES.drop(hole)))
    bars = scripted.put(StreamUp(), *ticks_of(TODAY.drop(hole).iloc[:10]))
    assert starts(bars) == ["09:15", "09:18", "09:27"]
    assert scripted.told("bars_missing")[0]["reason"] == "history has no trade in them"
    assert bars[-1].bar.complete


def test_ticks_wait_while_history_is_asked_and_the_caller_does_not():
    aside = Later()
    scripted = replayed(executor=aside)
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    waiting = between("09:25:40", "09:30:01")
    assert scripted.put(*waiting) == []
    assert scripted.bars.state == "BACKFILL"
    assert len(aside.jobs) == 1
    aside.run()
    assert starts(scripted.drain()) == ["09:18", "09:21", "09:24", "09:27"]
    assert scripted.bars.state == "LIVE"
    assert scripted.bars.counts.used == len(between("09:15", "09:19")) + len(waiting)


def test_a_gap_that_lasts_to_the_close_is_filled_before_the_day_ends():
    scripted = replayed()
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN, StreamUp())
    bars = scripted.put(closing_tick(TICKS))
    assert_equal_frames(bars, offline().iloc[1:])
    assert scripted.bars.state == "OVER"


def test_lost_before_it_was_ever_up_is_no_gap():
    scripted = replayed()
    bars = scripted.put(StreamDown("refused"), StreamUp(), *between("09:15", "09:18:01"))
    assert bars[0].bar.complete
    assert scripted.told("stream_down") == [{"reason": "refused"}]


def test_no_bar_after_stop():
    scripted = replayed()
    for tick in between("09:15", "09:30"):
        scripted.bars.put(tick)
    scripted.bars.stop("told to")
    assert scripted.drain() == []
    assert scripted.bars.state == "OVER"
    assert scripted.told("market_over") == [{"reason": "told to"}]
    assert scripted.put(*between("09:30", "09:40")) == []


def test_end_of_the_stream_delivers_the_last_bar_of_the_session_but_no_half_bar():
    scripted = replayed()
    bars = scripted.put(StreamUp(), *TICKS, EndOfStream("played"))
    assert_equal_frames(bars, offline())
    assert scripted.bars.state == "OVER"
    scripted = replayed()
    assert starts(scripted.put(StreamUp(), *between("09:15", "09:20:59"), EndOfStream("cut"))) == ["09:15"]
    assert scripted.told("market_over") == [{"reason": "cut"}]


def test_silence_ends_a_replayed_day_by_the_clock_of_this_machine():
    seconds = [0.0]
    scripted = replayed(idle_end_seconds=30.0, monotonic=lambda: seconds[0])
    scripted.put(StreamUp(), *between("09:15", "09:20"))
    seconds[0] = 29.9
    assert scripted.drain() == []
    assert scripted.bars.state == "LIVE"
    seconds[0] = 30.0
    assert scripted.drain() == []
    assert scripted.bars.state == "OVER"


def test_a_replayed_day_waits_for_its_first_tick_at_any_hour():
    scripted = replayed("20:00")
    assert scripted.bars.state == "BACKFILL"


# -- wall clock ----------------------------------------------------------------------------------


def by_wall(start: str = "09:00", **options):
    clock = HandClock(at(start))
    return clock, Scripted(clock, **options)


def test_the_clock_closes_a_bar_after_the_grace_when_no_tick_comes():
    clock, scripted = by_wall()
    scripted.put(StreamUp())
    clock.to("09:17:59")
    assert scripted.put(*between("09:15", "09:18")) == []
    clock.to("09:18:01.9")
    assert scripted.drain() == []
    clock.to("09:18:02")
    (bar,) = scripted.drain()
    assert bar.bar.end == at("09:18")
    assert not bar.bar.complete  # the stream was silent: it may be dead


def test_the_clock_does_not_close_a_bar_whose_ticks_still_come():
    clock, scripted = by_wall()
    scripted.put(StreamUp())
    clock.to("09:18:01")
    assert scripted.put(*between("09:15", "09:18")) == []
    clock.to("09:18:02")  # this machine's clock is ahead
    assert scripted.drain() == []
    (bar,) = scripted.put(*between("09:18", "09:18:01"))
    assert bar.bar.complete


def test_the_clock_closes_the_last_bar_and_the_day():
    clock, scripted = by_wall()
    scripted.put(StreamUp())
    bars = scripted.put(*TICKS)
    clock.to(f"{SESSION.close:%H:%M}:01.9")
    assert scripted.bars.state == "LIVE"
    assert scripted.drain() == []
    clock.to(f"{SESSION.close:%H:%M}:02")
    bars += scripted.drain()
    assert_equal_frames(bars, offline())
    assert scripted.bars.state == "OVER"


def test_a_gap_is_not_closed_by_the_clock_but_filled_at_the_close_of_the_day():
    clock, scripted = by_wall()
    clock.to("09:19")
    scripted.put(StreamUp(), *between("09:15", "09:19"), DOWN)
    clock.to("15:00")
    assert scripted.drain() == []
    clock.to(f"{SESSION.close:%H:%M}:02")
    assert_equal_frames(scripted.drain(), offline().iloc[1:])
    assert scripted.bars.state == "OVER"


def test_connected_within_the_session_marks_the_bar():
    clock, scripted = by_wall("09:14")
    clock.to("09:15:30")
    (bar,) = scripted.put(StreamUp(), *between("09:15:40", "09:18:01"))
    assert not bar.bar.complete


def test_connected_again_before_the_open_marks_nothing():
    clock, scripted = by_wall()
    scripted.put(StreamUp(), DOWN)
    clock.to("09:14:59")
    (bar,) = scripted.put(StreamUp(), *between("09:15", "09:18:01"))
    assert bar.bar.complete


def test_lost_over_the_open_marks_the_first_bar():
    clock, scripted = by_wall()
    scripted.put(StreamUp(), DOWN)
    clock.to("09:15:30")
    (bar,) = scripted.put(StreamUp(), *between("09:15:40", "09:18:01"))
    assert not bar.bar.complete


def test_started_after_the_close_is_over_at_once():
    _, scripted = by_wall("16:00")
    assert scripted.bars.state == "OVER"
    assert scripted.told("market_over") == [{"reason": "the session has closed"}]
    assert len(scripted.warmup) == len(offline())


def test_started_on_a_holiday_is_over_at_once():
    saturday = next(
        day for day in (DAY + dt.timedelta(days=ahead) for ahead in range(1, 8)) if day.weekday() == 5
    )
    scripted = Scripted(HandClock(at("10:00", saturday)))
    assert scripted.told("market_over") == [{"reason": "the exchange is closed today"}]


# -- threads -------------------------------------------------------------------------------------


def test_a_tick_or_a_call_wakes_the_consumer_at_once():
    scripted = replayed()
    scripted.put(StreamUp(), *between("09:15", "09:18"))
    closing = between("09:18", "09:18:01")[0]
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(scripted.bars.next(60.0)))
    waiting.start()
    scripted.bars.put(closing)
    waiting.join(30)
    assert [f"{bar.bar.start:%H:%M}" for bar in answers] == ["09:15"]
    waiting = threading.Thread(target=lambda: answers.append(scripted.bars.next(60.0)))
    waiting.start()
    scripted.bars.wake()
    waiting.join(30)
    assert answers[1] is None


def test_history_is_asked_on_a_thread_of_its_own():
    askers = []

    class Watched(History):
        def minutes(self, first, last):
            askers.append(threading.current_thread())
            return super().minutes(first, last)

    scripted = replayed(history=Watched(), executor=None)
    for event in (StreamUp(), *between("09:15", "09:19"), DOWN, *between("09:25:40", "09:26")):
        scripted.bars.put(event)
    taken = [scripted.bars.next(30.0) for _ in range(3)]
    assert starts(taken) == ["09:15", "09:18", "09:21"]
    assert askers[0] is threading.current_thread()
    assert askers[1] is not threading.current_thread()
    askers[1].join(30)


def test_an_error_of_history_that_nobody_foresaw_reaches_the_consumer():
    class Broken(History):
        def minutes(self, first, last):
            if self.asked:
                raise ZeroDivisionError
            return super().minutes(first, last)

    scripted = replayed(history=Broken(), executor=None)
    for event in (StreamUp(), *between("09:15", "09:19"), DOWN, *between("09:25:40", "09:26")):
        scripted.bars.put(event)
    assert scripted.bars.next(30.0) is not None
    with pytest.raises(ZeroDivisionError):
        scripted.bars.next(30.0)


def test_the_arrival_of_the_closing_tick_is_what_a_bar_was_received_at():
    scripted = replayed()
    scripted.put(StreamUp(), *between("09:15", "09:18"))
    before = time.perf_counter()
    closing, after, *_ = between("09:18", "09:19")
    scripted.bars.put(closing)
    between_the_two = time.perf_counter()
    scripted.bars.put(after)
    (bar,) = scripted.drain()
    assert before <= bar.received <= between_the_two


def test_the_replayed_clock_shows_the_tick_that_closed_the_bar():
    clock = ReplayClock(at("09:00"))
    scripted = Scripted(clock)
    scripted.put(StreamUp(), *between("09:15", "09:18"))
    closing, after, *_ = between("09:18", "09:19")
    scripted.bars.put(closing)
    scripted.bars.put(after)
    assert scripted.bars.next(0.0) is not None
    assert clock.now() == closing.time


def recorded_ticks(path):
    """The trades of a recorded day, and the same with quantities summed up over the day as a broker sends."""
    with gzip.open(path, "rt") as file:
        for day, clock, price, quantity, interest in csv.reader(file):
            moment = dt.datetime.strptime(day + clock, "%Y%m%d%H:%M:%S").replace(tzinfo=IST)
            yield Tick(moment, float(price), float(quantity), float(interest))


@pytest.mark.slow
@pytest.mark.real_data
def test_recorded_days_give_live_the_bars_they_give_offline(shared_data):
    paths = sorted((shared_data / "data/ticks").glob("*-I_202211*.csv.gz"))
    assert len(paths) == 16
    for path in paths:
        trades = list(recorded_ticks(path))
        builder = TickBarBuilder(CALENDAR, 3, cumulative=False)
        offline_bars = [bar for trade in trades for bar in builder.add(trade)]
        offline_bars += builder.advance(trades[-1].time + dt.timedelta(minutes=3))
        day = trades[0].time.date()
        scripted = Scripted(ReplayClock(at("09:00", day)), history=History(MINUTES.iloc[:0]))
        total, live = 0.0, []
        for trade in trades:
            total += trade.quantity
            scripted.bars.put(trade._replace(quantity=total))
        scripted.bars.put(trades[-1]._replace(time=at("15:30", day), quantity=total))
        for _ in range(len(trades)):
            live += scripted.drain()
            if scripted.bars.state == "OVER":
                break
        pd.testing.assert_frame_equal(framed(live), framed(offline_bars), check_exact=True)
        assert len(live) == 125


def test_a_machine_that_sleeps_over_the_night_does_not_carry_the_session_into_the_next_day():
    before = sorted({start.date() for start in MINUTES.index})[-2]
    clock = HandClock(at("09:10", before))
    live = Scripted(clock)
    noon = [tick for tick in ticks_of(MINUTES) if at("09:15", before) <= tick.time < at("12:00", before)]
    live.put(StreamUp())
    for tick in noon:
        clock.time = tick.time
        live.put(tick)
    clock.seconds += (at("10:00") - clock.time).total_seconds()
    clock.time = at("10:00")
    live.put(StreamDown("asleep"))
    live.put(StreamUp())
    bars = [bar for tick in ticks_of(TODAY) if tick.time >= at("10:00") for bar in live.put(tick)]
    bars += live.drain()
    assert {bar.bar.start.date() for bar in bars} <= {before}
    assert live.bars.state == "OVER"
