"""The list of traded days, ``days.csv``: one row for each, in the folder that outlives them."""

from __future__ import annotations

import csv
import datetime as dt
import os
from pathlib import Path
from typing import NamedTuple

from feeds.errors import DataError

__all__ = ["DAYS_FILE", "DayRow", "read_days", "write_day_row"]

DAYS_FILE = "days.csv"


class DayRow(NamedTuple):
    """One day.

    Attributes
    ----------
    day : datetime.date
        The session's.
    mode : str
        ``demo``, ``paper`` or ``live``.
    trades, wins : int
        Closed round trips, and those of them that earned something after charges.
    net_pnl, charges : float
        Rupees of the closed round trips.
    cash : float or None
        Rupees at the end, None where it is not known.
    outcome : str
        One or a few words.
    folder : str
        Of the day; relative to that of the file where it lies within.
    """

    day: dt.date
    mode: str
    trades: int
    wins: int
    net_pnl: float
    charges: float
    cash: float | None
    outcome: str
    folder: str


def read_days(path: Path) -> list[DayRow]:
    """Return the days in their order, none where there is no file yet.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if tuple(rows.fieldnames or ()) != DayRow._fields:
                found = ", ".join(rows.fieldnames or ()) or "of an empty file"
                raise DataError(
                    f"{path} has the columns {found}, expected {', '.join(DayRow._fields)}; move it away, "
                    "and a new one is begun"
                )
            return [_row(fields) for fields in rows]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}), expected a list of days; mend it"
        ) from error
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read ({' '.join(str(error).split())}), expected one line for each day; mend "
            "the line, or move the file away, and a new one is begun"
        ) from error


def write_day_row(path: Path, row: DayRow) -> None:
    """Add a day, in place of the row that the same day has.

    The file is replaced whole: whoever reads it finds the old or the new one, and so does a crash.

    Raises
    ------
    DataError
        The file that is there cannot be read; it is left as it is.
    OSError
        It cannot be written.
    """
    kept = [known for known in read_days(path) if known.day != row.day]
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(DayRow._fields)
        rows = [*kept, row]
        rows.sort(key=_day_of)
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _day_of(row: DayRow) -> dt.date:
    return row.day


def _row(fields: dict[str, str]) -> DayRow:
    return DayRow(
        dt.date.fromisoformat(fields["day"]), fields["mode"], int(fields["trades"]), int(fields["wins"]),
        float(fields["net_pnl"]), float(fields["charges"]),
        float(fields["cash"]) if fields["cash"] else None, fields["outcome"], fields["folder"],
    )  # fmt: skip
