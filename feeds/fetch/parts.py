"""Which instrument of the broker answers for which sessions of a series."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import NamedTuple

from feeds.calendar import TradingCalendar
from feeds.contracts import contract_for, expiry_of
from feeds.errors import BrokerError, DataError, SettingsError
from feeds.fetch.wanted import Wanted
from feeds.sources.history import FutureKey, HistoryKey, HistorySource

__all__ = ["Part", "find_parts"]

_FEW = 3


class Part(NamedTuple):
    """Sessions of a series that one instrument of the broker answers for.

    Attributes
    ----------
    key : int or str
        The instrument.
    symbol : str
        Its name for a person.
    days : tuple of datetime.date
        Sessions, in order.
    """

    key: HistoryKey
    symbol: str
    days: tuple[dt.date, ...]


def find_parts(
    wanted: Wanted, days: list[dt.date], source: HistorySource, calendar: TradingCalendar
) -> list[Part]:
    """Return who answers for the sessions ``days``, in order.

    Parameters
    ----------
    wanted : Wanted
        The series.
    days : list of datetime.date
        Sessions that have closed, in order; at least one.
    source : HistorySource
        Whose instruments.
    calendar : TradingCalendar
        Decides the near month.

    Raises
    ------
    BrokerError
        If the broker has no candles of a contract that is needed, or cannot be asked.
    DataError
        If the broker's expiry is not the calendar's.
    SettingsError
        If no wanted day is one of the contract's.
    """
    underlying = wanted.underlying
    if wanted.is_index:
        key = source.index_key(underlying)
        return [Part(key, f"index {underlying}", tuple(days))]
    if wanted.month is not None:
        month = wanted.month
        expiry = _expiry(underlying, month, calendar)
        alive = [day for day in days if day <= expiry]
        if not alive:
            raise SettingsError(
                f"the {underlying} contract of {month} expired on {expiry}, expected --from on or before it; "
                f"found {wanted.first}"
            )
        by_month = [(month, alive)]
    else:
        months = itertools.groupby(days, lambda day: contract_for(underlying, day, calendar).month)
        by_month = [(month, list(group)) for month, group in months]
    return _of_contracts(by_month, underlying, source, calendar)


def _of_contracts(
    by_month: list[tuple[str, list[dt.date]]],
    underlying: str,
    source: HistorySource,
    calendar: TradingCalendar,
) -> list[Part]:
    # From the first one's expiry, not the first day: what has expired is asked for only where it is needed
    first, last = expiry_of(underlying, by_month[0][0], calendar), by_month[-1][1][-1]
    futures = {f"{one.expiry:%Y-%m}": one for one in source.futures(underlying, first, last)}
    missing = [month for month, _ in by_month if month not in futures]
    if missing:
        raise _not_there(missing, by_month, underlying, source, futures)
    for month, _ in by_month:
        _check_expiry(futures[month], month, underlying, calendar)
    return [Part(futures[month].key, futures[month].symbol, tuple(days)) for month, days in by_month]


def _expiry(underlying: str, month: str, calendar: TradingCalendar) -> dt.date:
    try:
        dt.date.fromisoformat(f"{month}-01")
    except ValueError as error:
        raise SettingsError(
            f"--contract {month} is no month, expected one such as 2026-11; correct it"
        ) from error
    return expiry_of(underlying, month, calendar)


def _check_expiry(future: FutureKey, month: str, underlying: str, calendar: TradingCalendar) -> None:
    expected = expiry_of(underlying, month, calendar)
    if future.expiry != expected:
        raise DataError(
            f"the broker says that {future.symbol} expires on {future.expiry}, the calendar that it does on "
            f"{expected}; nothing was fetched, because the roll would be on the wrong day; mend the calendar "
            "with --holiday or --session, or update the project"
        )


def _not_there(
    missing: list[str],
    by_month: list[tuple[str, list[dt.date]]],
    underlying: str,
    source: HistorySource,
    futures: dict[str, FutureKey],
) -> BrokerError:
    named = ", ".join(missing[:_FEW]) + (f" and {len(missing) - _FEW} more" if len(missing) > _FEW else "")
    known = ", ".join(one.symbol for one in futures.values()) or "none"
    # What can be had without a hole: the days after the newest contract that is missing.
    rest = list(itertools.dropwhile(lambda one: one[0] != missing[-1], by_month))[1:]
    begin = f" --from {rest[0][1][0]}, or" if rest else ""
    return BrokerError(
        f"{source.name} has no candles of the {underlying} future of {named}, expected one of those it "
        f"lists ({known});{begin} {source.advice}"
    )
