"""What was earned in the time for which each model was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from feeds.clock import IST

__all__ = ["with_money"]


def with_money(windows: Sequence[Mapping[str, Any]], trades: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the windows with ``money``: ``trades``, ``gross`` and ``net`` rupees of those entered in it.

    Parameters
    ----------
    windows : sequence of mapping
        With ``test_first`` and ``test_last``, START of their first and last bar as ISO 8601, without an
        offset in exchange time. Test windows end with a session, so an entry belongs to the one that holds
        its day.
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    """
    return [{**window, "money": _money(window, trades)} for window in windows]


def _money(window: Mapping[str, Any], trades: pd.DataFrame) -> dict[str, float | int]:
    entered = pd.DatetimeIndex(trades["entry_time"])
    first = _exchange_time(window["test_first"])
    end = _exchange_time(window["test_last"]).normalize() + pd.Timedelta(days=1)
    inside = trades[np.asarray((entered >= first) & (entered < end))]
    return {
        "trades": len(inside),
        "gross": float(inside["gross_pnl"].sum()),
        "net": float(inside["net_pnl"].sum()),
    }


def _exchange_time(text: str) -> pd.Timestamp:
    time = pd.Timestamp(text)
    return time.tz_localize(IST) if time.tzinfo is None else time.tz_convert(IST)
