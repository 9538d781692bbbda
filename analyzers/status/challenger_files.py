"""What the page shows of the challengers: today, and over all days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analyzers.challenger_totals import CHAMPION_DAYS_FILE, ChallengerTotals, challenger_totals
from analyzers.challengers import CHALLENGERS_DAYS_FILE, CHALLENGERS_FILE, ChallengersNow, read_challengers

__all__ = ["ChallengerFiles"]


class ChallengerFiles:
    """``challengers.json`` of the day and the lists of days, read when they have changed. For one thread.

    Parameters
    ----------
    state_folder : pathlib.Path
        Of the process.
    """

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder
        self._seen: tuple[object, ...] = ()
        self._shown: list[dict[str, Any]] = []

    def read(self, day_folder: Path) -> list[dict[str, Any]]:
        """Return one entry for each challenger of the day; none where there are none.

        Returns
        -------
        list of dict
            The fields of :class:`analyzers.challengers.ChallengerNow` but for the single trades, the day's
            ``as_of``, and ``days``, ``days_trades``, ``days_net_pnl``, ``champion_net_pnl``: sums over all
            days on which it ran.

        Raises
        ------
        OSError, DataError
            A file cannot be read.
        """
        path = day_folder / CHALLENGERS_FILE
        lists = (self._folder / CHALLENGERS_DAYS_FILE, self._folder / CHAMPION_DAYS_FILE)
        seen = (path, *map(_stamp, (path, *lists)))
        if seen != self._seen:
            self._shown = _shown(read_challengers(path), challenger_totals(self._folder)) if seen[1] else []
            self._seen = seen
        return self._shown


def _shown(now: ChallengersNow, totals: list[ChallengerTotals]) -> list[dict[str, Any]]:
    by_key = {one[:3]: one for one in totals}
    as_of = None if now.as_of is None else now.as_of.isoformat()
    shown = []
    for one in now.challengers:
        total = by_key.get((one.name, one.strategy, one.model))
        shown.append(
            one.model_dump(mode="json", exclude={"round_trips"})
            | {
                "as_of": as_of,
                "days": total.days if total else 0,
                "days_trades": total.trades if total else 0,
                "days_net_pnl": total.net_pnl if total else 0.0,
                "champion_net_pnl": total.champion_net_pnl if total else 0.0,
            }
        )
    return shown


def _stamp(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    found = path.stat()
    return found.st_mtime_ns, found.st_size
