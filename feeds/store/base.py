"""What a place that keeps bars must do, whatever it is built on."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple, Protocol

import pandas as pd

__all__ = ["Appended", "BarStore", "Coverage", "Series"]


class Series(NamedTuple):
    """The name of one stored series.

    Attributes
    ----------
    instrument : str
        Upper-case name of the underlying, ``NIFTY``.
    bar_minutes : int
        Length of a bar, minutes.
    """

    instrument: str
    bar_minutes: int


class Appended(NamedTuple):
    """What an append did.

    Attributes
    ----------
    added : int
        Bars that were not stored before.
    already_stored : int
        Bars that were stored before with the same values.
    """

    added: int
    already_stored: int


class Coverage(NamedTuple):
    """What a series holds.

    Attributes
    ----------
    first, last : pandas.Timestamp
        Starts of the oldest and the newest bar, Asia/Kolkata.
    bars, days : int
        Number of bars, and of dates with at least one.
    """

    first: pd.Timestamp
    last: pd.Timestamp
    bars: int
    days: int


class BarStore(Protocol):
    """Keeps bar frames by instrument and bar length.

    Bars are facts: a stored bar never changes. Appending the same bars again changes nothing, in
    whatever order and however they overlap; appending other values for a stored bar is refused as a
    whole. A reader sees all of an append to one calendar year, or none of it.
    """

    def append(self, instrument: str, bar_minutes: int, frame: pd.DataFrame) -> Appended:
        """Add the bars of a frame.

        Parameters
        ----------
        instrument : str
            Upper-case name of the underlying.
        bar_minutes : int
            Length of a bar, minutes.
        frame : pandas.DataFrame
            A bar frame without extra columns.

        Returns
        -------
        Appended
            How many bars were new and how many were known.

        Raises
        ------
        DataError
            If the frame is not a bar frame, or a bar is stored with other values; then nothing is stored.
        SettingsError
            If the instrument's name or the bar length cannot name a series.
        """
        ...

    def load(
        self, instrument: str, bar_minutes: int, first: dt.date | None = None, last: dt.date | None = None
    ) -> pd.DataFrame:
        """Return the stored bars of the dates ``first`` to ``last``, both included, as a bar frame.

        Parameters
        ----------
        instrument : str
            Upper-case name of the underlying.
        bar_minutes : int
            Length of a bar, minutes.
        first, last : datetime.date, optional
            Dates in Asia/Kolkata; without them, from the oldest or to the newest bar.

        Returns
        -------
        pandas.DataFrame
            A bar frame with at least one row.

        Raises
        ------
        DataError
            If there is no such series, or no bar in the range, or what is stored cannot be read.
        SettingsError
            If ``first`` is after ``last``, or the name or length cannot name a series.
        """
        ...

    def coverage(self, instrument: str, bar_minutes: int) -> Coverage | None:
        """Return what a series holds, or None if there is no such series."""
        ...

    def instruments(self) -> list[Series]:
        """Return the stored series, sorted by name and bar length."""
        ...
