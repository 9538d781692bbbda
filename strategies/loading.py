"""From ``--data`` and ``--from``/``--to`` to the bars a run trades on."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.sources.files import load_bars
from feeds.sources.synthetic import make_bars
from strategies.settings import Settings

__all__ = ["RunBars", "load_run_bars"]

_MINUTE = 1


class RunBars(NamedTuple):
    """Bars of a run and what is to be said of them.

    Attributes
    ----------
    frame : pandas.DataFrame
        The bar frame of the strategy's bar size.
    minutes : pandas.DataFrame or None
        The 1-minute bars it was made of, where the source has them.
    info : dict
        ``source``, ``sha256``, ``first``, ``last``, ``bars``, ``sessions``, ``rejects``,
        ``missing_sessions``, ``incomplete_bars``, ``synthetic`` and, for files, ``rows_read``.
    """

    frame: pd.DataFrame
    minutes: pd.DataFrame | None
    info: dict[str, Any]


def load_run_bars(
    settings: Settings,
    calendar: TradingCalendar,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> RunBars:
    """Load or make the bars, keep the range asked for, and bring them to the strategy's size.

    Parameters
    ----------
    settings : Settings
        ``data.source`` says where bars come from.
    calendar : TradingCalendar
        Sessions.
    first, last : datetime.date or None
        Days (IST), both included; None for no limit.

    Raises
    ------
    SettingsError
        ``first`` lies after ``last``.
    DataError
        The bars are wrong, of another size, or none lie in the range.
    """
    if first is not None and last is not None and first > last:
        raise SettingsError(f"--from {first} lies after --to {last}; swap them")
    source = settings.data.source
    if source == "synthetic":
        loaded = make_bars(settings.data.synthetic, calendar, settings.market.instrument)
        info: dict[str, Any] = {"source": _synthetic_name(settings), "sha256": _frame_sha256(loaded)}
        bar_minutes, rejects = _MINUTE, 0
    else:
        bars = load_bars(
            Path(source),
            calendar=calendar,
            timezone=settings.data.timezone,
            calendar_mismatch=settings.data.calendar_mismatch,
        )
        loaded, bar_minutes, rejects = bars.frame, bars.bar_minutes, len(bars.rejects)
        info = {"source": bars.source, "sha256": bars.sha256, "rows_read": bars.rows_read}
    chosen = _in_range(loaded, first, last, source)
    frame = _to_size(chosen, bar_minutes, settings.data.bar_minutes, source, calendar)
    info |= _describe(frame, calendar) | {"rejects": rejects, "synthetic": source == "synthetic"}
    return RunBars(frame, chosen if bar_minutes == _MINUTE else None, info)


def _in_range(
    frame: pd.DataFrame, first: dt.date | None, last: dt.date | None, source: str
) -> pd.DataFrame:
    index = pd.DatetimeIndex(frame.index)
    chosen = frame
    if first is not None:
        chosen = chosen[chosen.index >= pd.Timestamp(first, tz=index.tz)]
    if last is not None:
        chosen = chosen[chosen.index < pd.Timestamp(last, tz=index.tz) + pd.Timedelta(days=1)]
    if chosen.empty:
        raise DataError(
            f"{source}: no session between {first or 'the first day'} and {last or 'the last day'}; "
            f"its bars run from {index[0]:%Y-%m-%d} to {index[-1]:%Y-%m-%d}; choose --from and --to within"
        )
    return chosen


def _to_size(
    frame: pd.DataFrame, found_minutes: int, wanted_minutes: int, source: str, calendar: TradingCalendar
) -> pd.DataFrame:
    if found_minutes == wanted_minutes:
        return frame
    if found_minutes != _MINUTE:
        raise DataError(
            f"{source}: found bars of {found_minutes} minutes, expected 1 or {wanted_minutes} "
            f"(data.bar_minutes); give 1-minute bars, or --set data.bar_minutes={found_minutes}"
        )
    return aggregate(frame, wanted_minutes, calendar)


def _describe(frame: pd.DataFrame, calendar: TradingCalendar) -> dict[str, Any]:
    index = pd.DatetimeIndex(frame.index)
    missing = calendar.missing_sessions(index)
    return {
        "first": index[0].isoformat(),
        "last": index[-1].isoformat(),
        "bars": len(frame),
        "sessions": int(index.tz_localize(None).normalize().nunique()),
        "incomplete_bars": int(np.count_nonzero(~frame["complete"])),
        "missing_sessions": [session.date.isoformat() for session in missing],
    }


def _synthetic_name(settings: Settings) -> str:
    synthetic = settings.data.synthetic
    return f"synthetic (seed {synthetic.seed}, edge {synthetic.edge}, {synthetic.sessions} sessions)"


def _frame_sha256(frame: pd.DataFrame) -> str:
    digest = hashlib.sha256(frame.index.to_numpy().tobytes())
    for name in frame.columns:
        digest.update(np.ascontiguousarray(frame[name].to_numpy()).tobytes())
    return digest.hexdigest()
