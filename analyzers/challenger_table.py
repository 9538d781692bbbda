"""``python -m analyzers challengers``: champion and challengers over all days on which both ran."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analyzers.challenger_totals import CHAMPION_DAYS_FILE, ChallengerTotals, challenger_totals
from analyzers.challengers import CHALLENGERS_DAYS_FILE
from feeds.errors import DataError
from feeds.show import print_line, print_table
from ml.paired_test import LEAST_SESSIONS, paired_test

__all__ = ["show_challengers"]


def show_challengers(state_folder: Path) -> int:
    """Print a table, and for each challenger what the days say about it.

    Raises
    ------
    DataError
        No challenger ran there, or a list is damaged.
    """
    totals = challenger_totals(state_folder)
    if not totals:
        raise DataError(
            f"no challenger has finished a day in {state_folder}, expected {CHALLENGERS_DAYS_FILE} and "
            f"{CHAMPION_DAYS_FILE}; name some in live.challengers, and give the folder with the list of "
            "days"
        )
    header = ("challenger", "strategy", "model", ">days", ">trades", ">won", ">gross", ">net",
              ">champion's net", ">ahead by")  # fmt: skip
    rows = [
        (one.name, one.strategy, one.model or "-", f"{one.days}", f"{one.trades}", f"{one.wins}",
         f"{one.gross_pnl:+,.0f}", f"{one.net_pnl:+,.0f}", f"{one.champion_net_pnl:+,.0f}",
         f"{one.net_pnl - one.champion_net_pnl:+,.0f}")
        for one in totals
    ]  # fmt: skip
    print_table("Champion and challengers on the same days, rupees (challengers simulated)", header, rows)
    for one in totals:
        print_line(f"{one.name}: {_judged(one)}")
    return 0


def _judged(one: ChallengerTotals) -> str:
    if one.days < LEAST_SESSIONS:
        return f"too few days to tell, found {one.days}, expected {LEAST_SESSIONS} or more"
    found = paired_test(np.array(one.champion_net_by_day), np.array(one.net_by_day))
    verdict = "ahead of the champion" if found.passes else "not shown to be ahead of the champion"
    return f"{verdict}: {found.words()}"
