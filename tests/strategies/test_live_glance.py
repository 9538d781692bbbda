"""What is seen of a running day: right while it is written, and of orders and trades of every kind."""

from __future__ import annotations

import datetime as dt
import math
from types import SimpleNamespace

import pytest

from brokers.journal import Fill, Journal, OrderEvent, TradeContext
from brokers.risk.gate import RiskGate
from brokers.risk.rule import AccountState
from brokers.settings import RiskSettings, make_rules
from feeds.clock import IST
from feeds.terms import ContractTerms
from strategies.base import PluginSettings
from strategies.live_glance import StreamGlance, glance_at

NAIVE = dt.datetime(2026, 9, 24, 11, 0)  # noqa: DTZ001 # the exchange's wall clock is kept naive
NOW = NAIVE.replace(tzinfo=IST)
LOT = 65
CASH = 1_000_000.0
QUIET = StreamGlance("connecting", "", None, 0, None)


class Account:
    """An account with real counters and a real journal."""

    def __init__(self, **facts):
        self.journal = Journal()
        self.gate = RiskGate(make_rules(RiskSettings()), CASH)
        self.protection = None
        self.obstacle = self.open_position = ""
        self.unresolved, self.is_session_dead = 0, False
        vars(self).update(facts)

    def fill(self, trade, role, size, price, charges=20.0, minute=0):
        number = len(self.journal.fills) + 1
        time = NAIVE + dt.timedelta(minutes=minute)
        self.journal.fills.append(
            Fill(number, trade, "NIFTY", time, 0, role, float(size), price, price, charges)
        )
        self.gate.on_fill(time, float(size), price, charges)


def look(account, stream=QUIET, model=None, now=NOW, plugin=None):
    plugin, terms = plugin or PluginSettings(), ContractTerms(LOT, 0.1, 1_800.0, 12.0)
    return glance_at(account, stream, model, plugin, terms, "NIFTY26SEPFUT", now)


def priced(price):
    return StreamGlance("up", "", 0.5, 2, price)


# -- the account -------------------------------------------------------------------------------------------


def test_an_account_that_has_done_nothing():
    seen = look(Account())
    account = seen.account
    assert (account.cash, account.position, account.unrealised, account.realised_today) == (CASH, 0, 0.0, 0.0)
    assert (account.average_price, account.last_price, account.stop_price) == (None, None, None)
    assert (seen.orders, seen.trades, seen.model, seen.halted) == ([], [], None, "")
    assert seen.feed.tick_age_seconds is None
    assert {rule.name for rule in seen.rules} >= {"daily_loss", "max_trades", "kill_switch", "pause"}


@pytest.mark.parametrize(("side", "price", "profit"), [(1, 25_010.0, 650.0), (-1, 25_010.0, -650.0)])
def test_an_open_position_at_the_price_of_the_last_tick(side, price, profit):
    account = Account(protection=(24_950.0, 25_075.0), open_position="+65 NIFTY")
    account.fill(1, "entry", side * LOT, 25_000.0)
    seen = look(account, priced(price)).account
    assert (seen.position, seen.average_price, seen.last_price) == (side * LOT, 25_000.0, price)
    assert seen.unrealised == pytest.approx(profit)
    assert seen.net_today == pytest.approx(profit - 20.0)
    assert (seen.stop_price, seen.target_price, seen.lot) == (24_950.0, 25_075.0, LOT)


def test_before_the_first_tick_after_a_restart_the_last_fill_is_the_price():
    account = Account()
    account.fill(1, "entry", LOT, 25_000.0)
    assert look(account).account.unrealised == 0.0


class Changing(AccountState):
    """Counters that change as soon as their position has been looked at, as those of a running day may."""

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        changes = super().__getattribute__("__dict__").get("changes", [])
        if name == "open_size" and changes:
            changes.pop()()
        return value


def test_a_fill_while_it_is_looked_at_makes_no_millions():
    """Units of before at a price of after: a page and an alert would show the whole value as a profit."""
    account = Account()
    account.fill(1, "entry", LOT, 25_000.0)
    state = account.gate.state = Changing(**vars(account.gate.state))
    state.changes = [lambda: account.fill(1, "stop", -LOT, 24_990.0)]
    seen = look(account, priced(24_990.0)).account
    assert abs(seen.net_today) < 1_000.0
    assert (seen.position == 0) == (seen.average_price is None)


# -- orders ------------------------------------------------------------------------------------------------


def order(number, state, role="entry", **fields):
    return OrderEvent(NAIVE, number, 1, role, "market", state, float(LOT), 25_000.0, **fields)


def test_each_order_once_in_its_newest_state_and_each_denial():
    account = Account()
    account.journal.events += [
        order(1, "submitted"), order(2, "submitted", "stop"), order(0, "denied", rule="pause", reason="p"),
        order(1, "completed", filled=65.0, average_price=25_000.0), order(0, "denied", rule="kill_switch"),
        order(3, "accepted", "manual"),
    ]  # fmt: skip
    seen = look(account).orders
    assert [(one.order_id, one.state) for one in seen] == [
        (1, "completed"), (2, "submitted"), (0, "denied"), (0, "denied"), (3, "accepted"),
    ]  # fmt: skip
    assert [one.rule for one in seen if one.state == "denied"] == ["pause", "kill_switch"]
    assert all(one.time == NOW for one in seen)


# -- trades ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("role", ["manual", "stop", "target", "square_off", "shutdown", "daily_loss"])
def test_a_trade_that_is_over(side, role):
    account = Account()
    account.journal.contexts.append(TradeContext(1, NAIVE, *([0.0] * (len(TradeContext._fields) - 2))))
    account.fill(1, "entry", side * LOT, 25_000.0)
    account.fill(1, "entry", side * LOT, 25_002.0)
    account.fill(1, role, -side * LOT, 25_010.0, minute=3)
    account.fill(1, role, -side * LOT, 25_012.0, minute=4)
    (trade,) = look(account).trades
    assert (trade.side, trade.units, trade.exit_reason) == (side, 2.0 * LOT, role)
    assert (trade.entry_price, trade.exit_price) == (25_001.0, 25_011.0)
    assert trade.exit_time == NOW + dt.timedelta(minutes=4)
    assert trade.charges == 80.0
    assert trade.net_pnl == pytest.approx(side * 10.0 * 2 * LOT - 80.0)


@pytest.mark.parametrize("left", [1, LOT, 2 * LOT])
def test_a_trade_that_is_left_in_part_is_open(left):
    account = Account()
    account.fill(1, "entry", 2 * LOT, 25_000.0)
    if left < 2 * LOT:
        account.fill(1, "manual", left - 2 * LOT, 25_010.0)
    (trade,) = look(account).trades
    assert (trade.exit_time, trade.exit_price, trade.net_pnl) == (None, None, None)
    assert trade.probability is None


def test_an_exit_whose_entry_is_unknown_does_not_break_the_page():
    account = Account()
    account.fill(7, "manual", -LOT, 25_000.0)
    (trade,) = look(account).trades
    assert math.isfinite(trade.entry_price)


# -- the broker, the rules, the model ----------------------------------------------------------------------


def test_a_dead_session_and_what_is_unresolved():
    account = Account(is_session_dead=True, obstacle="the session with the broker is dead", unresolved=2)
    broker = look(account).broker
    assert (broker.session, broker.unresolved) == ("dead", 2)
    assert broker.obstacle == "the session with the broker is dead"


def test_a_limit_that_was_passed_is_a_halt():
    account = Account()
    account.gate.on_fill(NAIVE, LOT, 25_000.0, 0.0)
    account.gate.mark(NAIVE, 24_000.0)
    account.gate.must_flatten()
    seen = look(account, priced(24_000.0))
    assert "the limit is" in seen.halted
    (daily,) = [rule for rule in seen.rules if rule.name == "daily_loss"]
    assert daily.used > daily.limit
    assert daily.blocks == seen.halted


def test_looking_changes_nothing():
    account = Account()
    account.fill(1, "entry", LOT, 25_000.0)
    before = vars(account.gate.state).copy()
    look(account, priced(25_100.0), now=NOW + dt.timedelta(days=1))
    assert vars(account.gate.state) == before


def model_of(until, *thresholds):
    predictor = SimpleNamespace(thresholds_at=lambda _: thresholds or None)
    return SimpleNamespace(info={"version": "v0003", "trained_until": until}, predictor=predictor)


@pytest.mark.parametrize(
    ("kind", "given", "shown"),
    [
        ("fixed", (0.7, 0.8), (0.5, 0.6)),
        ("trained", (0.7, math.inf), (0.7, None)),
        ("trained", (), (None, None)),
    ],
)
def test_the_thresholds_are_those_it_trades_by(kind, given, shown):
    plugin = SimpleNamespace(buy_probability=0.5, sell_probability=0.6, thresholds=kind)
    seen = look(Account(), model=model_of("2026-09-14T15:30:00", *given), plugin=plugin).model
    assert (seen.buy_probability, seen.sell_probability) == shown


@pytest.mark.parametrize("until", ["2026-09-14T15:30:00", "2026-09-14T15:30:00+05:30"])
def test_the_age_of_the_model(until):
    model = model_of(until)
    plugin = SimpleNamespace(buy_probability=0.6)
    seen = look(Account(), model=model, plugin=plugin, now=NOW.replace(hour=15, minute=30)).model
    assert seen.age_days == pytest.approx(10.0)
    assert (seen.version, seen.buy_probability, seen.sell_probability) == ("v0003", 0.6, None)
