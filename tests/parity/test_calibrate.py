"""What was measured becomes the settings with which the simulation loses as much."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

import numpy as np
import pytest

from analyzers.parity.calibrate import calibrate, latency_figures
from analyzers.parity.command import MODELS
from analyzers.parity.compare import compare_days
from analyzers.parity.day import OrderTimes
from analyzers.parity.files import read_day
from brokers.settings import BrokerSettings
from feeds.clock import IST
from feeds.errors import DataError
from strategies.replay import replay_day
from tests.parity.recorded import bars_of_days, record, settings_for

BARS = bars_of_days()


def result_of(folder, live, simulated):
    """Record a day under the costs of ``live`` and replay it under those of ``simulated``."""
    day = read_day(record(folder, BARS, settings_for(broker=live), latency_ms=live.get("latency_ms", 0.0)))
    replay = replay_day(replace(day, settings=settings_for(broker=simulated).model_dump(mode="json")))
    return compare_days(day, replay.run, replay.tick)


NO_COSTS = {"slippage": {"model": "none"}, "latency_ms": 0.0}


@pytest.mark.parametrize(
    "orders",
    [
        {},
        {"entry": {"kind": "limit", "offset_atr": 0.0}},
        {"targets": [{"atr": 1.0, "fraction": 0.5}, {"atr": 2.0, "fraction": 0.5}]},
    ],
)
def test_orders_with_a_limit_do_not_make_slippage_look_small(tmp_path, orders):
    chosen = settings_for("random_entry", strategy=orders, broker=NO_COSTS)
    day = read_day(record(tmp_path / "day", BARS, chosen))
    replay = replay_day(day)
    result = compare_days(day, replay.run, replay.tick)
    figures = calibrate([result], "percent").slippage
    resting = sum(pair.live.exit_reason == "target" for pair in result.trades)
    market = 0 if "entry" in orders else len(result.trades)
    left = 0 if "targets" in orders else len(result.trades) - resting
    assert (figures.fills if figures else 0) == market + left


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("percent", "percent", 0.012), ("ticks", "ticks", 30.0),
        ("volatility", "range_fraction", 0.15), ("square_root", "impact_coefficient", 0.8),
    ],
)  # fmt: skip
@pytest.mark.parametrize("latency_ms", [0.0, 180.0])
def test_what_a_day_was_run_with_is_found_again(tmp_path, model, name, value, latency_ms):
    live = {"slippage": {"model": model, name: value}, "latency_ms": latency_ms}
    result = result_of(tmp_path / "day", live, NO_COSTS)
    assert len(result.trades) >= 4
    assert all(pair.live and pair.backtest for pair in result.trades)
    found = calibrate([result], model).settings
    assert found["slippage"] == {"model": model, name: pytest.approx(value, rel=2e-3)}
    assert found["latency_ms"] == pytest.approx(latency_ms, rel=1e-3)
    BrokerSettings.model_validate(found)


def test_the_models_named_on_the_command_line_are_those_that_can_be_fitted(tmp_path):
    result = result_of(tmp_path / "day", NO_COSTS, NO_COSTS)
    for model in MODELS:
        assert calibrate([result], model).settings["slippage"]["model"] == model


def test_better_prices_than_the_reference_are_no_negative_slippage(tmp_path):
    result = result_of(tmp_path / "day", NO_COSTS, NO_COSTS)
    better = [
        pair._replace(live=pair.live._replace(entry_price=pair.live.entry_price - pair.live.side * 5.0))
        for pair in result.trades
    ]
    calibration = calibrate([replace(result, trades=better)], "percent")
    assert calibration.settings["slippage"]["percent"] == 0.0
    assert calibration.slippage.points < 0


def test_days_count_together_and_by_units(tmp_path):
    cheap = result_of(
        tmp_path / "a", {"slippage": {"model": "percent", "percent": 0.01}, "latency_ms": 100.0}, NO_COSTS
    )
    dear = result_of(
        tmp_path / "b", {"slippage": {"model": "percent", "percent": 0.03}, "latency_ms": 400.0}, NO_COSTS
    )
    both = calibrate([cheap, dear], "percent")
    assert both.days == 2
    assert 0.01 < both.settings["slippage"]["percent"] < 0.03
    assert both.latency.orders == sum(len(latency_orders(result)) for result in (cheap, dear))
    assert both.latency.largest_ms == pytest.approx(400.0)


def latency_orders(result):
    return {fill.fill.order_id for fill in result.day.fills if fill.fill.role not in ("stop", "target")}


def test_the_latency_that_costs_the_same_is_that_of_the_mean_root(tmp_path):
    day = read_day(record(tmp_path / "day", BARS, settings_for()))
    orders = [timed for timed in day.fills if timed.fill.role not in ("stop", "target")]
    taken = [float(25 * (n + 1) ** 2) for n in range(len(orders))]
    at = dt.datetime(2023, 1, 4, 10, 0, tzinfo=IST)
    fills = [
        timed._replace(times=OrderTimes.from_durations(at, 5.0, ms - 5.0))
        for timed, ms in zip(orders, taken, strict=True)
    ]
    figures = latency_figures(fills)
    assert figures.orders == len(orders)
    assert figures.effective_ms == pytest.approx(np.mean(np.sqrt(taken)) ** 2)
    assert figures.median_ms == pytest.approx(np.median(taken))
    assert figures.largest_ms == pytest.approx(max(taken))


def test_an_order_in_several_fills_counts_once_and_resting_orders_never(tmp_path):
    day = read_day(record(tmp_path / "day", BARS, settings_for()))
    stop = next(timed for timed in day.fills if timed.fill.role == "stop")
    entry = day.fills[0]
    assert latency_figures([entry, entry, stop]).orders == 1
    assert latency_figures([stop]) is None
    assert latency_figures([entry._replace(times=OrderTimes())]) is None


def test_days_without_trades_measure_nothing(tmp_path):
    result = result_of(tmp_path / "day", NO_COSTS, NO_COSTS)
    empty = replace(result, trades=[], day=replace(result.day, fills=[]))
    with pytest.raises(DataError, match="give days on which trades were made"):
        calibrate([empty], "percent")


def test_one_order_has_no_standard_error(tmp_path):
    result = result_of(tmp_path / "day", NO_COSTS, NO_COSTS)
    pair = next(pair for pair in result.trades if pair.live.exit_reason == "target")
    calibration = calibrate([replace(result, trades=[pair])], "percent")
    assert calibration.slippage.fills == 1
    assert math.isnan(calibration.slippage.error_points)
