"""The bars that the settings choose: made up, stored, or from files; and in the size they ask for."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from feeds.bars import aggregate
from feeds.calendar import TradingCalendar
from feeds.continuous import near_month, stored_months
from feeds.errors import DataError
from feeds.settings import DataSettings
from feeds.sources.files import LoadedBars, load_bars
from feeds.sources.synthetic import make_bars
from feeds.store.chosen import open_store

__all__ = ["in_bar_minutes", "load_chosen"]

_MINUTE = 1


def load_chosen(data: DataSettings, instrument: str, calendar: TradingCalendar) -> LoadedBars:
    """Load the bars of ``data.source``.

    Parameters
    ----------
    data : DataSettings
        ``source`` is ``synthetic``, ``store``, or the path of a file or folder.
    instrument : str
        Underlying, ``NIFTY``; decides which series of a store, and whose rules synthetic bars follow.
    calendar : TradingCalendar
        When the exchange was open.

    Returns
    -------
    LoadedBars
        A store gives bars of ``data.bar_minutes`` if it has them, else 1-minute bars; where it has single
        contracts only, such as ``NIFTY-2026-11``, the near month of each day, as live trading takes it. The
        fingerprint of
        bars that are no file's is that of their values.

    Raises
    ------
    DataError, SettingsError
        If the source cannot give them.
    """
    if data.source == "synthetic":
        made = data.synthetic
        name = f"synthetic (seed {made.seed}, edge {made.edge}, {made.sessions} sessions)"
        return _loaded(make_bars(made, calendar, instrument), _MINUTE, name, calendar)
    if data.source == "store":
        store = open_store(data)
        lengths = (data.bar_minutes, _MINUTE)
        for bar_minutes in lengths:
            if store.coverage(instrument, bar_minutes):
                frame = store.load(instrument, bar_minutes)
                return _loaded(frame, bar_minutes, f"store {data.store}", calendar)
        for bar_minutes in lengths:
            if stored_months(store, instrument, bar_minutes):
                near = near_month(store, instrument, bar_minutes, calendar)
                return _loaded(near.frame, bar_minutes, f"store {data.store}, by contract", calendar)
        return _loaded(store.load(instrument, _MINUTE), _MINUTE, f"store {data.store}", calendar)
    return load_bars(
        data.source, calendar=calendar, timezone=data.timezone, calendar_mismatch=data.calendar_mismatch
    )


def in_bar_minutes(
    frame: pd.DataFrame, found_minutes: int, wanted_minutes: int, source: str, calendar: TradingCalendar
) -> pd.DataFrame:
    """Return bars of the wanted length, aggregated from 1-minute bars where they are not of it already.

    Raises
    ------
    DataError
        If the bars are neither of the wanted length nor 1-minute bars.
    """
    if found_minutes == wanted_minutes:
        return frame
    if found_minutes != _MINUTE:
        expected = "1" if wanted_minutes == _MINUTE else f"1 or {wanted_minutes}"
        raise DataError(
            f"{source}: found bars of {found_minutes} minutes, expected {expected} "
            f"(data.bar_minutes); give 1-minute bars, or set data.bar_minutes to {found_minutes}"
        )
    return aggregate(frame, wanted_minutes, calendar)


def _loaded(frame: pd.DataFrame, bar_minutes: int, source: str, calendar: TradingCalendar) -> LoadedBars:
    missing = calendar.missing_sessions(pd.DatetimeIndex(frame.index))
    return LoadedBars(
        frame=frame,
        bar_minutes=bar_minutes,
        source=source,
        sha256=_sha256(frame),
        rows_read=len(frame),
        rejects=frame.iloc[:0].assign(reason=""),
        missing_sessions=tuple(session.date for session in missing),
    )


def _sha256(frame: pd.DataFrame) -> str:
    # A tz-aware index as an array would be objects, and their bytes addresses: take the numbers behind it.
    digest = hashlib.sha256(pd.DatetimeIndex(frame.index).as_unit("us").asi8.tobytes())
    for name in frame.columns:
        digest.update(str(name).encode())
        digest.update(np.ascontiguousarray(frame[name].to_numpy()).tobytes())
    return digest.hexdigest()
