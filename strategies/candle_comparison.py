"""The bars of a day against the broker's own candles, written down as ``candles.json``."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from analyzers.parity.files import BARS_FILE, read_bars
from feeds.calendar import TradingCalendar
from feeds.candle_check import CandleCheck, check_candles
from feeds.errors import DataError
from feeds.market_events import MinuteHistory

__all__ = ["CANDLES_FILE", "compare_candles"]

CANDLES_FILE = "candles.json"

_ONE_MINUTE = dt.timedelta(minutes=1)


def compare_candles(
    folder: Path,
    day: dt.date,
    calendar: TradingCalendar,
    history: MinuteHistory,
    *,
    bar_minutes: int,
    tick_size: float,
) -> CandleCheck:
    """Ask for the minutes of a day, compare its bars with them and write what was found.

    Only bars that were built from ticks are compared, and only the time in which there were any: what was
    filled from the same history before a late start, or across a gap, proves nothing.

    Parameters
    ----------
    folder : pathlib.Path
        Of the day.
    day : datetime.date
        The session's.
    calendar : TradingCalendar
        Its sessions.
    history : MinuteHistory
        Of the contract that was traded.
    bar_minutes : int
        Length of the bars.
    tick_size : float
        Of the contract, index points.

    Raises
    ------
    BrokerError
        The history cannot be asked.
    DataError
        The day recorded no bar from ticks, or the history has no minute of it.
    OSError
        The file cannot be written.
    """
    recorded = read_bars(folder / BARS_FILE)
    recorded = recorded[recorded.index >= pd.Timestamp(day, tz="Asia/Kolkata")]
    built = recorded[recorded["origin"] == "ticks"]
    if built.empty:
        raise DataError(
            f"{folder / BARS_FILE} holds no bar of {day} that was built from ticks, expected one or more: "
            "there is nothing to compare"
        )
    first, last = built.index[0].to_pydatetime(), built["end"].iloc[-1].to_pydatetime() - _ONE_MINUTE
    minutes = history.minutes(first, last)
    minutes = minutes[(minutes.index >= first) & (minutes.index <= last)]
    if minutes.empty:
        raise DataError(
            f"the broker's history holds no minute from {first:%Y-%m-%d %H:%M} to {last:%H:%M}, expected the "
            "traded ones; ask again later"
        )
    live = built.drop(columns=["origin", "end"])
    found = check_candles(live, minutes, calendar, bar_minutes=bar_minutes, tick_size=tick_size)
    differences = found.differences
    from_history = (differences["unit"] == "missing") & differences["start"].isin(
        recorded.index[recorded["origin"] != "ticks"]
    )
    check = found._replace(differences=differences[~from_history].reset_index(drop=True))
    _write(folder / CANDLES_FILE, check, incomplete=int((~live["complete"]).sum()))
    return check


def _write(path: Path, check: CandleCheck, *, incomplete: int) -> None:
    rows = [
        {name: _plain(value) for name, value in row.items()} for row in check.differences.to_dict("records")
    ]
    contents = {
        "bars": check.bars,
        "equal": check.equal,
        "incomplete": incomplete,
        "differences": rows,
    }
    unfinished = path.with_name(f".{path.name}")
    text = json.dumps(contents, indent=1, ensure_ascii=False, allow_nan=False)
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)


def _plain(value: Any) -> Any:  # noqa: ANN401 # a cell of a table
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return None if isinstance(value, float) and math.isnan(value) else value
