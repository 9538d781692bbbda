"""The files of a recorded day: their columns, how fills are written, and how everything is read back.

====================  ==========================================================================
``bars.csv``          every bar the strategy got, warm-up included, with its ``origin``
``decisions.csv``     one row for each bar it was asked about, with the inputs of the answer
``fills.csv``         executions, with the times of their orders
``orders.csv``        every change of every order, as of every run
``summary.json``      settings, starting cash, and where the model lies
====================  ==========================================================================
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analyzers.bar_record import BarRecord
from analyzers.parity.day import DayRun, OrderTimes, RecordedDay, TimedFill, naive_times
from analyzers.parity.trips import OPEN, trips_of
from brokers.journal import Fill, OrderEvent
from feeds.bars import BAR_COLUMNS, TIME_ZONE, VALUE_COLUMNS, check_frame
from feeds.clock import IST
from feeds.errors import DataError

__all__ = [
    "BARS_COLUMNS",
    "BARS_FILE",
    "DECISIONS_FILE",
    "DECISION_COLUMNS",
    "FILLS_FILE",
    "INSTRUMENTS_FILE",
    "day_folders",
    "read_bars",
    "read_day",
    "read_fills",
    "read_records",
    "write_fills",
]

BARS_FILE, DECISIONS_FILE, FILLS_FILE = "bars.csv", "decisions.csv", "fills.csv"
INSTRUMENTS_FILE = "instruments.json"
"""Beside the folders of several instruments: their names, in the order in which they were traded."""

BARS_COLUMNS = ("start", "end", *BAR_COLUMNS, "origin")
DECISION_COLUMNS = ("bar_start", "position", "working", "asked", "side", "probability", "units", "leaves")
"""Before the inputs, which differ from strategy to strategy."""

FILL_COLUMNS = (*Fill._fields, "signal_time", *OrderTimes._fields)
BUILT_FROM_TICKS = "ticks"

_NEEDED = (("settings", "market"), ("settings", "data"), ("settings", "strategy"), ("data", "starting_cash"))
_SAME_RUPEES = 0.01


def write_fills(folder: Path, fills: Iterable[TimedFill]) -> None:
    """Write ``fills.csv`` whole, in place of the one that is there.

    Whoever reads it meanwhile finds the old or the new one, never a part.

    Parameters
    ----------
    folder : pathlib.Path
        The day's.
    fills : iterable of TimedFill
        Every execution of the day, in the order in which they happened.
    """
    unfinished = folder / f".{FILLS_FILE}.unfinished"
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FILL_COLUMNS)
        for fill, signal_time, times in fills:
            wall = {"time": fill.time.replace(tzinfo=IST)}
            row = [*fill._replace(**wall), signal_time.replace(tzinfo=IST), *times]  # type: ignore[arg-type]
            writer.writerow(["" if value is None else value for value in row])
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / FILLS_FILE)


def day_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of a recorded day by instrument: itself, or one for each where several were traded.

    In the order in which they were traded; itself under an empty name.

    Raises
    ------
    DataError
        The day's summary is missing or damaged.
    """
    if (folder / BARS_FILE).exists():
        return {"": folder}
    path = folder / INSTRUMENTS_FILE
    if not path.exists():
        return {"": folder}
    with _reading(path):
        names = [str(name) for name in json.loads(path.read_text(encoding="utf-8"))]
    return {name: folder / name for name in names}


def read_day(folder: Path) -> RecordedDay:
    """Read what a live, paper or demo day left behind.

    Raises
    ------
    DataError
        A file is missing, damaged or contradicts another, or no bar was built from ticks.
    """
    summary = _read_summary(folder)
    bars = read_bars(folder / BARS_FILE)
    live = bars.index[bars["origin"] == BUILT_FROM_TICKS]
    if live.empty:
        raise DataError(
            f"{folder / BARS_FILE} holds no bar of origin '{BUILT_FROM_TICKS}', expected one or more: the "
            "day saw no ticks, so there is nothing to compare"
        )
    bars["complete"] &= bars["origin"] == BUILT_FROM_TICKS
    fills = read_fills(folder / FILLS_FILE)
    run = DayRun(
        bars=bars,
        records=read_records(folder / DECISIONS_FILE),
        trips=trips_of(
            [timed.fill for timed in fills],
            {timed.fill.trade_id: timed.signal_time for timed in fills},
            naive_times(pd.DatetimeIndex(bars.index)),
            float(bars["close"].iloc[-1]),
        ),
        events=_read_events(folder / "orders.csv"),
    )
    _check_trades(run, folder / "trades.csv")
    (first,) = naive_times(pd.DatetimeIndex(live[:1]))
    data = summary["data"]
    return RecordedDay(
        folder=folder,
        run=run,
        fills=fills,
        first=first,
        settings=summary["settings"],
        model=summary.get("model"),
        starting_cash=float(data["starting_cash"]),
        starting_losses=int(data.get("starting_losses", 0)),
    )


def read_bars(path: Path) -> pd.DataFrame:
    """Return the recorded bars as a bar frame, with the columns ``end`` and ``origin`` behind it.

    Raises
    ------
    DataError
        The file is missing or damaged, or its rows make no bar frame.
    """
    with _reading(path):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        _check_columns(path, table.columns, BARS_COLUMNS)
        times = {
            name: pd.DatetimeIndex(pd.to_datetime(table[name], utc=True)).tz_convert(TIME_ZONE).as_unit("us")
            for name in ("start", "end")
        }
        # Python's float reads back what repr wrote, to the last bit, in every version of pandas.
        numbers = {name: np.array([float(text) for text in table[name]]) for name in VALUE_COLUMNS}
        complete = np.array([bool(int(text)) for text in table["complete"]], dtype=np.bool_)
        bars = pd.DataFrame({**numbers, "complete": complete}, index=times["start"].rename("datetime"))
        bars["end"], bars["origin"] = times["end"], table["origin"].to_numpy()
    check_frame(bars)
    return bars


def _read_summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    with _reading(path):
        summary = dict(json.loads(path.read_text(encoding="utf-8")))
        missing = [
            f"{outer}.{inner}" for outer, inner in _NEEDED if inner not in dict(summary.get(outer) or {})
        ]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}, expected the summary of a live, paper or demo day: give the "
            "folder that run_live.py wrote"
        )
    return summary


def read_records(path: Path) -> dict[dt.datetime, BarRecord]:
    """Return ``decisions.csv`` by START of the bar, naive exchange wall clock, in the order of the file.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    with _reading(path), path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        _check_columns(path, header[: len(DECISION_COLUMNS)], DECISION_COLUMNS)
        names = header[len(DECISION_COLUMNS) :]
        records = [_record(row, names) for row in rows]
    return {record.start: record for record in records}


def _record(row: Sequence[str], names: Sequence[str]) -> BarRecord:
    start, position, working, asked, side, probability, units, leaves, *inputs = row
    return BarRecord(
        _wall_clock(start), float(position), bool(int(working)), bool(int(asked)), int(side),
        float(probability), float(units), leaves, dict(zip(names, map(float, inputs), strict=True)),
    )  # fmt: skip


def read_fills(path: Path) -> list[TimedFill]:
    """Return ``fills.csv`` as it was written.

    Raises
    ------
    DataError
        The file is missing or damaged.
    """
    with _reading(path), path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        _check_columns(path, rows.fieldnames or (), FILL_COLUMNS)
        return [_fill(row) for row in rows]


def _fill(row: dict[str, str]) -> TimedFill:
    fill = Fill(
        int(row["order_id"]), int(row["trade_id"]), row["instrument"], _wall_clock(row["time"]),
        int(row["bar"]), row["role"], float(row["size"]), float(row["price"]),
        float(row["reference_price"]), float(row["charges"]),
    )  # fmt: skip
    times = (row[name] for name in OrderTimes._fields)
    known = OrderTimes(*(dt.datetime.fromisoformat(text).astimezone(IST) if text else None for text in times))
    return TimedFill(fill, _wall_clock(row["signal_time"]), known)


def _read_events(path: Path) -> list[OrderEvent]:
    with _reading(path), path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        _check_columns(path, rows.fieldnames or (), OrderEvent._fields)
        return [
            OrderEvent(
                _wall_clock(row["time"]), int(row["order_id"]), int(row["trade_id"]), row["role"],
                row["kind"], row["state"], float(row["size"]), float(row["price"]), float(row["filled"]),
                float(row["average_price"]), row["rule"], row["reason"],
            )
            for row in rows
        ]  # fmt: skip


def _check_trades(run: DayRun, path: Path) -> None:
    with _reading(path):
        expected = float(pd.read_csv(path)["net_pnl"].sum())
    found = sum(trip.net for trip in run.trips if trip.exit_reason != OPEN)
    if not abs(found - expected) <= _SAME_RUPEES:
        raise DataError(
            f"{path} adds up to {expected:.2f} rupees, {FILLS_FILE} beside it to {found:.2f}, expected the "
            "same: the folder holds files of two runs, or one was changed"
        )


def _wall_clock(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    return time.astimezone(IST).replace(tzinfo=None) if time.tzinfo else time


def _check_columns(path: Path, found: Iterable[str], expected: Iterable[str]) -> None:
    columns = list(found)
    missing = [name for name in expected if name not in columns]
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(missing)}, expected the columns of a recorded day: "
            "give the folder that run_live.py wrote"
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"no {path.name} in {path.parent} ({error.strerror}), expected the folder of a live, paper or "
            "demo day that came to its end: give the one that run_live.py named"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read ({' '.join(str(error).split())}), expected the file of a recorded day: "
            "it is damaged or of another version"
        ) from error
