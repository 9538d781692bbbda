"""One instrument of an account that several share, at the exchange: what the others hold counts."""

from __future__ import annotations

import math

import backtrader as bt
import pytest

from brokers.desk.facts import EntryDecided, EntryDenied, EntryWithdrawn, ExitWanted
from brokers.risk.account import AccountRisk
from brokers.risk.account_settings import AccountRiskSettings
from brokers.risk.gate import RiskGate
from brokers.wire import OrderRefusedError
from feeds.terms import ContractTerms
from tests.brokers.desk.exchange_model import TIME
from tests.brokers.desk.test_live_broker import PRICE, BrokerRig
from tests.brokers.desk.wire_model import LOT

CASH = 1e6
NOW = TIME.replace(tzinfo=None)
NEEDED = 780_000  # 4 lots of 65 units at 25,000 points, 12 %


class Shared:
    """NIFTY at the exchange, and the gate of a second instrument whose units bind a rupee each."""

    def __init__(self, folder, correlation=lambda one, other, day: 0.0, **limits) -> None:
        self.limits, self.correlation = limits, correlation
        self.rig = BrokerRig(folder, seat=self._seats())
        self.rig.start()

    def _seats(self):
        self.account = AccountRisk(AccountRiskSettings(**self.limits), CASH, self.correlation)
        seat = self.account.seat("BANKNIFTY", lambda day: ContractTerms(1, 0.05, math.inf, 100.0))
        self.other = RiskGate((), CASH, seat)
        return self.account.seat("NIFTY", lambda day: ContractTerms(LOT, 0.1, math.inf, 12.0))

    def hold(self, units: float, charges: float = 0.0) -> None:
        self.other.on_fill(NOW, units, 1.0, charges)

    def denied(self) -> str:
        """Send an entry of four lots; return why it was refused, empty where it was not."""
        rig = self.rig
        rig.send()
        rig.until(lambda: bool(rig.facts(EntryDecided, EntryDenied)))
        (fact,) = rig.facts(EntryDecided, EntryDenied)
        if isinstance(fact, EntryDenied):
            return fact.rule or fact.reason
        rig.until(lambda: rig.is_quiet)
        return ""

    @property
    def lots(self) -> dict[str, float]:
        return {held.instrument: held.lots for held in self.account.view().holdings}


@pytest.fixture
def share(tmp_path):
    made = []

    def make(*arguments, **limits) -> Shared:
        made.append(Shared(tmp_path, *arguments, **limits))
        return made[-1]

    yield make
    for shared in made:
        shared.rig.desk.shut_down(flatten=False, reason="end of test", timeout_seconds=5)


@pytest.mark.parametrize(
    ("bound", "paid", "passes"),
    [
        (CASH - NEEDED - 1, 0, True),
        (CASH - NEEDED, 0, True),
        (CASH - NEEDED + 1, 0, False),
        (CASH - NEEDED, 1, False),
        (CASH - NEEDED + 1, -1, True),
    ],
)
def test_an_entry_needs_what_the_margin_and_the_losses_of_the_others_leave(share, bound, paid, passes):
    shared = share()
    shared.hold(bound, paid)
    reason = shared.denied()
    assert (reason == "") is passes, reason
    assert passes or reason.startswith("needs 780000 rupees of margin")
    assert shared.lots["NIFTY"] == (4.0 if passes else 0.0), "what was refused gives its room back"


@pytest.mark.parametrize(("limit", "denied"), [(1, "account_positions"), (2, ""), (3, "")])
def test_positions_at_a_time(share, limit, denied):
    shared = share(max_positions=limit)
    shared.hold(10)
    assert shared.denied() == denied


@pytest.mark.parametrize(
    ("correlation", "denied"), [(0.79, ""), (0.8, ""), (0.81, "account_correlation"),
                                (math.nan, "account_correlation")]
)  # fmt: skip
def test_what_goes_the_same_way(share, correlation, denied):
    shared = share(lambda one, other, day: correlation, max_correlation=0.8)
    shared.hold(10)
    assert shared.denied() == denied


@pytest.mark.parametrize(("most", "lots"), [(13, 3), (14, 4), (15, 4)])
def test_lots_of_all_together(share, most, lots):
    shared = share(max_lots=most)
    shared.hold(10)
    shared.rig.send(parts=(4,), points=(75,))
    shared.rig.until(lambda: shared.rig.is_quiet)
    assert shared.rig.held == lots * LOT
    assert shared.lots == {"BANKNIFTY": 10.0, "NIFTY": lots}


@pytest.mark.parametrize(("loss", "stays"), [(4_999.0, True), (5_000.0, False), (5_001.0, False)])
def test_a_loss_of_another_instrument_takes_a_resting_entry_back(share, loss, stays):
    shared = share(daily_loss_rupees=5_000.0)
    rig = shared.rig
    rig.wire.fills = [0]
    rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: bool(rig.wire.orders_of("limit")) and rig.desk.state.trips[1].entries[0].exposure)
    shared.hold(10_000)
    shared.other.mark(NOW, 1.0 - loss / 10_000)
    for _ in range(3):
        rig.turn()
    if not stays:
        rig.until(lambda: ("entry", "Canceled") in rig.told)
    assert rig.facts(EntryWithdrawn, ExitWanted) == ([] if stays else [EntryWithdrawn(1)])
    assert shared.lots["NIFTY"] == (4.0 if stays else 0.0)


def test_a_loss_of_another_instrument_closes_a_position_on_the_next_bar(share):
    shared = share(daily_loss_rupees=5_000.0)
    assert shared.denied() == ""
    shared.hold(10_000)
    shared.other.mark(NOW, 0.5)
    shared.rig.bar(PRICE)
    shared.rig.until(lambda: shared.rig.held == 0)
    assert [fact.reason for fact in shared.rig.facts(ExitWanted)] == ["account_daily_loss"]


def test_an_entry_that_outlived_a_restart_keeps_its_room_until_it_is_taken_back(share):
    shared = share(max_lots=13)
    rig = shared.rig
    rig.wire.fills = [0]
    rig.send(exectype=bt.Order.Limit, price=24_990.0)
    rig.until(lambda: bool(rig.wire.orders_of("limit")))
    rig.wire.fill(rig.wire.orders_of("limit")[0], LOT)
    rig.until(lambda: rig.held == LOT)
    rig.wire.cancel_errors = [OrderRefusedError("being processed")] * 10_000
    rig.seat = shared._seats()
    rig.restart()
    rig.bar()
    assert shared.lots["NIFTY"] == 4.0
    rig.wire.cancel_errors.clear()
    rig.until(lambda: shared.lots["NIFTY"] == 1.0)
    assert rig.wire.exchange.position == LOT
