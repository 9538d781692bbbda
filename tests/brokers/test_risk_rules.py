"""Each rule at its limit: one step before, on it, one step beyond."""

from __future__ import annotations

import datetime as dt
import errno
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from feeds.errors import BrokerError
from tests.brokers.risk_cases import ENTRY, NOON, account

SECOND = dt.timedelta(seconds=1)
SHORT = ENTRY._replace(size=-130.0, stop_price=25_050.0, target_price=24_925.0)


def answer(rule, entry=ENTRY, **state):
    """Ask a rule, and check what every denial owes: the rule's name and a reason in one line."""
    before = account(**state)
    verdict = rule.check(entry, before)
    assert before == account(**state), "a rule must not change the account"
    if verdict.action != "allow":
        assert verdict.rule == rule.name
        assert verdict.reason
        assert "\n" not in verdict.reason
    return verdict


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (DailyLoss(2.0, 15_000.0), "2 %"),
        (MaxTrades(10), "10 entries"),
        (Cooldown(3, 30), "30 minutes"),
        (VolatilityBand(0.05, 1.0), "0.05 %"),
        (TradingWindow(dt.time(9, 15), dt.time(15, 0)), "15:00:00"),
        (Exposure(20, 80.0), "20 lots"),
        (OrderSanity(10, 5.0), "10 orders"),
        (DataQuality(deny_incomplete_bars=True, max_data_age_seconds=30.0), "30 s"),
        (ModelAge(120), "120 days"),
        (KillSwitch(os.devnull), os.devnull),
        (Pause(os.devnull), "pause: no entry"),
    ],
)
def test_every_rule_says_its_limit(rule, words):
    assert words in rule.describe()
    assert "\n" not in rule.describe()


# -- daily loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("realised", "action"), [(-19_999.99, "allow"), (-20_000.00, "deny"), (-20_000.01, "deny"), (5, "allow")]
)
def test_daily_loss_in_percent_of_the_days_first_equity(realised, action):
    assert answer(DailyLoss(2.0, None), realised_today=realised).action == action


@pytest.mark.parametrize(("realised", "action"), [(-4_999.99, "allow"), (-5_000.0, "deny")])
def test_daily_loss_in_rupees_holds_where_it_is_smaller(realised, action):
    assert answer(DailyLoss(2.0, 5_000.0), realised_today=realised).action == action
    assert answer(DailyLoss(2.0, 50_000.0), realised_today=realised).action == "allow"


@pytest.mark.parametrize(
    ("size", "price", "breached"),
    [
        (130.0, 24_923.08, False),
        (130.0, 24_923.07, True),
        (-130.0, 25_076.92, False),
        (-130.0, 25_076.93, True),
    ],
)
def test_daily_loss_counts_the_open_position(size, price, breached):
    state = account(realised_today=-10_000.0, open_size=size, open_price=25_000.0, last_price=price)
    assert bool(DailyLoss(None, 20_000.0).breached(state)) is breached


def test_an_account_that_began_the_day_below_zero_may_lose_nothing():
    rule = DailyLoss(2.0, None)
    assert answer(rule, day_start_equity=-5.0, realised_today=0.0).action == "allow"
    assert answer(rule, day_start_equity=-5.0, realised_today=-0.01).action == "deny"


# -- counts and pauses ---------------------------------------------------------------------------


@pytest.mark.parametrize(("entries", "action"), [(9, "allow"), (10, "deny"), (11, "deny")])
def test_max_trades(entries, action):
    assert answer(MaxTrades(10), entries_today=entries).action == action


@pytest.mark.parametrize(("losses", "action"), [(2, "allow"), (3, "deny"), (4, "deny")])
def test_cooldown_begins_with_the_last_of_the_losses(losses, action):
    state = {"consecutive_losses": losses, "last_exit_time": NOON - SECOND}
    assert answer(Cooldown(3, 30), **state).action == action


@pytest.mark.parametrize(("after", "action"), [(-SECOND, "deny"), (0 * SECOND, "allow"), (SECOND, "allow")])
def test_cooldown_ends_on_the_second(after, action):
    exit_time = NOON - dt.timedelta(minutes=30) - after
    verdict = answer(Cooldown(3, 30), consecutive_losses=3, last_exit_time=exit_time)
    assert verdict.action == action
    assert verdict.until == (exit_time + dt.timedelta(minutes=30) if action == "deny" else None)


def test_losses_that_were_counted_but_never_timed_do_not_pause_for_ever():
    assert answer(Cooldown(3, 30), consecutive_losses=5) == ALLOWED


# -- market --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("atr", "action"),
    [
        (12.4, "deny"),
        (12.5, "allow"),
        (100.0, "allow"),
        (250.0, "allow"),
        (250.1, "deny"),
        (math.nan, "deny"),
    ],
)
def test_volatility_band_includes_its_ends(atr, action):
    assert answer(VolatilityBand(0.05, 1.0), ENTRY._replace(volatility=atr)).action == action


@pytest.mark.parametrize(("low", "high"), [(0.05, None), (None, 1.0)])
def test_an_unknown_atr_is_denied_with_the_remedy(low, high):
    verdict = answer(VolatilityBand(low, high), ENTRY._replace(volatility=math.nan))
    assert verdict.action == "deny"
    assert "null" in verdict.reason


@pytest.mark.parametrize("price", [0.0, math.nan])
def test_no_volatility_at_a_price_of_nothing(price):
    assert answer(VolatilityBand(None, 1.0), ENTRY._replace(price=price)).action == "deny"


WINDOW = TradingWindow(dt.time(9, 20), dt.time(15, 0))


@pytest.mark.parametrize(
    ("at", "action"),
    [
        (dt.time(9, 19, 59), "deny"),
        (dt.time(9, 20), "allow"),
        (dt.time(9, 20, 1), "allow"),
        (dt.time(14, 59, 59), "allow"),
        (dt.time(15, 0), "deny"),
        (dt.time(15, 0, 1), "deny"),
    ],
)
def test_trading_window_begins_inclusive_and_ends_exclusive(at, action):
    assert answer(WINDOW, ENTRY._replace(time=dt.datetime.combine(NOON, at))).action == action


def test_before_the_window_its_beginning_is_named_and_after_it_nothing():
    early = answer(WINDOW, ENTRY._replace(time=NOON.replace(hour=9, minute=0)))
    late = answer(WINDOW, ENTRY._replace(time=NOON.replace(hour=15, minute=1)))
    assert (early.until, late.until) == (NOON.replace(hour=9, minute=20), None)


@pytest.mark.parametrize(
    ("window", "hour", "action"),
    [
        (TradingWindow(None, dt.time(15)), 3, "allow"),
        (TradingWindow(None, dt.time(15)), 15, "deny"),
        (TradingWindow(dt.time(9, 15), None), 9, "deny"),
        (TradingWindow(dt.time(9, 15), None), 23, "allow"),
    ],
)
def test_a_window_may_have_one_end_only(window, hour, action):
    assert answer(window, ENTRY._replace(time=NOON.replace(hour=hour, minute=0))).action == action


# -- size ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lots", "open_lots", "action", "size"),
    [
        (19, 0, "allow", 0.0),
        (20, 0, "allow", 0.0),
        (21, 0, "reduce", 20 * 65.0),
        (5, 16, "reduce", 4 * 65.0),
        (5, 19, "reduce", 65.0),
        (5, 20, "deny", 0.0),
        (5, 25, "deny", 0.0),
    ],
)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_exposure_in_lots_counts_what_is_held(lots, open_lots, action, size, side):
    verdict = answer(
        Exposure(20, None), ENTRY._replace(size=side * lots * 65.0), open_size=side * open_lots * 65.0
    )
    assert (verdict.action, verdict.size) == (action, size)


@pytest.mark.parametrize(
    ("cash", "action", "size"),
    [
        (609_375.0, "allow", 0.0),
        (609_374.0, "reduce", 65.0),
        (304_688.0, "reduce", 65.0),
        (304_687.5, "reduce", 65.0),
        (304_687.0, "deny", 0.0),
        (0.0, "deny", 0.0),
        (-1.0, "deny", 0.0),
    ],
)
def test_exposure_in_margin(cash, action, size):
    # Two lots need 2 x 65 x 3750 = 487,500 rupees, which is 80 percent of 609,375
    verdict = answer(Exposure(None, 80.0), cash=cash)
    assert (verdict.action, verdict.size) == (action, size)


def test_margin_is_measured_by_equity_and_the_tighter_limit_holds():
    open_loss = {"open_size": 65.0, "open_price": 25_000.0, "last_price": 24_000.0, "cash": 974_375.0}
    # 909,375 of equity, 80 percent: 194 units, of which 65 are held
    assert answer(Exposure(None, 80.0), **open_loss).size == 65.0
    assert answer(Exposure(1, 80.0), **open_loss).action == "deny"


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan])
def test_a_margin_that_is_none_is_denied(margin):
    assert answer(Exposure(None, 80.0), ENTRY._replace(margin_per_unit=margin)).action == "deny"


@pytest.mark.parametrize("lot", [0, -65])
def test_a_lot_that_is_none_is_denied(lot):
    assert answer(Exposure(1, None), ENTRY._replace(lot=lot)).action == "deny"


@given(
    lots=st.integers(1, 200),
    side=st.sampled_from([1.0, -1.0]),
    held=st.integers(-50, 50),
    cash=st.floats(-1e6, 1e9),
    max_lots=st.none() | st.integers(1, 100),
    percent=st.floats(0.1, 100.0),
)
def test_exposure_never_leaves_its_limits(lots, side, held, cash, max_lots, percent):
    rule = Exposure(max_lots, percent)
    state = account(cash=cash, open_size=held * 65.0, open_price=25_000.0, last_price=25_000.0)
    verdict = rule.check(ENTRY._replace(size=side * lots * 65.0), state)
    if verdict.action == "deny":
        return
    size = lots * 65.0 if verdict.action == "allow" else verdict.size
    after = side * held * 65.0 + size
    assert 0.0 < size <= lots * 65.0
    assert size % 65.0 == 0.0
    assert max_lots is None or after <= max_lots * 65.0
    assert after * 3_750.0 <= cash * percent / 100.0 + 65 * 3_750.0 * 1e-6


# -- sanity --------------------------------------------------------------------------------------

SANITY = OrderSanity(10, 5.0)


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({}, "allow", ""),
        ({"stop_price": None, "target_price": None}, "allow", ""),
        ({"size": 0.0}, "deny", "not 0"),
        ({"size": math.nan}, "deny", "units"),
        ({"size": math.inf}, "deny", "units"),
        ({"size": 64.0}, "deny", "lot of 65"),
        ({"size": 65.0}, "allow", ""),
        ({"size": 66.0}, "deny", "lot of 65"),
        ({"lot": 0}, "deny", "lot of 0"),
        ({"size": 17_550.0}, "allow", ""),
        ({"size": 17_615.0}, "deny", "freeze quantity"),
        ({"size": 17_615.0, "largest_order": math.inf}, "allow", ""),
        ({"price": 0.0}, "deny", "last price"),
        ({"price": -25_000.0}, "deny", "last price"),
        ({"price": math.nan}, "deny", "last price"),
        ({"price": math.inf}, "deny", "last price"),
        ({"stop_price": 25_000.0}, "deny", "below"),
        ({"stop_price": 24_999.95}, "allow", ""),
        ({"stop_price": 25_000.05}, "deny", "below"),
        ({"stop_price": math.nan}, "deny", "stop"),
        ({"stop_price": 23_750.05}, "allow", ""),
        ({"stop_price": 23_750.0}, "allow", ""),
        ({"stop_price": 23_749.95}, "deny", "away"),
        ({"stop_price": 24_950.02}, "deny", "tick"),
        ({"stop_price": 24_950.02, "tick": 0.0}, "allow", ""),
        ({"target_price": 25_000.0}, "deny", "above"),
        ({"target_price": 25_000.05}, "allow", ""),
        ({"target_price": 24_999.95}, "deny", "above"),
        ({"target_price": math.nan}, "deny", "target"),
        ({"target_price": math.inf, "tick": 0.0}, "deny", "target"),
        ({"target_price": 25_075.03}, "deny", "tick"),
    ],
)
def test_order_sanity_of_a_long_entry(changes, action, words):
    verdict = answer(SANITY, ENTRY._replace(**changes))
    assert verdict.action == action
    assert words in verdict.reason


@pytest.mark.parametrize(
    ("changes", "action", "words"),
    [
        ({}, "allow", ""),
        ({"stop_price": 25_000.0}, "deny", "above"),
        ({"stop_price": 24_950.0}, "deny", "above"),
        ({"stop_price": 26_250.0}, "allow", ""),
        ({"stop_price": 26_250.05}, "deny", "away"),
        ({"target_price": 25_000.0}, "deny", "below"),
        ({"target_price": 25_050.0}, "deny", "below"),
        ({"target_price": 0.05}, "allow", ""),
        ({"target_price": 0.0}, "deny", "above 0"),
        ({"target_price": -0.05}, "deny", "above 0"),
        ({"target_price": -math.inf, "tick": 0.0}, "deny", "above 0"),
        ({"size": -64.0}, "deny", "lot of 65"),
        ({"size": -17_615.0}, "deny", "freeze quantity"),
    ],
)
def test_order_sanity_of_a_short_entry(changes, action, words):
    verdict = answer(SANITY, SHORT._replace(**changes))
    assert verdict.action == action
    assert words in verdict.reason


@pytest.mark.parametrize(("stop", "action"), [(0.05, "allow"), (0.0, "deny"), (-math.inf, "deny")])
def test_a_stop_is_a_price(stop, action):
    assert answer(OrderSanity(10, 100.0), ENTRY._replace(stop_price=stop)).action == action


@given(ticks=st.integers(100_000, 2_000_000), tick=st.sampled_from([0.05, 0.1, 0.2]))
def test_binary_dust_is_not_off_the_tick(ticks, tick):
    stop = ticks * tick
    entry = ENTRY._replace(price=stop * 1.01, stop_price=stop, target_price=None, tick=tick)
    assert answer(SANITY, entry) == ALLOWED
    assert answer(SANITY, entry._replace(stop_price=stop + tick / 100)).action == "deny"


# -- data, model, switch -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "action"),
    [(29.0, "allow"), (30.0, "allow"), (31.0, "deny"), (math.inf, "deny"), (math.nan, "deny")],
)
def test_data_age(age, action):
    rule = DataQuality(deny_incomplete_bars=True, max_data_age_seconds=30.0)
    assert answer(rule, ENTRY._replace(data_age_seconds=age)).action == action


@pytest.mark.parametrize(("watched", "action"), [(True, "deny"), (False, "allow")])
def test_incomplete_bars(watched, action):
    rule = DataQuality(deny_incomplete_bars=watched, max_data_age_seconds=None)
    assert answer(rule, ENTRY._replace(bar_complete=False)).action == action
    assert answer(rule, ENTRY._replace(bar_complete=True, data_age_seconds=1e9)) == ALLOWED


@pytest.mark.parametrize(
    ("days", "action"),
    [(119.0, "allow"), (120.0, "allow"), (121.0, "deny"), (math.inf, "deny"), (math.nan, "allow")],
)
def test_model_age(days, action):
    assert answer(ModelAge(120.0), ENTRY._replace(model_age_days=days)).action == action


@pytest.fixture(params=[KillSwitch, Pause])
def switch(request, tmp_path):
    return request.param(tmp_path / "SWITCH")


def test_a_switch_follows_its_file(switch, tmp_path):
    file = tmp_path / "SWITCH"
    assert answer(switch) == ALLOWED
    file.touch()
    assert answer(switch).reason == f"{file} exists; remove it to allow entries"
    file.unlink()
    assert answer(switch) == ALLOWED


@pytest.mark.parametrize("kind", [KillSwitch, Pause])
def test_a_switch_denies_when_it_cannot_look(tmp_path, kind):
    file = tmp_path / "file"
    file.touch()
    verdict = answer(kind(file / "SWITCH"))  # a file is no folder: the question has no answer
    assert verdict.action == "deny"
    assert "cannot tell" in verdict.reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"budget speech\nsecond line", "budget speech ("),
        (b"  by page \r\n", "by page ("),
        (b"\nsecond line", "{file} exists"),
        (b"\x1b[2J\x00red\x85", "[2Jred\ufffd ("),
        (b"\xff\xfe", "\ufffd\ufffd ("),
        (b"x" * 10_000, "x" * 200 + " ("),
    ],
)
def test_the_first_line_of_a_switch_is_its_reason(switch, tmp_path, content, words):
    file = tmp_path / "SWITCH"
    file.write_bytes(content)
    reason = answer(switch).reason
    assert reason.startswith(words.format(file=file))
    assert f"{file} exists; remove it to allow entries" in reason


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_has_no_first_line_is_a_switch_all_the_same(switch, tmp_path, make):
    make(tmp_path / "SWITCH")  # reading a pipe would wait for a writer that never comes
    assert answer(switch).action == "deny"


def test_a_switch_is_turned_on_with_a_reason_and_off(switch, tmp_path):
    switch.turn_on("a first, longer reason")
    switch.turn_on("by page:\n 2nd")
    assert answer(switch).reason.startswith("by page: 2nd (")
    assert (tmp_path / "SWITCH").read_text() == "by page: 2nd\n"
    switch.turn_off()
    assert answer(switch) == ALLOWED
    switch.turn_off()
    assert list(tmp_path.iterdir()) == []


def test_a_switch_without_room_for_its_reason_is_on(switch, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    switch.turn_on("drawdown")
    assert answer(switch).action == "deny"


def test_a_switch_that_cannot_be_turned_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BrokerError, match=r"pause: .*PAUSED cannot be made .*create it by hand"):
        Pause(tmp_path / "file" / "PAUSED").turn_on("")
    (tmp_path / "KILL_SWITCH").mkdir()
    with pytest.raises(BrokerError, match=r"kill_switch: .*cannot be removed .*remove it by hand"):
        KillSwitch(tmp_path / "KILL_SWITCH").turn_off()
