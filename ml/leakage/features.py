"""Features against other futures, and against histories that begin elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.errors import DataError
from ml.arrays import BarArrays, FloatArray
from ml.catalogue import Feature
from ml.leakage.finding import Finding
from ml.leakage.futures import other_futures, probe_positions

__all__ = ["WarmUp", "check_future", "check_warm_up"]

_PROBES = 30
_WHOLE_SESSIONS = 3
_WARM_UP_PROBES = 9


class WarmUp(NamedTuple):
    """How many bars a feature needs.

    Attributes
    ----------
    feature : str
        Its name.
    declared, found : int
        Bars it says it needs, its own included, and bars from which on its value no longer depended on
        where history began.
    """

    feature: str
    declared: int
    found: int


def check_future(features: Sequence[Feature], frame: pd.DataFrame, seed: int = 0) -> list[Finding]:
    """Find features whose value at a bar changes when later bars do.

    Every value up to the bar is compared, bit for bit. Around random bars and the edges of sessions the
    future is cut off, scaled, shuffled and redrawn; and each single bar of some whole sessions is the last
    one once, so that a feature that cheats on one bar a day is caught too.

    Parameters
    ----------
    features : sequence of Feature
        To be checked.
    frame : pandas.DataFrame
        A bar frame.
    seed : int
        Of the bars and the futures.
    """
    whole = {found.name: found.values(BarArrays.from_frame(frame)) for found in features}
    generator = np.random.default_rng(seed)
    caught: dict[str, Finding] = {}
    for position in probe_positions(frame, _PROBES, generator):
        for name, other in other_futures(frame, int(position), generator):
            arrays = BarArrays.from_frame(other)
            for found in features:
                if found.name not in caught:
                    now = found.values(arrays)[: position + 1]
                    _compare(
                        caught, found.name, whole[found.name][: position + 1], now, frame, f"bars {name}"
                    )
    for found in features:
        if found.name not in caught:
            _each_bar_last(caught, found, whole[found.name], frame, generator)
    return list(caught.values())


def check_warm_up(
    features: Sequence[Feature], frame: pd.DataFrame, seed: int = 0
) -> tuple[list[Finding], list[WarmUp]]:
    """Find features that need more bars than they declare.

    Parameters
    ----------
    features : sequence of Feature
        To be checked.
    frame : pandas.DataFrame
        A bar frame, longer than the longest declared warm-up.
    seed : int
        Of the bars that are looked at.

    Raises
    ------
    DataError
        If the frame is too short.
    """
    longest = max(found.warmup_bars for found in features)
    if len(frame) < longest + _WARM_UP_PROBES:
        raise DataError(
            f"found {len(frame)} bars, expected more than the {longest} of the longest warm-up; give more"
        )
    arrays = BarArrays.from_frame(frame)
    generator = np.random.default_rng(seed)
    ends = np.unique(generator.integers(longest, len(frame) + 1, _WARM_UP_PROBES))
    findings, table = [], []
    for found in features:
        needed = [(_bars_needed(found, arrays, int(end)), int(end)) for end in ends]
        most, end = max(needed)
        table.append(WarmUp(found.name, found.warmup_bars, most))
        if most > found.warmup_bars:
            findings.append(
                Finding(
                    "warm-up", found.name, frame.index[end - 1].to_pydatetime(), float(most),
                    f"depends on {most} bars, declares {found.warmup_bars}; raise warmup_bars, or cut its "
                    "memory off",
                )
            )  # fmt: skip
    return findings, table


def _each_bar_last(
    caught: dict[str, Finding], found: Feature, whole: FloatArray, frame: pd.DataFrame,
    generator: np.random.Generator,
) -> None:  # fmt: skip
    """Compare each value of some sessions with the one that its bar gave as the newest of all."""
    arrays = BarArrays.from_frame(frame)
    firsts, ends = arrays.session_bounds()
    lacking = np.flatnonzero(ends - firsts < np.median(ends - firsts))  # a session with a gap is of interest
    chosen = np.unique(
        np.concatenate(
            [generator.permutation(lacking)[:1], generator.integers(0, len(firsts), _WHOLE_SESSIONS)]
        )
    )
    for session in chosen.astype(np.int64):
        for position in range(firsts[session], ends[session]):
            begin = max(0, position + 1 - 2 * found.warmup_bars)
            alone = found.values(BarArrays.from_frame(frame.iloc[begin : position + 1]))[-1:]
            if position + 1 - begin < found.warmup_bars:
                continue
            _compare(
                caught, found.name, whole[position : position + 1], alone,
                frame.iloc[position : position + 1], "bars cut off",
            )  # fmt: skip
            if found.name in caught:
                return


def _compare(
    caught: dict[str, Finding], name: str, whole: FloatArray, now: FloatArray, frame: pd.DataFrame, what: str
) -> None:
    same = (whole == now) | (np.isnan(whole) & np.isnan(now))
    if same.all():
        return
    first = int(np.argmin(same))
    difference = np.abs(whole - now)[~same]
    amount = float(np.nanmax(difference)) if np.isfinite(difference).any() else float("nan")
    caught[name] = Finding(
        "future", name, frame.index[first].to_pydatetime(), amount,
        f"was {whole[first]:.10g}, is {now[first]:.10g} with later {what}; expected the same to the last bit",
    )  # fmt: skip


def _bars_needed(found: Feature, arrays: BarArrays, end: int) -> int:
    """Return the shortest history before ``end`` from which on the newest value stays the same."""
    history = arrays.head(end)
    whole = found.function(history)[-1]

    def agrees(bars: int) -> bool:
        value = found.function(history.tail(bars))[-1]
        return bool(value == whole or (np.isnan(value) and np.isnan(whole)))

    if agrees(found.warmup_bars):
        return found.warmup_bars
    low, high = found.warmup_bars, end
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if agrees(middle) else (middle, high)
    return high
