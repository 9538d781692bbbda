"""Settings that only show once everything is put together."""

import numpy as np
import pandas as pd
import pytest

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from tests.support import frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
CALENDAR = TradingCalendar()


def minutes_of(*bars):
    """Return 1-minute bars: three flat ones make the signal bar, the rest follow."""
    return frame_of([FLAT] * 3 + list(bars), bar_minutes=1)


def reasons(minutes, **data):
    bars = aggregate(minutes, 3, CALENDAR)
    bars["signal"] = np.where(np.arange(len(bars)) == 0, 1.0, 0.0)
    bars["atr"] = 10.0
    journal = run(bars, settings_of(data=data), minutes=minutes)
    return [(fill.role, fill.price) for fill in journal.fills]


TARGET_FIRST = [(1000.0, 1031.0, 999.0, 1030.0), (1030.0, 1030.0, 979.0, 980.0), (980.0, 985.0, 975.0, 980.0)]
STOP_FIRST = [
    (1000.0, 1001.0, 979.0, 980.0),
    (980.0, 1031.0, 980.0, 1030.0),
    (1030.0, 1030.0, 1020.0, 1025.0),
]
BOTH_IN_ONE = [(1000.0, 1031.0, 979.0, 1000.0), FLAT, FLAT]


@pytest.mark.parametrize(
    ("minutes", "detail", "expected"),
    [
        (TARGET_FIRST, "none", ("stop", 980.0)),
        (TARGET_FIRST, "1minute", ("target", 1030.0)),
        (STOP_FIRST, "1minute", ("stop", 980.0)),
        (BOTH_IN_ONE, "1minute", ("stop", 980.0)),
    ],
)
def test_one_minute_bars_settle_which_came_first(minutes, detail, expected):
    assert reasons(minutes_of(*minutes), detail=detail) == [("entry", 1000.0), expected]


def test_minutes_are_matched_by_time_even_where_some_are_missing():
    minutes = minutes_of(FLAT, FLAT, FLAT, *TARGET_FIRST)
    minutes = minutes.drop(minutes.index[4])  # a minute of the bar before is missing
    assert reasons(minutes, detail="1minute") == [("entry", 1000.0), ("target", 1030.0)]


@pytest.mark.parametrize(("day", "units"), [("2024-06-03", 100), ("2025-06-02", 75)])
def test_the_sizer_buys_whole_lots_of_the_contract_of_the_day(day, units):
    """2,000 rupees at risk over a stop 20 points away are 100 units: four lots of 25, or one of 75."""
    bars = frame_of([FLAT] * 3, day=pd.Timestamp(day).date(), signal=[1, 0, 0], atr=[10.0] * 3)
    settings = settings_of(
        market={"lot_size": "dated", "tick_size": "dated", "freeze_quantity": "dated"},
        strategy={"sizer": "risk", "risk_percent": 0.2, "margin_percent_of_cash": 100.0},
    )
    assert run(bars, settings).fills[0].size == units
