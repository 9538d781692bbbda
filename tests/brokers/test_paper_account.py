"""A paper account: entries that may rest no longer, and one that several instruments share."""

from __future__ import annotations

import datetime as dt
import math

import backtrader as bt
import pytest

from brokers.risk.account import AccountRisk
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.gate import RiskGate
from feeds.calendar import TradingCalendar
from feeds.terms import ContractTerms, DatedTerms
from tests.brokers.paper_cases import at, play, told
from tests.brokers.test_account_risk import entry
from tests.support import DAY, frame_of, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
NOW = dt.datetime.combine(DAY, dt.time(9, 16))
CASH = settings_of().broker.starting_cash


class Resting(bt.Strategy):
    """Leaves a limit order that is never reached."""

    def next(self):
        if len(self) == 1:
            self.buy(size=75, exectype=bt.Order.Limit, price=900.0)


class AtMarket(bt.Strategy):
    """Buys one lot on the first bar it may trade on."""

    def next(self):
        if not self.position and not self.broker.get_orders_open():
            self.buy(size=75)


class Shared:
    """NIFTY on paper, and the gate of a second instrument whose units bind a rupee each."""

    def __init__(self, correlation=lambda one, other, day: 0.0, **limits) -> None:
        self.account = AccountRisk(AccountRiskSettings(**limits), CASH, correlation)
        seat = self.account.seat("BANKNIFTY", lambda day: ContractTerms(1, 0.05, math.inf, 100.0))
        self.other = RiskGate((), CASH, seat)
        self.seat = self.account.seat("NIFTY", DatedTerms(settings_of().market, TradingCalendar()))

    @property
    def lots(self) -> float:
        return self.account.view().holdings[1].lots


@pytest.fixture
def path(tmp_path):
    return tmp_path / "paper.sqlite"


def bars(count):
    return frame_of([FLAT] * count, signal=[0] * count, atr=[10.0] * count)


def enter(shared, path):
    """Ask for one lot of NIFTY; return the rule or reason that refused it, empty where none did."""
    (first, *_) = play(bars(1), settings_of(), path, strategy=AtMarket, seat=shared.seat).journal.events
    return "" if first.state == "submitted" else first.rule or first.reason


# -- entries that may rest no longer ----------------------------------------------------------------


@pytest.mark.parametrize("switch", ["pause_file", "kill_switch_file"])
@pytest.mark.parametrize("is_on", [True, False])
def test_a_resting_entry_is_taken_back_when_entries_are_stopped(path, switch, is_on):
    file = path.parent / "STOP"
    chosen = settings_of(risk={switch: str(file)})
    idle = [(at("09:18:30"), lambda broker: file.touch() if is_on else None)]
    played = play(bars(4), chosen, path, strategy=Resting, idle=idle)
    assert [event.state for event in played.journal.events if event.order_id == 1][2:] == (
        ["canceled"] if is_on else []
    )
    assert bool(played.broker.get_orders_open()) is not is_on
    if is_on:
        assert played.journal.events[-1].time == NOW.replace(minute=18, second=30)


def test_a_halt_takes_a_resting_entry_back_and_a_restart_does_not_bring_it_again(path):
    idle = [(at("09:19"), lambda broker: broker.halt("enough"))]
    played = play(bars(4), settings_of(), path, strategy=Resting, idle=idle, breaks_after=3)
    assert played.journal.events[-1].state == "canceled"
    again = play(bars(4), settings_of(), path, start=at("09:24:01"), strategy=bt.Strategy)
    assert again.broker.get_orders_open() == []


def test_an_entry_at_market_that_only_waits_for_its_bar_is_not_taken_back(path):
    """An exchange has filled it before anybody could stop it."""
    file = path.parent / "STOP"
    idle = [(at("09:18:30"), lambda broker: file.touch())]
    chosen = settings_of(risk={"pause_file": str(file)})
    played = play(bars(3), chosen, path, strategy=AtMarket, idle=idle)
    assert told(played.journal) == [("entry", "03 09:18", 75, 1000)]


# -- one account for several instruments --------------------------------------------------------------


@pytest.mark.parametrize(
    ("spare", "paid", "passes"), [(1, 0, True), (0, 0, True), (-1, 0, False), (0, 1, False), (-1, -1, True)]
)
def test_an_entry_needs_what_the_margin_and_the_losses_of_the_others_leave(path, spare, paid, passes):
    shared = Shared()
    terms = DatedTerms(settings_of().market, TradingCalendar())(DAY)
    needed = 75 * 1000.0 * terms.margin_percent / 100.0
    shared.other.on_fill(NOW, CASH - needed - spare, 1.0, paid)
    reason = enter(shared, path)
    assert (reason == "") is passes, reason
    assert passes or f"needs {needed:.0f} rupees of margin" in reason
    assert shared.lots == (1.0 if passes else 0.0)


@pytest.mark.parametrize(("limit", "denied"), [(1, "account_positions"), (2, ""), (3, "")])
def test_positions_at_a_time(path, limit, denied):
    shared = Shared(max_positions=limit)
    shared.other.on_fill(NOW, 10, 1.0, 0.0)
    assert enter(shared, path) == denied


@pytest.mark.parametrize(("limit", "denied"), [(10, "account_max_lots"), (11, ""), (12, "")])
def test_lots_of_all_together(path, limit, denied):
    shared = Shared(max_lots=limit)
    shared.other.on_fill(NOW, 10, 1.0, 0.0)
    assert enter(shared, path) == denied


@pytest.mark.parametrize(
    ("correlation", "denied"), [(0.79, ""), (0.8, ""), (0.81, "account_correlation"),
                                (math.nan, "account_correlation")]
)  # fmt: skip
def test_what_goes_the_same_way(path, correlation, denied):
    shared = Shared(lambda one, other, day: correlation, max_correlation=0.8)
    shared.other.on_fill(NOW, 10, 1.0, 0.0)
    assert enter(shared, path) == denied


@pytest.mark.parametrize(("loss", "stays"), [(4_999.0, True), (5_000.0, False), (5_001.0, False)])
def test_a_loss_of_another_instrument_takes_a_resting_entry_back(path, loss, stays):
    shared = Shared(daily_loss_rupees=5_000.0)

    def lose(broker):
        shared.other.on_fill(NOW.replace(minute=19), 10_000, 1.0, 0.0)
        shared.other.mark(NOW.replace(minute=19), 1.0 - loss / 10_000)

    played = play(
        bars(4), settings_of(), path, strategy=Resting, idle=[(at("09:19"), lose)], seat=shared.seat
    )
    assert bool(played.broker.get_orders_open()) is stays
    assert shared.lots == (1.0 if stays else 0.0)


@pytest.mark.parametrize(("limit", "passes"), [(1, False), (2, True)])
def test_an_entry_that_rests_over_a_restart_keeps_its_room(path, limit, passes):
    play(bars(4), settings_of(), path, strategy=Resting, seat=Shared().seat, breaks_after=2)
    shared = Shared(max_positions=limit)
    answers = []

    def ask(broker):
        answers.append(shared.other.check_entry(entry("BANKNIFTY", 1, time=NOW.replace(minute=22))).action)

    play(bars(4), settings_of(), path, start=at("09:21:01"), strategy=bt.Strategy, seat=shared.seat,
         idle=[(at("09:22"), ask)])  # fmt: skip
    assert answers == ["allow" if passes else "deny"]
    assert shared.lots == 1.0
