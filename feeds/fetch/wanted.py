"""What a user wants fetched: of which instrument, in bars of which length, from when to when."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from feeds.errors import SettingsError
from feeds.suggest import did_you_mean

__all__ = ["INDEX_SUFFIX", "Wanted", "contract_series", "interval_minutes"]

INDEX_SUFFIX = "-INDEX"
"""Ends the name of the series that holds an index itself."""

_INTERVAL = re.compile(r"(\d{0,3})minutes?")
_COMMON = ("minute", "3minute", "5minute", "10minute", "15minute", "30minute", "60minute")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One stored series, and the days of it that are wanted.

    Attributes
    ----------
    underlying : str
        Index, such as ``NIFTY``.
    bar_minutes : int
        Length of a bar, minutes.
    first, last : datetime.date
        Days, both included.
    month : str or None
        The contract of this month, ``YYYY-MM``; None for the near month of each day.
    is_index : bool
        The index itself instead of its future.

    Raises
    ------
    SettingsError
        If the days are the wrong way round, or the series is named in two ways.
    """

    underlying: str
    bar_minutes: int
    first: dt.date
    last: dt.date
    month: str | None = None
    is_index: bool = False

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise SettingsError(f"--from {self.first} is after --to {self.last}; swap them")
        if self.month is not None and self.is_index:
            raise SettingsError("found --contract and --index, expected at most one of them; remove one")

    @property
    def series(self) -> str:
        """Name of the series in the store: ``NIFTY``, ``NIFTY-2026-11`` or ``NIFTY-INDEX``."""
        if self.is_index:
            return self.underlying + INDEX_SUFFIX
        return self.underlying if self.month is None else contract_series(self.underlying, self.month)


def contract_series(underlying: str, month: str) -> str:
    """Return the name under which the contract of a month (``YYYY-MM``) is stored."""
    return f"{underlying}-{month}"


def interval_minutes(text: str) -> int:
    """Read an interval such as ``minute`` or ``3minute`` as minutes.

    Raises
    ------
    SettingsError
        If it is none, or not within a day.
    """
    found = _INTERVAL.fullmatch(text.lower())
    if found is None or found.group(1) == "0":
        hint = did_you_mean(text, _COMMON)
        raise SettingsError(
            f"--interval {text}: expected minute, 3minute, 5minute, 15minute or another number of minutes "
            f"(bars of a day are not kept){hint}"
        )
    return int(found.group(1) or 1)
