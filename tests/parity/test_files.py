"""Reading a recorded day back, and what is said of one that is not whole."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from analyzers.parity.day import OrderTimes
from analyzers.parity.files import read_day
from analyzers.parity.trips import trips_of
from brokers.journal import Fill
from feeds.clock import IST
from feeds.errors import DataError
from tests.parity.recorded import CASH, bars_of_days, record, settings_for

NINE = dt.datetime(2024, 6, 3, 9, 15)  # noqa: DTZ001 # the exchange's wall clock is kept naive
STARTS = [NINE + dt.timedelta(minutes=3 * step) for step in range(5)]


@pytest.fixture
def folder(tmp_path):
    return record(tmp_path / "day", bars_of_days(), settings_for())


def fill(
    role: str, size: float, price: float, *, minute: float = 3.0, trade_id: int = 1, charges: float = 10.0
):
    time = NINE + dt.timedelta(minutes=minute)
    return Fill(1, trade_id, "NIFTY", time, 1, role, size, price, price, charges)


def test_a_day_reads_back(folder):
    day = read_day(folder)
    assert day.starting_cash == CASH
    assert day.starting_losses == 0
    assert day.first.strftime("%H:%M") == "09:15"
    assert day.first.date() == day.run.starts[-1].date()
    assert len(day.run.trips) * 2 == len(day.fills) > 2
    times = day.fills[0].times
    assert (times.acknowledged_at - times.decided_at).total_seconds() == pytest.approx(0.04)
    assert day.title.startswith("NIFTY · ema_cross · 3-minute bars · 2023-")


@pytest.mark.parametrize(
    "name", ["summary.json", "bars.csv", "decisions.csv", "fills.csv", "orders.csv", "trades.csv"]
)
def test_a_missing_or_damaged_file_is_named(folder, name):
    path = folder / name
    text = path.read_text()
    path.unlink()
    with pytest.raises(DataError, match=f"no {name} in"):
        read_day(folder)
    path.write_text("{" if name == "summary.json" else "a,b\n1,2\n")
    with pytest.raises(DataError, match=name):
        read_day(folder)
    path.write_text(text.replace(",", ",x", 40) if name != "summary.json" else "[1]")
    with pytest.raises(DataError, match=name):
        read_day(folder)


def test_a_backtest_is_no_recorded_day(folder):
    summary = json.loads((folder / "summary.json").read_text())
    del summary["data"]["starting_cash"]
    (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(DataError, match=r"lacks data\.starting_cash"):
        read_day(folder)


def test_a_day_without_ticks_cannot_be_compared(folder):
    path = folder / "bars.csv"
    path.write_text(path.read_text().replace("ticks", "warmup"))
    with pytest.raises(DataError, match="no bar of origin 'ticks'"):
        read_day(folder)


def test_fills_and_trades_have_to_agree(folder):
    path = folder / "fills.csv"
    whole = path.read_text().splitlines()
    path.write_text("\n".join(whole[:-2]) + "\n")
    with pytest.raises(DataError, match=r"trades\.csv adds up to .* fills\.csv beside it to"):
        read_day(folder)


def test_fills_become_trips_with_averages():
    fills = [
        fill("entry", 50, 100.0), fill("entry", 100, 103.0, minute=3.4),
        fill("stop", -100, 110.0, minute=6.0), fill("square_off", -50, 104.0, minute=9.99, charges=0.5),
    ]  # fmt: skip
    (trip,) = trips_of(fills, {1: STARTS[1]}, STARTS, 0.0)
    assert (trip.size, trip.side, trip.entry_price, trip.exit_price) == (150, 1, 102.0, 108.0)
    assert (trip.entry_time, trip.exit_time, trip.exit_reason) == (STARTS[1], STARTS[3], "square_off")
    assert trip.charges == 30.5
    assert trip.net == pytest.approx(150 * 6.0 - 30.5)


def test_what_is_still_open_is_valued_at_the_last_close():
    fills = [fill("entry", -75, 100.0), fill("stop", 25, 104.0)]
    (trip,) = trips_of(fills, {1: STARTS[1]}, STARTS, 98.0)
    assert (trip.exit_reason, trip.exit_time, trip.exit_price) == ("open", STARTS[-1], pytest.approx(100.0))
    assert trip.net == pytest.approx(-25 * 4.0 + 50 * 2.0 - 20.0)


@pytest.mark.parametrize(
    "fills",
    [
        [fill("stop", -75, 100.0)],
        [fill("stop", -75, 100.0), fill("entry", 75, 100.0)],
        [fill("entry", 75, 100.0), fill("stop", -150, 100.0)],
        [fill("entry", 75, 100.0, trade_id=2)],
    ],
)
def test_a_trip_that_is_not_whole_is_refused(fills):
    with pytest.raises(DataError, match="the record is not whole"):
        trips_of(fills, {1: STARTS[1]}, STARTS, 0.0)


def test_durations_that_are_not_known_leave_the_times_empty():
    at = dt.datetime(2024, 6, 3, 9, 18, tzinfo=IST)
    known = OrderTimes.from_durations(at, 10.0, 25.0)
    assert known.acknowledged_at - known.decided_at == dt.timedelta(milliseconds=35)
    assert OrderTimes.from_durations(at, 10.0, float("nan")).acknowledged_at is None
    assert OrderTimes.from_durations(at, float("nan"), 1.0) == OrderTimes()
