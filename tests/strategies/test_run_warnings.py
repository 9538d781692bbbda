"""What limits a result is said beside it."""

import numpy as np
import pandas as pd
import pytest

from feeds.calendar import TradingCalendar
from strategies.loading import RunBars, load_run_bars
from strategies.run_warnings import run_warnings
from tests.support import frame_of, run, settings_of

FLAT = (1000.0, 1005.0, 995.0, 1000.0)
INFO = {
    "source": "NIFTY.csv", "missing_sessions": [], "rejects": 0, "incomplete_bars": 0, "lost_values": {},
}  # fmt: skip


def warned(journal, instrument="NIFTY", **info):
    frame = frame_of([FLAT])
    return run_warnings(RunBars(frame, None, frame.iloc[:0], INFO | info), journal, instrument)


def entries(count, **risk):
    """Return a journal of a run that wants to enter on each of some bars, one after another."""
    bars = [FLAT, (1000.0, 1031.0, 999.0, 1000.0)] * count
    frame = frame_of(bars, signal=[1, 0] * count, atr=[10.0] * (2 * count))
    return run(frame, settings_of(risk=risk))


def test_a_clean_run_needs_no_warning():
    assert warned(entries(3)) == []


def test_a_rule_that_denied_most_entries_is_named_with_its_reason():
    (warning,) = warned(entries(5, max_entries_per_day=2))
    assert warning.startswith(
        "the risk rule max_trades denied 3 of 5 entries, the first on 2024-06-03 09:30: "
    )
    assert warned(entries(4, max_entries_per_day=2)) == []  # as many passed


@pytest.mark.parametrize(
    ("source", "instrument", "expected"),
    [
        ("data/BANKNIFTY_FUT_1min.parquet", "NIFTY", "set market.instrument=BANKNIFTY"),
        ("data/NIFTY_FUT_1min.parquet", "BANKNIFTY", "set market.instrument=NIFTY"),
        ("data/BANKNIFTY_FUT_1min.parquet", "BANKNIFTY", None),
        ("data/bars.csv", "NIFTY", None),
    ],
)
def test_a_file_that_is_called_otherwise_is_pointed_out(source, instrument, expected):
    told = warned(entries(1), instrument, source=source)
    assert (expected in told[0]) if expected else not told


def test_signals_that_no_bar_keeps_are_counted(tmp_path):
    minutes = frame_of([FLAT] * 9, bar_minutes=1, signal=[1, 0, 0, 0, -1, 0, 0, 0, 1])
    minutes["weight"] = np.nan
    minutes.drop(columns="complete").to_parquet(tmp_path / "bars.parquet")
    bars = load_run_bars(settings_of(data={"source": str(tmp_path / "bars.parquet")}), TradingCalendar())
    assert bars.info["lost_values"] == {"signal": 2}
    (warning,) = [text for text in run_warnings(bars, entries(1), "NIFTY") if "signal" in text]
    assert warning.startswith("2 values of the column 'signal' lie inside a bar and were left out")


def test_a_trade_over_night_is_counted():
    days = [frame_of([FLAT] * 3, day=pd.Timestamp(day).date()) for day in ("2024-06-03", "2024-06-04")]
    frame = pd.concat(days).assign(signal=[1, 0, 0, 0, 0, 0], atr=10.0)
    assert warned(run(frame, settings_of())) == [
        "1 trades were held overnight: the session had no bar left to leave in"
    ]
