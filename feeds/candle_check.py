"""Bars built live against the candles of the broker's history, after the fact."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.bars import PRICE_COLUMNS, VALUE_COLUMNS, aggregate
from feeds.calendar import TradingCalendar

__all__ = ["CandleCheck", "check_candles"]

_SAME_TICK = 0.5  # prices nearer than half a tick are one price, read with another rounding
_SAME_UNIT = 0.5

FloatArray = npt.NDArray[np.float64]


class CandleCheck(NamedTuple):
    """What a comparison found.

    Attributes
    ----------
    bars : int
        Bars that both sides have.
    equal : int
        Those without any difference.
    differences : pandas.DataFrame
        One row per field that differs: ``start`` (bar START, Asia/Kolkata), ``field``, ``live``,
        ``history``, ``difference`` (live minus history) and its ``unit``: ``ticks`` for prices, ``units``
        for volume and open interest. A bar that one side lacks is a row with the field ``bar`` and the
        unit ``missing``: 1 on the side that has it, NaN on the other.
    """

    bars: int
    equal: int
    differences: pd.DataFrame


def check_candles(
    live: pd.DataFrame,
    minutes: pd.DataFrame,
    calendar: TradingCalendar,
    *,
    bar_minutes: int,
    tick_size: float,
) -> CandleCheck:
    """Compare bars built from ticks with the minutes of history.

    Parameters
    ----------
    live : pandas.DataFrame
        A bar frame of bars built from ticks (:func:`feeds.tick_bars.frame_from_bars`).
    minutes : pandas.DataFrame
        A bar frame of 1-minute bars over the same time; what lies outside the sessions is left out.
    calendar : TradingCalendar
        The sessions.
    bar_minutes : int
        Length of the live bars in minutes.
    tick_size : float
        Tick of the contract, index points.

    Raises
    ------
    DataError
        ``minutes`` is not a bar frame.
    """
    inside = calendar.locate(pd.DatetimeIndex(minutes.index)).in_session
    history = aggregate(minutes[inside], bar_minutes, calendar)
    both = live.index.intersection(history.index)
    found = [_field(live.loc[both], history.loc[both], name, tick_size) for name in VALUE_COLUMNS]
    found += [
        _missing(live.index.difference(history.index), live=1.0, history=np.nan),
        _missing(history.index.difference(live.index), live=np.nan, history=1.0),
    ]
    rows = pd.concat(found, ignore_index=True)
    order = rows["start"].to_numpy().argsort(kind="stable")
    differing = rows.loc[rows["unit"] != "missing", "start"].nunique()
    return CandleCheck(len(both), len(both) - differing, rows.iloc[order].reset_index(drop=True))


def _field(live: pd.DataFrame, history: pd.DataFrame, name: str, tick_size: float) -> pd.DataFrame:
    ours, theirs = (side[name].to_numpy(dtype=np.float64) for side in (live, history))
    is_price = name in PRICE_COLUMNS
    difference = (ours - theirs) / (tick_size if is_price else 1.0)
    # NaN is equal to NaN only: a source without open interest differs from one that has it
    one_lacks = np.isnan(ours) != np.isnan(theirs)
    differs = (np.abs(difference) > (_SAME_TICK if is_price else _SAME_UNIT)) | one_lacks
    return _rows(
        live.index[differs],
        name,
        "ticks" if is_price else "units",
        ours[differs],
        theirs[differs],
        difference[differs],
    )


def _missing(index: pd.Index[pd.Timestamp], *, live: float, history: float) -> pd.DataFrame:
    bars = len(index)
    return _rows(index, "bar", "missing", np.full(bars, live), np.full(bars, history), np.full(bars, np.nan))


def _rows(
    starts: pd.Index[pd.Timestamp],
    field: str,
    unit: str,
    live: FloatArray,
    history: FloatArray,
    difference: FloatArray,
) -> pd.DataFrame:
    columns = {"live": live, "history": history, "difference": difference}
    return pd.DataFrame({"start": starts, "field": field, **columns, "unit": unit})
