"""Whether a session that begins with a live day's history is the session of the backtest."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from feeds.clock import IST
from ml.arrays import BarArrays
from ml.leakage.finding import Finding
from strategies.leakage import Recorded, Simulate

__all__ = ["check_live_start"]

_SESSIONS = 2
_CLOSE = 1e-6
"""Relative; a recursion without end, such as backtrader's EMA, forgets its beginning slowly."""


def check_live_start(
    simulate: Simulate, frame: pd.DataFrame, recorded: Recorded, *, warmup_bars: int
) -> list[Finding]:
    """Find answers and inputs of a session that change when history begins as many bars before it as live.

    Parameters
    ----------
    simulate : callable
        The simulation under suspicion.
    frame : pandas.DataFrame
        A bar frame; its two newest sessions are looked at.
    recorded : Recorded
        What the simulation said of these bars.
    warmup_bars : int
        Bars that a live day begins with.
    """
    said = {record.start: record for record in recorded.records}
    caught: dict[str, Finding] = {}
    firsts, ends = BarArrays.from_frame(frame).session_bounds()
    for first, end in zip(firsts[-_SESSIONS:], ends[-_SESSIONS:], strict=True):
        if first < warmup_bars:
            continue
        live = {record.start: record for record in simulate(frame.iloc[first - warmup_bars : end]).records}
        for start in pd.DatetimeIndex(frame.index[first:end]).tz_localize(None).to_pydatetime():
            _compare(caught, said[start], live.get(start), warmup_bars)
    return list(caught.values())


def _compare(caught: dict[str, Finding], record: BarRecord, live: BarRecord | None, warmup_bars: int) -> None:
    def tell(what: str, was: float, now: float) -> None:
        words = (
            f"was {was:.10g}, is {now:.10g} where history begins {warmup_bars} bars before the session as on "
            "a live day; shorten the indicator's memory, or raise what strategies/warm_up.py asks for"
        )
        bar = record.start.replace(tzinfo=IST)
        caught.setdefault(what, Finding("live start", what, bar, abs(was - now), words))

    for name, was in record.inputs.items():
        now = math.nan if live is None else live.inputs.get(name, math.nan)
        if not np.isclose(was, now, rtol=_CLOSE, atol=0.0, equal_nan=True):
            tell(f"input {name}", was, now)
    # What is held differs where an earlier session weighs on this one, by its losses for instance
    if live is not None and record.asked and live.asked and record.side != live.side:
        tell("decision", record.side, live.side)
