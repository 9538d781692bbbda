"""Where two runs of one day differ before any order: in bars, in what the strategy saw, or answered."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from analyzers.parity.day import DayRun, naive_times
from feeds.bars import BAR_COLUMNS, TIME_ZONE

__all__ = [
    "INPUT_BOUND",
    "BarComparison",
    "BarDifference",
    "InputComparison",
    "compare_bars",
    "compare_inputs",
    "input_difference",
    "same_answer",
    "same_inputs",
]

INPUT_BOUND = 1e-9
"""Largest difference of an input that counts as none; of values above 1, relative to the value."""


class BarDifference(NamedTuple):
    """One field of one bar: ``start`` naive exchange wall clock, the two values."""

    start: dt.datetime
    field: str
    live: float
    backtest: float


class BarComparison(NamedTuple):
    """Bars of the live run against those of the backtest.

    Attributes
    ----------
    compared : int
        Bars that both have.
    differing : list of BarDifference
        By field.
    missing, extra : list of datetime
        STARTs of bars that only the backtest, only the live run has.
    """

    compared: int
    differing: list[BarDifference]
    missing: list[dt.datetime]
    extra: list[dt.datetime]

    @property
    def starts(self) -> set[dt.datetime]:
        """STARTs of all bars that are not equal."""
        return {difference.start for difference in self.differing} | {*self.missing, *self.extra}


class InputComparison(NamedTuple):
    """One input over all bars that both runs were asked about.

    Attributes
    ----------
    name : str
        Of the input.
    largest : float
        Greatest difference, absolute, or relative to values above 1; ``inf`` where one side has no number.
    at : datetime or None
        START of that bar; None where all are equal to the last bit.
    beyond : int
        Bars beyond :data:`INPUT_BOUND`.
    """

    name: str
    largest: float
    at: dt.datetime | None
    beyond: int


def compare_bars(live: DayRun, backtest: DayRun, first: dt.datetime) -> BarComparison:
    """Compare the bars from ``first`` on, every field exactly."""
    ours, theirs = (_from(run, first) for run in (live, backtest))
    both = ours.index.intersection(theirs.index)
    differing: list[BarDifference] = []
    for name in BAR_COLUMNS:
        one, other = (frame.loc[both, name].to_numpy(dtype=np.float64) for frame in (ours, theirs))
        for place in np.flatnonzero((one != other) & ~(np.isnan(one) & np.isnan(other))):
            (start,) = naive_times(pd.DatetimeIndex(both[place : place + 1]))
            differing.append(BarDifference(start, name, float(one[place]), float(other[place])))
    return BarComparison(
        compared=len(both),
        differing=sorted(differing, key=lambda difference: difference.start),
        missing=naive_times(pd.DatetimeIndex(theirs.index.difference(ours.index))),
        extra=naive_times(pd.DatetimeIndex(ours.index.difference(theirs.index))),
    )


def compare_inputs(pairs: Sequence[tuple[BarRecord, BarRecord]]) -> list[InputComparison]:
    """Compare every input that either run names, over pairs of records of the same bars."""
    names = list(dict.fromkeys(name for pair in pairs for record in pair for name in record.inputs))
    found: list[InputComparison] = []
    for name in names:
        differences = [
            (input_difference(one.inputs.get(name), other.inputs.get(name)), one.start)
            for one, other in pairs
        ]
        largest, at = max(differences, key=lambda item: item[0])
        beyond = sum(difference > INPUT_BOUND for difference, _ in differences)
        found.append(InputComparison(name, largest, at if largest else None, beyond))
    return found


def input_difference(one: float | None, other: float | None) -> float:
    """Return how far two values of one input are apart: relative above 1, ``inf`` without a number."""
    if one is None or other is None:
        return math.inf
    if one == other or (math.isnan(one) and math.isnan(other)):
        return 0.0
    difference = float(abs(one - other) / max(1.0, abs(other)))
    return difference if math.isfinite(difference) else math.inf


def same_inputs(one: BarRecord, other: BarRecord) -> bool:
    """Whether both runs saw the same inputs on a bar."""
    names = {*one.inputs, *other.inputs}
    return all(
        input_difference(one.inputs.get(name), other.inputs.get(name)) <= INPUT_BOUND for name in names
    )


def same_answer(one: BarRecord, other: BarRecord) -> bool:
    """Whether both runs were asked the same and answered the same."""
    return (
        one.asked == other.asked
        and one.side == other.side
        and one.leaves == other.leaves
        and input_difference(one.probability, other.probability) <= INPUT_BOUND
    )


def _from(run: DayRun, first: dt.datetime) -> pd.DataFrame:
    return run.bars[run.bars.index >= pd.Timestamp(first, tz=TIME_ZONE)]
