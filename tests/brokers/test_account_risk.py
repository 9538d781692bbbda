"""Limits on all instruments together: at N - 1, N and N + 1, and never above them whatever the orders."""

from __future__ import annotations

import datetime as dt
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.risk.account import AccountRisk
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.gate import RiskGate
from brokers.risk.rule import EntryRequest
from feeds.errors import DataError
from feeds.terms import ContractTerms

DAY = dt.date(2016, 3, 1)
TEN = dt.datetime(2016, 3, 1, 10, 0)  # noqa: DTZ001 # the exchange's wall clock is kept naive
CASH = 1_000_000.0
TERMS = {
    "NIFTY": ContractTerms(75, 0.05, math.inf, 10.0),
    "BANKNIFTY": ContractTerms(30, 0.05, math.inf, 12.5),
    "FINNIFTY": ContractTerms(40, 0.05, math.inf, 10.0),
}


def account_of(correlation=None, **limits):
    section = AccountRiskSettings(**limits)
    return AccountRisk(section, CASH) if correlation is None else AccountRisk(section, CASH, correlation)


def gate_of(account, instrument, rules=()):
    terms = TERMS[instrument]
    return RiskGate(rules, CASH, account.seat(instrument, lambda day: terms))


def gates_of(account, *instruments):
    return [gate_of(account, instrument) for instrument in instruments or ("NIFTY", "BANKNIFTY")]


def entry(instrument, lots, price=1000.0, time=TEN):
    terms = TERMS[instrument]
    return EntryRequest(
        time, instrument, lots * terms.lot, price, None, None, terms.lot, price * terms.margin_percent / 100,
        math.nan, True, 0.0, math.nan,
    )  # fmt: skip


def enter(gate, instrument, lots, price=1000.0, time=TEN):
    """Ask, and fill at once what is allowed; return the lots."""
    verdict = gate.check_entry(entry(instrument, lots, price, time))
    if verdict.action == "deny":
        return 0
    allowed = math.copysign(verdict.size / TERMS[instrument].lot, lots) if verdict.size else lots
    gate.on_entry(time)
    gate.on_fill(time, allowed * TERMS[instrument].lot, price, 0.0)
    return allowed


def test_one_seat_for_each_instrument():
    account = account_of()
    account.seat("NIFTY", TERMS.get)
    with pytest.raises(DataError, match="NIFTY has a seat already"):
        account.seat("NIFTY", TERMS.get)


def test_without_limits_every_entry_passes_and_nothing_is_described():
    account = account_of()
    nifty, banknifty = gates_of(account)
    assert enter(nifty, "NIFTY", 50) == 50
    assert enter(banknifty, "BANKNIFTY", -50) == -50
    assert nifty.describe() == []
    assert account.breached() == ""


@pytest.mark.parametrize(("asked", "allowed"), [(1, 1), (2, 2), (3, 2), (9, 2)])
def test_lots_of_all_instruments_together(asked, allowed):
    account = account_of(max_lots=5)
    nifty, banknifty = gates_of(account)
    assert enter(nifty, "NIFTY", -3) == -3
    assert enter(banknifty, "BANKNIFTY", asked) == allowed


def test_not_one_lot_more_than_the_limit():
    account = account_of(max_lots=5)
    nifty, banknifty = gates_of(account)
    enter(nifty, "NIFTY", 5)
    verdict = banknifty.check_entry(entry("BANKNIFTY", 1))
    assert (verdict.action, verdict.rule) == ("deny", "account_max_lots")
    assert "5 of 5 lots of the account are taken" in verdict.reason


@pytest.mark.parametrize(
    ("percent", "allowed"),
    [
        (3.374, 2),
        (3.375, 3),
        (3.749, 3),
        (3.750, 4),
        (4.0, 4),
    ],  # 7,500 a lot of NIFTY, 3,750 one of BANKNIFTY
)
def test_margin_of_all_instruments_together(percent, allowed):
    account = account_of(max_margin_percent=percent)
    nifty, banknifty = gates_of(account)
    assert enter(nifty, "NIFTY", 3) == 3
    assert enter(banknifty, "BANKNIFTY", 4) == allowed


@pytest.mark.parametrize(("most", "passes"), [(1, False), (2, True), (3, True)])
def test_positions_at_a_time(most, passes):
    account = account_of(max_positions=most)
    nifty, banknifty = gates_of(account)
    assert enter(nifty, "NIFTY", 1)
    assert bool(enter(banknifty, "BANKNIFTY", 1)) is passes


def test_a_third_position_is_denied_at_two_and_passes_again_after_one_has_ended():
    account = account_of(max_positions=2)
    nifty, banknifty, finnifty = gates_of(account, "NIFTY", "BANKNIFTY", "FINNIFTY")
    enter(nifty, "NIFTY", 1)
    enter(banknifty, "BANKNIFTY", 1)
    assert finnifty.check_entry(entry("FINNIFTY", 1)).rule == "account_positions"
    banknifty.on_fill(TEN, -30, 1000.0, 0.0)
    banknifty.on_trade_closed(TEN, 0.0)
    assert enter(finnifty, "FINNIFTY", 1)


@pytest.mark.parametrize(
    ("correlation", "first", "second", "passes"),
    [
        (0.79, 1, 1, True),
        (0.80, 1, 1, True),
        (0.81, 1, 1, False),
        (0.81, -1, -1, False),
        (0.81, 1, -1, True),
        (-0.81, 1, 1, True),
        (-0.81, 1, -1, False),
        (math.nan, 1, -1, False),
    ],
)
def test_correlated_instruments_go_the_same_way_one_at_a_time(correlation, first, second, passes):
    account = account_of(lambda one, other, day: correlation, max_correlation=0.8)
    nifty, banknifty = gates_of(account)
    assert enter(nifty, "NIFTY", first) == first
    assert bool(enter(banknifty, "BANKNIFTY", second)) is passes


def test_the_correlation_is_asked_for_the_pair_and_the_day():
    asked = []

    def correlation(one, other, day):
        asked.append((one, other, day))
        return 0.0

    account = account_of(correlation, max_correlation=0.5)
    nifty, banknifty = gates_of(account)
    enter(nifty, "NIFTY", 1)
    enter(banknifty, "BANKNIFTY", 1)
    assert asked == [("BANKNIFTY", "NIFTY", DAY)]


@pytest.mark.parametrize(("loss", "ends"), [(8_999.0, False), (9_000.0, True), (9_001.0, True)])
@pytest.mark.parametrize("limit", [{"daily_loss_percent": 0.9}, {"daily_loss_rupees": 9_000.0}])
def test_a_loss_of_all_together_ends_the_day_for_all(loss, ends, limit):
    account = account_of(**limit)
    nifty, banknifty = gates_of(account)
    enter(nifty, "NIFTY", 1)
    enter(banknifty, "BANKNIFTY", 1)
    nifty.on_fill(TEN, -75, 1000.0 - 3_000.0 / 75, 0.0)  # realised
    banknifty.mark(TEN, 1000.0 - (loss - 3_000.0) / 30)  # open
    assert bool(account.breached()) is ends
    assert (banknifty.must_flatten() is not None) is ends
    assert nifty.must_flatten() is None, "it is flat"
    assert (nifty.check_entry(entry("NIFTY", 1)).rule == "account_daily_loss") is ends


def test_the_day_stays_over_when_prices_come_back_and_the_next_one_is_free():
    account = account_of(daily_loss_rupees=10_000.0)
    nifty, banknifty = gates_of(account)
    enter(nifty, "NIFTY", 1)
    enter(banknifty, "BANKNIFTY", 1)
    nifty.mark(TEN, 800.0)
    assert nifty.must_flatten().rule == "account_daily_loss"
    nifty.mark(TEN, 1000.0)
    assert banknifty.must_flatten().rule == "account_daily_loss"
    banknifty.on_fill(TEN, -30, 1000.0, 0.0)
    nifty.on_fill(TEN, -75, 1000.0, 0.0)
    assert banknifty.check_entry(entry("BANKNIFTY", 1)).action == "deny"
    tomorrow = TEN + dt.timedelta(days=1)
    assert enter(banknifty, "BANKNIFTY", 1, time=tomorrow)


def test_a_day_that_a_journal_says_was_ended_is_over_for_the_other_instrument_too():
    account = account_of(daily_loss_rupees=10_000.0)
    nifty, banknifty = gates_of(account)
    nifty.start_day(DAY)
    nifty.halt_day("account_daily_loss", "lost enough")
    verdict = banknifty.check_entry(entry("BANKNIFTY", 1))
    assert (verdict.action, verdict.rule, verdict.reason) == ("deny", "account_daily_loss", "lost enough")


def test_percent_of_one_instrument_is_of_the_whole_account():
    """A loss in one instrument makes the other's percentage smaller, from the next day on."""
    account = account_of()
    nifty, banknifty = gate_of(account, "NIFTY", [DailyLoss(1.0, None)]), gate_of(account, "BANKNIFTY")
    enter(banknifty, "BANKNIFTY", 1)
    banknifty.on_fill(TEN, -30, 1000.0, 500_000.0)
    nifty.start_day(DAY)
    assert nifty.state.day_start_equity == CASH
    nifty.start_day(DAY + dt.timedelta(days=1))
    assert nifty.state.day_start_equity == CASH / 2


@pytest.mark.parametrize("order", [("NIFTY", "BANKNIFTY"), ("BANKNIFTY", "NIFTY")])
def test_recovery_in_any_order_gives_the_same_day_start(order):
    account = account_of(daily_loss_rupees=10_000.0)
    gates = dict(zip(("NIFTY", "BANKNIFTY"), gates_of(account), strict=True))
    for name in order:
        gates[name].on_fill(TEN, TERMS[name].lot, 1000.0, 100.0)
    assert {gate.state.day_start_equity for gate in gates.values()} == {CASH}
    assert account.view().result_today == -200.0
    assert account.view().equity == CASH - 200.0


def test_an_entry_on_its_way_counts_until_it_is_over():
    account = account_of(max_lots=5)
    nifty, banknifty = gates_of(account)
    assert nifty.check_entry(entry("NIFTY", 4)).action == "allow"
    assert banknifty.check_entry(entry("BANKNIFTY", 2)).size == 30.0
    banknifty.on_entry_over()
    nifty.on_fill(TEN, 75, 1000.0, 0.0)
    assert account.view().holdings[0].lots == 4.0
    nifty.on_entry_over()
    assert account.view().holdings[0].lots == 1.0
    assert banknifty.check_entry(entry("BANKNIFTY", 4)).action == "allow"


def test_an_entry_that_is_asked_about_again_is_not_counted_twice():
    account = account_of(max_lots=5)
    nifty, _ = gates_of(account)
    for _ in range(3):
        assert nifty.check_entry(entry("NIFTY", 5)).action == "allow"


def test_an_entry_on_its_way_ends_with_its_day():
    account = account_of(max_lots=5)
    nifty, banknifty = gates_of(account)
    nifty.check_entry(entry("NIFTY", 5))
    tomorrow = TEN + dt.timedelta(days=1)
    nifty.mark(tomorrow, 1000.0)
    assert banknifty.check_entry(entry("BANKNIFTY", 5, time=tomorrow)).action == "allow"


def test_the_uses_of_the_account_follow_those_of_the_rules():
    account = account_of(max_lots=5, max_positions=2, daily_loss_rupees=10_000.0, max_margin_percent=50.0)
    nifty, banknifty = gates_of(account)
    enter(nifty, "NIFTY", 2)
    uses = {use.name: use.use for use in banknifty.uses(TEN)}
    assert uses["account_max_lots"][:3] == (2.0, 5, "lots")
    assert uses["account_positions"][:3] == (1, 2, "positions")
    assert uses["account_margin"][:3] == (pytest.approx(1.5), 50.0, "% of the equity as margin")
    assert uses["account_daily_loss"][:3] == (0.0, 10_000.0, "rupees")
    nifty.mark(TEN, 900.0)
    nifty.must_flatten()
    assert "lost 15,000.00" in {use.name: use.use for use in banknifty.uses(TEN)}["account_daily_loss"].blocks


def test_two_threads_never_take_the_last_room_both():
    for _ in range(50):
        account = account_of(max_lots=1, max_positions=1)
        gates = dict(zip(("NIFTY", "BANKNIFTY"), gates_of(account), strict=True))
        barrier, answers = threading.Barrier(2), []

        def ask(name, gates=gates, barrier=barrier, answers=answers):
            barrier.wait()
            answers.append(gates[name].check_entry(entry(name, 1)).action)

        threads = [threading.Thread(target=ask, args=(name,)) for name in gates]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == ["allow", "deny"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(TERMS)),
        st.sampled_from(["ask", "fill part", "fill", "withdraw", "leave", "mark", "next day"]),
        st.integers(-8, 8).filter(bool),
        st.floats(500.0, 1500.0),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, most_lots=st.integers(1, 9), most_positions=st.integers(1, 3))
def test_never_above_the_limits_whatever_the_orders(steps, most_lots, most_positions):
    account = account_of(max_lots=most_lots, max_positions=most_positions, max_margin_percent=5.0)
    gates = {name: gate_of(account, name) for name in TERMS}
    working = dict.fromkeys(TERMS, 0.0)
    time = TEN
    for name, step, lots, price in steps:
        gate, lot = gates[name], TERMS[name].lot
        held = gate.state.open_size
        if step == "ask" and not held and not working[name]:
            verdict = gate.check_entry(entry(name, lots, price, time))
            if verdict.action != "deny":
                working[name] = math.copysign(verdict.size, lots) if verdict.size else lots * lot
                before_margin = sum(holding.margin for holding in account.view().holdings)
                assert before_margin <= account.view().equity * 0.05 + 1e-6
        elif step.startswith("fill") and working[name]:
            units = working[name] if step == "fill" else math.copysign(lot, working[name])
            gate.on_fill(time, units, price, 20.0)
            working[name] -= units
        elif step == "withdraw" and working[name]:
            working[name] = 0.0
            gate.on_entry_over()
        elif step == "leave" and held:
            working[name] = 0.0
            gate.on_entry_over()
            gate.on_fill(time, -held, price, 20.0)
            gate.on_trade_closed(time, -1.0)
        elif step == "mark":
            gate.mark(time, price)
        elif step == "next day" and not any(working.values()):
            time += dt.timedelta(days=1)
        lots_now = sum(
            abs(gates[other].state.open_size + working[other]) / TERMS[other].lot for other in TERMS
        )
        taken = sum(1 for other in TERMS if gates[other].state.open_size or working[other])
        assert lots_now <= most_lots
        assert taken <= most_positions
        assert sum(holding.lots for holding in account.view().holdings) == pytest.approx(lots_now)


SCRIPT = st.lists(
    st.tuples(st.sampled_from(["ask", "fill", "withdraw", "leave"]), st.integers(-4, 4).filter(bool)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(scripts=st.tuples(SCRIPT, SCRIPT), most_lots=st.integers(1, 5), most_positions=st.integers(1, 2))
def test_two_threads_at_the_same_moment_are_never_above_a_limit(scripts, most_lots, most_positions):
    account = account_of(max_lots=most_lots, max_positions=most_positions, max_margin_percent=3.0)
    gates = dict(zip(("NIFTY", "BANKNIFTY"), gates_of(account), strict=True))
    barrier = threading.Barrier(2, timeout=10)
    excess = []

    def trade(name, script):
        gate, working = gates[name], 0.0
        for number in range(max(map(len, scripts))):
            barrier.wait()
            step, lots = script[number % len(script)]
            held = gate.state.open_size
            if step == "ask" and not held and not working:
                verdict = gate.check_entry(entry(name, lots))
                size = verdict.size or abs(lots) * TERMS[name].lot
                working = 0.0 if verdict.action == "deny" else math.copysign(size, lots)
            elif step == "fill" and working:
                gate.on_fill(TEN, working, 1000.0, 0.0)
                working = 0.0
            elif step == "withdraw" and working:
                gate.on_entry_over()
                working = 0.0
            elif step == "leave" and held:
                gate.on_fill(TEN, -held, 1000.0, 0.0)
            view = account.view()
            taken = [holding for holding in view.holdings if holding.units]
            if sum(holding.lots for holding in taken) > most_lots + 1e-9:
                excess.append(view)
            if len(taken) > most_positions or sum(one.margin for one in taken) > CASH * 0.03 + 1e-6:
                excess.append(view)

    threads = [threading.Thread(target=trade, args=each) for each in zip(gates, scripts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert excess == []
    assert not barrier.broken
