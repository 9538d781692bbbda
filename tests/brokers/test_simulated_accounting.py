"""Money and order state of the simulated broker."""

import math
from collections import Counter

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.simulated import SimulatedBroker
from feeds.errors import BrokerError
from tests.support import assemble, frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
COSTS = {
    "charges": {"plan": "zerodha"},
    "slippage": {"model": "percent", "percent": 0.02},
    "latency_ms": 500.0,
}


def random_frame(steps, signals):
    price, bars = 20_000.0, []
    for step, reach_up, reach_down in steps:
        close = price + step
        bars.append((price, max(price, close) + reach_up, min(price, close) - reach_down, close))
        price = close + step / 4
    return frame_of(bars, signal=signals[: len(bars)], atr=[12.0] * len(bars))


bar_steps = st.lists(
    st.tuples(st.integers(-30, 30), st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=90
)
entry_signals = st.lists(st.sampled_from([-1, 0, 0, 1]), min_size=90, max_size=90)


@settings(max_examples=60, deadline=None)
@given(bar_steps, entry_signals, st.sampled_from([0.0, 0.05, 100.0]))
def test_cash_is_what_the_fills_say_and_the_account_ends_flat(steps, signals, share):
    assembled = assemble(
        random_frame(steps, signals), settings_of(broker={**COSTS, "max_percent_of_volume": share})
    )
    assembled.engine.run()
    fills = assembled.journal.fills
    cash_flow = -math.fsum(fill.size * fill.price for fill in fills) - math.fsum(
        fill.charges for fill in fills
    )
    assert assembled.broker.getcash() == pytest.approx(assembled.broker.startingcash + cash_flow, abs=1e-6)
    assert assembled.broker.getvalue() == assembled.broker.getcash()
    assert sum(fill.size for fill in fills) == 0
    assert all((fill.price - fill.reference_price) * fill.size >= 0 for fill in fills)


@settings(max_examples=60, deadline=None)
@given(bar_steps, entry_signals, st.sampled_from([0.0, 0.05, 0.3]), st.booleans())
def test_skipping_changes_nothing(steps, signals, share, with_daily_loss):
    frame = random_frame(steps, signals)
    chosen = settings_of(
        broker={**COSTS, "max_percent_of_volume": share},
        risk={"daily_loss_rupees": 4000.0 if with_daily_loss else None, "max_entries_per_day": 5},
    )
    skipped = run(frame, chosen)
    for options, cerebro in (
        ({"skip": False}, {}), ({"verify": True}, {}), ({}, {"runonce": False}), ({}, {"preload": False}),
    ):  # fmt: skip
        visited = run(frame, chosen, cerebro=cerebro, **options)
        assert visited.fills == skipped.fills
        assert visited.events == skipped.events


@settings(max_examples=60, deadline=None)
@given(bar_steps, entry_signals, st.sampled_from([0.05, 0.3, 1.0]))
def test_working_exits_never_exceed_the_position(steps, signals, share):
    frame = random_frame(steps, signals)
    assembled = assemble(
        frame,
        settings_of(broker={**COSTS, "max_percent_of_volume": share}, risk={"daily_loss_rupees": 3000.0}),
        skip=False,
    )  # fmt: skip
    broker = assembled.broker
    matched = SimulatedBroker.next

    def next_and_check():
        matched(broker)
        for market in broker._markets.values():
            held = market.position.size
            exits = [order for order in market.working if order.role != "entry"]
            entry_works = market.trip is not None and market.trip.entry.alive()
            if not entry_works:
                assert all(abs(order.executed.remsize) <= abs(held) for order in exits)
            if not held and not entry_works:
                assert not exits
            assert len([order for order in exits if order.exectype == order.Market]) <= 1

    broker.next = next_and_check
    assembled.engine.run()
    assert broker.getposition(assembled.engine.datas[0]).size == 0


def test_partial_fills_take_whole_lots_over_bars_and_protect_what_is_filled():
    bars = [FLAT] * 4 + [(1000, 1001, 979, 985), FLAT]
    frame = frame_of(bars, volume=1500.0, signal=[1, 0, 0, 0, 0, 0], atr=[10.0] * 6)
    chosen = settings_of(strategy={"fixed_units": 300}, broker={"max_percent_of_volume": 10.0})
    journal = run(frame, chosen)
    assert [(fill.role, fill.bar, fill.size) for fill in journal.fills] == [
        ("entry", 1, 150), ("entry", 2, 150), ("stop", 4, -150), ("stop", 5, -150),
    ]  # fmt: skip
    # the second half of a triggered stop goes at market
    assert journal.fills[-1].price == 1000


def test_a_stop_hit_while_the_entry_still_fills_cancels_the_rest_of_the_entry():
    bars = [FLAT, FLAT, (1000, 1001, 979, 985), FLAT, FLAT]
    frame = frame_of(bars, volume=1500.0, signal=[1, 0, 0, 0, 0], atr=[10.0] * 5)
    chosen = settings_of(strategy={"fixed_units": 600}, broker={"max_percent_of_volume": 10.0})
    journal = run(frame, chosen)
    bought = sum(fill.size for fill in journal.fills if fill.role == "entry")
    sold = sum(fill.size for fill in journal.fills if fill.role == "stop")
    assert bought == -sold
    assert bought < 600
    assert ("entry", "canceled") in [(event.role, event.state) for event in journal.events]


def test_brokerage_is_capped_per_order_over_its_partial_fills():
    chosen = settings_of(
        strategy={"fixed_units": 300}, broker={"max_percent_of_volume": 10.0, "charges": {"plan": "zerodha"}}
    )
    bars = [(20_000.0, 20_005.0, 19_995.0, 20_000.0)] * 5
    in_parts = run(frame_of(bars, volume=1500.0, signal=[1, 0, 0, 0, 0], atr=[10.0] * 5), chosen)
    at_once = run(frame_of(bars, volume=1e9, signal=[1, 0, 0, 0, 0], atr=[10.0] * 5), chosen)
    entry_charges = [
        math.fsum(fill.charges for fill in journal.fills if fill.role == "entry")
        for journal in (in_parts, at_once)
    ]
    assert len(in_parts.fills) > len(at_once.fills)
    assert entry_charges[0] == pytest.approx(entry_charges[1], abs=1e-9)


def test_orders_above_the_freeze_quantity_pay_brokerage_per_slice():
    chosen = settings_of(
        market={"lot_size": 25}, strategy={"fixed_units": 3600}, broker={"charges": {"plan": "zerodha"}}
    )
    bars = [(200.0, 200.5, 199.5, 200.0)] * 3
    frame = frame_of(bars, signal=[1, 0, 0], atr=[10.0] * 3)
    one = run(frame, settings_of(
        market={"lot_size": 25}, strategy={"fixed_units": 1800}, broker={"charges": {"plan": "zerodha"}}
    ))  # fmt: skip
    two = run(frame, chosen)
    assert two.fills[0].charges == pytest.approx(2 * one.fills[0].charges)


def test_margin_is_needed_for_an_entry():
    frame = frame_of([FLAT] * 3, signal=[1, 0, 0], atr=[10.0] * 3)
    # 75 units at 1,000 and 10 % margin bind 7,500 rupees
    assert run(frame, settings_of(broker={"starting_cash": 7_500.0})).fills
    refused = run(frame, settings_of(broker={"starting_cash": 7_499.0}))
    assert refused.fills == []
    assert Counter(event.state for event in refused.events) == {"margin": 3}
    assert "needs 7500 rupees of margin, 7499 are free" in refused.events[0].reason


def test_daily_loss_flattens_once_and_stops_the_day():
    bars = [FLAT, FLAT, (1000, 1000, 982, 983), (983, 984, 981.5, 983), FLAT, FLAT, FLAT]
    frame = frame_of(bars, signal=[1, 0, 0, 0, 1, 1, 0], atr=[10.0] * 7)
    journal = run(frame, settings_of(risk={"daily_loss_rupees": 1000.0}))
    assert [(fill.role, fill.bar, fill.price) for fill in journal.fills] == [
        ("entry", 1, 1000.0), ("daily_loss", 3, 983.0),
    ]  # fmt: skip
    denied = [event for event in journal.events if event.state == "denied"]
    assert denied
    assert all(event.reason for event in denied)


class TwoOrders(bt.Strategy):
    """Places what a test asks for, by bar."""

    params = (("plan", None),)

    def next(self):
        action = self.p.plan.get(len(self) - 1)
        if action:
            action(self)


def journal_of(plan, bars=(FLAT,) * 6, **sections):
    assembled = assemble(frame_of(list(bars), signal=[0] * len(bars)), settings_of(**sections))
    assembled.engine.strats.clear()
    assembled.engine.addstrategy(TwoOrders, plan=plan)
    assembled.engine.run()
    return assembled.journal


def test_an_order_that_would_reverse_is_refused():
    journal = journal_of({0: lambda s: s.buy(size=75), 2: lambda s: s.sell(size=150)})
    assert [event.reason for event in journal.events if event.state == "rejected"] == [
        "would close more than the 75 units held, of which 0 are leaving already"
    ]
    assert [fill.role for fill in journal.fills] == ["entry", "end_of_data"]


def test_a_second_exit_is_refused_while_the_first_is_working():
    journal = journal_of({0: lambda s: s.buy(size=75), 2: lambda s: (s.sell(size=75), s.sell(size=75))})
    assert [fill.size for fill in journal.fills] == [75, -75]
    assert Counter(event.state for event in journal.events)["rejected"] == 1


def test_a_second_entry_is_refused_while_the_first_is_working():
    journal = journal_of({0: lambda s: (s.buy(size=75), s.buy(size=75))})
    assert sum(fill.size > 0 for fill in journal.fills) == 1


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"exectype": bt.Order.StopTrail}, "order type StopTrail"),
        ({"exectype": bt.Order.StopLimit, "price": 1010.0}, "the limit None, expected two finite numbers"),
        ({"exectype": bt.Order.StopLimit, "plimit": 1010.0}, "the trigger is None"),
        ({"exectype": bt.Order.StopLimit, "price": 1010.0, "plimit": 1009.95}, "expected at or above it"),
        ({"plimit": 1010.0}, "expected it with StopLimit only"),
        ({"valid": 1}, "'valid'"),
        ({"trailamount": 5.0}, "'trailamount'"),
        ({"oco": object()}, "'oco'"),
    ],
)
def test_what_is_not_simulated_is_refused(order, words):
    with pytest.raises(BrokerError, match=words):
        journal_of({0: lambda s: s.buy(size=75, **order)})


def test_a_limit_entry_waits_and_its_target_cannot_fill_inside_the_same_bar():
    def enter(strategy):
        entry = strategy.buy(size=75, exectype=bt.Order.Limit, price=990.0, transmit=False)
        strategy.sell(size=75, exectype=bt.Order.Stop, price=980.0, parent=entry, transmit=False)
        strategy.sell(size=75, exectype=bt.Order.Limit, price=1003.0, parent=entry)

    bars = [FLAT, (1000, 1004, 991, 1000), (1000, 1004, 989, 1000), (1000, 1004, 999, 1000)]
    journal = journal_of({0: enter}, bars)
    assert [(fill.role, fill.bar, fill.price) for fill in journal.fills] == [
        ("entry", 2, 990.0), ("target", 3, 1003.0),
    ]  # fmt: skip
    falling = [FLAT, (1000, 1004, 979, 981)]
    assert [(fill.role, fill.bar) for fill in journal_of({0: enter}, falling).fills] == [
        ("entry", 1),
        ("stop", 1),
    ]


def test_canceling_a_waiting_entry_takes_its_protection_along():
    def enter(strategy):
        strategy.entry = strategy.buy(size=75, exectype=bt.Order.Limit, price=900.0, transmit=False)
        strategy.sell(size=75, exectype=bt.Order.Stop, price=880.0, parent=strategy.entry)

    journal = journal_of({0: enter, 2: lambda s: s.cancel(s.entry)})
    assert [(event.role, event.state) for event in journal.events][-2:] == [
        ("entry", "canceled"),
        ("stop", "canceled"),
    ]
    assert journal.fills == []
