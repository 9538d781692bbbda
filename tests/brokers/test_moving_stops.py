"""Stops that follow the market: where they are, from when on, and that they never loosen."""

import backtrader as bt
import pytest

from feeds.errors import BrokerError
from tests.brokers.test_simulated_accounting import journal_of
from tests.support import assemble, frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)


def trailing(bars, side=1, *, trail=1.0, options=None, **sections):
    frame = frame_of(bars, signal=[side] + [0] * (len(bars) - 1), atr=[10.0] * len(bars))
    strategy = {"trail_atr": trail, "target_atr": 50.0, **sections.pop("strategy", {})}
    journal = run(frame, settings_of(strategy=strategy, **sections), **(options or {}))
    fills = [(fill.role, fill.bar, fill.price) for fill in journal.fills if fill.role != "end_of_data"]
    moves = [(f"{event.time:%H:%M}", event.price) for event in journal.events if event.state == "moved"]
    return fills, moves


def bar(close, low=None, high=None):
    return (close, high or close + 1, low or close - 1, close)


# ATR 10: the stop begins at 980; it trails 10 points behind the best close
TRAIL_CASES = {
    "no tighter, no move": ([FLAT, bar(990)], [("entry", 1, 990)], []),
    "from the entry bar's close on": ([FLAT, bar(1000)], [("entry", 1, 1000)], [("09:21", 990)]),
    "the new price is not valid in the bar that made it": (
        [FLAT, bar(1010, low=985)], [("entry", 1, 1010)], [("09:21", 1000)],
    ),
    "touched on the next bar": (
        [FLAT, bar(1010), bar(1005, low=1000)], [("entry", 1, 1010), ("stop", 2, 1000)], [("09:21", 1000)],
    ),
    "one tick above it": (
        [FLAT, bar(1010), bar(1005, low=1000.05)], [("entry", 1, 1010)], [("09:21", 1000)],
    ),
    "it stays when the market comes back": (
        [FLAT, bar(1010), bar(1004), bar(1009), bar(1011)],
        [("entry", 1, 1010)], [("09:21", 1000), ("09:30", 1001)],
    ),
    "a gap through it fills at the open": (
        [FLAT, bar(1010), (995, 996, 994, 995)], [("entry", 1, 1010), ("stop", 2, 995)], [("09:21", 1000)],
    ),
    "less than a tick is no move": ([FLAT, bar(1010), bar(1010.02)], [("entry", 1, 1010)], [("09:21", 1000)]),
    "a tick is": (
        [FLAT, bar(1010), bar(1010.05)], [("entry", 1, 1010)], [("09:21", 1000), ("09:24", 1000.05)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"skip": False}, {"verify": True}])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("bars", "fills", "moves"), TRAIL_CASES.values(), ids=TRAIL_CASES.keys())
def test_trailing(bars, fills, moves, side, options):
    if side < 0:
        bars = [(2000 - open_, 2000 - low, 2000 - high, 2000 - close) for open_, high, low, close in bars]
        fills = [(role, number, 2000 - price) for role, number, price in fills]
        moves = [(time, 2000 - price) for time, price in moves]
    happened = trailing(bars, side, options=options)
    assert happened == (fills, [(time, pytest.approx(price)) for time, price in moves])


def test_a_wide_trail_begins_where_the_first_stop_is():
    assert trailing([FLAT, bar(1010), bar(1019), bar(1021)], trail=4.0)[1] == [("09:27", 981)]


def test_nothing_trails_by_default():
    assert trailing([FLAT, bar(1010), bar(1100)], trail=None)[1] == []


def test_skipping_visits_few_bars_of_a_trend_that_has_ended():
    visited = []
    frame = frame_of([FLAT, bar(1010), *[bar(1005)] * 90], signal=[1] + [0] * 91, atr=[10.0] * 92)
    engine = assemble(frame, settings_of(strategy={"trail_atr": 2.0, "target_atr": 50.0})).engine
    original = engine._visit
    engine._visit = lambda strategy, data, bars: (visited.append(bars), original(strategy, data, bars))
    engine.run()
    assert len(visited) < 10


def bracket(strategy, entry=None):
    strategy.entry = strategy.buy(size=75, transmit=False, **(entry or {}))
    strategy.stop_order = strategy.sell(
        size=75, exectype=bt.Order.Stop, price=980.0, parent=strategy.entry, transmit=False
    )
    strategy.target = strategy.sell(size=75, exectype=bt.Order.Limit, price=1030.0, parent=strategy.entry)


@pytest.mark.parametrize(
    ("price", "moves"),
    [
        (979.95, False), (980.0, False), (980.02, False), (980.03, True), (999.95, True),
        (999.98, False), (1000.0, False), (1000.05, False),
    ],
)  # fmt: skip
def test_only_towards_the_market_and_never_past_it(price, moves):
    answers = []
    journal = journal_of({0: bracket, 2: lambda s: answers.append(s.broker.move_stop(s.stop_order, price))})
    assert answers == [moves]
    assert [event.state for event in journal.events].count("moved") == moves


@pytest.mark.parametrize("when", ["before the entry has filled", "the target", "after the exit"])
def test_what_is_no_working_stop_of_a_position_is_not_moved(when):
    answers = []

    def move(strategy):
        order = strategy.target if when == "the target" else strategy.stop_order
        answers.append(strategy.broker.move_stop(order, 990.0))

    plans = {
        "before the entry has filled": {
            0: lambda s: bracket(s, {"exectype": bt.Order.Limit, "price": 900.0}), 2: move,
        },
        "the target": {0: bracket, 2: move},
        "after the exit": {0: bracket, 2: lambda s: s.close(), 4: move},
    }  # fmt: skip
    journal_of(plans[when])
    assert answers == [False]


def test_a_stop_that_was_triggered_is_not_moved():
    """Half of it filled for lack of volume: the rest leaves at market, wherever that is."""
    answers = []

    def enter(strategy):
        bracket(strategy)

    bars = [FLAT, FLAT, (1000, 1001, 979, 985), (985, 986, 984, 985), FLAT, FLAT]
    journal = journal_of(
        {0: enter, 2: lambda s: answers.append(s.broker.move_stop(s.stop_order, 984.0))}, bars,
        market={"lot_size": 25}, broker={"max_percent_of_volume": 0.05},
    )  # fmt: skip
    assert answers == [False]
    assert "stop" in {fill.role for fill in journal.fills}


@pytest.mark.parametrize("price", [float("nan"), float("inf")])
def test_a_price_that_is_no_number_is_refused(price):
    with pytest.raises(BrokerError, match=r"stop on NIFTY: to be moved to \w+, expected a finite number"):
        journal_of({0: bracket, 2: lambda s: s.broker.move_stop(s.stop_order, price)})
