"""The features a model sees: named once, computed by the same code in training, backtest and live."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from feeds.dotted import load_dotted
from feeds.errors import SettingsError
from feeds.suggest import did_you_mean
from ml.arrays import BarArrays, FloatArray
from ml.catalogue import CATALOGUE, Feature, average_true_range, feature
from ml.time_frames import TIME_FRAME_FEATURES

__all__ = ["DEFAULT_FEATURES", "BarArrays", "Feature", "FeatureSet", "average_true_range", "feature"]

_LONGER = {function.__name__ for function, _ in TIME_FRAME_FEATURES}

DEFAULT_FEATURES = tuple(
    name for name, shipped in CATALOGUE.items() if not shipped.level and name not in _LONGER
)
"""Features of the bars themselves, free of the price level, in the order in which a model gets them."""


class FeatureSet:
    """An ordered set of features.

    Parameters
    ----------
    names : sequence of str
        Names from :data:`ml.catalogue.CATALOGUE`, or ``package.module:function`` for a function of one's own
        that is marked with :func:`ml.catalogue.feature`.
    allow_levels : bool
        Accept features on the scale of prices. Only for stops and charts: a model that learned the price
        level of its training years has nothing to say about later ones.

    Attributes
    ----------
    names : tuple of str
        As given.
    warmup_bars : int
        Bars, the last one's own included, that a complete row needs.
    hash : str
        SHA-256 over names, order, versions and warm-ups. Two sets with one hash compute the same.

    Raises
    ------
    SettingsError
        An unknown or repeated name, a function that is not marked, or a level where none is allowed.
    """

    def __init__(self, names: Sequence[str] = DEFAULT_FEATURES, *, allow_levels: bool = False) -> None:
        self.names = tuple(names)
        if not self.names:
            raise SettingsError("ml.features is empty, expected one or more; leave it out for the default")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise SettingsError(f"ml.features repeats {', '.join(repeated)}, expected each once; remove one")
        self.features = tuple(_find(name) for name in self.names)
        levels = [name for name, found in zip(self.names, self.features, strict=True) if found.level]
        if levels and not allow_levels:
            raise SettingsError(
                f"ml.features holds {', '.join(levels)}, which lie on the scale of prices, expected "
                "stationary features only; use atr_14_percent or vwap_distance instead"
            )
        self.warmup_bars = max(found.warmup_bars for found in self.features)
        described = [
            [name, found.version, found.warmup_bars]
            for name, found in zip(self.names, self.features, strict=True)
        ]
        self.hash = hashlib.sha256(json.dumps(described).encode()).hexdigest()

    def compute(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Compute every feature of every bar.

        Parameters
        ----------
        bars : pandas.DataFrame or BarArrays
            A bar frame (see :mod:`feeds.bars`), or its arrays.

        Returns
        -------
        numpy.ndarray, shape (n, k)
            float64, columns in the order of ``names``; NaN during a feature's warm-up and where it is
            undefined.
        """
        arrays = _as_arrays(bars)
        matrix = np.empty((arrays.bars, len(self.features)))
        for column, found in enumerate(self.features):
            matrix[:, column] = found.values(arrays)
        return matrix

    def compute_last(self, bars: pd.DataFrame | BarArrays) -> FloatArray:
        """Compute every feature of the newest bar, shape (k,).

        Equal, bit for bit, to the last row of :meth:`compute` on the same bars or on any longer history
        that ends with them, once ``warmup_bars`` bars are given.
        """
        arrays = _as_arrays(bars)
        row = np.full(len(self.features), np.nan)
        for column, found in enumerate(self.features):
            if arrays.bars >= found.warmup_bars:
                row[column] = found.values(arrays.tail(found.warmup_bars))[-1]
        return row

    def __repr__(self) -> str:
        return f"FeatureSet({len(self.names)} features, warm-up {self.warmup_bars} bars, {self.hash[:12]})"


def _as_arrays(bars: pd.DataFrame | BarArrays) -> BarArrays:
    return bars if isinstance(bars, BarArrays) else BarArrays.from_frame(bars)


def _find(name: str) -> Feature:
    if ":" not in name:
        if name not in CATALOGUE:
            raise SettingsError(f"unknown feature {name!r} in ml.features{did_you_mean(name, CATALOGUE)}")
        return CATALOGUE[name]
    function = load_dotted(name, what="feature")
    marked = getattr(function, "feature", None)
    if not isinstance(marked, Feature):
        raise SettingsError(
            f"feature {name!r} does not say how many bars it needs; mark the function with "
            "@ml.catalogue.feature(warmup_bars=...)"
        )
    return marked._replace(name=name)
