"""Champion and challengers over all days on which both ran, for the page and the table."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from analyzers.challengers import CHALLENGERS_DAYS_FILE, read_challenger_days
from feeds.errors import DataError

__all__ = ["CHAMPION_DAYS_FILE", "ChallengerTotals", "challenger_totals"]

CHAMPION_DAYS_FILE = "days.csv"


class ChallengerTotals(NamedTuple):
    """One challenger over all days that are also in the champion's list.

    Another strategy or model under the same name is another challenger.

    Attributes
    ----------
    name, strategy, model : str
        As of the days.
    trades, wins : int
        Round trips, and those with a net profit.
    gross_pnl : float
        Rupees, before slippage and charges.
    net_by_day, champion_net_by_day : tuple of float
        Rupees of each of the days, oldest first.
    """

    name: str
    strategy: str
    model: str
    trades: int
    wins: int
    gross_pnl: float
    net_by_day: tuple[float, ...]
    champion_net_by_day: tuple[float, ...]

    @property
    def days(self) -> int:
        """How many days those are."""
        return len(self.net_by_day)

    @property
    def net_pnl(self) -> float:
        """Rupees, net of slippage and charges."""
        return sum(self.net_by_day)

    @property
    def champion_net_pnl(self) -> float:
        """What the champion earned on the same days."""
        return sum(self.champion_net_by_day)


def challenger_totals(state_folder: Path) -> list[ChallengerTotals]:
    """Return all challengers that ever ran, by name; none where there is no list of days.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process: ``days.csv`` and ``challengers_days.csv``.

    Raises
    ------
    DataError
        A list is damaged.
    """
    path = state_folder / CHALLENGERS_DAYS_FILE
    champion = _champion_days(state_folder / CHAMPION_DAYS_FILE)
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in read_challenger_days(path):
        if row["day"] in champion:
            found.setdefault((row["name"], row["strategy"], row["model"]), []).append(row)
    try:
        return [
            ChallengerTotals(
                *key,
                trades=sum(int(row["trades"]) for row in rows),
                wins=sum(int(row["wins"]) for row in rows),
                gross_pnl=sum(float(row["gross_pnl"]) for row in rows),
                net_by_day=tuple(float(row["net_pnl"]) for row in rows),
                champion_net_by_day=tuple(champion[row["day"]] for row in rows),
            )
            for key, rows in sorted(found.items())
        ]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}), expected numbers; mend it or move it away") from error


def _champion_days(path: Path) -> dict[str, float]:
    """Return the champion's net result by day, ISO 8601."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return {row["day"]: float(row["net_pnl"]) for row in csv.DictReader(file) if row["net_pnl"]}
        except (csv.Error, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}), expected a list of days; mend it") from error
