"""What keeping bars costs: plain CSV, the Parquet store and the PostgreSQL store, in one run on one machine.

``python -m benchmarks.storage [--years 10] [--instruments 3]``: made-up 1-minute bars, the same for all of
them. Loads are those of one calendar year in the middle, ready as a bar frame, best of several; an append is
that of the next trading day. PostgreSQL is started for it on a socket of its own, with fsync on; without its
programs that column is left out. Times depend on the machine, ratios less.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import BAR_COLUMNS, TIME_ZONE, aggregate
from feeds.calendar import TradingCalendar
from feeds.settings import SyntheticSettings
from feeds.sources.synthetic import make_bars
from feeds.store.base import BarStore
from feeds.store.parquet import ParquetStore
from tests.feeds.postgres import PostgresServer, postgres_programs, stored_in_postgres

INSTRUMENTS = ("NIFTY", "BANKNIFTY", "NIFTY-INDEX")
_FIRST_YEAR = 2016
_REPEATS = 5
_SESSIONS_A_YEAR = 247


class Measured(NamedTuple):
    """What one way of keeping bars took.

    Attributes
    ----------
    write : float
        Everything but the last day, seconds.
    year, year_of_3, days : float
        A year of 1-minute and of 3-minute bars and three days of 1-minute bars, loaded, seconds.
    append : float
        One day of one instrument, seconds.
    megabytes : float
        On the disk, 1-minute bars of all instruments and 3-minute bars of the first.
    """

    write: float
    year: float
    year_of_3: float
    days: float
    append: float
    megabytes: float


class CsvFolder:
    """The plain way: one file of text for each series; an append writes at its end."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def append(self, instrument: str, bar_minutes: int, frame: pd.DataFrame) -> None:
        """Write bars at the end of the file, and force them to the disk."""
        file = self._root / f"{instrument}-{bar_minutes}.csv"
        with file.open("a", encoding="utf-8") as stream:
            frame.to_csv(stream, header=stream.tell() == 0)
            stream.flush()
            os.fsync(stream.fileno())

    def load(
        self, instrument: str, bar_minutes: int, first: dt.date | None = None, last: dt.date | None = None
    ) -> pd.DataFrame:
        """Read the file and cut it."""
        frame = pd.read_csv(self._root / f"{instrument}-{bar_minutes}.csv", index_col="datetime")
        frame.index = pd.DatetimeIndex(pd.to_datetime(frame.index, format="ISO8601")).tz_convert(TIME_ZONE)
        return frame.loc[str(first) : str(last)]


Kept = CsvFolder | BarStore


def bars_of(instruments: Sequence[str], years: int, calendar: TradingCalendar) -> dict[str, pd.DataFrame]:
    """Return made-up 1-minute bars, by instrument."""
    return {
        name: make_bars(
            SyntheticSettings(
                seed=seed, sessions=years * _SESSIONS_A_YEAR, first_date=dt.date(_FIRST_YEAR, 1, 1)
            ),
            calendar,
            "NIFTY",
        )
        for seed, name in enumerate(instruments)
    }


def measure(
    kept: Kept, size: Callable[[], float], bars: dict[str, pd.DataFrame], threes: pd.DataFrame
) -> Measured:
    """Write, load and append, and see that what comes back is what went in."""
    first_name, frame = next(iter(bars.items()))
    days = pd.DatetimeIndex(frame.index).normalize()
    last_day = days[-1]
    started = time.perf_counter()
    for name, whole in bars.items():
        kept.append(name, 1, whole[whole.index < last_day])
    write = time.perf_counter() - started
    kept.append(first_name, 3, threes)
    year = int(np.median(days.year))
    whole_year = (dt.date(year, 1, 1), dt.date(year, 12, 31))
    some_days = (dt.date(year, 6, 1), dt.date(year, 6, 3))
    found = kept.load(first_name, 1, *whole_year)
    expected = frame[frame.index < last_day].loc[str(year)]
    values = [one[list(BAR_COLUMNS)].to_numpy(np.float64) for one in (found, expected)]
    if not (found.index.equals(expected.index) and np.array_equal(*values, equal_nan=True)):
        raise SystemExit(f"{kept!r} gave other bars than it was given")
    started = time.perf_counter()
    kept.append(first_name, 1, frame[frame.index >= last_day])
    append = time.perf_counter() - started
    return Measured(
        write,
        best(lambda: kept.load(first_name, 1, *whole_year)),
        best(lambda: kept.load(first_name, 3, *whole_year)),
        best(lambda: kept.load(first_name, 1, *some_days)),
        append,
        size(),
    )


def best(work: Callable[[], object]) -> float:
    """Return the least of several times, seconds."""
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def folder_megabytes(folder: Path) -> float:
    """Return what the files below a folder hold."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def table_megabytes(server: PostgresServer) -> float:
    """Return what the tables and indexes of the bars hold."""
    query = (
        "SELECT sum(pg_total_relation_size(inhrelid)) / 1e6 FROM pg_inherits JOIN pg_class ON oid = inhrelid "
    )
    ((size,),) = server.execute(query + "WHERE relkind = 'r' AND pg_relation_size(oid) > 0", "market")
    return float(size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all of them and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--instruments", type=int, default=3, choices=range(1, len(INSTRUMENTS) + 1))
    options = parser.parse_args(arguments)
    calendar = TradingCalendar()
    bars = bars_of(INSTRUMENTS[: options.instruments], options.years, calendar)
    threes = aggregate(next(iter(bars.values())), 3, calendar)
    count = sum(map(len, bars.values()))
    print(f"{options.instruments} instruments, {options.years} years: {count:,} 1-minute bars", flush=True)
    found: dict[str, Measured] = {}
    folder = Path(tempfile.mkdtemp(prefix="muhurat-storage-"))
    try:
        for name, make in (("CSV", CsvFolder), ("Parquet", ParquetStore)):
            root = folder / name
            root.mkdir()
            found[name] = measure(make(root), lambda root=root: folder_megabytes(root), bars, threes)
        programs = postgres_programs()
        if programs is None:
            print("PostgreSQL: its programs were not found, left out")
        else:
            with stored_in_postgres(programs, flushes=True) as (server, store):
                found["PostgreSQL"] = measure(store, lambda: table_megabytes(server), bars, threes)
    finally:
        shutil.rmtree(folder)
    print_measured(found)
    return 0


def print_measured(found: dict[str, Measured]) -> None:
    """Print each figure and its ratio to plain CSV."""
    rows = {
        "write all, s": "write", "load a year, ms": "year", "load a year of 3 minutes, ms": "year_of_3",
        "load 3 days, ms": "days", "append a day, ms": "append", "size, MB": "megabytes",
    }  # fmt: skip
    print(f"{'':30}" + "".join(f"{name:>22}" for name in found))
    for title, field in rows.items():
        scale = 1e3 if title.endswith("ms") else 1.0
        plain = getattr(found["CSV"], field)
        cells = [
            f"{getattr(one, field) * scale:,.1f} ({plain / getattr(one, field):,.2f}x)"
            for one in found.values()
        ]
        print(f"{title:30}" + "".join(f"{cell:>22}" for cell in cells))
    print("in brackets: how many times less than plain CSV")


if __name__ == "__main__":
    sys.exit(main())
