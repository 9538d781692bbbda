"""What the commands of ``python -m feeds`` do; each returns its exit code."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import pandas as pd

from feeds.bars import BAR_COLUMNS, aggregate, detect_bar_minutes
from feeds.calendar import Session, TradingCalendar
from feeds.contracts import contract_for
from feeds.errors import DataError, SettingsError
from feeds.readers import read_raw
from feeds.show import print_line, print_table
from feeds.sources.files import load_bars
from feeds.sources.rows import read_rows
from feeds.sources.table import SUFFIXES
from feeds.stamps import StampConvention
from feeds.store.base import BarStore, Series
from feeds.validate import Validated, validate

__all__ = [
    "check",
    "export_bars",
    "import_bars",
    "list_store",
    "refuse_existing",
    "show_calendar",
    "write_whole",
]

_RAW_SUFFIXES = (".csv", ".txt")


def check(
    path: Path,
    calendar: TradingCalendar,
    *,
    reader: str | None,
    stamps: StampConvention | None,
    timezone: str | None,
    instrument: str,
    rejects: Path | None,
) -> int:
    """Check every row of a file, or of every file below a folder, and print what was found.

    Returns 0 if every row is a good bar, else 3.
    """
    refuse_existing(rejects)
    found, failed = [], 0
    for file in _files(path):
        try:
            found.append(_validated(file, calendar, reader, stamps, timezone, instrument))
        except DataError as error:
            if file == path:
                raise
            failed += 1
            print_line(str(error))
    _print_reports(found)
    if rejects is not None:
        _write_rejects(found, rejects)
    return 3 if failed or any(len(result.rejects) for result in found) else 0


def import_bars(
    path: Path,
    store: BarStore,
    calendar: TradingCalendar,
    *,
    reader: str | None,
    stamps: StampConvention | None,
    timezone: str | None,
    instrument: str | None,
    rejects: Path | None,
) -> int:
    """Bring the good bars of a file, or of every file below a folder, into a store.

    A vendor's file names its instrument, which must be ``instrument`` if that is given. A file with
    a header does not, so it needs one; it must be right as a whole. A file of a folder that cannot be read
    is named, and the others are brought in.

    Returns 0, or 3 if a file of the folder could not be read.
    """
    refuse_existing(rejects)
    rows, results, failed = [], [], 0
    for file in _files(path):
        try:
            name, frame, result = _read_file(file, calendar, reader, stamps, timezone, instrument)
        except DataError as error:
            if file == path:
                raise
            failed += 1
            print_line(str(error))
            continue
        if result is not None:
            results.append(result)
        rejected = 0 if result is None else len(result.rejects)
        bar_minutes = detect_bar_minutes(pd.DatetimeIndex(frame.index))
        done = store.append(name, bar_minutes, frame)
        counts = (len(frame) + rejected, rejected, done.added, done.already_stored)
        rows.append([str(file), f"{name} {bar_minutes}minute", *(f"{count:,}" for count in counts)])
    print_table("imported", ["file", "series", ">rows", ">rejected", ">added", ">already stored"], rows)
    if rejects is not None:
        _write_rejects(results, rejects)
    return 3 if failed else 0


def export_bars(
    out: Path,
    store: BarStore,
    calendar: TradingCalendar,
    *,
    instrument: str,
    bar_minutes: int,
    first: dt.date | None,
    last: dt.date | None,
) -> int:
    """Write stored bars into a CSV or Parquet file; returns 0.

    Bars of a length that is not stored are aggregated from 1-minute bars.
    """
    if not out.name.lower().endswith(SUFFIXES):
        raise SettingsError(f"{out} has the unknown ending {out.suffix!r}; choose {', '.join(SUFFIXES)}")
    refuse_existing(out)
    stored = store.coverage(instrument, bar_minutes) is not None
    frame = store.load(instrument, bar_minutes if stored else 1, first, last)
    if not stored:
        frame = aggregate(frame, bar_minutes, calendar)
    write_whole(frame, out)
    print_line(f"{len(frame):,} {bar_minutes}-minute bars of {instrument} written to {out}")
    return 0


def list_store(store: BarStore) -> int:
    """Print what a store holds; returns 0."""
    rows = []
    for series in store.instruments():
        held = store.coverage(*series)
        if held is not None:
            span = (f"{held.first:%Y-%m-%d}", f"{held.last:%Y-%m-%d}")
            rows.append([_series_name(series), *span, f"{held.days:,}", f"{held.bars:,}"])
    print_table("stored", ["series", "first", "last", ">days", ">bars"], rows)
    return 0


def show_calendar(calendar: TradingCalendar, instrument: str, first: dt.date, last: dt.date) -> int:
    """Print the sessions from ``first`` to ``last``, both included; returns 0."""
    if first > last:
        raise SettingsError(f"--from {first} is after --to {last}; swap them")
    rows = [_session_row(session, calendar, instrument) for session in calendar.sessions(first, last)]
    title = f"sessions of NSE index futures from {first} to {last}, Asia/Kolkata"
    print_table(title, ["date", "day", "kind", "hours", ">minutes", instrument, ">lot"], rows)
    return 0


def refuse_existing(path: Path | None) -> None:
    """Raise if a file that is to be written is there already."""
    if path is not None and path.exists():
        raise SettingsError(f"{path} exists and is not overwritten; remove it or choose another name")


def _session_row(session: Session, calendar: TradingCalendar, instrument: str) -> list[str]:
    contract = contract_for(instrument, session.date, calendar)
    hours = " ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in session.segments)
    month = contract.month + (" expires" if contract.expiry == session.date else "")
    return [
        str(session.date), f"{session.date:%a}", session.kind, hours, str(session.minutes), month,
        str(contract.lot),
    ]  # fmt: skip


def _series_name(series: Series) -> str:
    return f"{series.instrument} {series.bar_minutes}minute"


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    known = (*SUFFIXES, *_RAW_SUFFIXES)
    below = (file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    files = sorted(file for file in below if file.name.lower().endswith(known))
    if not files:
        raise DataError(f"no file below {path} ends in {', '.join(known)}; give another folder")
    return files


def _has_header(file: Path, reader: str | None) -> bool:
    # A vendor's rows begin with a ticker and a date, a file of ours with the names of its columns.
    if reader is not None or file.name.lower().endswith(".txt"):
        return False
    if not file.name.lower().endswith(".csv"):
        return True
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            names = stream.readline().lower().replace('"', "").split(",")
    except OSError as error:
        raise DataError(f"cannot read {file} ({error.strerror}); check the path") from error
    return "datetime" in [name.strip() for name in names] or {"open", "close"} <= set(names)


def _read_file(
    file: Path,
    calendar: TradingCalendar,
    reader: str | None,
    stamps: StampConvention | None,
    timezone: str | None,
    instrument: str | None,
) -> tuple[str, pd.DataFrame, Validated | None]:
    """Return the series of a file, its good bars, and what was rejected of a vendor's file."""
    if _has_header(file, reader):
        if instrument is None:
            raise SettingsError(f"{file} does not say of which instrument it is; give --instrument")
        loaded = load_bars(file, calendar=calendar, timezone=timezone)
        extra = [name for name in loaded.frame.columns if name not in BAR_COLUMNS]
        if extra:
            print_line(f"{file}: not stored, because it is no part of a bar: {', '.join(extra)}")
        return instrument, loaded.frame[list(BAR_COLUMNS)], None
    result = validate(read_raw(file, reader), calendar, convention=stamps)
    name = result.report.underlying
    if instrument not in (None, name):
        raise SettingsError(f"{file} holds bars of {name}, not of {instrument}; correct --instrument")
    return name, result.frame, result


def _validated(
    file: Path,
    calendar: TradingCalendar,
    reader: str | None,
    stamps: StampConvention | None,
    timezone: str | None,
    instrument: str,
) -> Validated:
    if not _has_header(file, reader):
        return validate(read_raw(file, reader), calendar, convention=stamps)
    raw = read_rows(file, timezone=timezone, instrument=instrument)
    return validate(raw, calendar, convention=stamps or StampConvention.START)


def _print_reports(found: list[Validated]) -> None:
    reports = [result.report for result in found]
    print_table(
        "files",
        ["file", "reader", "underlying", ">rows", ">kept", ">rejected"],
        [
            [r.source, r.reader, r.underlying, f"{r.rows:,}", f"{r.kept:,}", f"{r.rows - r.kept:,}"]
            for r in reports
        ],
    )
    rejected = [(r.source, str(name), f"{n:,}") for r in reports for name, n in r.rejected.items()]
    if rejected:
        print_table("rejected", ["file", "reason", ">rows"], rejected)
    odd = [(r.source, str(name), f"{n:,}") for r in reports for name, n in r.oddities.items()]
    if odd:
        print_table("kept, but look at it", ["file", "what", ">count"], odd)


def _write_rejects(results: list[Validated], path: Path) -> None:
    parts = [result.rejects.assign(file=result.report.source) for result in results]
    columns = ["file", "line", "reason", "text"]
    table = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    write_whole(table.set_index("file"), path)
    print_line(f"{len(table):,} rejected rows written to {path}")


def write_whole(frame: pd.DataFrame, path: Path) -> None:
    """Write a table into a CSV or Parquet file; an interruption leaves nothing that looks whole."""
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            unfinished = Path(folder) / path.name
            if path.suffix.lower() == ".parquet":
                frame.to_parquet(unfinished)
            else:
                frame.to_csv(unfinished, lineterminator="\n")
            unfinished.replace(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); choose another place") from error
