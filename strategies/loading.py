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
from feeds.store.parquet import ParquetStore
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
    loaded = _load(settings, calendar)
    chosen = _in_range(loaded.frame, first, last, loaded.info["source"])
    wanted_minutes = settings.data.bar_minutes
    if settings.data.detail == "1minute" and loaded.bar_minutes != _MINUTE:
        raise DataError(
            f"{loaded.info['source']}: data.detail is 1minute, expected 1-minute bars, found bars of "
            f"{loaded.bar_minutes} minutes; give 1-minute bars, or --set data.detail=none"
        )
    frame = _to_size(chosen, loaded.bar_minutes, wanted_minutes, loaded.info["source"], calendar)
    return RunBars(
        frame, chosen if loaded.bar_minutes == _MINUTE else None, loaded.info | _describe(frame, calendar)
    )


class _Loaded(NamedTuple):
    """Bars as their source has them."""

    frame: pd.DataFrame
    bar_minutes: int
    info: dict[str, Any]


def _load(settings: Settings, calendar: TradingCalendar) -> _Loaded:
    data, instrument = settings.data, settings.market.instrument
    if data.source == "synthetic":
        frame = make_bars(data.synthetic, calendar, instrument)
        made = data.synthetic
        name = f"synthetic (seed {made.seed}, edge {made.edge}, {made.sessions} sessions)"
        return _Loaded(frame, _MINUTE, _info(name, _frame_sha256(frame), synthetic=True))
    if data.source == "store":
        store = ParquetStore(Path(data.store))
        stored = store.coverage(instrument, data.bar_minutes) is not None
        bar_minutes = data.bar_minutes if stored else _MINUTE
        frame = store.load(instrument, bar_minutes)
        return _Loaded(frame, bar_minutes, _info(f"store {data.store}", _frame_sha256(frame)))
    bars = load_bars(
        Path(data.source), calendar=calendar, timezone=data.timezone, calendar_mismatch=data.calendar_mismatch
    )
    info = _info(bars.source, bars.sha256, rejects=len(bars.rejects)) | {"rows_read": bars.rows_read}
    return _Loaded(bars.frame, bars.bar_minutes, info)


def _info(source: str, sha256: str, *, rejects: int = 0, synthetic: bool = False) -> dict[str, Any]:
    return {"source": source, "sha256": sha256, "rejects": rejects, "synthetic": synthetic}


def _in_range(frame: pd.DataFrame, first: dt.date | None, last: dt.date | None, source: str) -> pd.DataFrame:
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


def _frame_sha256(frame: pd.DataFrame) -> str:
    # A tz-aware index as an array would be objects, and their bytes addresses: take the numbers behind it.
    digest = hashlib.sha256(pd.DatetimeIndex(frame.index).as_unit("us").asi8.tobytes())
    for name in frame.columns:
        digest.update(str(name).encode())
        digest.update(np.ascontiguousarray(frame[name].to_numpy()).tobytes())
    return digest.hexdigest()
