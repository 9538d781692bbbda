"""What a place that keeps bars must do, whatever it is built on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import pandas as pd

__all__ = ["Appended", "BarStore", "Coverage", "DateSpan", "FetchedSpan", "Series"]


class Series(NamedTuple):
    """The name of one stored series.

    Attributes
    ----------
    instrument : str
        Upper-case name: ``NIFTY`` for the near month, ``NIFTY-2026-11`` for one contract, ``NIFTY-INDEX``.
    bar_minutes : int
        Length of a bar, minutes.
    """

    instrument: str
    bar_minutes: int


class DateSpan(NamedTuple):
    """Dates in Asia/Kolkata, both included.

    Attributes
    ----------
    first, last : datetime.date
        The first one and the last one.
    """

    first: dt.date
    last: dt.date


class FetchedSpan(NamedTuple):
    """The dates that some bars are the whole answer of a source to.

    Attributes
    ----------
    source : str
        Whose answer, ``kite``.
    first, last : datetime.date
        Dates asked for in Asia/Kolkata, both included.
    """

    source: str
    first: dt.date
    last: dt.date


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
    whole. A reader sees all of an append to one calendar year, or none of it. One writer at a time per
    series; a second one waits.
    """

    def append(
        self,
        instrument: str,
        bar_minutes: int,
        frame: pd.DataFrame,
        *,
        fetched: FetchedSpan | None = None,
    ) -> Appended:
        """Add the bars of a frame.

        Parameters
        ----------
        instrument : str
            Upper-case name of the underlying.
        bar_minutes : int
            Length of a bar, minutes.
        frame : pandas.DataFrame
            A bar frame without extra columns.
        fetched : FetchedSpan, optional
            The dates these bars are the whole answer to; told by :meth:`fetched` from then on, and never
            without the bars, wherever a writer is killed.

        Returns
        -------
        Appended
            How many bars were new and how many were known.

        Raises
        ------
        DataError
            If the frame is not a bar frame, a bar lies outside ``fetched``, a bar is stored with other
            values, or the place takes no more (a full disk); then nothing of it can be loaded.
        SettingsError
            If the instrument's name or the bar length cannot name a series, or the span ends before it
            starts.
        """
        ...

    def load(
        self,
        instrument: str,
        bar_minutes: int,
        first: dt.date | None = None,
        last: dt.date | None = None,
        *,
        columns: Sequence[str] | None = None,
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
        columns : sequence of str, optional
            Those of :data:`feeds.bars.BAR_COLUMNS` that are wanted; the others are not even read.

        Returns
        -------
        pandas.DataFrame
            A bar frame with at least one row; with ``columns``, only those, in that order.

        Raises
        ------
        DataError
            If there is no such series, or no bar in the range, or what is stored cannot be read.
        SettingsError
            If ``first`` is after ``last``, a column is none of a bar's, or the name or length cannot name
            a series.
        """
        ...

    def fetched(self, instrument: str, bar_minutes: int, source: str) -> list[DateSpan]:
        """Return the dates that were fetched whole from a source, sorted; none overlap or touch."""
        ...

    def coverage(self, instrument: str, bar_minutes: int) -> Coverage | None:
        """Return what a series holds, or None if there is no such series."""
        ...

    def instruments(self) -> list[Series]:
        """Return the stored series, sorted by name and bar length."""
        ...
