"""Whether the trades of a run could be luck: held against entries at random, and how sure their Sharpe is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analyzers.equity import daily_returns
from analyzers.metrics import Metrics
from analyzers.settings import ReportSettings
from analyzers.sharpe import SESSIONS_PER_YEAR
from ml.arrays import BarArrays
from ml.significance import EntryBars, RandomEntryTest, random_entry_test, sharpe_interval

__all__ = ["figures_of_odds", "random_entry_figures", "random_entry_odds", "several_odds", "sharpe_figures"]

_MINUTES_A_DAY = 1440


def sharpe_figures(equity: pd.DataFrame, starting_cash: float, settings: ReportSettings) -> Metrics:
    """Return ``sharpe_low`` and ``sharpe_high``, the interval of the annualised Sharpe ratio.

    Parameters
    ----------
    equity : pandas.DataFrame
        As from :func:`analyzers.equity.equity_frame`.
    starting_cash : float
        Rupees before the first bar.
    settings : ReportSettings
        Confidence and number of samples.

    Returns
    -------
    dict
        By bootstrap over weeks of sessions; None where there are fewer than ten, or the account stands still.
    """
    returns = daily_returns(equity, starting_cash).returns.to_numpy(np.float64)
    interval = sharpe_interval(
        returns, settings.confidence_percent, samples=settings.bootstrap_samples, seed=0
    )
    low, high = (None, None) if interval is None else (math.sqrt(SESSIONS_PER_YEAR) * end for end in interval)
    return {"sharpe_low": low, "sharpe_high": high}


def random_entry_figures(trades: pd.DataFrame, bars: pd.DataFrame, settings: ReportSettings) -> Metrics:
    """Return how entries at random did at the same hours, held as long, on the same sides, before costs.

    Parameters
    ----------
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    bars : pandas.DataFrame
        The bar frame of the run.
    settings : ReportSettings
        Number of samples.

    Returns
    -------
    dict
        ``random_entry_p``: share of random portfolios that did at least as well;
        ``random_entry_mean_bps`` and ``random_entry_high_bps``: their mean and 95th percentile, basis points
        of the value entered. None for fewer than two trades.
    """
    return figures_of_odds(random_entry_odds(trades, bars, settings.bootstrap_samples))


def figures_of_odds(test: RandomEntryTest | None) -> Metrics:
    """Return the figures of :func:`random_entry_figures` out of what was found."""
    return {
        "random_entry_p": test.probability if test else None,
        "random_entry_mean_bps": test.random_mean_bps if test else None,
        "random_entry_high_bps": test.random_high_bps if test else None,
    }


def random_entry_odds(
    trades: pd.DataFrame, bars: pd.DataFrame, draws: int, seed: int = 0
) -> RandomEntryTest | None:
    """Hold the trades of a run against entries at random; None for fewer than two trades.

    Parameters
    ----------
    trades, bars : pandas.DataFrame
        Of the run.
    draws, seed : int
        Random portfolios, and the seed of their generator.
    """
    return _odds(trades, [(bars, np.ones(len(trades), dtype=bool))], draws, seed)


def several_odds(
    trades: pd.DataFrame, bars: Mapping[str, pd.DataFrame], draws: int, seed: int = 0
) -> RandomEntryTest | None:
    """Hold the trades in several instruments against entries at random, each in its own instrument.

    Parameters
    ----------
    trades : pandas.DataFrame
        Of the run.
    bars : mapping
        Its bar frames by instrument.
    draws, seed : int
        Random portfolios, and the seed of their generator.
    """
    instrument = trades["instrument"].to_numpy(dtype=object)
    own = [(frame, np.asarray(instrument == name)) for name, frame in bars.items()]
    return _odds(trades, own, draws, seed)


# Each frame comes with the trades that are on it.
def _odds(
    trades: pd.DataFrame,
    frames: Sequence[tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.bool_]]]],
    draws: int,
    seed: int,
) -> RandomEntryTest | None:
    if len(trades) < 2:
        return None
    entered = pd.DatetimeIndex(trades["entry_time"])
    entry_bar = np.zeros(len(trades), dtype=np.int64)
    parts: list[EntryBars] = []
    bars_before = sessions_before = 0
    for place, (bars, own) in enumerate(frames):
        arrays = BarArrays.from_frame(bars)
        entry_bar[own] = bars_before + pd.DatetimeIndex(bars.index).get_indexer(entered[own])
        # Minutes and sessions of their own keep a trade within its instrument
        session = arrays.session_day() + sessions_before
        minute = arrays.minute_of_day() + place * _MINUTES_A_DAY
        parts.append(EntryBars(arrays.open, arrays.close, session, minute))
        bars_before += len(bars)
        sessions_before = int(session[-1]) + 1 if len(session) else sessions_before
    size = trades["size"].to_numpy(np.float64)
    value = np.abs(size * trades["entry_price"].to_numpy(np.float64))
    return random_entry_test(
        EntryBars(*(np.concatenate(column) for column in zip(*parts, strict=True))),
        entry_bar,
        trades["bars_held"].to_numpy(np.int64),
        np.sign(size),
        1e4 * trades["gross_pnl"].to_numpy(np.float64) / value,
        draws=draws,
        seed=seed,
    )
