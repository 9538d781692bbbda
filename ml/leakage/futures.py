"""Other futures of the same past: the bars after a moment scaled, shuffled, redrawn, or not there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ml.arrays import IntArray

__all__ = ["other_futures", "probe_positions"]

_PRICES = ("open", "high", "low", "close")
_SCALE = 1.07
_NOISE = 0.003


def other_futures(
    frame: pd.DataFrame, position: int, generator: np.random.Generator
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield frames that are the same up to ``position``, its own bar included, with the name of what differs.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame (see :mod:`feeds.bars`).
    position : int
        Of the last bar that stays.
    generator : numpy.random.Generator
        Draws the other futures.
    """
    first = position + 1
    yield "cut off", frame.iloc[:first]
    if first == len(frame):
        return
    yield "scaled", _scaled(frame, first)
    yield "shuffled", _shuffled(frame, first, generator)
    yield "redrawn", _redrawn(frame, first, generator)


def probe_positions(frame: pd.DataFrame, count: int, generator: np.random.Generator) -> IntArray:
    """Return positions at which to change the future: ends and beginnings of sessions, and random ones.

    Parameters
    ----------
    frame : pandas.DataFrame
        A bar frame.
    count : int
        About how many; a third each.
    generator : numpy.random.Generator
        Draws them.
    """
    days = pd.DatetimeIndex(frame.index).tz_localize(None).normalize().to_numpy()
    begins = np.flatnonzero(np.append(False, days[1:] != days[:-1]))
    third = max(1, count // 3)
    some = generator.permutation(begins)[:third]
    anywhere = generator.integers(0, len(frame), third)
    return np.unique(np.concatenate([some, some - 1, anywhere])).astype(np.int64)


def _scaled(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    changed = frame.copy()
    later = changed.index[first:]
    changed.loc[later, list(_PRICES)] *= _SCALE
    changed.loc[later, ["volume", "open_interest"]] *= 3.0
    return changed


def _shuffled(frame: pd.DataFrame, first: int, generator: np.random.Generator) -> pd.DataFrame:
    order = np.concatenate([np.arange(first), first + generator.permutation(len(frame) - first)])
    return frame.iloc[order].set_axis(frame.index)


def _redrawn(frame: pd.DataFrame, first: int, generator: np.random.Generator) -> pd.DataFrame:
    changed = frame.copy()
    count = len(frame) - first
    last = float(frame["close"].iloc[first - 1])
    close = last * np.exp(np.cumsum(generator.standard_normal(count) * _NOISE))
    open_ = np.append(last, close[:-1]) * np.exp(generator.standard_normal(count) * _NOISE / 3.0)
    spread = np.abs(generator.standard_normal((2, count))) * _NOISE
    later = changed.index[first:]
    changed.loc[later, "open"] = open_
    changed.loc[later, "close"] = close
    changed.loc[later, "high"] = np.maximum(open_, close) * (1.0 + spread[0])
    changed.loc[later, "low"] = np.minimum(open_, close) * (1.0 - spread[1])
    changed.loc[later, "volume"] = generator.permutation(frame["volume"].to_numpy()[first:])
    return changed
