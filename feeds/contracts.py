"""Which near-month future trades on a day, and its lot, tick, freeze quantity and margin.

Everything comes from the dated tables in ``feeds/facts``. They say what held in the past; live, the
day's instrument file of the broker goes before them.

A contract is known by its underlying and its month. The near month is traded up to and including its
expiry, and the next one from the morning after.
"""

from __future__ import annotations

import calendar as month_calendar
import datetime as dt
import functools
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.errors import DataError
from feeds.tables import FACTS, read_table

__all__ = [
    "Contract",
    "contract_for",
    "expiry_of",
    "freeze_quantity_of",
    "listed_contracts",
    "lot_of",
    "margin_percent_of",
    "tick_of",
]

_ANY = "*"
_DAY = dt.timedelta(days=1)
_WEEKDAYS = {name: number for number, name in enumerate(month_calendar.day_name)}
_SATURDAY = 5


class Contract(NamedTuple):
    """A monthly index future, as it stands on one day.

    Attributes
    ----------
    underlying : str
        Index, such as ``NIFTY``.
    month : str
        Contract month, ``YYYY-MM``.
    expiry : datetime.date
        Last trading day.
    lot : int
        Units per lot.
    tick : float
        Smallest price step, index points.
    freeze_quantity : int or None
        Largest order, units; None where no source is known (before 2021-08-02, or 2018-10-26 for
        BANKNIFTY).
    """

    underlying: str
    month: str
    expiry: dt.date
    lot: int
    tick: float
    freeze_quantity: int | None


class _Row(NamedTuple):
    # One row of any of the tables: valid from a day or a month, up to an index level where it has one.
    valid_from: str
    underlying: str
    level_up_to: float | None
    value: str


def contract_for(
    underlying: str, day: dt.date, calendar: TradingCalendar, index_level: float | None = None
) -> Contract:
    """Return the near-month contract of ``day``.

    Parameters
    ----------
    underlying : str
        Index, such as ``NIFTY``.
    day : datetime.date
        A day of trading; on the expiry itself the expiring contract is still the near month.
    calendar : TradingCalendar
        The sessions, which move an expiry off a holiday.
    index_level : float, optional
        Level of the index that decides tick and freeze quantity where they depend on it (see
        :func:`tick_of`), index points.

    Raises
    ------
    DataError
        If the tables or the calendar do not reach that far, or do not know the underlying.
    """
    month = f"{day:%Y-%m}"
    expiry = expiry_of(underlying, month, calendar)
    if day > expiry:
        month = f"{day.replace(day=1) + 32 * _DAY:%Y-%m}"
        expiry = expiry_of(underlying, month, calendar)
    return Contract(
        underlying,
        month,
        expiry,
        lot_of(underlying, month),
        tick_of(underlying, day, index_level),
        freeze_quantity_of(underlying, day, index_level),
    )


def listed_contracts(
    underlying: str, day: dt.date, calendar: TradingCalendar, index_level: float | None = None
) -> tuple[Contract, Contract, Contract]:
    """Return the three monthly contracts that trade on ``day``: near, next and far.

    Parameters
    ----------
    underlying, day, calendar, index_level
        As in :func:`contract_for`, whose lot is that of the near month: each contract has the lot of its own
        month.

    Raises
    ------
    DataError
        If the tables or the calendar do not reach that far, or do not know the underlying.
    """
    near = contract_for(underlying, day, calendar, index_level)
    following = []
    month = near.month
    for _ in range(2):
        first = dt.date.fromisoformat(f"{month}-01")
        month = f"{first + 32 * _DAY:%Y-%m}"
        following.append(
            near._replace(
                month=month, expiry=expiry_of(underlying, month, calendar), lot=lot_of(underlying, month)
            )
        )
    return near, following[0], following[1]


@functools.lru_cache(maxsize=4096)
def expiry_of(underlying: str, month: str, calendar: TradingCalendar) -> dt.date:
    """Return the last trading day of the contract of ``month`` (``YYYY-MM``).

    The rule names a weekday, of which the last in the month counts. If that is a holiday, the previous
    trading day is taken; an evening Muhurat session does not make a holiday a day of expiry.
    """
    weekday = _WEEKDAYS[_latest(_table("expiry_rules", "month_from", "weekday"), underlying, month)]
    year, number = (int(part) for part in month.split("-"))
    day = dt.date(year, number, month_calendar.monthrange(year, number)[1])
    day -= _DAY * ((day.weekday() - weekday) % 7)
    if day > calendar.last_date:
        raise DataError(
            f"the {underlying} contract of {month} expires after the calendar ends on {calendar.last_date}, "
            "expected bars up to the expiry before it; end them earlier (--to), set market.lot_size, "
            "market.tick_size and market.freeze_quantity, or update the project"
        )
    while not _may_expire(day, calendar):
        day -= _DAY
    return day


@functools.lru_cache(maxsize=4096)
def lot_of(underlying: str, month: str) -> int:
    """Return the units per lot of the contract of ``month`` (``YYYY-MM``) while it is the near month.

    When the exchange converted listed contracts, it did so on the morning they became near or later
    months, so this is also what traded on the day.
    """
    return int(_latest(_table("lot_sizes", "month_from", "lot"), underlying, month))


@functools.lru_cache(maxsize=16384)
def tick_of(underlying: str, day: dt.date, index_level: float | None = None) -> float:
    """Return the smallest price step on ``day``, in index points.

    Parameters
    ----------
    underlying : str
        Index, such as ``NIFTY``.
    day : datetime.date
        Day of trading.
    index_level : float, optional
        Close of the index at the last month end. Since 2025-04-15 the step depends on it. Without it,
        the step that the underlying has had is taken.
    """
    value = _at_level("tick_size", "tick", underlying, day, index_level)
    if value is None:
        raise DataError(f"no tick size of {underlying} is known on {day}; set market.tick_size")
    return float(value)


@functools.lru_cache(maxsize=16384)
def freeze_quantity_of(underlying: str, day: dt.date, index_level: float | None = None) -> int | None:
    """Return the largest order the exchange accepts on ``day``, in units, or None if no source says.

    Parameters
    ----------
    underlying : str
        Index, such as ``NIFTY``.
    day : datetime.date
        Day of trading.
    index_level : float, optional
        Level of the index at the monthly review; without it, the last published quantity is taken.
    """
    value = _at_level("freeze_quantity", "units", underlying, day, index_level)
    return None if value is None else int(value)


@functools.lru_cache(maxsize=16384)
def margin_percent_of(underlying: str, day: dt.date) -> float:
    """Return the margin of an index future on ``day``, percent of its value.

    Figures are rounded and, from 2020-06 on, deliberately high: the exchange publishes them daily.
    """
    return float(_latest(_table("margins", "effective_from", "percent"), underlying, str(day)))


def _may_expire(day: dt.date, calendar: TradingCalendar) -> bool:
    if day.weekday() >= _SATURDAY:
        return False
    session = calendar.session(day)
    return session is not None and session.kind != "muhurat"


def _latest(rows: tuple[_Row, ...], underlying: str, key: str) -> str:
    valid = [row for row in rows if row.valid_from <= key and row.underlying in (underlying, _ANY)]
    if not valid:
        known = ", ".join(sorted({row.underlying for row in rows} - {_ANY})) or "any"
        starts = min(row.valid_from for row in rows)
        raise DataError(
            f"the contract tables know nothing of {underlying} at {key}, expected one of {known} from "
            f"{starts} on; set market.lot_size and market.tick_size, or choose another instrument or day"
        )
    return max(valid, key=lambda row: row.valid_from).value


def _at_level(name: str, column: str, underlying: str, day: dt.date, index_level: float | None) -> str | None:
    rows = [
        row
        for row in _table(name, "effective_from", column)
        if row.valid_from <= str(day) and row.underlying in (underlying, _ANY)
    ]
    steps = [row for row in rows if row.level_up_to is not None]
    newest = max((row.valid_from for row in steps), default="")
    if steps and index_level is not None:
        reached = [row for row in steps if row.valid_from == newest and index_level <= (row.level_up_to or 0)]
        return min(reached, key=lambda row: row.level_up_to or 0).value
    # A value from before the rule by level was made is no answer after it.
    plain = [row for row in rows if row.level_up_to is None and row.valid_from >= newest]
    if steps and not plain:
        raise DataError(
            f"{name} of {underlying} on {day} depends on the level of the index, which was not given; "
            "pass index_level, or set market.tick_size"
        )
    return max(plain, key=lambda row: row.valid_from).value if plain else None


@functools.cache
def _table(name: str, key: str, column: str) -> tuple[_Row, ...]:
    rows = read_table(FACTS / f"{name}.csv", (key, "underlying", column))
    return tuple(
        _Row(
            row[key],
            row["underlying"],
            float(row["index_level_up_to"]) if row.get("index_level_up_to") else None,
            row[column],
        )
        for row in rows
    )
