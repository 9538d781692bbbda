"""Folds in which training rows lie on both sides of the test, kept apart from it in time.

A walk-forward test uses each bar once and the order of history once. Folds use every bar as a test, and
combinations of folds give many histories instead of one. The price is that a model may train on bars that
come after those it is judged on, so rows are left out on both sides: before a test block those whose label is
decided in it or within ``embargo_bars`` of it, and after it those within ``embargo_bars`` of the last bar
that decides one of the block's labels. (López de Prado 2018, chapters 7 and 12.)
"""

# ruff: noqa: N803 - X is the name that scikit-learn gives by keyword
from __future__ import annotations

import math
from collections.abc import Iterator, Sequence, Sized
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from feeds.errors import DataError, SettingsError
from ml.arrays import FloatArray, IntArray
from ml.splits import TakesGroups, checked_embargo, checked_ends

__all__ = ["CombinatorialPurgedSplit", "PurgedKFold"]


class PurgedKFold(TakesGroups):
    """Each of several blocks of equal length is the test once, all other rows train.

    Parameters
    ----------
    folds : int
        Blocks, 2 or more.
    embargo_bars : int
        Rows left out on both sides of the test, beside the purged ones.
    """

    def __init__(self, folds: int = 5, embargo_bars: int = 0) -> None:
        if folds < 2:
            raise SettingsError(f"folds is {folds}, expected 2 or more")
        self.folds = folds
        self.embargo_bars = checked_embargo(embargo_bars)

    def split(
        self, X: Sized, y: object = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield (train, test) positions, oldest test first.

        Parameters
        ----------
        X : array-like, shape (n, ...)
            Rows in time order; only their number matters.
        y : ignored
        groups : array-like of int, shape (n,), optional
            ``end_index`` of the labels; without it a label is taken to be decided by its own row.

        Raises
        ------
        DataError
            If there are fewer rows than folds, or a fold leaves nothing to train on.
        """
        ends = checked_ends(groups, len(X))
        for block in _blocks(len(X), self.folds):
            yield _train_rows([block], ends, self.embargo_bars), np.arange(*block)

    def get_n_splits(
        self, X: Sized | None = None, y: object = None, groups: npt.ArrayLike | None = None
    ) -> int:
        """Return the number of folds."""
        return self.folds

    def __repr__(self) -> str:
        return f"PurgedKFold(folds={self.folds}, embargo_bars={self.embargo_bars})"


class CombinatorialPurgedSplit(TakesGroups):
    """Every choice of ``test_blocks`` out of ``blocks`` is the test once.

    Each block is tested in ``paths`` splits, so that the answers out of sample make as many whole histories.

    Parameters
    ----------
    blocks : int
        N, blocks of equal length, 2 or more.
    test_blocks : int
        k, blocks of each test, at least 1 and fewer than ``blocks``.
    embargo_bars : int
        Rows left out on both sides of each test block, beside the purged ones.

    Attributes
    ----------
    paths : int
        k / N × C(N, k) (López de Prado 2018, section 12.3).
    """

    def __init__(self, blocks: int = 6, test_blocks: int = 2, embargo_bars: int = 0) -> None:
        if blocks < 2 or not 1 <= test_blocks < blocks:
            raise SettingsError(
                f"found {test_blocks} test blocks of {blocks}, expected 2 or more blocks, fewer in the test"
            )
        self.blocks = blocks
        self.test_blocks = test_blocks
        self.embargo_bars = checked_embargo(embargo_bars)
        self.paths = math.comb(blocks, test_blocks) * test_blocks // blocks

    def split(
        self, X: Sized, y: object = None, groups: npt.ArrayLike | None = None
    ) -> Iterator[tuple[IntArray, IntArray]]:
        """Yield (train, test) positions in the order of :meth:`tested_blocks`; as of :class:`PurgedKFold`."""
        ends = checked_ends(groups, len(X))
        every = _blocks(len(X), self.blocks)
        for tested in self.tested_blocks():
            blocks = [every[block] for block in tested]
            yield (
                _train_rows(blocks, ends, self.embargo_bars),
                np.concatenate([np.arange(*block) for block in blocks]),
            )

    def get_n_splits(
        self, X: Sized | None = None, y: object = None, groups: npt.ArrayLike | None = None
    ) -> int:
        """Return C(N, k)."""
        return math.comb(self.blocks, self.test_blocks)

    def tested_blocks(self) -> list[tuple[int, ...]]:
        """Return the blocks that each split tests."""
        return list(combinations(range(self.blocks), self.test_blocks))

    def assemble_paths(self, answers: Sequence[FloatArray], rows: int) -> FloatArray:
        """Put the answers of the splits together to whole histories.

        Parameters
        ----------
        answers : sequence of numpy.ndarray, each of shape (rows of the split's test, c)
            In the order of :meth:`split`.
        rows : int
            n, of all rows.

        Returns
        -------
        numpy.ndarray, shape (paths, n, c)
            Path p takes a block from the p-th split that tests it.
        """
        every = _blocks(rows, self.blocks)
        found = np.full((self.paths, rows, answers[0].shape[1]), np.nan)
        seen = [0] * self.blocks
        for tested, answer in zip(self.tested_blocks(), answers, strict=True):
            begin = 0
            for block in tested:
                first, end = every[block]
                found[seen[block], first:end] = answer[begin : begin + end - first]
                begin += end - first
                seen[block] += 1
        return found

    def __repr__(self) -> str:
        return (
            f"CombinatorialPurgedSplit(blocks={self.blocks}, test_blocks={self.test_blocks}, "
            f"embargo_bars={self.embargo_bars})"
        )


def _blocks(rows: int, count: int) -> list[tuple[int, int]]:
    """Return the first row of each block and the one after its last; lengths differ by one at most."""
    if rows < count:
        raise DataError(f"found {rows} rows for {count} blocks, expected one each or more; give more data")
    edges = [rows * block // count for block in range(count + 1)]
    return list(pairwise(edges))


def _train_rows(blocks: Sequence[tuple[int, int]], ends: IntArray, embargo_bars: int) -> IntArray:
    rows = np.arange(len(ends))
    kept = np.ones(len(ends), dtype=np.bool_)
    for first, end in blocks:
        before = ends + embargo_bars < first
        after = rows > ends[first:end].max() + embargo_bars
        kept &= before | after
    if not kept.any():
        raise DataError(
            f"no row is left to train on beside {len(blocks)} test blocks of {len(ends)} rows and an embargo "
            f"of {embargo_bars}; give more data or lower ml.split.embargo_bars"
        )
    return rows[kept]
