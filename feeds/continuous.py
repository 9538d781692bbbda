"""One series out of many contracts: the near month as live trading holds it, with or without the roll gaps.

A backtest trades on the near month's own prices: what is paid and charged is real. Adjusted prices are for
what looks across many days, such as research; they are never traded. The newest contract keeps its prices,
older ones are moved; the raw series stays as it is, and the table of adjustments says what was done.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from feeds.bars import TIME_ZONE
from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for
from feeds.errors import DataError
from feeds.rolls import Roll, check_rolls, rolls_by_open_interest
from feeds.store.base import BarStore

__all__ = [
    "ADJUSTMENT_COLUMNS", "AdjustmentMethod", "NearMonth", "RollRule", "adjusted", "adjustments",
    "contract_series", "near_month", "read_adjustments", "stored_months", "write_adjustments",
]  # fmt: skip

AdjustmentMethod = Literal["difference", "ratio"]
RollRule = Literal["expiry", "open_interest"]

ADJUSTMENT_COLUMNS = ("last_day", "first_day", "old_price", "new_price")
"""Of the table: the days around a roll, and a price of the old and of the new contract, index points, of as
near the same moment as the data allow."""

_PRICES = ["open", "high", "low", "close"]

ContractBars = Callable[[dt.date], pd.DataFrame | None]
"""Gives bars of the contract that becomes the near month on a day, from before that day, if any are known."""


def contract_series(underlying: str, month: str) -> str:
    """Return the name under which a contract's bars are stored, ``NIFTY-2026-11``; ``month`` is YYYY-MM."""
    return f"{underlying}-{month}"


def stored_months(store: BarStore, underlying: str, bar_minutes: int) -> list[str]:
    """Return the months (YYYY-MM) whose contracts are stored in a bar length, oldest first."""
    begin = f"{underlying}-"
    names = [
        series.instrument.removeprefix(begin)
        for series in store.instruments()
        if series.bar_minutes == bar_minutes and series.instrument.startswith(begin)
    ]
    return sorted(name for name in names if len(name) == 7 and name[:4].isdecimal() and name[5:].isdecimal())


class NearMonth(NamedTuple):
    """The near month over the years.

    Attributes
    ----------
    frame : pandas.DataFrame
        A bar frame, raw prices.
    months : pandas.Series
        Contract month ``YYYY-MM`` by session date, in order.
    """

    frame: pd.DataFrame
    months: pd.Series

    @property
    def rolls(self) -> list[Roll]:
        """Its changes of contract, oldest first."""
        days, names = list(self.months.index), self.months.to_numpy()
        return [Roll(days[place], days[place + 1]) for place in np.flatnonzero(names[1:] != names[:-1])]


def near_month(
    store: BarStore,
    underlying: str,
    bar_minutes: int,
    calendar: TradingCalendar,
    *,
    roll: RollRule = "expiry",
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> NearMonth:
    """Return the near month put together from stored contracts.

    Parameters
    ----------
    store : BarStore
        Holds series such as ``NIFTY-2026-11``.
    underlying : str
        Index, such as ``NIFTY``.
    bar_minutes : int
        Length of a bar, minutes.
    calendar : TradingCalendar
        Moves expiries off holidays.
    roll : {"expiry", "open_interest"}
        ``expiry``: as live trading holds it, each contract up to and including its expiry. ``open_interest``:
        the next one from the morning after a close at which it had more open interest, if that comes before.
    first, last : datetime.date, optional
        Days, both included.

    Raises
    ------
    DataError
        If no contract of the underlying is stored in that length, or none is near in the range.
    """
    frames = {
        month: store.load(contract_series(underlying, month), bar_minutes)
        for month in stored_months(store, underlying, bar_minutes)
    }
    held = _by_expiry(frames, underlying, calendar)
    if roll == "open_interest":
        held = _rolled_early(held, frames)
    held = {
        day: month for day, month in held.items() if (not first or day >= first) and (not last or day <= last)
    }
    parts = [
        frame[[held.get(day) == month for day in pd.DatetimeIndex(frame.index).date]]
        for month, frame in frames.items()
    ]
    filled = [part for part in parts if len(part)]
    if not filled:
        raise DataError(
            f"no {bar_minutes}-minute bar of a near-month contract of {underlying} is stored from "
            f"{first or 'the start'} to {last or 'the end'}, expected series such as "
            f"{contract_series(underlying, '2026-11')}; fetch them with `python -m feeds fetch`"
        )
    frame = pd.concat(filled).sort_index()
    days = list(dict.fromkeys(pd.DatetimeIndex(frame.index).date))
    return NearMonth(frame, pd.Series([held[day] for day in days], index=pd.Index(days, name="day")))


def adjustments(
    frame: pd.DataFrame, rolls: Sequence[Roll], next_contract: ContractBars | None = None
) -> pd.DataFrame:
    """Measure what each roll changed.

    Parameters
    ----------
    frame : pandas.DataFrame
        The near-month bar frame.
    rolls : sequence of Roll
        Its changes of contract, oldest first; those outside the frame are left out.
    next_contract : callable, optional
        Bars of the new contract from before the roll: then both prices are closes of the last minute that
        both traded in. Without them the old contract's last close stands against the new one's first open,
        and the move of that night is taken for a part of the gap.

    Returns
    -------
    pandas.DataFrame
        One row a roll, columns :data:`ADJUSTMENT_COLUMNS`.
    """
    check_rolls(list(rolls))
    days = pd.DatetimeIndex(frame.index).date
    rows = []
    for roll in rolls:
        old, new = frame[days == roll.last_day], frame[days == roll.first_day]
        if len(old) and len(new):
            earlier = None if next_contract is None else next_contract(roll.first_day)
            rows.append((roll.last_day, roll.first_day, *_prices_at(old, new, earlier)))
    return pd.DataFrame(rows, columns=list(ADJUSTMENT_COLUMNS))


def adjusted(frame: pd.DataFrame, table: pd.DataFrame, method: AdjustmentMethod) -> pd.DataFrame:
    """Return a copy of a near-month frame without the gaps of its rolls.

    Parameters
    ----------
    frame : pandas.DataFrame
        The near-month bar frame; it is not changed.
    table : pandas.DataFrame
        Of :func:`adjustments`.
    method : {"difference", "ratio"}
        ``difference`` keeps moves in points and may take old prices below zero; ``ratio`` keeps returns.

    Raises
    ------
    DataError
        If a price would not be above zero.
    """
    starts = pd.DatetimeIndex(frame.index)
    points, factor = np.zeros(len(frame)), np.ones(len(frame))
    steps = zip(
        table["first_day"], table["old_price"].astype(float), table["new_price"].astype(float), strict=True
    )
    for first_day, old_price, new_price in steps:
        before = np.asarray(starts < pd.Timestamp(first_day, tz=TIME_ZONE))
        if method == "difference":
            points[before] += new_price - old_price
        else:
            factor[before] *= new_price / old_price
    made = frame.copy()
    for name in _PRICES:
        made[name] = frame[name].to_numpy() * factor + points
    if len(made) and not (made[_PRICES] > 0).to_numpy().all():
        raise DataError(
            "adjusting by difference takes prices to zero or below, expected all above it; use ratio, or "
            "fewer years"
        )
    return made


def write_adjustments(table: pd.DataFrame, path: Path) -> None:
    """Keep a table as CSV, so that the same adjustment can be made again."""
    table.to_csv(path, index=False, lineterminator="\n")


def read_adjustments(path: Path) -> pd.DataFrame:
    """Read a table that was kept. Raises DataError if it is none."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a table of adjustments ({error}); make it anew") from error
    if tuple(table.columns) != ADJUSTMENT_COLUMNS:
        raise DataError(
            f"{path} has columns {', '.join(table.columns)}, expected {', '.join(ADJUSTMENT_COLUMNS)}; it is "
            "another file, or of another version"
        )
    for name in ("last_day", "first_day"):
        table[name] = pd.to_datetime(table[name]).dt.date
    return table


def _by_expiry(
    frames: Mapping[str, pd.DataFrame], underlying: str, calendar: TradingCalendar
) -> dict[dt.date, str]:
    """Return the month that live trading holds on each day of which it has bars."""
    days = {month: set(pd.DatetimeIndex(frame.index).date) for month, frame in frames.items()}
    near = {day: contract_for(underlying, day, calendar).month for day in set().union(*days.values())}
    return {day: month for day, month in sorted(near.items()) if day in days.get(month, ())}


def _rolled_early(held: Mapping[dt.date, str], frames: Mapping[str, pd.DataFrame]) -> dict[dt.date, str]:
    """Return the months with each change moved to the morning after the open interest went over."""
    moved = dict(held)
    order = list(dict.fromkeys(held.values()))
    for near, following in itertools.pairwise(order):
        for roll in rolls_by_open_interest(frames[near], frames[following]):
            later = {day for day, month in held.items() if month == near and day >= roll.first_day}
            moved.update(dict.fromkeys(later, following))
    return moved


def _prices_at(old: pd.DataFrame, new: pd.DataFrame, earlier: pd.DataFrame | None) -> tuple[float, float]:
    if earlier is not None:
        shared = old.index.intersection(earlier.index)
        if len(shared):
            return float(old.loc[shared[-1], "close"]), float(earlier.loc[shared[-1], "close"])
    return float(old["close"].iloc[-1]), float(new["open"].iloc[0])
