"""From ``--data`` and ``--from``/``--to`` to the bars a run trades on."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS
from feeds.calendar import TradingCalendar
from feeds.errors import DataError, SettingsError
from feeds.settings import check_one_instrument
from feeds.sources.chosen import in_bar_minutes, load_chosen
from strategies.per_instrument import for_instrument
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
    rejects : pandas.DataFrame
        Bars of the source that were left out, with their ``reason``.
    info : dict
        ``source``, ``sha256``, ``first``, ``last``, ``bars``, ``sessions``, ``rejects``,
        ``missing_sessions``, ``incomplete_bars``, ``lost_values`` (by extra column, what aggregation left
        out), ``synthetic`` and ``rows_read``.
    """

    frame: pd.DataFrame
    minutes: pd.DataFrame | None
    rejects: pd.DataFrame
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
        ``first`` lies after ``last``, or the settings are of several instruments.
    DataError
        The bars are wrong, of another size, or none lie in the range.
    """
    if first is not None and last is not None and first > last:
        raise SettingsError(f"--from {first} lies after --to {last}; swap them")
    check_one_instrument(settings.market, "this command")
    settings = for_instrument(settings, settings.market.instrument)
    data = settings.data
    loaded = load_chosen(data, settings.market.instrument, calendar)
    chosen = _in_range(loaded.frame, first, last, loaded.source)
    if data.detail == "1minute" and loaded.bar_minutes != _MINUTE:
        raise DataError(
            f"{loaded.source}: data.detail is 1minute, expected 1-minute bars, found bars of "
            f"{loaded.bar_minutes} minutes; give 1-minute bars, or --set data.detail=none"
        )
    frame = in_bar_minutes(chosen, loaded.bar_minutes, data.bar_minutes, loaded.source, calendar)
    info = {
        "source": loaded.source,
        "sha256": loaded.sha256,
        "rows_read": loaded.rows_read,
        "rejects": len(loaded.rejects),
        "synthetic": data.source == "synthetic",
    }
    minutes = chosen if loaded.bar_minutes == _MINUTE else None
    info |= _describe(frame, calendar) | {"lost_values": _lost_values(chosen, frame)}
    return RunBars(frame, minutes, loaded.rejects, info)


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


def _lost_values(minutes: pd.DataFrame, bars: pd.DataFrame) -> dict[str, int]:
    """Count, by extra column, the values other than 0 that no bar kept: a bar has its last minute's value."""
    extra = [name for name in minutes.columns if name not in BAR_COLUMNS]
    if len(minutes) == len(bars) or not extra:
        return {}
    following = minutes.index.searchsorted(bars.index[1:])
    inside = np.ones(len(minutes), dtype=bool)
    inside[np.append(following, len(minutes)) - 1] = False
    counts = {name: int(np.count_nonzero(np.nan_to_num(minutes[name].to_numpy())[inside])) for name in extra}
    return {name: count for name, count in counts.items() if count}


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
