"""What challengers would have done: ``challengers.json`` of a day, its trades as a table, the list of days.

Champion and challengers saw the same bars. The challengers' orders went to a simulated broker, so their
results are those of a backtest; the champion's are beside them as they were.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from feeds.errors import DataError

__all__ = [
    "CHALLENGERS_DAYS_FILE",
    "CHALLENGERS_FILE",
    "CHALLENGERS_TRADES_FILE",
    "ChallengerNow",
    "ChallengerTrade",
    "ChallengersNow",
    "read_challenger_days",
    "read_challengers",
    "write_challenger_days",
    "write_challenger_trades",
    "write_challengers",
]

CHALLENGERS_FILE = "challengers.json"
CHALLENGERS_TRADES_FILE = "challengers.csv"
CHALLENGERS_DAYS_FILE = "challengers_days.csv"
_COLUMNS = ("day", "name", "strategy", "model", "trades", "wins", "gross_pnl", "net_pnl", "fingerprint")


class ChallengerTrade(BaseModel):
    """A round trip that is over. Times are STARTs of bars, aware; money in rupees."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    side: int
    units: float
    entry_time: AwareDatetime
    entry_price: float
    exit_time: AwareDatetime
    exit_price: float
    exit_reason: str
    gross_pnl: float
    net_pnl: float


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
    round_trips : tuple of ChallengerTrade
        Those that are over, in the order of entry.
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
    round_trips: tuple[ChallengerTrade, ...] = ()


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


def write_challenger_trades(folder: Path) -> None:
    """Write the trades of ``challengers.json`` beside it as a table, each with the challenger's name.

    Raises
    ------
    DataError
        There is no ``challengers.json``, or it is damaged.
    """
    now = read_challengers(folder / CHALLENGERS_FILE)
    columns = ("name", *ChallengerTrade.model_fields)
    rows = [{"name": one.name, **trade.model_dump()} for one in now.challengers for trade in one.round_trips]
    _write_table(folder / CHALLENGERS_TRADES_FILE, columns, rows)


def write_challenger_days(path: Path, day: dt.date, now: ChallengersNow) -> None:
    """Put a day into the list of days, in place of what stood there for it."""
    rows = [row for row in read_challenger_days(path) if row["day"] != day.isoformat()]
    rows += [
        {"day": day.isoformat(), **{name: str(getattr(one, name)) for name in _COLUMNS[1:]}}
        for one in now.challengers
        if not one.error
    ]
    _write_table(path, _COLUMNS, sorted(rows, key=lambda row: (row["day"], row["name"])))


def read_challenger_days(path: Path) -> Sequence[dict[str, str]]:
    """Return the rows of the list of days, oldest first; none where there is no list yet.

    Raises
    ------
    DataError
        It is no such list.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            columns, *lines = list(csv.reader(file)) or [[]]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}), expected a table; move it away") from error
    if tuple(columns) != _COLUMNS:
        found = ", ".join(columns)
        raise DataError(f"{path} has the columns {found}, expected {', '.join(_COLUMNS)}; move it away")
    for number, cells in enumerate(lines, start=2):
        if len(cells) != len(_COLUMNS):
            raise DataError(
                f"{path} has {len(cells)} cells in line {number}, expected {len(_COLUMNS)}; mend the line, "
                "or move the file away"
            )
    return [dict(zip(_COLUMNS, cells, strict=True)) for cells in lines]


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
