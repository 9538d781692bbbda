"""Every difference gets its cause, and the rupees of all causes add up."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzers.parity.compare import compare_days
from analyzers.parity.day import DayRun
from analyzers.parity.files import read_day
from analyzers.parity.trips import Trip
from brokers.journal import OrderEvent
from feeds.errors import MuhuratError
from strategies.replay import replay_day
from tests.parity.recorded import bars_of_days, record, settings_for

BAR = dt.timedelta(minutes=3)
TICK = 0.05


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return read_day(record(tmp_path_factory.mktemp("parity") / "day", bars_of_days(), settings_for()))


@pytest.fixture(scope="module")
def backtest(day):
    return replay_day(day).run


class Live:
    """A recorded day whose live side is changed; every change returns self."""

    def __init__(self, day, number=2):
        self.day = day
        self.trips = list(day.run.trips)
        self.records = dict(day.run.records)
        self.events = list(day.run.events)
        self.number = number

    @property
    def trip(self) -> Trip:
        return self.trips[self.number]

    @property
    def signal_bar(self) -> dt.datetime:
        return self.trip.signal_time - BAR

    def with_trip(self, **changes):
        self.trips[self.number] = self.trip._replace(**changes)
        return self

    def without_trip(self):
        del self.trips[self.number]
        return self

    def answering(self, start, **changes):
        self.records[start] = self.records[start]._replace(**changes)
        return self

    def without_orders(self, signal_time):
        self.events = [event for event in self.events if event.time != signal_time or event.role != "entry"]
        return self

    def with_entry_event(self, signal_time, state, *, after=dt.timedelta(), rule="", reason="", order_id=77):
        time = signal_time + after
        event = OrderEvent(time, order_id, 0, "entry", "market", state, 75.0, 1.0, 0.0, 0.0, rule, reason)
        self.events.append(event)
        return self

    def compared(self, backtest, **bars):
        run = DayRun(
            bars=bars.get("bars", self.day.run.bars),
            records=self.records,
            trips=self.trips,
            events=self.events,
        )
        return compare_days(replace(self.day, run=run), backtest, TICK)


def causes(result):
    """Return the parts of all trades as (cause, rupees)."""
    assert sum(result.by_cause.values()) == pytest.approx(result.difference, abs=1e-6)
    return [(part.cause, pytest.approx(part.rupees)) for pair in result.trades for part in pair.parts]


def the_part(result):
    (part,) = [part for pair in result.trades for part in pair.parts]
    assert part.rupees == pytest.approx(result.difference, abs=1e-6)
    return part


def test_an_equal_day_has_no_parts(day, backtest):
    result = Live(day).compared(backtest)
    assert len(result.trades) == len(day.run.trips) >= 5
    assert causes(result) == []
    assert result.difference == 0.0
    assert result.failures() == []
    assert set(result.unexplained.values()) == {0}


def test_another_entry_price_is_counted_in_ticks(day, backtest):
    live = Live(day)
    trip = live.trip
    assert trip.side > 0
    result = live.with_trip(entry_price=trip.entry_price + 3 * TICK).compared(backtest)
    part = the_part(result)
    assert (part.cause, part.ticks) == ("entry_price", pytest.approx(-3.0))
    assert part.rupees == pytest.approx(-3 * TICK * trip.size)
    assert result.failures() == []
    assert result.failures(max_difference=abs(part.rupees) + 1.0) == []
    assert "the results differ by" in result.failures(max_difference=abs(part.rupees) - 1.0)[0]


def test_a_short_sold_dearer_is_a_gain(day, backtest):
    live = Live(day, number=0)
    assert live.trip.side < 0
    part = the_part(live.with_trip(entry_price=live.trip.entry_price + TICK).compared(backtest))
    assert part.ticks == pytest.approx(1.0)
    assert part.rupees > 0


def test_another_exit_price_and_other_charges(day, backtest):
    live = Live(day)
    trip = live.trip
    result = live.with_trip(exit_price=trip.exit_price - 2 * TICK, charges=trip.charges + 5.0).compared(
        backtest
    )
    assert causes(result) == [("exit_price", -2 * TICK * trip.size), ("charges", -5.0)]


def test_a_partial_fill_is_size(day, backtest):
    live = Live(day)
    trip = live.trip
    result = live.with_trip(size=trip.size / 2, charges=trip.charges / 2).compared(backtest)
    gross = trip.size * (trip.exit_price - trip.entry_price)
    assert causes(result) == [("size", -gross / 2), ("charges", trip.charges / 2)]


def test_a_fill_in_a_later_bar_is_timing(day, backtest):
    live = Live(day)
    trip = live.trip
    result = live.with_trip(entry_time=trip.entry_time + BAR, entry_price=trip.entry_price + 1.0).compared(
        backtest
    )
    part = the_part(result)
    assert part.cause == "timing"
    assert part.rupees == pytest.approx(-trip.size)


def test_a_denied_order_is_a_rejection_with_its_rule(day, backtest):
    live = Live(day)
    time, net = live.trip.signal_time, live.trip.net
    live.without_trip().without_orders(time).with_entry_event(
        time, "denied", rule="cooldown", reason="3 losses"
    )
    part = the_part(live.compared(backtest))
    assert part.cause == "rejection"
    assert part.rupees == pytest.approx(-net)
    assert part.detail == "denied by cooldown (live): 3 losses"


def test_an_order_the_exchange_refused_later_is_a_rejection(day, backtest):
    live = Live(day)
    time = live.trip.signal_time
    live.without_trip().without_orders(time).with_entry_event(
        time, "submitted", after=dt.timedelta(seconds=1)
    )
    live.with_entry_event(time, "rejected", after=dt.timedelta(minutes=4), reason="RMS: margin")
    assert the_part(live.compared(backtest)).detail == "rejected (live): RMS: margin"


def test_an_entry_that_never_filled_is_timing(day, backtest):
    live = Live(day)
    time = live.trip.signal_time
    live.without_trip().without_orders(time).with_entry_event(time, "submitted")
    part = the_part(
        live.with_entry_event(time, "canceled", after=dt.timedelta(seconds=10)).compared(backtest)
    )
    assert part.cause == "timing"
    assert "ended as canceled without a fill" in part.detail


def test_a_decision_that_was_not_acted_on_is_timing(day, backtest):
    live = Live(day)
    time = live.trip.signal_time
    part = the_part(live.without_trip().without_orders(time).compared(backtest))
    assert (part.cause, part.detail) == ("timing", "decided, but no order was sent (live)")


def test_no_lot_affordable_is_size(day, backtest):
    live = Live(day)
    start, time = live.signal_bar, live.trip.signal_time
    part = the_part(live.without_trip().without_orders(time).answering(start, units=0.0).compared(backtest))
    assert part.cause == "size"


def test_a_bar_the_strategy_missed(day, backtest):
    live = Live(day)
    start = live.signal_bar
    live.without_trip()
    del live.records[start]
    result = live.compared(backtest)
    assert the_part(result).cause == "missed_bar"
    assert result.unexplained["decisions"] == 1
    assert result.failures() == ["these must not differ and do: decisions (1), parts of trades (1)"]


def test_another_feature_that_changed_the_answer(day, backtest):
    live = Live(day)
    start, net = live.signal_bar, live.trip.net
    inputs = day.run.records[start].inputs
    live.without_trip().answering(start, side=0, units=0.0, inputs={**inputs, "fast": inputs["fast"] + 9.0})
    result = live.compared(backtest)
    part = the_part(result)
    assert part.cause == "feature"
    assert part.detail.startswith("fast ")
    (found,) = [item for item in result.inputs if item.beyond]
    assert (found.name, found.at, found.beyond) == ("fast", start, 1)
    assert result.unexplained_rupees == pytest.approx(abs(net))
    assert result.failures(max_rupees=abs(net) + 1.0) == []
    assert len(result.failures(max_rupees=abs(net) - 1.0)) == 1


@pytest.mark.parametrize(("change", "fails"), [(1e-14, False), (1e-6, True)])
def test_a_feature_that_changed_nothing_fails_beyond_its_bound_only(day, backtest, change, fails):
    start = Live(day).signal_bar
    inputs = day.run.records[start].inputs
    result = (
        Live(day)
        .answering(start, inputs={**inputs, "slow": inputs["slow"] * (1 + change)})
        .compared(backtest)
    )
    assert causes(result) == []
    assert bool(result.failures()) is fails
    assert result.failures(max_rupees=0.0) == []  # it cost nothing


def test_an_input_that_one_side_does_not_have_differs_everywhere(day, backtest):
    live = Live(day)
    for start in list(live.records):
        live.answering(start, inputs={"atr": live.records[start].inputs["atr"], "other": 1.0})
    result = live.compared(backtest)
    assert {found.name for found in result.inputs if found.beyond} == {
        "other", "fast", "slow", "fast_before", "slow_before",
    }  # fmt: skip


def test_the_same_inputs_and_another_answer(day, backtest):
    live = Live(day)
    result = live.answering(live.signal_bar, side=-1).without_trip().compared(backtest)
    part = the_part(result)
    assert part.cause == "decision"
    assert part.detail == "same inputs, sell live, buy in the backtest"


def test_a_trade_that_only_the_live_run_has_counts_whole(day, backtest):
    live = Live(day)
    extra = live.trip._replace(number=99, size=-live.trip.size)
    live.trips.insert(live.number + 1, extra)
    part = the_part(live.compared(backtest))
    assert part.rupees == pytest.approx(extra.net)
    assert part.cause == "decision"
    assert "against the answer" in part.detail


def test_a_trade_kept_open_keeps_the_next_decision_from_being_asked(day, backtest):
    """Trade 0 ends in the bar on which trade 1 is decided; held one bar longer, trade 1 never comes."""
    live = Live(day, number=0)
    first, second = day.run.trips[:2]
    start = second.signal_time - BAR
    assert start == first.exit_time
    live.with_trip(exit_time=first.exit_time + BAR, exit_price=first.exit_price + 2.0)
    live.answering(start, position=first.size, asked=False, side=0, units=0.0)
    live.number = 1
    result = live.without_trip().compared(backtest)
    assert causes(result) == [("timing", first.size * 2.0), ("timing", -second.net)]
    assert result.failures() == []
    (decision,) = [found for found in result.decisions if found.reason]
    assert decision.start == start
    assert "were held live" in decision.reason.detail


def test_an_exit_that_rests_on_another_feature_is_no_matter_of_timing(day, backtest):
    number, trip = next((n, t) for n, t in enumerate(day.run.trips) if t.exit_reason == "signal")
    live = Live(day, number)
    start = trip.exit_time - BAR
    inputs = day.run.records[start].inputs
    live.answering(start, leaves="", inputs={**inputs, "fast": inputs["fast"] + 5.0})
    live.with_trip(exit_time=trip.exit_time + BAR, exit_price=trip.exit_price - 1.0)
    part = the_part(live.compared(backtest))
    assert part.cause == "feature"
    assert part.rupees == pytest.approx(-trip.size)


def test_another_reason_to_leave_is_named_even_at_the_same_price(day, backtest):
    live = Live(day)
    part = the_part(live.with_trip(exit_reason="daily_loss").compared(backtest))
    assert (part.cause, part.rupees) == ("timing", 0.0)
    assert "daily_loss in the bar" in part.detail


def test_an_entry_acted_on_a_bar_later_is_paired_with_its_like(day, backtest):
    live = Live(day)
    trip, start = live.trip, live.signal_bar
    live.answering(start, working=True, asked=False, side=0, units=0.0)
    live.answering(start + BAR, position=0.0, asked=True, side=1, units=abs(trip.size))
    live.with_trip(
        signal_time=trip.signal_time + BAR,
        entry_time=trip.entry_time + BAR,
        entry_price=trip.entry_price + 1.0,
    )
    result = live.compared(backtest)
    part = the_part(result)
    assert (part.cause, part.rupees) == ("timing", pytest.approx(-trip.size))
    assert len(result.trades) == len(day.run.trips)


# -- whatever happens, the parts add up --------------------------------------------------------------------

prices = st.floats(10_000.0, 60_000.0)
REASONS = ("stop", "target", "signal", "square_off", "open")


@st.composite
def any_trip(draw, starts):
    signal = draw(st.integers(0, len(starts) - 4))
    entry = signal + draw(st.integers(1, 2))
    end = min(len(starts) - 1, entry + draw(st.integers(0, 6)))
    entry_price, exit_price = draw(prices), draw(prices)
    return Trip(
        draw(st.integers(1, 50)), starts[signal] + BAR,
        float(draw(st.sampled_from([-1950, -75, 75, 75, 1500]))),
        starts[entry], entry_price, entry_price, starts[end], exit_price, exit_price,
        draw(st.sampled_from(REASONS)), draw(st.floats(0.0, 5_000.0)),
    )  # fmt: skip


@st.composite
def any_record(draw, record):
    inputs = dict(record.inputs)
    if draw(st.booleans()):
        inputs["fast"] = draw(st.sampled_from([float("nan"), 0.0, inputs["fast"] * 1.5]))
    return record._replace(
        position=draw(st.sampled_from([0.0, 75.0, -75.0])), working=draw(st.booleans()),
        asked=draw(st.booleans()), side=draw(st.sampled_from([-1, 0, 1])),
        units=draw(st.sampled_from([0.0, 75.0])), leaves=draw(st.sampled_from(["", "", "signal"])),
        inputs=inputs,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_parts_add_up_whatever_the_live_side_did(day, backtest, data):
    starts = [start for start in day.run.starts if start >= day.first]
    trips = [trip for trip in day.run.trips if data.draw(st.booleans(), label=f"keep {trip.number}")]
    trips += data.draw(st.lists(any_trip(starts), max_size=6), label="other trips")
    records = dict(day.run.records)
    for start in data.draw(st.lists(st.sampled_from(starts), max_size=8), label="changed"):
        records[start] = data.draw(any_record(day.run.records[start]))
    for start in data.draw(st.lists(st.sampled_from(starts), max_size=8), label="lost"):
        records.pop(start, None)
    states = st.sampled_from(["denied", "rejected", "canceled", "submitted", "completed"])
    events = [
        OrderEvent(start + BAR, n, n, "entry", "market", data.draw(states), 75.0, 1.0)
        for n, start in enumerate(data.draw(st.lists(st.sampled_from(starts), max_size=5), label="events"))
    ]
    live = DayRun(bars=day.run.bars, records=records, trips=trips, events=events)
    result = compare_days(replace(day, run=live), backtest, TICK)
    assert sum(result.by_cause.values()) == pytest.approx(live.net - backtest.net, abs=1e-6)
    for pair in result.trades:
        assert sum(part.rupees for part in pair.parts) == pytest.approx(pair.rupees, abs=1e-6)
    paired = [trip for pair in result.trades for trip in (pair.live, pair.backtest) if trip]
    assert sorted(map(str, paired)) == sorted(map(str, [*trips, *backtest.trips]))


def test_parts_that_do_not_add_up_are_an_error(day, backtest, monkeypatch):
    monkeypatch.setattr("analyzers.parity.compare.attribute", lambda *_: [])
    live = Live(day)
    with pytest.raises(MuhuratError, match="the parts miss the difference by"):
        live.with_trip(charges=live.trip.charges + 0.01).compared(backtest)
