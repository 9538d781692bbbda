"""Bars from a CSV or Parquet file, or from a folder of them, held against the calendar."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.bars import check_frame, detect_bar_minutes
from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.sources.parsing import parse_bar_file
from feeds.sources.table import SUFFIXES

__all__ = ["LoadedBars", "load_bars"]


class LoadedBars(NamedTuple):
    """Bars and where they came from.

    Attributes
    ----------
    frame : pandas.DataFrame
        The bar frame; further numeric columns of the file stand behind the bar columns.
    bar_minutes : int
        Length of a bar, minutes.
    source : str
        The path as given.
    sha256 : str
        Of the file's bytes; for a folder, of the lines ``<sha256>  <name>`` of its files in time order.
    rows_read : int
        Bars in the files; ``len(frame) + len(rejects)``.
    rejects : pandas.DataFrame
        Bars that the calendar does not know, with a ``reason``; empty unless they are to be rejected.
    missing_sessions : tuple of datetime.date
        Days between the first and the last bar on which the exchange was open and the files hold nothing.
    """

    frame: pd.DataFrame
    bar_minutes: int
    source: str
    sha256: str
    rows_read: int
    rejects: pd.DataFrame
    missing_sessions: tuple[dt.date, ...]


def load_bars(
    path: str | Path,
    *,
    calendar: TradingCalendar,
    timezone: str | None = None,
    calendar_mismatch: Literal["error", "reject"] = "error",
) -> LoadedBars:
    """Load bars and check them; nothing is repaired, filled or dropped in silence.

    Parameters
    ----------
    path : str or Path
        A ``.csv``, ``.csv.gz`` or ``.parquet`` file, or a folder with nothing but such files.
    calendar : TradingCalendar
        When the exchange was open.
    timezone : str, optional
        Zone of stamps without one.
    calendar_mismatch : {"error", "reject"}
        What becomes of bars outside the calendar's sessions: refuse the data, or set the bars aside.

    Returns
    -------
    LoadedBars

    Raises
    ------
    DataError
        At the first thing that is wrong, with the place and the remedy.
    SettingsError
        If ``timezone`` is not a zone.
    """
    path = Path(path)
    files = _files(path)
    parts = sorted(
        ((parse_bar_file(file, timezone), file) for file in files), key=lambda part: part[0].index[0]
    )
    _check_parts(parts)
    frame = parts[0][0] if len(parts) == 1 else pd.concat([part for part, _ in parts])
    index = pd.DatetimeIndex(frame.index)
    bar_minutes = detect_bar_minutes(index)
    reasons = _disagreements(index, bar_minutes, calendar)
    outside = reasons != ""
    if outside.any() and calendar_mismatch == "error":
        raise DataError(_mismatch(index, reasons, bar_minutes, path, calendar))
    rejects = frame.loc[outside].assign(reason=reasons[outside])
    kept = frame.loc[~outside] if outside.any() else frame
    if kept.empty:
        raise DataError(
            f"no bar of {path} lies in a session of the calendar; check the time zone and the stamps"
        )
    check_frame(kept)
    return LoadedBars(
        frame=kept,
        bar_minutes=bar_minutes,
        source=str(path),
        sha256=_sha256([file for _, file in parts], path),
        rows_read=len(frame),
        rejects=rejects,
        missing_sessions=tuple(s.date for s in calendar.missing_sessions(pd.DatetimeIndex(kept.index))),
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    if not files:
        raise DataError(f"folder {path} is empty; expected {', '.join(SUFFIXES)} files; give another folder")
    return files


def _check_parts(parts: list[tuple[pd.DataFrame, Path]]) -> None:
    for (earlier, earlier_file), (later, later_file) in itertools.pairwise(parts):
        if later.index[0] <= earlier.index[-1]:
            raise DataError(
                f"{later_file} begins at {later.index[0]:%Y-%m-%d %H:%M}, before {earlier_file.name} ends at "
                f"{earlier.index[-1]:%Y-%m-%d %H:%M}; expected files that do not overlap; remove one of them"
            )
        if list(later.columns) != list(earlier.columns):
            differing = sorted(set(later.columns) ^ set(earlier.columns)) or list(later.columns)
            raise DataError(
                f"{later_file} and {earlier_file.name} differ in their columns ({', '.join(differing)}); "
                "expected the same columns in the same order in every file of a folder; make them alike"
            )


def _disagreements(
    index: pd.DatetimeIndex, bar_minutes: int, calendar: TradingCalendar
) -> npt.NDArray[np.str_]:
    # A reason for each bar that no session, or no bin of a session, can have; "" for the others.
    located = calendar.locate(index)
    seconds = index.as_unit("s").asi8
    off_grid = (seconds - located.segment_start) % (bar_minutes * 60) != 0
    return np.where(~located.in_session, "outside_session", np.where(off_grid, "off_grid", ""))


def _mismatch(
    index: pd.DatetimeIndex,
    reasons: npt.NDArray[np.str_],
    bar_minutes: int,
    path: Path,
    calendar: TradingCalendar,
) -> str:
    outside = index[reasons == "outside_session"]
    if len(outside) == 0:
        off_grid = index[reasons == "off_grid"]
        return (
            f"{path}: {len(off_grid)} bars do not start a multiple of {bar_minutes} minutes after the open, "
            f"{_first_few(off_grid)}; expected one bar size, anchored at the session's open; separate the "
            "bar sizes, or aggregate again from 1-minute bars"
        )
    if _stamped_at_the_end(index, outside, calendar):
        return (
            f"{path}: the last bar of {len(outside)} sessions starts at the close, {_first_few(outside)}, "
            "and no bar starts at an open: the stamps seem to be the END of the bar; expected its START; "
            f"subtract {bar_minutes} minutes from every stamp"
        )
    return (
        f"{path}: {len(outside)} of {len(index)} bars are outside the sessions of the calendar, "
        f"{_first_few(outside)}; expected bars inside them; name the sessions in market.extra_sessions if "
        "they took place, or set data.calendar_mismatch to reject"
    )


def _first_few(stamps: pd.DatetimeIndex) -> str:
    return "first " + ", ".join(f"{stamp:%Y-%m-%d %H:%M}" for stamp in stamps[:3])


def _stamped_at_the_end(
    index: pd.DatetimeIndex, outside: pd.DatetimeIndex, calendar: TradingCalendar
) -> bool:
    first_bars = calendar.locate(index).minute_of_session == 0
    before = calendar.locate(outside - pd.Timedelta(minutes=1))
    closes = before.in_session & (before.segment_end == outside.as_unit("s").asi8)
    return bool(closes.all() and not first_bars.any())


def _sha256(files: list[Path], path: Path) -> str:
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    if not path.is_dir():
        return digests[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(digests, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()
