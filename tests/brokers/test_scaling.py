"""Several targets: what each takes, and that the stop always covers exactly what is left."""

import math

import backtrader as bt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.scaling import resize_group, target_parts
from brokers.simulated import SimulatedBroker
from strategies.settings_section import StrategySettings
from tests.brokers.test_simulated_accounting import COSTS, bar_steps, entry_signals, journal_of, random_frame
from tests.support import assemble, frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
CALM = (1000.0, 1001.0, 999.0, 1000.0)
HALVES = ({"atr": 1.0, "fraction": 0.5}, {"atr": 3.0, "fraction": 0.5})  # long from 1,000: 1010 and 1030
THIRDS = tuple({"atr": atr, "fraction": 1 / 3} for atr in (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("units", "fractions", "lot", "parts"),
    [
        (75, [1.0], 75, [75]),
        (75, [0.5, 0.5], 75, [0, 75]),
        (150, [0.5, 0.5], 75, [75, 75]),
        (225, [0.5, 0.5], 75, [75, 150]),
        (225, [1 / 3, 1 / 3, 1 / 3], 75, [75, 75, 75]),
        (150, [1 / 3, 1 / 3, 1 / 3], 75, [0, 0, 150]),
        (300, [0.25, 0.25, 0.5], 75, [75, 75, 150]),
        (299, [0.25, 0.25, 0.5], 75, [0, 0, 299]),
        (100, [0.29, 0.71], 1, [29, 71]),
    ],
)
def test_parts_are_whole_lots_and_the_last_takes_the_rest(units, fractions, lot, parts):
    assert target_parts(units, fractions, lot) == parts


@given(
    st.integers(1, 200), st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5), st.sampled_from([1, 25, 75])
)
def test_parts_add_up(lots, weights, lot):
    fractions = [weight / math.fsum(weights) for weight in weights]
    parts = target_parts(lots * lot, fractions, lot)
    assert sum(parts) == lots * lot
    assert all(part >= 0 and part % lot == 0 for part in parts)


def fills(bars, units=150, targets=HALVES, side=1, *, options=None, **sections):
    frame = frame_of(
        bars, volume=sections.pop("volume", 75_000.0), signal=[side] + [0] * (len(bars) - 1),
        atr=[10.0] * len(bars),
    )  # fmt: skip
    strategy = {"targets": targets, "fixed_units": units, **sections.pop("strategy", {})}
    journal = run(frame, settings_of(strategy=strategy, **sections), **(options or {}))
    return [
        (fill.role, fill.bar, fill.size, fill.price) for fill in journal.fills if fill.role != "end_of_data"
    ]


UP = (1000.0, 1010.0, 999.0, 1005.0)
CASES = {
    "near, then far": (
        [FLAT, CALM, UP, (1005, 1030, 1004, 1029)],
        [("entry", 1, 150, 1000), ("target", 2, -75, 1010), ("target", 3, -75, 1030)],
    ),
    "near, then the stop for what is left": (
        [FLAT, CALM, UP, (1005, 1006, 980, 985)],
        [("entry", 1, 150, 1000), ("target", 2, -75, 1010), ("stop", 3, -75, 980)],
    ),
    "one tick short of the near one": ([FLAT, CALM, (1000, 1009.95, 999, 1005)], [("entry", 1, 150, 1000)]),
    "both in one bar": (
        [FLAT, CALM, (1000, 1030, 999, 1029)],
        [("entry", 1, 150, 1000), ("target", 2, -75, 1010), ("target", 2, -75, 1030)],
    ),
    "opened between them": (
        [FLAT, CALM, (1020, 1025, 1015, 1020)], [("entry", 1, 150, 1000), ("target", 2, -75, 1020)],
    ),
    "opened beyond both": (
        [FLAT, CALM, (1040, 1045, 1035, 1040)],
        [("entry", 1, 150, 1000), ("target", 2, -75, 1040), ("target", 2, -75, 1040)],
    ),
    "opened beyond the near one, then the stop": (
        [FLAT, CALM, (1020, 1025, 980, 990)],
        [("entry", 1, 150, 1000), ("target", 2, -75, 1020), ("stop", 2, -75, 980)],
    ),
    "stop and both targets in one bar: the stop, for all": (
        [FLAT, CALM, (1000, 1031, 979, 1000)], [("entry", 1, 150, 1000), ("stop", 2, -150, 980)],
    ),
    "entry bar": (
        [FLAT, (1000, 1030, 999, 1029)],
        [("entry", 1, 150, 1000), ("target", 1, -75, 1010), ("target", 1, -75, 1030)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"skip": False}, {"verify": True}])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("bars", "expected"), CASES.values(), ids=CASES.keys())
def test_scaling_out(bars, expected, side, options):
    if side < 0:
        bars = [(2000 - open_, 2000 - low, 2000 - high, 2000 - close) for open_, high, low, close in bars]
        expected = [(role, bar, -size, 2000 - price) for role, bar, size, price in expected]
    assert fills(bars, side=side, options=options) == expected


def test_a_single_lot_has_only_the_last_target():
    bars = [FLAT, CALM, UP, (1005, 1030, 1004, 1029)]
    assert fills(bars, units=75) == [("entry", 1, 75, 1000), ("target", 3, -75, 1030)]


def test_an_entry_that_fills_in_parts_serves_the_near_target_first():
    """225 of 300 units have filled when the rest is taken back: the near target takes 150, the far one 75."""
    bars = [FLAT, CALM, CALM, CALM, (1005, 1030, 1004, 1029)]
    frame = frame_of(bars, volume=750.0, signal=[1] + [0] * 4, atr=[10.0] * 5)
    frame.iloc[4, frame.columns.get_loc("volume")] = 1e6
    entry = {"kind": "limit", "offset_atr": 0, "valid_bars": 3}
    chosen = settings_of(
        strategy={"targets": HALVES, "fixed_units": 300, "entry": entry},
        broker={"max_percent_of_volume": 10.0},
    )
    assert [(fill.role, fill.bar, fill.size, fill.price) for fill in run(frame, chosen).fills] == [
        ("entry", 1, 75, 1000), ("entry", 2, 75, 1000), ("entry", 3, 75, 1000),
        ("target", 4, -150, 1010), ("target", 4, -75, 1030),
    ]  # fmt: skip


def test_a_near_target_without_volume_waits_and_keeps_its_share():
    bars = [FLAT, CALM, *[UP] * 3, (1005, 1030, 1004, 1029)]
    frame = frame_of(bars, volume=1e6, signal=[1] + [0] * 5, atr=[10.0] * 6)
    frame.iloc[2:4, frame.columns.get_loc("volume")] = 750.0
    chosen = settings_of(
        strategy={"targets": HALVES, "fixed_units": 300}, broker={"max_percent_of_volume": 10.0}
    )
    assert [(fill.role, fill.bar, fill.size) for fill in run(frame, chosen).fills] == [
        ("entry", 1, 300), ("target", 2, -75), ("target", 3, -75), ("target", 5, -150),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("max_lots", "expected"),
    [
        (4, [("entry", 300), ("target", -75), ("target", -75), ("target", -150)]),
        (3, [("entry", 225), ("target", -225)]),
        (1, [("entry", 75), ("target", -75)]),
    ],
)
def test_a_reduced_entry_is_scaled_as_if_it_had_been_sized_so(max_lots, expected):
    targets = ({"atr": 1.0, "fraction": 0.26}, {"atr": 2.0, "fraction": 0.26}, {"atr": 3.0, "fraction": 0.48})
    bars = [FLAT, CALM, (1000, 1030, 999, 1029)]
    happened = fills(bars, 600, targets, risk={"max_lots": max_lots})
    assert [(role, size) for role, _, size, _ in happened] == expected
    assert happened == fills(bars, 75 * max_lots, targets)


def test_targets_that_a_reduction_leaves_nothing_are_refused_in_the_journal():
    frame = frame_of([FLAT, CALM, CALM], signal=[1, 0, 0], atr=[10.0] * 3)
    journal = run(frame, settings_of(strategy={"targets": HALVES, "fixed_units": 150}, risk={"max_lots": 1}))
    refused = [event for event in journal.events if event.state == "rejected"]
    assert [(event.role, event.price, event.reason) for event in refused] == [
        ("target", 1010, "the reduced entry leaves this target no lot")
    ]


def test_orders_without_a_fraction_keep_their_share():
    def group(strategy):
        entry = strategy.buy(size=300, transmit=False)
        strategy.sell(size=300, exectype=bt.Order.Stop, price=980.0, parent=entry, transmit=False)
        strategy.sell(size=150, exectype=bt.Order.Limit, price=1010.0, parent=entry, transmit=False)
        strategy.sell(size=150, exectype=bt.Order.Limit, price=1030.0, parent=entry)

    bars = [FLAT, CALM, (1000, 1010, 999, 1005), (1005, 1030, 1004, 1029), CALM]
    journal = journal_of({0: group}, bars, risk={"max_lots": 2})
    assert [(fill.role, fill.size) for fill in journal.fills] == [
        ("entry", 150),
        ("target", -75),
        ("target", -75),
    ]


def test_what_rests_is_always_for_exactly_what_is_held():
    asked = {}

    def group(strategy):
        entry = strategy.buy(size=300, transmit=False)
        strategy.sell(size=300, exectype=bt.Order.Stop, price=980.0, parent=entry, transmit=False)
        strategy.sell(size=150, exectype=bt.Order.Limit, price=1010.0, parent=entry, transmit=False)
        strategy.sell(size=150, exectype=bt.Order.Limit, price=1030.0, parent=entry)

    def look(strategy):
        orders = strategy.broker.get_orders_open()
        asked[len(strategy)] = [order.executed.remsize for order in orders if order.role != "entry"]

    bars = [FLAT, CALM, CALM, (1000, 1010, 999, 1005), CALM]
    plan = {0: group, 1: look, 2: look, 3: look}
    journal_of(plan, bars, broker={"max_percent_of_volume": 0.3})  # 225 units a bar
    assert asked == {2: [-225, -150, -75], 3: [-300, -150, -150], 4: [-150, -150]}


def test_finer_bars_let_the_near_target_go_before_the_stop():
    minutes = [
        *[CALM] * 6,
        (1000.0, 1010.0, 999.0, 1005.0), (1005.0, 1006.0, 979.0, 980.0), (980.0, 1031.0, 979.0, 1000.0),
    ]  # fmt: skip
    detail = {"data": {"detail": "1minute"}, "options": {"minutes": frame_of(minutes, bar_minutes=1)}}
    assert fills([FLAT, CALM, (1000, 1031, 979, 1000)], **detail) == [
        ("entry", 1, 150, 1000), ("target", 2, -75, 1010), ("stop", 2, -75, 980),
    ]  # fmt: skip


def test_brokerage_is_due_for_each_order():
    bars = [FLAT, CALM, (1000, 1030, 999, 1029)]
    frame = frame_of(bars, signal=[1, 0, 0], atr=[10.0] * 3)
    charges = {"charges": {"plan": "zerodha"}}
    whole = run(frame, settings_of(strategy={"fixed_units": 150}, broker=charges)).fills
    parts = run(frame, settings_of(strategy={"fixed_units": 150, "targets": HALVES}, broker=charges)).fills
    assert len({fill.order_id for fill in parts}) == 3
    assert parts[0].charges == whole[0].charges
    assert all(fill.charges > 0 for fill in parts)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"targets": [{"atr": 1, "fraction": 0.5}, {"atr": 2, "fraction": 0.4}]},
            "add up to 0.9, expected 1",
        ),
        (
            {"targets": [{"atr": 2, "fraction": 0.5}, {"atr": 2, "fraction": 0.5}]},
            "expected the nearest first",
        ),
        (
            {"targets": [{"atr": 3, "fraction": 0.5}, {"atr": 2, "fraction": 0.5}]},
            "expected the nearest first",
        ),
        ({"entry": {"kind": "stop_limit", "offset_atr": 0}}, "expected above 0"),
        ({"entry": {"kind": "stop_limit", "limit_atr": 3}}, "reaches the nearest target at 3 ATR"),
        ({"entry": {"kind": "stop_limit", "limit_atr": 1}, "targets": HALVES}, "the nearest target at 1 ATR"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        StrategySettings(**wrong)


# -- whatever comes -------------------------------------------------------------------------------------

styles = st.fixed_dictionaries(
    {
        "entry": st.sampled_from(
            [
                {"kind": "market"},
                {"kind": "limit", "offset_atr": 0.0, "valid_bars": 1},
                {"kind": "limit", "offset_atr": 1.5, "valid_bars": 4},
                {"kind": "stop_limit", "offset_atr": 0.5, "limit_atr": 0.0, "valid_bars": 2},
                {"kind": "stop_limit", "offset_atr": 0.2, "limit_atr": 0.9, "valid_bars": 5},
            ]
        ),
        "trail_atr": st.sampled_from([None, 0.7, 2.5]),
        "targets": st.sampled_from([(), HALVES, THIRDS]),
        "fixed_units": st.sampled_from([75, 225, 600]),
    }
)
shares = st.sampled_from([0.0, 0.3, 0.9])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(bar_steps, entry_signals, styles, shares, st.booleans())
def test_skipping_changes_nothing(steps, signals, style, share, with_rules):
    frame = random_frame(steps, signals)
    rules = {"daily_loss_rupees": 4000.0, "max_entries_per_day": 5, "max_lots": 5} if with_rules else None
    chosen = settings_of(strategy=style, broker={**COSTS, "max_percent_of_volume": share}, risk=rules)
    skipped = run(frame, chosen)
    for options, cerebro in (({"skip": False}, {}), ({"verify": True}, {}), ({}, {"preload": False})):
        visited = run(frame, chosen, cerebro=cerebro, **options)
        assert visited.fills == skipped.fills
        assert visited.events == skipped.events


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(bar_steps, entry_signals, styles, shares, st.booleans())
def test_exits_never_exceed_the_position_and_the_stop_covers_it(steps, signals, style, share, with_rules):
    rules = {"daily_loss_rupees": 3000.0, "max_lots": 5} if with_rules else None
    chosen = settings_of(strategy=style, broker={**COSTS, "max_percent_of_volume": share}, risk=rules)
    assembled = assemble(random_frame(steps, signals), chosen, skip=False)
    broker, matched, stops = assembled.broker, SimulatedBroker.next, {}

    def next_and_check():
        matched(broker)
        for market in broker._markets.values():
            check_market(market, stops)

    broker.next = next_and_check
    assembled.engine.run()
    held = 0.0
    for fill in assembled.journal.fills:
        assert fill.role == "entry" or abs(held + fill.size) < abs(held)
        assert held * (held + fill.size) >= 0
        held += fill.size
        assert (fill.price - fill.reference_price) * fill.size >= 0
    assert held == 0


def check_market(market, stops):
    held = market.position.size
    exits = [order for order in market.working if order.role != "entry"]
    resting = [order for order in exits if order.exectype != order.Market]
    if not held:
        return
    side = 1 if held > 0 else -1
    assert all(order.executed.remsize * held <= 0 for order in exits)
    leaving = sum(abs(order.executed.remsize) for order in exits if order.exectype == order.Market)
    assert leaving <= abs(held)
    if not resting:
        return
    (stop,) = [order for order in resting if order.exectype == order.Stop]
    targets = [order for order in resting if order.exectype == order.Limit]
    assert stop.executed.remsize == -held
    assert sum(order.executed.remsize for order in targets) == -held
    level, _ = stops.get(stop.ref, (-math.inf, None))
    assert side * stop.created.price >= level, "a stop was moved away from the market"
    stops[stop.ref] = (side * stop.created.price, held)


def test_resizing_a_group_twice_is_resizing_it_once():
    def sizes(*steps):
        frame = frame_of([FLAT] * 2, signal=[0, 0])
        assembled = assemble(frame, settings_of())
        found = []

        class Once(bt.Strategy):
            def next(self):
                if len(self) == 1:
                    entry = self.buy(size=600, transmit=False)
                    stop = self.sell(
                        size=600, exectype=bt.Order.Stop, price=1.0, parent=entry, transmit=False
                    )
                    near, far = (
                        self.sell(
                            size=300,
                            exectype=bt.Order.Limit,
                            price=price,
                            parent=entry,
                            transmit=False,
                            fraction=0.5,
                        )
                        for price in (1010.0, 1030.0)
                    )
                    for step in steps:
                        resize_group([entry, stop, near, far], step, 75)
                    found.extend(order.size for order in (entry, stop, near, far))

        assembled.engine.strats.clear()
        assembled.engine.addstrategy(Once)
        assembled.engine.run()
        return found

    assert sizes(525, 225) == sizes(225) == [225, -225, -75, -150]
