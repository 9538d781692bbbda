"""Whether a strategy's decisions, sizes or fills rest on bars that come after them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from brokers.journal import Fill
from feeds.calendar import TradingCalendar
from feeds.clock import IST
from ml.arrays import IntArray
from ml.leakage.finding import Finding
from ml.leakage.futures import other_futures, probe_positions
from strategies.arm_predictors import AnyPredictor
from strategies.assembly import assemble_backtest
from strategies.settings import Settings

__all__ = ["Recorded", "Simulate", "check_decisions", "check_fills", "simulate_with"]

_ENTRIES, _PROBES = 4, 4
_BARS_BEFORE, _BARS_AFTER = 20, 20
_ENTRY = "entry"
_AT_MARKET = (_ENTRY, "signal", "square_off")


class Recorded(NamedTuple):
    """A simulation with everything the strategy saw and answered.

    Attributes
    ----------
    records : list of BarRecord
        One for each bar.
    fills : list of Fill
        In order; their bars count from 0.
    """

    records: list[BarRecord]
    fills: list[Fill]


Simulate = Callable[[pd.DataFrame], Recorded]


def simulate_with(settings: Settings, calendar: TradingCalendar, predictor: AnyPredictor | None) -> Simulate:
    """Return the simulation of the settings' strategy, every bar visited."""

    def simulate(frame: pd.DataFrame) -> Recorded:
        records: list[BarRecord] = []
        assembled = assemble_backtest(settings, frame, calendar, predictor=predictor, on_bar=records.append)
        assembled.engine.run()
        return Recorded(records, assembled.journal.fills)

    return simulate


def check_decisions(
    simulate: Simulate, frame: pd.DataFrame, recorded: Recorded, *, warmup_bars: int, seed: int = 0
) -> list[Finding]:
    """Find decisions, sizes and inputs of the strategy that change when later bars do; the first of each.

    The future changes after bars on which an entry was decided, at the edges of sessions, and anywhere.

    Parameters
    ----------
    simulate : callable
        The simulation under suspicion.
    frame : pandas.DataFrame
        A bar frame.
    recorded : Recorded
        What it said of these bars.
    warmup_bars : int
        Bars that its indicators need; so many are given before each bar that is looked at.
    seed : int
        Of the bars after which the future changes, and of the futures.
    """
    generator = np.random.default_rng(seed)
    entries = np.flatnonzero([role == _ENTRY for role in _decided(recorded, frame)])
    probes = np.unique(
        np.concatenate(
            [generator.permutation(entries)[:_ENTRIES], probe_positions(frame, _PROBES, generator)]
        )
    )
    caught: dict[str, Finding] = {}
    for position in probes:
        begin = max(0, int(position) - warmup_bars - _BARS_BEFORE)
        part = frame.iloc[begin : position + _BARS_AFTER]
        last = frame.index[position].tz_localize(None)
        whole = [record for record in simulate(part).records if record.start <= last]
        for name, other in other_futures(part, int(position) - begin, generator):
            for record, then in zip(whole, simulate(other).records, strict=False):
                _compare(caught, record, then, name)
    return list(caught.values())


def check_fills(recorded: Recorded, frame: pd.DataFrame) -> list[Finding]:
    """Find market orders that fill before the bar after their decision, or at another price than its open.

    The house's rule: what a strategy decides at a bar's close, to enter or to leave, fills no earlier than
    the next bar, at its open before slippage.

    Parameters
    ----------
    recorded : Recorded
        The simulation under suspicion.
    frame : pandas.DataFrame
        Its bars.
    """
    opens = frame["open"].to_numpy(np.float64)
    decided = _decided(recorded, frame)
    findings: dict[str, Finding] = {}
    begun: set[int] = set()
    for fill in (one for one in recorded.fills if one.role in _AT_MARKET):
        what = "entry" if fill.role == _ENTRY else "exit"
        bar = frame.index[fill.bar].to_pydatetime()
        # A large order goes on filling on later bars; only its first fill follows its decision at once
        is_first, follows = fill.order_id not in begun, fill.bar > 0 and decided[fill.bar - 1] == fill.role
        begun.add(fill.order_id)
        if is_first and not follows:
            guilty = f"{what} on another bar"
            words = "filled on a bar that does not follow its decision, expected the bar after it"
            findings.setdefault(guilty, Finding("fill", guilty, bar, 1.0, words))
        elif not math.isclose(fill.reference_price, opens[fill.bar], rel_tol=1e-12):
            guilty = f"{what} at another price"
            amount = fill.reference_price - opens[fill.bar]
            words = (
                f"filled at {fill.reference_price:g} before slippage, the bar opened at {opens[fill.bar]:g}"
            )
            findings.setdefault(guilty, Finding("fill", guilty, bar, amount, words))
    return list(findings.values())


def _decided(recorded: Recorded, frame: pd.DataFrame) -> list[str]:
    """Return the role of the market order that was decided on each bar, empty where none was."""
    roles = [""] * len(frame)
    for place, record in zip(_places(recorded, frame), recorded.records, strict=True):
        roles[place] = _ENTRY if record.side else record.leaves
    return roles


def _places(recorded: Recorded, frame: pd.DataFrame) -> IntArray:
    """Return the position of each record's bar; a strategy is silent while its indicators warm up."""
    starts = pd.DatetimeIndex([record.start for record in recorded.records])
    return pd.DatetimeIndex(frame.index).tz_localize(None).get_indexer(starts).astype(np.int64)


def _compare(caught: dict[str, Finding], record: BarRecord, then: BarRecord, future: str) -> None:
    def tell(what: str, was: float, now: float) -> None:
        bar = record.start.replace(tzinfo=IST)
        words = f"was {was:.10g}, is {now:.10g} with later bars {future}; expected the same to the last bit"
        caught.setdefault(what, Finding("decision", what, bar, abs(was - now), words))

    if record.side != then.side:
        tell("decision", record.side, then.side)
    elif not _same(record.units, then.units):
        tell("size", record.units, then.units)
    for name in record.inputs.keys() | then.inputs.keys():
        was, now = record.inputs.get(name, math.nan), then.inputs.get(name, math.nan)
        if not _same(was, now):
            tell(f"input {name}", was, now)


def _same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))
