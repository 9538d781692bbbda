"""Training and test windows in time order, as scikit-learn splitters.

Positions are positions of bars. Training rows always lie before the test window, and two kinds of them are
left out: those whose label is decided inside the window (purging) and, before it, those decided within
``embargo_bars`` of it. For purging, pass the labels' ``end_index`` as ``groups``; without it a label is taken
to be decided by its own bar. (López de Prado 2018, chapter 7.)
"""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from feeds.errors import DataError, SettingsError
from ml.arrays import IntArray

if TYPE_CHECKING:
    from sklearn.utils.metadata_routing import MetadataRequest

__all__ = [
    "ChronologicalSplit", "Splitter", "TakesGroups", "WalkForwardSplit", "checked_embargo", "checked_ends",
]  # fmt: skip


class Splitter(Protocol):
    """What training needs of a splitter; scikit-learn's splitters have the same face."""

    def split(
        self,
        X: Sized,
        y: object = None,
        groups: npt.ArrayLike | None = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield (train, test) positions, oldest window first."""


class TakesGroups:
    """A splitter that asks scikit-learn for ``groups`` where metadata routing is on."""

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what :meth:`split` wants passed on."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=type(self).__name__)
        request.split.add_request(param="groups", alias=True)
        return request


class ChronologicalSplit(TakesGroups):
    """The oldest part trains, the rest tests.

    Parameters
    ----------
    train_fraction : float
        Where the test part begins, fraction of the rows, above 0 and below 1.
    embargo_bars : int
        Rows left out before the test part.
    """

    def __init__(self, train_fraction: float = 0.8, embargo_bars: int = 0) -> None:
        if not 0 < train_fraction < 1:
            raise SettingsError(f"train_fraction is {train_fraction}, expected above 0 and below 1")
        self.train_fraction = train_fraction
        self.embargo_bars = checked_embargo(embargo_bars)

    def split(
        self,
        X: Sized,
        y: object = None,
        groups: npt.ArrayLike | None = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield the one pair of (train, test) positions.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Rows in time order; only their number matters.
        y : ignored
        groups : array-like of int, shape (n,), optional
            ``end_index`` of the labels.
        """
        rows = len(X)
        test_first = int(np.floor(rows * self.train_fraction))
        train = _train_rows(0, test_first, checked_ends(groups, rows), self.embargo_bars)
        if len(train) == 0 or test_first >= rows:
            raise DataError(
                f"found {rows} bars, too few to train on {self.train_fraction:.0%} with an embargo of "
                f"{self.embargo_bars} bars; give more data or lower ml.split.embargo_bars"
            )
        yield train, np.arange(test_first, rows)

    def get_n_splits(
        self, X: Sized | None = None, y: object = None, groups: npt.ArrayLike | None = None
    ) -> int:
        """Return 1."""
        return 1

    def __repr__(self) -> str:
        return f"ChronologicalSplit(train_fraction={self.train_fraction}, embargo_bars={self.embargo_bars})"


class WalkForwardSplit(TakesGroups):
    """Train on some months, test on the next few, move on by those, and again.

    The first test window begins ``train_months`` after midnight of the first bar's day. Windows are calendar
    months long; the last one ends with the data and may be shorter.

    Parameters
    ----------
    train_months, test_months : int
        Lengths, months.
    embargo_bars : int
        Bars left out before each test window.
    anchored : bool
        Let every training window begin at the first bar instead of ``train_months`` before the test.
    times : pandas.DatetimeIndex, optional
        START of each bar, for an ``X`` that does not carry it as a DatetimeIndex.
    """

    def __init__(
        self,
        train_months: int = 24,
        test_months: int = 3,
        embargo_bars: int = 0,
        anchored: bool = False,
        times: pd.DatetimeIndex | None = None,
    ) -> None:
        if train_months < 1 or test_months < 1:
            raise SettingsError(
                f"walk-forward windows of {train_months} and {test_months} months, expected 1 or more each"
            )
        self.train_months = train_months
        self.test_months = test_months
        self.embargo_bars = checked_embargo(embargo_bars)
        self.anchored = anchored
        self.times = times

    def split(
        self,
        X: Sized,
        y: object = None,
        groups: npt.ArrayLike | None = None,
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield (train, test) positions, oldest window first; the test windows follow on one another.

        Parameters
        ----------
        X : pandas.DataFrame, DatetimeIndex or array-like, shape (n, ...)
            Rows in time order. Times come from its index, from itself, or from ``times``.
        y : ignored
        groups : array-like of int, shape (n,), optional
            ``end_index`` of the labels.

        Raises
        ------
        DataError
            If the data end before the first test window begins.
        """
        times = self._times_of(X)
        ends = checked_ends(groups, len(times))
        for start, test_start, test_end in self._dates(times):
            first, test_first, test_last = (
                int(times.searchsorted(date)) for date in (start, test_start, test_end)
            )
            if test_first == test_last:
                continue
            train = _train_rows(first, test_first, ends, self.embargo_bars)
            if len(train) == 0:
                raise DataError(
                    f"no training bar is left before {test_start:%Y-%m-%d} with an embargo of "
                    f"{self.embargo_bars} bars, expected months of them; lower ml.split.embargo_bars"
                )
            yield train, np.arange(test_first, test_last)

    def get_n_splits(
        self, X: Sized | None = None, y: object = None, groups: npt.ArrayLike | None = None
    ) -> int:
        """Return the number of windows, which depends on the times of ``X``."""
        if X is None:
            raise DataError("found no X to count windows in, expected rows with times; call get_n_splits(X)")
        return sum(1 for _ in self.split(X, y, groups))

    def __repr__(self) -> str:
        return (
            f"WalkForwardSplit(train_months={self.train_months}, test_months={self.test_months}, "
            f"embargo_bars={self.embargo_bars}, anchored={self.anchored})"
        )

    def _times_of(self, rows: Sized) -> pd.DatetimeIndex:
        times = self.times if self.times is not None else getattr(rows, "index", rows)
        if not isinstance(times, pd.DatetimeIndex) or len(times) != len(rows):
            raise DataError(
                f"found {type(rows).__name__} without a time for each row, expected a frame with a "
                "DatetimeIndex; give WalkForwardSplit(times=...)"
            )
        return times

    def _dates(self, times: pd.DatetimeIndex) -> Iterator[tuple[pd.Timestamp, pd.Timestamp, pd.Timestamp]]:
        if len(times) == 0:
            raise DataError("found no bars to split, expected months of them; check --from and --to")
        begin, newest = times[0].normalize(), times[-1]
        months = self.train_months
        if begin + pd.DateOffset(months=months) > newest:
            raise DataError(
                f"found bars from {begin:%Y-%m-%d} to {newest:%Y-%m-%d}, expected more than the "
                f"{months} months of a training window; give more data or lower ml.split.train_months"
            )
        # Every date is counted from the first, so that a 31st does not creep to the 28th.
        while (test_start := begin + pd.DateOffset(months=months)) <= newest:
            start = begin + pd.DateOffset(months=0 if self.anchored else months - self.train_months)
            months += self.test_months
            yield start, test_start, begin + pd.DateOffset(months=months)


def checked_embargo(bars: int) -> int:
    """Return ``bars``; raise SettingsError where it is negative."""
    if bars < 0:
        raise SettingsError(f"embargo_bars is {bars}, expected 0 or more")
    return bars


def checked_ends(groups: npt.ArrayLike | None, rows: int) -> IntArray:
    """Return each row's ``end_index``, its own position without ``groups``; raise DataError where wrong."""
    if groups is None:
        return np.arange(rows, dtype=np.int64)
    ends = np.asarray(groups, dtype=np.int64)
    if ends.shape != (rows,) or (ends < np.arange(rows)).any():
        raise DataError(
            f"found groups of shape {ends.shape} for {rows} rows, expected the labels' end_index: for each "
            "row the position of the bar that decides its label"
        )
    return ends


def _train_rows(first: int, test_first: int, ends: IntArray, embargo_bars: int) -> IntArray:
    rows = np.arange(first, test_first)
    return rows[ends[first:test_first] + embargo_bars < test_first]
