"""What the page gets of a day, from its bars, decisions and log."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzers.status.day_fold import DayFold, event_of_page, merged_events, number, percentile
from tests.analyzers.status.examples import BARS_HEADER, DAY, DECISIONS_HEADER, bar, decision, record

YESTERDAY = "2026-09-23"


def rows(header, *lines):
    return csv.DictReader(io.StringIO("\n".join([header, *lines])))


@pytest.fixture
def fold():
    made = DayFold(lambda text: text.replace("hunter2", "***"))
    made.take_record(record("day_begins", day=DAY))
    return made


def start(text):
    return f"{DAY}T{text}:00+05:30"


def test_candles_of_today_only(fold):
    fold.take_bars(
        rows(
            BARS_HEADER,
            bar("15:24", day=YESTERDAY, origin="warmup"),
            bar("09:15", 100.5),
            bar("09:18", complete=0),
        )
    )
    assert fold.shown()["candles"] == [
        [start("09:15"), 99.0, 101.0, 98.0, 100.5, 500.0, 1],
        [start("09:18"), 99.0, 101.0, 98.0, 100.0, 500.0, 0],
    ]


def test_before_the_first_bar_of_today_there_is_no_candle(fold):
    fold.take_bars(rows(BARS_HEADER, bar("15:24", day=YESTERDAY, origin="warmup")))
    fold.take_decisions(rows(DECISIONS_HEADER, decision("15:24", 1, day=YESTERDAY)))
    shown = fold.shown()
    assert (shown["candles"], shown["decisions"], shown["prediction"]) == ([], [], None)


def test_a_late_start_shows_the_bars_of_this_morning_too(fold):
    fold.take_bars(rows(BARS_HEADER, bar("09:15", origin="warmup"), bar("09:18")))
    assert len(fold.shown()["candles"]) == 2


def test_without_a_log_the_day_is_that_of_the_first_bar_of_ticks():
    fold = DayFold(str)
    fold.take_bars(rows(BARS_HEADER, bar("15:24", day=YESTERDAY, origin="warmup"), bar("09:15")))
    assert [candle[0] for candle in fold.shown()["candles"]] == [start("09:15")]


@pytest.mark.parametrize(
    "torn",
    ["x,y,1,2,3,4,5,0,1,ticks", bar("09:18").replace("100.0", "nan"), bar("09:18").replace("99.0", "")],
)
def test_a_bar_that_is_none_is_left_out(fold, torn):
    fold.take_bars(rows(BARS_HEADER, bar("09:15"), torn))
    assert len(fold.shown()["candles"]) == 1


def test_decisions_with_a_side_and_the_last_prediction(fold):
    fold.take_decisions(
        rows(
            DECISIONS_HEADER, decision("09:15"), decision("09:18", -1), decision("09:21", probabilities=",,")
        )
    )
    shown = fold.shown()
    assert shown["decisions"] == [
        {
            "start": start("09:18"), "side": -1, "probability": 0.6, "units": 130.0,
            "p_sell": 0.1, "p_hold": 0.3, "p_buy": 0.6, "denied": "", "why": "",
        }
    ]  # fmt: skip
    assert shown["prediction"]["start"] == start("09:21")
    assert shown["prediction"]["p_buy"] is None


def test_a_strategy_without_probabilities(fold):
    header = "bar_start,position,working,asked,side,probability,units,leaves,atr"
    fold.take_decisions(rows(header, f"{DAY} 09:15:00+05:30,0.0,0,1,1,nan,75.0,,nan"))
    (found,) = fold.shown()["decisions"]
    assert (found["probability"], found["p_sell"], found["units"]) == (None, None, 75.0)


@pytest.mark.parametrize(
    "denial",
    [
        record("entry_denied", signal_time=f"{DAY}T09:21:00", reason="3 losses", rule="cooldown"),
        record("paper_order", state="denied", role="entry", time_=f"{DAY}T09:21:00", reason="3 losses"),
    ],
    ids=["at the exchange", "on paper"],
)
def test_a_denial_finds_its_decision(fold, denial):
    fold.take_bars(rows(BARS_HEADER, bar("09:15"), bar("09:18")))
    fold.take_decisions(rows(DECISIONS_HEADER, decision("09:15", 1), decision("09:18", 1)))
    fold.take_record(denial)
    assert [each["denied"] for each in fold.shown()["decisions"]] == ["", "3 losses"]


def test_reasons_find_their_decision(fold):
    fold.take_decisions(
        rows(DECISIONS_HEADER, decision("09:15", 1), decision("09:18"), decision("09:21", -1))
    )
    fold.take_record(record("entry_reasons", start=start("09:21"), side=-1, why="rsi_14 +0.31"))
    fold.take_record(record("entry_reasons", start=start("09:18"), side=1, why="a bar without a decision"))
    assert [each["why"] for each in fold.shown()["decisions"]] == ["", "rsi_14 +0.31"]
    assert fold.events[-2]["words"] == "why: rsi_14 +0.31"


def test_fills_at_the_exchange_once_each(fold):
    fold.take_record(record("intent", tag="T1", role="entry", size=130))
    fill = record("filled", tag="T1", trade_id="9", size=130, price=18_001.5, time_=start("10:00"))
    for each in (fill, fill, fill | {"trade_id": "10", "size": -5}, fill | {"trade_id": "11", "price": None}):
        fold.take_record(each)
    assert fold.shown()["fills"] == [
        {"time": start("10:00"), "role": "entry", "size": 130.0, "price": 18_001.5},
        {"time": start("10:00"), "role": "entry", "size": -5.0, "price": 18_001.5},
    ]


def test_fills_on_paper_part_by_part(fold):
    order = {"order_id": 3, "role": "stop", "average_price": 100.0, "size": -130.0}
    for state, filled in (
        ("submitted", 0.0),
        ("partial", -65.0),
        ("completed", -130.0),
        ("completed", -130.0),
    ):
        fold.take_record(record("paper_order", state=state, filled=filled, **order))
    assert [fill["size"] for fill in fold.shown()["fills"]] == [-65.0, -65.0]
    assert {fill["role"] for fill in fold.shown()["fills"]} == {"stop"}


def test_equity_is_the_net_of_each_bar(fold):
    fold.take_record(record("bar", time="09:18:00", start=start("09:15"), net=10.5, pnl=0.0))
    fold.take_record(record("bar", time="09:21:00", start=start("09:18"), net=None, pnl=-3.0))
    fold.take_record(record("bar", time="09:24:00", start=start("09:21")))
    assert fold.shown()["equity"] == [
        [f"{DAY}T09:18:00.000+05:30", 10.5], [f"{DAY}T09:21:00.000+05:30", -3.0],
    ]  # fmt: skip


def test_latency_is_that_of_entries(fold):
    assert fold.shown()["latency"] == {"decisions": 0, "p50_ms": None, "p99_ms": None, "last_ms": None}
    for number_, (role, wire_ms) in enumerate(
        [("entry", 4.0), ("stop", 99.0), ("entry", 6.0), ("entry", None)]
    ):
        fold.take_record(record("intent", tag=str(number_), role=role))
        fold.take_record(record("acknowledged", tag=str(number_), wire_ms=wire_ms, answer_ms=1.0))
    assert fold.shown()["latency"] == {"decisions": 2, "p50_ms": 4.0, "p99_ms": 6.0, "last_ms": 6.0}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (record("stream_up"), "stream is up"),
        (record("halted", level="error", reason="hunter2"), "no more entries: ***"),
        (record("odd", level="warning", a=1), "odd: a 1"),
        (record("resync", reason="a minute"), None),
        (record("bar", start=start("09:15"), close=1.0, position=0), None),
        (record("bar", level="warning"), None),
        (record("stream_up", level="debug"), None),
        (record("paper_order", state="accepted", role="stop"), None),
        ({}, None),
        ({"event": None, "level": "info"}, None),
    ],
)
def test_events_worth_reading(told, words):
    shown = event_of_page(told, lambda text: text.replace("hunter2", "***"))
    assert (shown and shown["words"]) == words


def test_the_last_two_hundred_events_of_all_logs_in_order(fold):
    one = [{"time": f"{number:04d}", "words": "one"} for number in range(0, 300, 2)]
    two = [{"time": f"{number:04d}", "words": "two"} for number in range(1, 301, 2)]
    merged = merged_events(one, two)
    assert [event["time"] for event in merged] == [f"{number:04d}" for number in range(100, 300)]
    for _ in range(300):
        fold.take_record(record("stream_up"))
    assert len(fold.events) == 200


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers())
)


@given(value=ANYTHING)
def test_a_number_is_finite_or_none(value):
    found = number(value)
    assert found is None or found - found == 0.0


# On a busy machine it takes long to make up anything at all
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    event=st.sampled_from(
        ["day_begins", "bar", "intent", "acknowledged", "filled", "entry_denied", "paper_order", "preflight",
         "plan", "control", "post_market", "summary", "step_missed"]
    ),
    fields=st.dictionaries(
        st.sampled_from(["day", "start", "net", "tag", "role", "size", "price", "state", "order_id", "filled",
                         "signal_time", "reason", "checks", "steps", "at", "wire_ms"]),
        ANYTHING.filter(lambda value: not isinstance(value, list)),
    ),
)  # fmt: skip
def test_whatever_a_log_holds_the_day_is_shown(event, fields):
    fold = DayFold(str)
    fold.take_record(record(event, **fields))
    fold.shown()


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=300), percent=st.sampled_from([1, 50, 99, 100])
)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values, percent):
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100.0 * len(values)
    assert percentile([], percent) is None
