"""What ``python -m feeds check --store`` says: a table of what is stored by year, and a picture of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from feeds.calendar import TradingCalendar
from feeds.commands import refuse_existing
from feeds.coverage import SessionCoverage, cover_sessions, yearly
from feeds.coverage_picture import draw_coverage
from feeds.errors import DataError, SettingsError
from feeds.show import print_line, print_table
from feeds.store.base import BarStore, Series

__all__ = ["check_store"]

_FEW = 10


def check_store(
    store: BarStore,
    calendar: TradingCalendar,
    *,
    instrument: str | None,
    first: dt.date | None,
    last: dt.date | None,
    picture: Path | None,
) -> int:
    """Hold what is stored against the calendar, print it, and draw it if asked for.

    Parameters
    ----------
    store : BarStore
        What is looked at.
    calendar : TradingCalendar
        The sessions there were.
    instrument : str or None
        Name of the series; all of them if not given.
    first, last : datetime.date or None
        Days looked at; those of each series if not given.
    picture : Path or None
        SVG file to write; must not exist.

    Returns
    -------
    int
        0, or 3 where bars lie outside every session of the calendar.

    Raises
    ------
    DataError
        If there is no such series.
    SettingsError
        If the picture cannot be written.
    """
    refuse_existing(picture)
    if picture is not None and picture.suffix.lower() != ".svg":
        raise SettingsError(f"--picture {picture} has another ending than .svg; choose that")
    found: dict[str, SessionCoverage] = {}
    for series in _chosen(store, instrument):
        frame = store.load(*series, first, last, columns=["complete"])
        name = f"{series.instrument} {series.bar_minutes}minute"
        found[name] = cover_sessions(frame, series.bar_minutes, calendar, first, last)
    if picture is not None:
        _write(picture, draw_coverage(found))
        print_line(f"picture written to {picture}")
    _print_years(found)
    for name, coverage in found.items():
        _print_holes(name, coverage)
    return 3 if any(coverage.outside for coverage in found.values()) else 0


def _chosen(store: BarStore, instrument: str | None) -> list[Series]:
    stored = store.instruments()
    chosen = [series for series in stored if instrument in (None, series.instrument)]
    if not chosen:
        known = ", ".join(sorted({series.instrument for series in stored})) or "nothing"
        raise DataError(
            f"{store!r} holds no bars of {instrument or 'anything'}, expected one of its series ({known}); "
            "bring bars in with `python -m feeds fetch` or `python -m feeds import`"
        )
    return chosen


def _print_years(found: dict[str, SessionCoverage]) -> None:
    rows = []
    for name, coverage in found.items():
        for year, row in yearly(coverage).iterrows():
            counts = [f"{int(row[key]):,}" for key in ("sessions", "whole", "short", "absent", "missing")]
            rows.append([name, str(year), *counts, f"{int(row['incomplete']):,}", f"{row['percent']:.2f}"])
    header = ["series", "year", ">sessions", ">whole", ">short", ">absent", ">bars missing", ">built short"]
    print_table("stored, against the calendar", [*header, ">% of bars"], rows)


def _print_holes(name: str, coverage: SessionCoverage) -> None:
    if coverage.absent:
        print_line(f"{name}: absent {_named(coverage.absent)}")
    short = coverage.short
    if len(short):
        worst = [f"{day} ({row['found']} of {row['expected']})" for day, row in short.head(_FEW).iterrows()]
        print_line(f"{name}: emptiest {', '.join(worst)}")
    if coverage.outside:
        print_line(
            f"{name}: {coverage.outside:,} bars lie outside every session of the calendar; they stop a "
            "backtest unless data.calendar_mismatch is reject"
        )


def _named(days: Sequence[dt.date]) -> str:
    rest = len(days) - _FEW
    return ", ".join(map(str, days[:_FEW])) + (f" and {rest} more" if rest > 0 else "")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); choose another place") from error
