"""Latency and slippage as they were measured, as the settings of the simulation.

Slippage is measured against what the backtest of the same day calls the reference price (the next bar's
open, a stop's trigger), so that a backtest with the result pays on average what the live orders paid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from analyzers.parity.attribution import TradePair
from analyzers.parity.compare import ParityResult
from analyzers.parity.day import TimedFill
from analyzers.parity.trips import OPEN, Trip
from brokers.slippage import (
    FillContext,
    LatencyModel,
    PercentSlippage,
    SlippageModel,
    SquareRootImpact,
    TickSlippage,
    VolatilitySlippage,
)
from feeds.errors import DataError

__all__ = ["Calibration", "LatencyFigures", "SlippageFigures", "calibrate", "latency_figures"]

_RECENT_BARS = 14
_RESTING = ("stop", "target")
_NOT_AN_ORDER = (OPEN, "end_of_data")
_SIGNIFICANT_DIGITS = 4

_MODELS: Mapping[str, tuple[str, SlippageModel]] = {
    "percent": ("percent", PercentSlippage(1.0)),
    "ticks": ("ticks", TickSlippage(1.0)),
    "volatility": ("range_fraction", VolatilitySlippage(1.0)),
    "square_root": ("impact_coefficient", SquareRootImpact(1.0)),
}
"""Each with its setting, at 1: all of them are proportional to it."""


class LatencyFigures(NamedTuple):
    """Milliseconds from a decision to the broker's answer, over orders that were sent at once.

    ``effective_ms`` is the latency whose cost in the simulation (proportional to its root) is the mean cost
    of all of them.
    """

    orders: int
    median_ms: float
    p99_ms: float
    largest_ms: float
    effective_ms: float


class SlippageFigures(NamedTuple):
    """What market and stop orders lost against their reference price, weighted by units.

    ``points`` include what the simulation calls latency; ``latency_points`` is that part, at the measured
    latency. ``error_points`` is the standard error of ``points`` over fills.
    """

    fills: int
    units: float
    points: float
    error_points: float
    percent: float
    ticks: float
    latency_points: float


class Calibration(NamedTuple):
    """Measurements over days, and what they make of the settings.

    Attributes
    ----------
    days : int
        Days looked at.
    latency : LatencyFigures or None
        None where no order's times are known.
    slippage : SlippageFigures or None
        None where no order could be compared.
    settings : dict
        The section ``broker``, as far as it was measured.
    """

    days: int
    latency: LatencyFigures | None
    slippage: SlippageFigures | None
    settings: dict[str, Any]


class _Sample(NamedTuple):
    # One side of a trade: points lost, and the bar it filled in.
    adverse_points: float
    latency_points: float
    context: FillContext


def latency_figures(*days: Iterable[TimedFill]) -> LatencyFigures | None:
    """Return how long orders took from decision to answer, each order once; None where no times are known.

    Stops and targets rest at the exchange or wait for a price: how long placing them took costs nothing.
    """
    by_order: dict[tuple[int, int], float] = {}
    for day, fills in enumerate(days):
        for fill, _, times in fills:
            if fill.role not in _RESTING and times.decided_at and times.acknowledged_at:
                took = (times.acknowledged_at - times.decided_at).total_seconds() * 1000.0
                by_order[day, fill.order_id] = max(0.0, took)
    if not by_order:
        return None
    taken = np.array(list(by_order.values()))
    return LatencyFigures(
        len(taken),
        float(np.median(taken)),
        float(np.percentile(taken, 99)),
        float(taken.max()),
        float(np.mean(np.sqrt(taken)) ** 2),
    )


def calibrate(results: Sequence[ParityResult], model: str) -> Calibration:
    """Turn compared days into settings.

    Parameters
    ----------
    results : sequence of ParityResult
        One for each day.
    model : str
        Slippage model to fit: ``percent``, ``ticks``, ``volatility`` or ``square_root``.

    Returns
    -------
    Calibration
        A loss that turns out negative (orders that filled better than their reference) becomes 0.

    Raises
    ------
    DataError
        Nothing was measured on any of the days.
    """
    latency = latency_figures(*(result.day.fills for result in results))
    milliseconds = latency.effective_ms if latency else 0.0
    samples = [sample for result in results for sample in _samples(result, milliseconds)]
    if latency is None and not samples:
        raise DataError(
            "the given days hold no order whose time or price can be compared, expected one or more: give "
            "days on which trades were made"
        )
    settings: dict[str, Any] = {}
    if latency is not None:
        settings["latency_ms"] = _rounded(milliseconds)
    if samples:
        name, unit = _MODELS[model]
        settings["slippage"] = {"model": model, name: _rounded(_fitted(samples, unit))}
    return Calibration(len(results), latency, _slippage_figures(samples), settings)


def _fitted(samples: Sequence[_Sample], unit: SlippageModel) -> float:
    """Return the setting at which the model, all samples together, loses what was lost."""
    lost = sum((s.adverse_points - s.latency_points) * abs(s.context.size) for s in samples)
    per_one = sum(unit.adverse_points(s.context) * abs(s.context.size) for s in samples)
    return max(0.0, lost / per_one) if per_one else 0.0


def _slippage_figures(samples: Sequence[_Sample]) -> SlippageFigures | None:
    if not samples:
        return None
    points = np.array([sample.adverse_points for sample in samples])
    units = np.array([abs(sample.context.size) for sample in samples])
    value = sum(sample.context.price * abs(sample.context.size) for sample in samples)
    ticks = [sample.context.tick for sample in samples]
    mean = float(np.average(points, weights=units))
    return SlippageFigures(
        fills=len(samples),
        units=float(units.sum()),
        points=mean,
        error_points=float(points.std(ddof=1) / math.sqrt(len(points))) if len(points) > 1 else math.nan,
        percent=100.0 * float((points * units).sum()) / value,
        ticks=float(np.average(points / np.array(ticks), weights=units)) if all(ticks) else math.nan,
        latency_points=float(np.average([sample.latency_points for sample in samples], weights=units)),
    )


def _samples(result: ParityResult, latency_ms: float) -> Iterator[_Sample]:
    latency = LatencyModel(latency_ms)
    for pair in result.trades:
        yield from _samples_of(pair, result, latency)


def _samples_of(pair: TradePair, result: ParityResult, latency: LatencyModel) -> Iterator[_Sample]:
    live, backtest = pair.live, pair.backtest
    if live is None or backtest is None or live.signal_time != backtest.signal_time:
        return
    strategy = result.day.settings.get("strategy", {})
    # An entry with a limit is never slipped, and an exit over several targets is mostly made of limit orders
    enters_at_market = strategy.get("entry", {}).get("kind", "market") == "market"
    leaves_at_once = not strategy.get("targets")
    if enters_at_market and live.entry_time == backtest.entry_time:
        lost = (live.entry_price - backtest.entry_reference) * live.side
        yield _sample(result, live, backtest.entry_reference, lost, latency, is_entry=True)
    same_exit = (live.exit_time, live.exit_reason) == (backtest.exit_time, backtest.exit_reason)
    if leaves_at_once and same_exit and live.exit_reason not in ("target", *_NOT_AN_ORDER):
        lost = (backtest.exit_reference - live.exit_price) * live.side
        yield _sample(result, live, backtest.exit_reference, lost, latency, is_entry=False)


def _sample(
    result: ParityResult, trip: Trip, reference: float, lost: float, latency: LatencyModel, *, is_entry: bool
) -> _Sample:
    run = result.day.run
    place = run.position_of(trip.entry_time if is_entry else trip.exit_time)
    bar = run.bars.iloc[place]
    before = run.bars.iloc[max(0, place - _RECENT_BARS) : place]
    at_market = is_entry or trip.exit_reason != "stop"
    bar_seconds = result.day.bar_minutes * 60.0
    return _Sample(
        lost,
        latency.adverse_points(bar["high"], bar["low"], bar_seconds) if at_market else 0.0,
        FillContext(
            price=reference,
            size=trip.size,
            bar_high=bar["high"],
            bar_low=bar["low"],
            bar_volume=bar["volume"],
            recent_range=_mean_range(before),
            tick=result.tick,
        ),
    )


def _mean_range(bars: pd.DataFrame) -> float:
    return float((bars["high"] - bars["low"]).mean()) if len(bars) else math.nan


def _rounded(number: float) -> float:
    return float(f"{number:.{_SIGNIFICANT_DIGITS}g}")
