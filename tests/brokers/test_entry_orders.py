"""Limit and stop-limit entries on bars: what fills, when and where. ATR 10: stop 20 away, target 30."""

import pytest

from brokers.matching import filled_after_trigger
from tests.support import frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
CALM = (1000.0, 1001.0, 999.0, 1000.0)
LIMIT = {"kind": "limit", "offset_atr": 1.0, "valid_bars": 3}  # long: 990, stop 970, target 1020
STOP_LIMIT = {"kind": "stop_limit", "offset_atr": 1.0, "limit_atr": 0.5, "valid_bars": 3}
# long: trigger 1010, limit 1015, stop 990, target 1040


def journal_of(bars, entry, side=1, *, volume=75_000.0, options=None, **sections):
    frame = frame_of(bars, volume=volume, signal=[side] + [0] * (len(bars) - 1), atr=[10.0] * len(bars))
    strategy = {"entry": entry, **sections.pop("strategy", {})}
    return run(frame, settings_of(strategy=strategy, **sections), **(options or {}))


def fills(*arguments, **options):
    return [
        (fill.role, fill.bar, fill.size, round(fill.price, 4))
        for fill in journal_of(*arguments, **options).fills
        if fill.role != "end_of_data"
    ]


def mirrored(bars):
    """The same bars upside down around 1,000."""
    return [(2000 - open_, 2000 - low, 2000 - high, 2000 - close) for open_, high, low, close in bars]


LIMIT_CASES = {
    "one tick above the limit": ([FLAT, (1000, 1001, 990.05, 995)], []),
    "touched": ([FLAT, (1000, 1001, 990, 995)], [("entry", 1, 75, 990)]),
    "opened below: the better open": ([FLAT, (985, 1001, 984, 995)], [("entry", 1, 75, 985)]),
    "opened at the limit": ([FLAT, (990, 1001, 989, 995)], [("entry", 1, 75, 990)]),
    "its target not in the bar inside which it filled": (
        [FLAT, (1000, 1021, 990, 1020), (1020, 1021, 1019, 1020)],
        [("entry", 1, 75, 990), ("target", 2, -75, 1020)],
    ),
    "its target in the bar it opened in": (
        [FLAT, (985, 1020, 984, 1020)], [("entry", 1, 75, 985), ("target", 1, -75, 1020)],
    ),
    "its stop in the same bar": (
        [FLAT, (1000, 1001, 970, 975)], [("entry", 1, 75, 990), ("stop", 1, -75, 970)],
    ),
    "opened below its own stop": (
        [FLAT, (965, 966, 960, 962)], [("entry", 1, 75, 965), ("stop", 1, -75, 965)],
    ),
    "on its last bar": ([FLAT, CALM, CALM, (1000, 1001, 990, 995)], [("entry", 3, 75, 990)]),
    "a bar too late": ([FLAT, CALM, CALM, CALM, (1000, 1001, 980, 995)], []),
}  # fmt: skip

STOP_LIMIT_CASES = {
    "one tick below the trigger": ([FLAT, (1000, 1009.95, 999, 1005)], []),
    "touched, and never above the limit: the worst of the bar": (
        [FLAT, (1000, 1012, 999, 1005)], [("entry", 1, 75, 1012)],
    ),
    "just touched": ([FLAT, (1000, 1010, 999, 1005)], [("entry", 1, 75, 1010)]),
    "ran above the limit and came back to it": (
        [FLAT, (1000, 1030, 999, 1015)], [("entry", 1, 75, 1015)],
    ),
    "ran above the limit and stayed there": ([FLAT, (1000, 1030, 999, 1015.05)], []),
    "ran above the limit, came back a bar later": (
        [FLAT, (1000, 1030, 999, 1025), (1025, 1026, 1015, 1020)], [("entry", 2, 75, 1015)],
    ),
    "ran above the limit, opened below it a bar later": (
        [FLAT, (1000, 1030, 999, 1025), (1013, 1026, 1012, 1020)], [("entry", 2, 75, 1013)],
    ),
    "once triggered it stays triggered": (
        [FLAT, (1000, 1030, 999, 1025), (1025, 1026, 1015.05, 1020), (1005, 1006, 1004, 1005)],
        [("entry", 3, 75, 1005)],
    ),
    "opened between trigger and limit": ([FLAT, (1012, 1030, 1011, 1025)], [("entry", 1, 75, 1012)]),
    "opened at the limit": ([FLAT, (1015, 1030, 1011, 1025)], [("entry", 1, 75, 1015)]),
    "opened above the limit and came back": (
        [FLAT, (1020, 1030, 1015, 1025)], [("entry", 1, 75, 1015)],
    ),
    "opened above the limit for good": ([FLAT, (1020, 1030, 1015.05, 1025)], []),
    "its stop in the same bar, whatever came first": (
        [FLAT, (1000, 1012, 990, 1005)], [("entry", 1, 75, 1012), ("stop", 1, -75, 990)],
    ),
    "its target not in the bar inside which it filled": (
        [FLAT, (1000, 1041, 999, 1015), (1015, 1040, 1014, 1030)],
        [("entry", 1, 75, 1015), ("target", 2, -75, 1040)],
    ),
    "a bar too late": ([FLAT, CALM, CALM, CALM, (1000, 1012, 999, 1011)], []),
}  # fmt: skip


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("bars", "expected"), LIMIT_CASES.values(), ids=LIMIT_CASES.keys())
def test_limit_entries(bars, expected, side):
    check(bars, expected, LIMIT, side)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("bars", "expected"), STOP_LIMIT_CASES.values(), ids=STOP_LIMIT_CASES.keys())
def test_stop_limit_entries(bars, expected, side):
    check(bars, expected, STOP_LIMIT, side)


def check(bars, expected, entry, side):
    if side < 0:
        bars = mirrored(bars)
        expected = [(role, bar, -size, 2000 - price) for role, bar, size, price in expected]
    costs = {"slippage": {"model": "none"}}
    assert fills(bars, entry, side, broker=costs) == expected
    assert fills(bars, entry, side, options={"skip": False}) == expected


@pytest.mark.parametrize("entry", [LIMIT, STOP_LIMIT])
def test_entries_with_a_limit_are_never_slipped(entry):
    bars = [FLAT, (1000, 1012, 990, 995), CALM]
    costs = {"slippage": {"model": "percent", "percent": 1.0}, "latency_ms": 45_000.0}
    first = journal_of(bars, entry, broker=costs).fills[0]
    assert first.price == first.reference_price == {"limit": 990, "stop_limit": 1012}[entry["kind"]]


@pytest.mark.parametrize(
    ("is_buy", "limit", "high", "low", "close", "price"),
    [
        (True, 100.0, 99.0, 90.0, 95.0, 99.0),
        (True, 100.0, 100.0, 90.0, 100.0, 100.0),
        (True, 100.0, 110.0, 90.0, 100.0, 100.0),
        (True, 100.0, 110.0, 90.0, 100.05, None),
        (False, 100.0, 110.0, 101.0, 105.0, 101.0),
        (False, 100.0, 110.0, 90.0, 100.0, 100.0),
        (False, 100.0, 110.0, 90.0, 99.95, None),
    ],
)
def test_the_bar_that_triggers(is_buy, limit, high, low, close, price):
    assert filled_after_trigger(is_buy, limit, high, low, close) == price


@pytest.mark.parametrize("bars", [1, 2, 3])
def test_an_entry_that_waits_is_taken_back_after_its_bars(bars):
    journal = journal_of([CALM] * 6, {**LIMIT, "valid_bars": bars})
    ended = [
        (event.role, event.state, f"{event.time:%H:%M}")
        for event in journal.events
        if event.state == "canceled"
    ]
    time = f"09:{18 + 3 * bars}"
    assert ended == [("entry", "canceled", time), ("stop", "canceled", time), ("target", "canceled", time)]
    assert journal.fills == []


def test_what_has_filled_by_then_is_held_with_its_protection():
    """150 of 600 units a bar, two bars: 300 are held, and the stop is for 300."""
    down = (1000.0, 1001.0, 990.0, 995.0)
    bars = [FLAT, down, down, CALM, (1000.0, 1001.0, 965.0, 966.0), *[(966.0, 967.0, 965.0, 966.0)] * 2]
    journal = journal_of(
        bars, {**LIMIT, "valid_bars": 2}, volume=1500.0,
        strategy={"fixed_units": 600}, broker={"max_percent_of_volume": 10.0},
    )  # fmt: skip
    assert [(fill.role, fill.bar, fill.size, fill.price) for fill in journal.fills] == [
        ("entry", 1, 150, 990), ("entry", 2, 150, 990), ("stop", 4, -150, 970), ("stop", 5, -150, 966),
    ]  # fmt: skip
    ended = [(event.role, event.filled) for event in journal.events if event.state == "canceled"]
    assert ended == [("entry", 300), ("target", 0)]


def test_a_market_entry_waits_for_volume_as_long_as_it_takes():
    bars = [FLAT, *[CALM] * 5]
    frame = frame_of(bars, volume=0.0, signal=[1, 0, 0, 0, 0, 0], atr=[10.0] * 6)
    frame.iloc[4:, frame.columns.get_loc("volume")] = 1e6
    chosen = settings_of(broker={"max_percent_of_volume": 10.0}, strategy={"entry": {"valid_bars": 1}})
    assert run(frame, chosen).fills[0].bar == 4


@pytest.mark.parametrize("options", [{}, {"skip": False}, {"verify": True}])
def test_the_square_off_takes_a_waiting_entry_back(options):
    bars = [CALM] * 12
    frame = frame_of(bars, at="14:54", signal=[1] + [0] * 11, atr=[10.0] * 12)
    journal = run(frame, settings_of(strategy={"entry": {**LIMIT, "valid_bars": 20}}), **options)
    ended = [f"{event.time:%H:%M}" for event in journal.events if event.state == "canceled"]
    assert ended == ["15:21"] * 3


@pytest.mark.parametrize(
    ("entry", "units"),
    [
        ({"kind": "market"}, 10_000 // 20),
        ({"kind": "limit", "offset_atr": 1.0}, 10_000 // 20),
        ({"kind": "stop_limit", "offset_atr": 1.0, "limit_atr": 0.5}, 10_000 // 25),
    ],
)
def test_an_entry_risks_what_it_may_when_it_fills_at_its_worst(entry, units):
    bars = [FLAT, (1000, 1012, 990, 1000), CALM]
    journal = journal_of(
        bars, entry, market={"lot_size": 1}, strategy={"sizer": "risk", "risk_percent": 1.0},
        broker={"starting_cash": 1_000_000.0},
    )  # fmt: skip
    orders = {event.role: event for event in journal.events if event.state == "submitted"}
    assert orders["entry"].size == units
    assert orders["entry"].price - orders["stop"].price == 20.0


def test_a_trigger_is_written_down():
    journal = journal_of([FLAT, (1000, 1030, 999, 1025), CALM], STOP_LIMIT)
    entry = [event for event in journal.events if event.role == "entry"]
    assert [event.state for event in entry] == ["submitted", "accepted", "triggered", "completed"]
    assert {event.kind for event in entry} == {"stop_limit"}


def test_prices_are_on_the_tick():
    frame = frame_of([(1000.02, 1005, 995, 1000.02), CALM], signal=[1, 0], atr=[10.0, 10.0])
    entry = {"kind": "stop_limit", "offset_atr": 0.333, "limit_atr": 0.333}
    events = run(frame, settings_of(strategy={"entry": entry})).events
    prices = {event.role: event.price for event in events if event.state == "submitted"}
    assert prices == {"entry": 1003.35, "stop": 983.35, "target": 1033.35}
