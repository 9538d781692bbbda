"""How much of each limit is used: one step before the limit, on it, beyond it."""

from __future__ import annotations

import copy
import datetime as dt
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.risk import LimitUse, MeasuredRule, RiskGate, Verdict
from brokers.risk.cooldown import Cooldown
from brokers.risk.daily_loss import DailyLoss
from brokers.risk.data_quality import DataQuality
from brokers.risk.exposure import Exposure
from brokers.risk.kill_switch import KillSwitch
from brokers.risk.max_trades import MaxTrades
from brokers.risk.model_age import ModelAge
from brokers.risk.order_sanity import OrderSanity
from brokers.risk.pause import Pause
from brokers.risk.rule import ALLOWED
from brokers.risk.trading_window import TradingWindow
from brokers.risk.volatility import VolatilityBand
from brokers.settings import RiskSettings, make_rules
from feeds.clock import IST
from feeds.terms import ContractTerms
from tests.brokers.risk_cases import ENTRY, NOON, account

SECOND = dt.timedelta(seconds=1)
MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)
TERMS = ContractTerms(lot=65, tick=0.05, largest_order=1_755.0, margin_percent=15.0)
LOT_KNOWN = {"lot": 65, "margin_per_unit": 3_750.0}


def used(rule, now=NOON, **state):
    """Measure a rule, and check that measuring leaves the account alone."""
    before = account(**state)
    use = rule.use(before, now)
    assert before == account(**state)
    assert "\n" not in use.blocks
    return use


@pytest.mark.parametrize(
    ("realised", "lost", "blocks"),
    [
        (5_000.0, 0.0, False),
        (0.0, 0.0, False),
        (-19_999.0, 19_999.0, False),
        (-20_000.0, 20_000.0, True),
        (-20_001.0, 20_001.0, True),
    ],
)
def test_daily_loss(realised, lost, blocks):
    use = used(DailyLoss(2.0, None), realised_today=realised)
    assert use[:3] == (lost, 20_000.0, "rupees")
    assert bool(use.blocks) is blocks


def test_daily_loss_counts_the_open_position_against_the_smaller_limit():
    use = used(DailyLoss(2.0, 6_000.0), open_size=130.0, open_price=25_000.0, last_price=24_960.0)
    assert use == LimitUse(5_200.0, 6_000.0, "rupees")


@pytest.mark.parametrize(("entries", "blocks"), [(0, False), (9, False), (10, True), (11, True)])
def test_max_trades(entries, blocks):
    use = used(MaxTrades(10), entries_today=entries)
    assert use[:3] == (entries, 10, "entries")
    assert bool(use.blocks) is blocks


@pytest.mark.parametrize(
    ("losses", "after", "blocks"),
    [
        (2, MINUTE, False),
        (3, MINUTE, True),
        (4, 30 * MINUTE - SECOND, True),
        (3, 30 * MINUTE, False),
        (3, 30 * MINUTE + SECOND, False),
    ],
)
def test_cooldown_blocks_while_it_pauses(losses, after, blocks):
    use = used(Cooldown(3, 30), NOON + after, consecutive_losses=losses, last_exit_time=NOON)
    assert use[:3] == (losses, 3, "losses in a row")
    assert use.blocks.endswith("; entries again from 12:30:00") is blocks
    assert bool(use.blocks) is blocks


def test_a_pause_over_midnight_names_the_day():
    late = NOON.replace(hour=23, minute=50)
    use = used(Cooldown(1, 30), late + MINUTE, consecutive_losses=1, last_exit_time=late)
    assert use.blocks.endswith("from 2026-06-02 00:20:00")


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (dt.time(9, 14, 59), "before 09:15:00; entries again from 09:15:00"),
        (dt.time(9, 15), ""),
        (dt.time(14, 59, 59), ""),
        (dt.time(15, 0), "not before 15:00:00"),
    ],
)
def test_the_window_blocks_outside_itself(at, words):
    use = used(TradingWindow(dt.time(9, 15), dt.time(15, 0)), dt.datetime.combine(NOON.date(), at))
    assert use[:3] == (None, None, "")
    assert use.blocks.endswith(words)
    assert bool(use.blocks) is bool(words)


@pytest.mark.parametrize("kind", [KillSwitch, Pause])
def test_a_switch_blocks_with_its_reason(tmp_path, kind):
    switch = kind(tmp_path / "SWITCH")
    assert used(switch) == LimitUse()
    switch.turn_on("budget speech")
    assert used(switch).blocks.startswith("budget speech (")


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize(
    ("rule", "lots", "expected"),
    [
        (Exposure(20, None), 0, (0.0, 20, "lots")),
        (Exposure(20, None), 19, (19.0, 20, "lots")),
        (Exposure(20, None), 20, (20.0, 20, "lots")),
        (Exposure(20, None), 21, (21.0, 20, "lots")),
        (Exposure(None, 80.0), 0, (0.0, 80.0, "% of the equity as margin")),
        (Exposure(None, 80.0), 2, (48.75, 80.0, "% of the equity as margin")),
        (Exposure(20, 80.0), 2, (48.75, 80.0, "% of the equity as margin")),
        (Exposure(3, 80.0), 2, (2.0, 3, "lots")),
    ],
)
def test_exposure_shows_the_tighter_limit(side, rule, lots, expected):
    use = used(rule, open_size=side * lots * 65.0, open_price=25_000.0, last_price=25_000.0, **LOT_KNOWN)
    assert use == (*expected, "")  # the other side has room


@pytest.mark.parametrize(("cash", "blocks"), [(304_688.0, False), (304_687.5, False), (304_687.0, True)])
def test_exposure_blocks_when_not_one_lot_fits(cash, blocks):
    # A lot needs 65 x 3750 = 243,750 rupees, which is 80 percent of 304,687.50
    assert used(Exposure(20, 80.0), cash=cash, **LOT_KNOWN).blocks.startswith("not one lot fits") is blocks


def test_exposure_of_what_nobody_has_priced_is_not_known():
    open_position = {"open_size": 65.0, "open_price": 25_000.0, "last_price": 25_000.0}
    assert used(Exposure(None, 80.0), **open_position)[:2] == (None, 80.0)
    assert used(Exposure(20, None), **open_position)[:2] == (None, 20)
    assert used(Exposure(20, 80.0), **open_position, lot=65)[:2] == (1.0, 20)
    assert used(Exposure(20, 80.0)) == LimitUse(0.0, 80.0, "% of the equity as margin")


def test_exposure_of_an_account_without_money():
    broke = {"cash": 0.0, "open_size": 65.0, "open_price": 100.0, "last_price": 100.0, **LOT_KNOWN}
    use = used(Exposure(None, 80.0), **broke)
    assert use[:2] == (None, 80.0)
    assert used(Exposure(None, 80.0), **{**broke, "open_size": 0.0}).blocks.startswith("not one lot fits")


@pytest.mark.parametrize(
    ("rule", "limit", "unit"),
    [
        (DataQuality(deny_incomplete_bars=True, max_data_age_seconds=30.0), 30.0, "seconds"),
        (DataQuality(deny_incomplete_bars=True, max_data_age_seconds=None), None, ""),
        (ModelAge(120.0), 120.0, "days"),
        (VolatilityBand(None, 1.0), 1.0, "% of the price"),
        (VolatilityBand(0.1, None), None, ""),
        (OrderSanity(10, 5.0), None, ""),
    ],
)
def test_rules_that_look_at_the_order_have_a_limit_only(rule, limit, unit):
    assert used(rule) == LimitUse(None, limit, unit)


def test_every_shipped_rule_measures_itself():
    rules = make_rules(RiskSettings())
    assert [rule.name for rule in rules if not isinstance(rule, MeasuredRule)] == []


# -- the gate ------------------------------------------------------------------------------------


class Own:
    """A rule of one's own, which measures nothing."""

    name = "own"

    def describe(self):
        return "own rule"

    def check(self, request, state):
        del request, state
        return Verdict("deny", 0.0, self.name, "no")


class OwnEnd(Own):
    """A rule of one's own that ends the day."""

    def breached(self, state):
        del state
        return "enough"


class OwnMeasure(Own):
    """A rule of one's own that measures nonsense."""

    def use(self, state, now):
        del state, now
        return LimitUse(math.nan, math.inf, "things", "")


def uses_of(gate, now=NOON, terms=None):
    return {name: use for name, _, use in gate.uses(now, terms)}


def test_the_gate_names_describes_and_measures_its_rules_in_their_order():
    gate = RiskGate([MaxTrades(2), Own()], 1e6)
    gate.on_entry(NOON)
    assert gate.uses(NOON) == [
        ("max_trades", "maximum trades: 2 entries a day", LimitUse(1, 2, "entries")),
        ("own", "own rule", LimitUse()),
    ]


def test_what_is_no_number_is_left_out():
    assert uses_of(RiskGate([OwnMeasure()], 1e6)) == {"own": LimitUse(None, None, "things")}


@pytest.mark.parametrize(
    "now", [NOON, NOON.replace(tzinfo=IST), NOON.replace(tzinfo=IST).astimezone(dt.UTC)], ids=str
)
def test_the_time_may_be_aware(now):
    gate = RiskGate([TradingWindow(dt.time(12, 0), dt.time(12, 0, 1))], 1e6)
    assert uses_of(gate, now)["trading_window"].blocks == ""
    assert uses_of(gate, now - SECOND)["trading_window"].blocks
    assert uses_of(gate, now + SECOND)["trading_window"].blocks


@pytest.mark.parametrize(("after", "entries"), [(0 * DAY, 1), (DAY, 0), (-DAY, 1)])
def test_a_day_that_no_fact_has_begun_shows_counters_at_zero(after, entries):
    gate = RiskGate([MaxTrades(1), DailyLoss(None, 100.0)], 1e6)
    gate.on_entry(NOON)
    gate.on_fill(NOON, 65.0, 25_000.0, 200.0)
    gate.must_flatten()
    before = copy.copy(gate.state)
    uses = uses_of(gate, NOON + after)
    assert (uses["max_trades"].used, uses["daily_loss"].used) == (entries, 200.0 * entries)
    assert [bool(use.blocks) for use in uses.values()] == [bool(entries)] * 2
    assert gate.state == before, "looking on must not begin a day"


def test_a_day_that_was_ended_stays_blocked_whatever_the_exit_brought():
    gate = RiskGate([DailyLoss(None, 1_000.0), MaxTrades(10)], 1e6)
    gate.on_fill(NOON, 65.0, 25_000.0, 0.0)
    gate.mark(NOON, 24_984.0)
    reason = gate.must_flatten().reason
    gate.on_fill(NOON, -65.0, 24_990.0, 0.0)
    uses = uses_of(gate)
    assert uses["daily_loss"] == LimitUse(650.0, 1_000.0, "rupees", reason)
    assert uses["max_trades"].blocks == ""


def test_a_rule_of_ones_own_that_ended_the_day_says_so():
    gate = RiskGate([OwnEnd()], 1e6)
    gate.start_day(NOON.date())
    gate.must_flatten()
    assert uses_of(gate)["own"] == LimitUse(blocks="enough")


def test_the_terms_price_the_exposure():
    gate = RiskGate([Exposure(20, 80.0)], 1e6)
    gate.on_fill(NOON, -130.0, 25_000.0, 0.0)
    assert uses_of(gate)["exposure"].used is None
    assert uses_of(gate, terms=TERMS)["exposure"] == LimitUse(48.75, 80.0, "% of the equity as margin")
    assert (gate.state.lot, gate.state.margin_per_unit) == (0, 0.0)


@given(
    entries=st.integers(0, 12),
    losses=st.integers(0, 5),
    realised=st.floats(-50_000.0, 50_000.0),
    minute=st.integers(0, 24 * 60 - 1),
)
def test_what_blocks_is_what_would_deny(entries, losses, realised, minute):
    gate = RiskGate(
        [
            TradingWindow(dt.time(9, 15), dt.time(15, 0)),
            DailyLoss(2.0, None),
            MaxTrades(10),
            Cooldown(3, 30),
        ],
        1e6,
    )
    now = NOON.replace(hour=minute // 60, minute=minute % 60)
    gate.start_day(now.date())
    gate.state.entries_today, gate.state.realised_today = entries, realised
    gate.state.consecutive_losses, gate.state.last_exit_time = losses, NOON - 10 * MINUTE
    blocking = [name for name, _, use in gate.uses(now) if use.blocks]
    verdict = gate.check_entry(ENTRY._replace(time=now))
    assert (verdict.rule, verdict.action) == ((blocking[0], "deny") if blocking else ("", ALLOWED.action))


def test_another_thread_may_look_while_facts_are_told():
    gate = RiskGate(make_rules(RiskSettings(kill_switch_file=None, pause_file=None)), 1e6)
    gate.start_day(NOON.date())
    seen, over = [], threading.Event()

    def look():
        while not (seen and over.is_set()):
            seen.append(uses_of(gate, NOON, TERMS)["max_trades"].used)

    watcher = threading.Thread(target=look)
    watcher.start()
    for count in range(20_000):
        gate.on_entry(NOON)
        gate.on_fill(NOON, 65.0 if count % 2 else -65.0, 25_000.0, 1.0)
        gate.mark(NOON, 25_001.0)
    over.set()
    watcher.join()
    assert seen == sorted(seen)
    assert gate.state.entries_today == 20_000
