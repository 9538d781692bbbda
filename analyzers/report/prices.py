"""Bars and trades, packed small enough to travel inside the page."""

from __future__ import annotations

import base64
import json
import zlib
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["PackedPrices", "pack_prices"]

STEP = 0.01  # index points; what the chart can tell apart


class PackedPrices(NamedTuple):
    """What the price chart reads.

    Attributes
    ----------
    bars : str
        Base64 of zlib over six columns of little-endian 32-bit integers, each column split into its four
        byte planes, which compress better: minute of the day, open minus previous close, close minus open,
        high above the body, low below the body (in steps of 0.01 points), volume in multiples of a unit.
    trades : str
        Base64 of zlib over JSON: one list per column.
    shown, total : int
        Bars that are in, and bars of the run.
    first_date, last_date : str
        ISO dates of the sessions that are in.
    """

    bars: str
    trades: str
    shown: int
    total: int
    first_date: str
    last_date: str


def pack_prices(bars: pd.DataFrame, trades: pd.DataFrame, most_bars: int) -> PackedPrices | None:
    """Return bars and trades in the form that the page unpacks.

    Parameters
    ----------
    bars, trades : pandas.DataFrame
        Of the run.
    most_bars : int
        When there are more, only the newest whole sessions that fit are packed.

    Returns
    -------
    PackedPrices or None
        None when no session fits.
    """
    dates = pd.DatetimeIndex(bars.index).tz_localize(None).normalize()
    starts = np.flatnonzero(np.append(True, dates[1:] != dates[:-1])) if len(bars) else np.empty(0, np.int64)
    fitting = starts[starts >= len(bars) - most_bars]
    if not len(fitting):
        return None
    begin = int(fitting[0])
    kept, starts = bars.iloc[begin:], fitting - begin
    position = pd.DatetimeIndex(kept.index)
    inside = trades[trades["entry_time"] >= position[0]]
    columns, volume_unit = _columns(kept)
    shown_dates = [date.date().isoformat() for date in dates[begin:][starts]]
    contents = {
        "count": len(kept),
        "step": STEP,
        "volumeUnit": volume_unit,
        "sessions": starts.tolist(),
        "dates": shown_dates,
        "entry": position.get_indexer(pd.DatetimeIndex(inside["entry_time"])).tolist(),
        "exit": position.get_indexer(pd.DatetimeIndex(inside["exit_time"])).tolist(),
        "size": inside["size"].tolist(),
        "entryPrice": inside["entry_price"].round(2).tolist(),
        "exitPrice": inside["exit_price"].round(2).tolist(),
        "net": inside["net_pnl"].round(2).tolist(),
        "gross": inside["gross_pnl"].round(2).tolist(),
        "reason": inside["exit_reason"].tolist(),
        "why": inside["why"].tolist(),
        "probability": [None if np.isnan(p) else round(p, 3) for p in inside["probability"].tolist()],
    }
    return PackedPrices(
        _packed(_byte_planes(columns)),
        _packed(json.dumps(contents, allow_nan=False, separators=(",", ":")).encode()),
        len(kept),
        len(bars),
        shown_dates[0],
        shown_dates[-1],
    )


def _columns(bars: pd.DataFrame) -> tuple[np.ndarray, float]:
    index = pd.DatetimeIndex(bars.index)
    prices = np.rint(bars[["open", "high", "low", "close"]].to_numpy(np.float64) / STEP).astype(np.int64)
    open_, high, low, close = prices.T
    volume = np.rint(bars["volume"].to_numpy(np.float64)).astype(np.int64)
    unit = max(int(np.gcd.reduce(volume)), int(volume.max()) // 2_000_000_000 + 1, 1)
    columns = [
        index.hour.to_numpy() * 60 + index.minute.to_numpy(),
        open_ - np.append(0, close[:-1]),
        close - open_,
        high - np.maximum(open_, close),
        np.minimum(open_, close) - low,
        volume // unit,
    ]
    return np.stack(columns).astype("<i4"), float(unit)


def _byte_planes(columns: np.ndarray) -> bytes:
    return np.ascontiguousarray(
        columns.view(np.uint8).reshape(len(columns), -1, 4).transpose(0, 2, 1)
    ).tobytes()


def _packed(contents: bytes) -> str:
    # level 9 takes ten times as long as 7 and saves one percent
    return base64.b64encode(zlib.compress(contents, 7)).decode()
