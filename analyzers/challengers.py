"""What challengers would have done: ``challengers.json`` of a day, and the list of all days.

Champion and challengers saw the same bars. The challengers' orders went to a simulated broker, so their
results are those of a backtest; the champion's are beside them as they were.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feeds.errors import DataError

__all__ = [
    "CHALLENGERS_DAYS_FILE",
    "CHALLENGERS_FILE",
    "ChallengerNow",
    "ChallengersNow",
    "read_challenger_days",
    "read_challengers",
    "write_challenger_days",
    "write_challengers",
]

CHALLENGERS_FILE = "challengers.json"
CHALLENGERS_DAYS_FILE = "challengers_days.csv"
_COLUMNS = ("day", "name", "strategy", "model", "trades", "wins", "gross_pnl", "net_pnl", "fingerprint")


class ChallengerNow(BaseModel):
    """One challenger, as of the last bar.

    Attributes
    ----------
    name, strategy, model : str
        As in the settings; ``model`` is empty where none is asked.
    trades, wins : int
        Round trips that are over, and those of them with a net profit.
    gross_pnl, net_pnl : float
        Rupees, of those; net of slippage and charges.
    open_units : float
        Held, signed; 0 when flat.
    last_side : int
        Of the newest entry decided: +1, −1, or 0 before there is one.
    last_decided_at : datetime or None
        CLOSE of its bar, aware.
    fingerprint : str
        Over the trades, as of a backtest.
    error : str
        What keeps it from being run, in words; empty while nothing does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str
    strategy: str
    model: str = ""
    trades: int = 0
    wins: int = 0
    gross_pnl: float = 0.0
    net_pnl: float = 0.0
    open_units: float = 0.0
    last_side: int = 0
    last_decided_at: AwareDatetime | None = None
    fingerprint: str = ""
    error: str = ""


class ChallengersNow(BaseModel):
    """All challengers of a day; ``bars`` counts those built from ticks, ``as_of`` is the newest's START."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: AwareDatetime | None
    bars: int
    challengers: tuple[ChallengerNow, ...]


def write_challengers(path: Path, now: ChallengersNow) -> None:
    """Put the file in place whole: who reads meanwhile finds the old or the new one."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(now.model_dump_json() + "\n", encoding="utf-8")
    unfinished.replace(path)


def read_challengers(path: Path) -> ChallengersNow:
    """Read ``challengers.json``.

    Raises
    ------
    DataError
        It is missing or damaged.
    """
    try:
        return ChallengersNow.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"no {path} ({error.strerror}), expected a day with live.challengers set") from error
    except ValidationError as error:
        raise DataError(f"{path} is damaged: {error.error_count()} faults; remove the file") from error


def write_challenger_days(path: Path, day: dt.date, now: ChallengersNow) -> None:
    """Put a day into the list of days, in place of what stood there for it."""
    rows = [row for row in read_challenger_days(path) if row["day"] != day.isoformat()]
    rows += [
        {"day": day.isoformat(), **{name: str(getattr(one, name)) for name in _COLUMNS[1:]}}
        for one in now.challengers
        if not one.error
    ]
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(rows, key=lambda row: (row["day"], row["name"])))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def read_challenger_days(path: Path) -> Sequence[dict[str, str]]:
    """Return the rows of the list of days, oldest first; none where there is no list yet.

    Raises
    ------
    DataError
        It is no such list.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            found = ", ".join(reader.fieldnames or ())
            raise DataError(f"{path} has the columns {found}, expected {', '.join(_COLUMNS)}; move it away")
        return list(reader)
