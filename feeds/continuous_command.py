"""What ``python -m feeds continuous`` does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from feeds.calendar import TradingCalendar
from feeds.commands import refuse_existing, write_whole
from feeds.continuous import (
    AdjustmentMethod,
    NearMonth,
    RollRule,
    adjusted,
    adjustments,
    contract_series,
    near_month,
    stored_months,
    write_adjustments,
)
from feeds.errors import SettingsError
from feeds.rolls import held_months
from feeds.show import print_line, print_table
from feeds.sources.table import SUFFIXES
from feeds.store.base import BarStore

__all__ = ["continuous_series"]


def continuous_series(
    out: Path,
    store: BarStore,
    calendar: TradingCalendar,
    *,
    instrument: str,
    bar_minutes: int,
    method: AdjustmentMethod,
    roll: RollRule,
    table: Path,
    first: dt.date | None,
    last: dt.date | None,
) -> int:
    """Write a near-month series without its rolls' gaps, and the table of what was adjusted; returns 0."""
    if not out.name.lower().endswith(SUFFIXES):
        raise SettingsError(f"{out} has the unknown ending {out.suffix!r}; choose {', '.join(SUFFIXES)}")
    refuse_existing(out)
    refuse_existing(table)
    has_contracts = bool(stored_months(store, instrument, bar_minutes))
    if has_contracts:
        near = near_month(store, instrument, bar_minutes, calendar, roll=roll, first=first, last=last)
    elif roll == "expiry":
        frame = store.load(instrument, bar_minutes, first, last)
        near = NearMonth(frame, held_months(pd.DatetimeIndex(frame.index), instrument, calendar))
    else:
        raise SettingsError(
            f"--roll {roll} compares contracts, found no {bar_minutes}-minute series such as "
            f"{contract_series(instrument, '2026-11')}; fetch contracts, or roll by expiry"
        )

    def bars_of_contract(day: dt.date) -> pd.DataFrame:
        return store.load(contract_series(instrument, near.months[day]), bar_minutes)

    made = adjustments(near.frame, near.rolls, bars_of_contract if has_contracts else None)
    write_whole(adjusted(near.frame, made, method), out)
    write_adjustments(made, table)
    prices = zip(
        made["first_day"], made["old_price"].astype(float), made["new_price"].astype(float), strict=True
    )
    rows = [
        [str(day), f"{old:,.2f}", f"{new:,.2f}", f"{100 * (new / old - 1):+.3f}"] for day, old, new in prices
    ]
    print_table(f"rolls of {instrument}", ["first day", ">old", ">new", ">percent"], rows)
    moment = "at the same minute" if has_contracts else "last close and next open, the night's move included"
    print_line(f"prices of old and new contract: {moment}")
    print_line(
        f"{len(near.frame):,} {bar_minutes}-minute bars, adjusted by {method}, written to {out}; "
        f"table: {table}"
    )
    return 0
