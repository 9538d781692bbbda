"""What the page shows of the challengers: today, and over the last days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzers.challengers import (
    CHALLENGERS_DAYS_FILE,
    CHALLENGERS_FILE,
    read_challenger_days,
    read_challengers,
)

__all__ = ["ChallengerFiles"]


class ChallengerFiles:
    """``challengers.json`` of the day and the list of days, read when they have changed. For one thread.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process.
    """

    def __init__(self, state_folder: Path) -> None:
        self._list = state_folder / CHALLENGERS_DAYS_FILE
        self._seen: tuple[object, ...] = ()
        self._today: list[dict[str, Any]] = []
        self._rows: Sequence[dict[str, str]] = ()

    def read(self, day_folder: Path, days: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one entry for each challenger of the day; none where there are none.

        Parameters
        ----------
        day_folder : pathlib.Path
            Of the day.
        days : sequence of mapping
            The champion's last days, with ``day`` and ``net_pnl``.

        Returns
        -------
        list of dict
            The fields of :class:`analyzers.challengers.ChallengerNow`, and ``days``, ``days_trades``,
            ``days_net_pnl``, ``champion_net_pnl``: sums over those of the last days on which it ran.

        Raises
        ------
        OSError, DataError
            A file cannot be read.
        """
        path = day_folder / CHALLENGERS_FILE
        seen = (path, _stamp(path), _stamp(self._list))
        if seen != self._seen:
            now = read_challengers(path) if path.exists() else None
            self._today = [one.model_dump(mode="json") for one in now.challengers] if now else []
            self._rows = read_challenger_days(self._list)
            self._seen = seen
        return [one | self._totals(str(one["name"]), days) for one in self._today]

    def _totals(self, name: str, days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        champion = {str(day["day"]): float(day["net_pnl"]) for day in days}
        rows = [row for row in self._rows if row["name"] == name and row["day"] in champion]
        return {
            "days": len(rows),
            "days_trades": sum(int(row["trades"]) for row in rows),
            "days_net_pnl": sum(float(row["net_pnl"]) for row in rows),
            "champion_net_pnl": sum(champion[row["day"]] for row in rows),
        }


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size
