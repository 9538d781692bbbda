"""What fills when: candles in, fills out. Entry signal on the first bar, ATR 10: stop 20 away, target 30."""

import pytest

from tests.support import frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)


def fills(bars, side=1, **sections):
    frame = frame_of(bars, signal=[side] + [0] * (len(bars) - 1), atr=[10.0] * len(bars))
    journal = run(frame, settings_of(**sections))
    return [(fill.role, fill.bar, fill.size, round(fill.price, 4)) for fill in journal.fills]


CASES = {
    "market order fills at the next open": (1, [FLAT, (1001, 1002, 999, 1000)], [("entry", 1, 75, 1001)]),
    "stop touched on the entry bar": (
        1, [FLAT, (1001, 1002, 980, 985)], [("entry", 1, 75, 1001), ("stop", 1, -75, 980)],
    ),
    "stop one tick away": (1, [FLAT, (1001, 1002, 980.05, 985)], [("entry", 1, 75, 1001)]),
    "target touched on the entry bar": (
        1, [FLAT, (1001, 1030, 999, 1029)], [("entry", 1, 75, 1001), ("target", 1, -75, 1030)],
    ),
    "target one tick away": (1, [FLAT, (1001, 1029.95, 999, 1029)], [("entry", 1, 75, 1001)]),
    "stop and target in one bar: the stop": (
        1, [FLAT, (1001, 1031, 979, 1000)], [("entry", 1, 75, 1001), ("stop", 1, -75, 980)],
    ),
    "entry gaps through its own stop": (
        1, [FLAT, (970, 1000, 960, 990)], [("entry", 1, 75, 970), ("stop", 1, -75, 970)],
    ),
    "entry gaps through its own target": (
        1, [FLAT, (1040, 1050, 1035, 1045)], [("entry", 1, 75, 1040), ("target", 1, -75, 1040)],
    ),
    "gap through the stop fills at the open": (
        1, [FLAT, FLAT, (960, 970, 950, 965)], [("entry", 1, 75, 1000), ("stop", 2, -75, 960)],
    ),
    "target opened through fills at the better open": (
        1, [FLAT, FLAT, (1040, 1041, 1035, 1040)], [("entry", 1, 75, 1000), ("target", 2, -75, 1040)],
    ),
    "target opened through goes before a stop touched later": (
        1, [FLAT, FLAT, (1040, 1041, 970, 975)], [("entry", 1, 75, 1000), ("target", 2, -75, 1040)],
    ),
    "short: stop above": (
        -1, [FLAT, FLAT, (1005, 1020, 1000, 1010)], [("entry", 1, -75, 1000), ("stop", 2, 75, 1020)],
    ),
    "short: target below": (
        -1, [FLAT, FLAT, (990, 995, 970, 975)], [("entry", 1, -75, 1000), ("target", 2, 75, 970)],
    ),
    "short: gap through the stop": (
        -1, [FLAT, FLAT, (1050, 1060, 1040, 1045)], [("entry", 1, -75, 1000), ("stop", 2, 75, 1050)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("side", "bars", "expected"), CASES.values(), ids=CASES.keys())
def test_fills(side, bars, expected):
    happened = fills(bars, side)
    if not any(role in {"stop", "target"} for role, *_ in expected):
        last_close = bars[-1][3]
        expected = [*expected, ("end_of_data", len(bars) - 1, -75 * side, last_close)]
    assert happened == expected


def test_slippage_worsens_market_and_stop_even_beyond_the_bar():
    costs = {"slippage": {"model": "percent", "percent": 1.0}}
    assert fills([FLAT, (1001, 1002, 980, 985)], broker=costs) == [
        ("entry", 1, 75, 1011.01),
        ("stop", 1, -75, 970.2),
    ]


def test_slippage_spares_the_target():
    costs = {"slippage": {"model": "percent", "percent": 1.0}}
    assert fills([FLAT, (1001, 1030, 999, 1029)], broker=costs)[1] == ("target", 1, -75, 1030)


def test_latency_worsens_market_orders_by_the_expected_move():
    # half the bar's range times the root of 45 s in 180 s
    journal = fills([FLAT, (1001, 1011, 991, 1000)], broker={"latency_ms": 45_000.0})
    assert journal[0] == ("entry", 1, 75, 1001 + 0.5 * 20 * 0.5)


def test_latency_spares_resting_orders():
    journal = fills([FLAT, FLAT, (1005, 1006, 980, 985)], broker={"latency_ms": 45_000.0})
    assert journal[1] == ("stop", 2, -75, 980)


def test_stop_and_target_are_rounded_to_the_tick():
    frame = frame_of([(1000.02, 1005, 995, 1000.02), FLAT], signal=[1, 0], atr=[10.0, 10.0])
    events = run(frame, settings_of()).events
    assert {
        event.role: event.price for event in events if event.state == "accepted" and event.role != "entry"
    } == {
        "stop": 980.0,
        "target": 1030.0,
        "end_of_data": 1000.0,
    }


def test_square_off_is_decided_at_its_time_and_fills_at_the_next_open():
    bars = [FLAT] * 6
    frame = frame_of(bars, at="15:09", signal=[0] * 6, atr=[10.0] * 6)
    frame.loc[frame.index[0], "signal"] = 1
    settings = settings_of(strategy={"last_entry": "15:15", "last_entry_before_close_minutes": 10})
    journal = run(frame, settings)
    assert [(fill.role, fill.time.strftime("%H:%M")) for fill in journal.fills] == [
        ("entry", "15:12"),
        ("square_off", "15:21"),  # the bar that closes at 15:21 is the first at or after 15:20
    ]


@pytest.mark.parametrize(("at", "entered"), [("14:54", True), ("14:57", False), ("15:00", False)])
def test_no_entry_is_decided_on_a_bar_that_closes_at_or_after_the_last_entry(at, entered):
    frame = frame_of([FLAT] * 3, at=at, signal=[1, 0, 0], atr=[10.0] * 3)
    assert bool(run(frame, settings_of()).fills) is entered


def test_no_entry_on_an_incomplete_bar():
    frame = frame_of([FLAT] * 3, signal=[1, 0, 0], atr=[10.0] * 3)
    frame.iloc[0, frame.columns.get_loc("complete")] = False
    assert run(frame, settings_of()).fills == []
