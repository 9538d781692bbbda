"""What ``python -m feeds continuous`` does."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from feeds.calendar import TradingCalendar
from feeds.commands import refuse_existing, write_whole
from feeds.continuous import (
    AdjustmentMethod,
    adjusted,
    adjustments,
    contract_series,
    near_month,
    stored_months,
    write_adjustments,
)
from feeds.contracts import contract_for
from feeds.errors import SettingsError
from feeds.rolls import rolls_by_expiry
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
    table: Path,
    first: dt.date | None,
    last: dt.date | None,
) -> int:
    """Write a near-month series without the gaps of its rolls, and the table of what was adjusted; returns 0."""
    if not out.name.lower().endswith(SUFFIXES):
        raise SettingsError(f"{out} has the unknown ending {out.suffix!r}; choose {', '.join(SUFFIXES)}")
    refuse_existing(out)
    refuse_existing(table)
    has_contracts = bool(stored_months(store, instrument, bar_minutes))
    frame = (
        near_month(store, instrument, bar_minutes, calendar, first, last)
        if has_contracts
        else store.load(instrument, bar_minutes, first, last)
    )

    def bars_of_contract(day: dt.date) -> pd.DataFrame | None:
        name = contract_series(instrument, contract_for(instrument, day, calendar).month)
        return store.load(name, bar_minutes) if store.coverage(name, bar_minutes) else None

    rolls = rolls_by_expiry(pd.DatetimeIndex(frame.index), instrument, calendar)
    made = adjustments(frame, rolls, bars_of_contract if has_contracts else None)
    write_whole(adjusted(frame, made, method), out)
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
        f"{len(frame):,} {bar_minutes}-minute bars, adjusted by {method}, written to {out}; table: {table}"
    )
    return 0
