"""The gate: order of the rules, counters, and that nothing leaves it larger than it came."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.risk import RiskGate, Verdict
from brokers.risk.cooldown import Cooldown
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.exposure import Exposure
from brokers.risk.max_trades import MaxTrades
from brokers.risk.order_sanity import OrderSanity
from brokers.risk.rule import ALLOWED
from feeds.errors import DataError
from tests.brokers.risk_cases import ENTRY, NOON

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


class Says:
    """A rule that always gives the same answer and remembers what it was asked."""

    def __init__(self, action, size=0.0, name="says"):
        self.name = name
        self.verdict = Verdict(action, size, name, f"{action} {size}")
        self.asked = []

    def describe(self):
        return self.name

    def check(self, request, state):
        del state
        self.asked.append(request.size)
        return self.verdict


def gate_of(*rules, cash=1_000_000.0):
    return RiskGate(rules, cash)


def test_without_rules_everything_may_pass():
    assert gate_of().check_entry(ENTRY) == ALLOWED
    assert gate_of().must_flatten() is None
    assert not gate_of().needs_every_bar


def test_the_first_denial_decides_and_the_rest_are_not_asked():
    rules = [Says("allow"), Says("deny", name="first"), Says("deny", name="second")]
    assert gate_of(*rules).check_entry(ENTRY).rule == "first"
    assert rules[2].asked == []


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_smallest_reduction_wins_and_later_rules_see_the_smaller_order(side):
    rules = [
        Says("reduce", 520.0, "a"),
        Says("reduce", 130.0, "b"),
        Says("reduce", 260.0, "c"),
        Says("allow"),
    ]
    verdict = gate_of(*rules).check_entry(ENTRY._replace(size=side * 650.0))
    assert (verdict.action, verdict.size, verdict.rule) == ("reduce", 130.0, "b")
    assert [rule.asked for rule in rules] == [[side * 650.0], [side * 520.0], [side * 130.0], [side * 130.0]]


def test_a_reduction_does_not_save_from_a_later_denial():
    gate = gate_of(Says("reduce", 65.0), Says("deny", name="no"))
    assert gate.check_entry(ENTRY) == Verdict("deny", 0.0, "no", "deny 0.0")


@pytest.mark.parametrize("size", [130.0, 131.0, math.inf])
def test_a_reduction_to_as_much_or_more_is_no_reduction(size):
    assert gate_of(Says("reduce", size)).check_entry(ENTRY) == ALLOWED


@pytest.mark.parametrize("size", [0.0, -65.0, math.nan, -math.inf])
def test_a_reduction_to_nothing_is_a_denial(size):
    verdict = gate_of(Says("reduce", size, "odd")).check_entry(ENTRY)
    assert (verdict.action, verdict.size, verdict.rule) == ("deny", 0.0, "odd")


def test_an_answer_that_is_none_of_the_three_is_a_denial():
    assert gate_of(Says("perhaps", 65.0)).check_entry(ENTRY).action == "deny"


@given(
    size=st.floats(1.0, 1e6) | st.floats(-1e6, -1.0),
    answers=st.lists(
        st.tuples(st.sampled_from(["allow", "reduce", "deny"]), st.floats(allow_nan=True)), max_size=6
    ),
)
def test_the_gate_never_enlarges_an_order(size, answers):
    verdict = gate_of(*[Says(*answer) for answer in answers]).check_entry(ENTRY._replace(size=size))
    assert verdict.action in {"allow", "reduce", "deny"}
    if any(action == "deny" for action, _ in answers):
        assert verdict.action == "deny"
    if verdict.action == "reduce":
        assert 0.0 < verdict.size < abs(size)
        assert verdict.size in {number for action, number in answers if action == "reduce"}


def test_a_reduced_order_passes_the_sanity_of_its_reduced_size():
    gate = gate_of(Exposure(20, None), OrderSanity(1, 5.0), cash=1e9)
    assert gate.check_entry(ENTRY._replace(size=100 * 65.0)).size == 20 * 65.0


# -- counters ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "action"), [(1, "allow"), (2, "deny"), (3, "deny")])
def test_entries_are_counted_when_sent(sent, action):
    gate = gate_of(MaxTrades(2))
    for _ in range(sent):
        gate.on_entry(NOON)
    assert gate.check_entry(ENTRY).action == action


def test_asking_counts_nothing():
    gate = gate_of(MaxTrades(1))
    for _ in range(3):
        assert gate.check_entry(ENTRY) == ALLOWED


def test_a_new_day_starts_the_days_counters_and_keeps_the_losing_streak():
    gate = gate_of(MaxTrades(1), DailyLoss(None, 100.0))
    gate.on_entry(NOON)
    gate.on_fill(NOON, 65.0, 25_000.0, 50.0)
    gate.on_fill(NOON, -65.0, 24_990.0, 60.0)
    gate.on_trade_closed(NOON, -760.0)
    assert gate.check_entry(ENTRY).action == "deny"
    assert gate.must_flatten() is None  # nothing is open, but the day is over
    assert gate.state.halted_by == "daily_loss"
    assert gate.check_entry(ENTRY._replace(time=NOON + DAY)) == ALLOWED
    state = gate.state
    assert (state.entries_today, state.realised_today, state.halted_by, state.halted) == (0, 0.0, "", "")
    assert (state.consecutive_losses, state.last_exit_time) == (1, NOON)
    assert state.day_start_equity == state.cash == 1_000_000.0 - 650.0 - 110.0


def test_every_fact_with_a_time_begins_its_day():
    for tell in (
        lambda gate, time: gate.on_entry(time),
        lambda gate, time: gate.on_fill(time, 65.0, 25_000.0, 0.0),
        lambda gate, time: gate.on_trade_closed(time, 1.0),
        lambda gate, time: gate.mark(time, 25_000.0),
    ):
        gate = gate_of(MaxTrades(1))
        gate.on_entry(NOON)
        gate.on_entry(NOON)
        tell(gate, NOON + DAY)
        assert gate.state.day == (NOON + DAY).date()
        assert gate.state.entries_today <= 1


def test_days_do_not_go_back():
    gate = gate_of()
    gate.start_day(NOON.date())
    with pytest.raises(DataError, match="2026-05-31 comes after 2026-06-01"):
        gate.mark(NOON - DAY, 25_000.0)


@pytest.mark.parametrize(("pnl", "streak"), [(-0.01, 3), (0.0, 0), (0.01, 0)])
def test_a_loss_is_below_zero(pnl, streak):
    gate = gate_of()
    for result in (-5.0, -5.0, pnl):
        gate.on_trade_closed(NOON, result)
    assert gate.state.consecutive_losses == streak


def test_cooldown_over_the_gate():
    gate = gate_of(Cooldown(2, 30))
    gate.on_trade_closed(NOON - 40 * MINUTE, -1.0)
    gate.on_trade_closed(NOON - 30 * MINUTE, -1.0)
    assert gate.check_entry(ENTRY._replace(time=NOON - MINUTE)).until == NOON
    assert gate.check_entry(ENTRY) == ALLOWED


# -- money ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_partial_fills_average_the_entry_and_keep_it_on_the_exit(side):
    gate = gate_of()
    gate.on_fill(NOON, side * 65.0, 100.0, 1.0)
    gate.on_fill(NOON, side * 130.0, 103.0, 1.0)
    assert gate.state.open_price == pytest.approx(102.0)
    gate.on_fill(NOON, -side * 65.0, 105.0, 1.0)
    assert gate.state.open_price == pytest.approx(102.0)
    assert gate.state.open_size == side * 130.0
    assert gate.state.realised_today == pytest.approx(side * 195.0 - 3.0)
    gate.mark(NOON, 104.0)
    assert gate.state.unrealised == pytest.approx(side * 260.0)


def test_a_reversal_closes_and_opens_at_one_price():
    gate = gate_of()
    gate.on_fill(NOON, 65.0, 100.0, 0.0)
    gate.on_fill(NOON, -195.0, 110.0, 0.0)
    assert gate.state.realised_today == pytest.approx(650.0)
    assert (gate.state.open_size, gate.state.open_price) == (-130.0, 110.0)


FILLS = st.lists(
    st.tuples(st.integers(-5, 5).filter(bool), st.floats(10.0, 1_000.0), st.floats(0.0, 50.0)), max_size=20
)


@given(fills=FILLS, last=st.floats(10.0, 1_000.0))
def test_equity_is_cash_plus_every_trade_at_the_last_price_minus_charges(fills, last):
    gate = gate_of(cash=500.0)
    for lots, price, charges in fills:
        gate.on_fill(NOON, lots * 65.0, price, charges)
    gate.mark(NOON, last)
    expected = 500.0 + sum(lots * 65.0 * (last - price) - charges for lots, price, charges in fills)
    assert gate.state.equity == pytest.approx(expected, abs=1e-6)
    assert gate.state.cash == pytest.approx(500.0 + gate.state.realised_today, abs=1e-6)
    assert gate.state.open_size == sum(lots for lots, _, _ in fills) * 65.0


@given(fills=FILLS)
def test_the_same_facts_give_the_same_counters(fills):
    gates = gate_of(), gate_of()
    for gate in gates:
        for lots, price, charges in fills:
            gate.on_entry(NOON)
            gate.on_fill(NOON, lots * 65.0, price, charges)
            gate.on_trade_closed(NOON, lots)
    assert gates[0].state == gates[1].state


# -- flattening ----------------------------------------------------------------------------------


def test_reaching_the_daily_loss_closes_the_position_and_ends_the_day():
    gate = gate_of(DailyLoss(2.0, None), MaxTrades(10))
    assert gate.needs_every_bar
    gate.on_fill(NOON, 650.0, 25_000.0, 0.0)
    gate.mark(NOON, 24_969.24)
    assert gate.must_flatten() is None
    gate.mark(NOON + MINUTE, 24_969.23)
    verdict = gate.must_flatten()
    assert (verdict.action, verdict.rule) == ("deny", "daily_loss")
    # The exit gets a better price than the one that ended the day; the day stays over
    gate.on_fill(NOON + 2 * MINUTE, -650.0, 24_980.0, 0.0)
    assert gate.must_flatten() is None
    denied = gate.check_entry(ENTRY._replace(time=NOON + 3 * MINUTE))
    assert (denied.action, denied.rule, denied.reason) == ("deny", "daily_loss", verdict.reason)


def test_the_reason_of_the_halt_is_that_of_its_first_moment():
    gate = gate_of(DailyLoss(2.0, None))
    gate.on_fill(NOON, 650.0, 25_000.0, 0.0)
    gate.mark(NOON, 24_900.0)
    first = gate.must_flatten().reason
    gate.mark(NOON, 24_800.0)
    gate.must_flatten()
    assert gate.state.halted == first


def test_the_limit_is_measured_by_the_equity_of_the_days_start():
    gate = gate_of(DailyLoss(10.0, None), cash=1_000.0)
    gate.on_fill(NOON, 1.0, 100.0, 0.0)
    gate.on_fill(NOON, -1.0, 1_100.0, 0.0)  # a day that made 1,000
    gate.start_day((NOON + DAY).date())
    gate.on_fill(NOON + DAY, 1.0, 1_000.0, 0.0)
    gate.mark(NOON + DAY, 801.0)
    assert gate.must_flatten() is None
    gate.mark(NOON + DAY, 800.0)
    assert gate.must_flatten() is not None


def test_the_gate_describes_its_rules():
    assert gate_of(MaxTrades(3), Says("allow")).describe() == ["maximum trades: 3 entries a day", "says"]
