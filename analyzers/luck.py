"""Whether the trades of a run could be luck: held against entries at random, and how sure their Sharpe is."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analyzers.equity import daily_returns
from analyzers.metrics import Metrics
from analyzers.settings import ReportSettings
from analyzers.sharpe import SESSIONS_PER_YEAR
from ml.arrays import BarArrays
from ml.significance import EntryBars, RandomEntryTest, random_entry_test, sharpe_interval

__all__ = ["luck_figures", "random_entry_odds"]


def luck_figures(
    trades: pd.DataFrame,
    equity: pd.DataFrame,
    bars: pd.DataFrame,
    starting_cash: float,
    settings: ReportSettings,
) -> Metrics:
    """Return the figures that tell skill from luck, for the metrics of a run.

    Parameters
    ----------
    trades, equity : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame` and :func:`analyzers.equity.equity_frame`.
    bars : pandas.DataFrame
        The bar frame of the run.
    starting_cash : float
        Rupees before the first bar.
    settings : ReportSettings
        Confidence and number of samples.

    Returns
    -------
    dict
        ``sharpe_low`` and ``sharpe_high``: the interval of the annualised Sharpe ratio.
        ``random_entry_p``: how often as many entries at random, at the same hours, as long and on the same
        sides, did at least as well before costs; ``random_entry_mean_bps`` and ``random_entry_high_bps``
        (their mean and 95th percentile). None where there are too few trades to ask.
    """
    returns = daily_returns(equity, starting_cash).returns.to_numpy(np.float64)
    interval = None
    if len(trades) >= 2:
        interval = sharpe_interval(
            returns, settings.confidence_percent, samples=settings.bootstrap_samples, seed=0
        )
    annual = math.sqrt(SESSIONS_PER_YEAR)
    test = random_entry_odds(trades, bars, settings.bootstrap_samples)
    return {
        "sharpe_low": interval[0] * annual if interval else None,
        "sharpe_high": interval[1] * annual if interval else None,
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
    if len(trades) < 2:
        return None
    arrays = BarArrays.from_frame(bars)
    entry_bar = pd.DatetimeIndex(bars.index).get_indexer(pd.DatetimeIndex(trades["entry_time"]))
    size = trades["size"].to_numpy(np.float64)
    value = np.abs(size * trades["entry_price"].to_numpy(np.float64))
    return random_entry_test(
        EntryBars(arrays.open, arrays.close, arrays.session_day(), arrays.minute_of_day()),
        entry_bar.astype(np.int64),
        trades["bars_held"].to_numpy(np.int64),
        np.sign(size),
        1e4 * trades["gross_pnl"].to_numpy(np.float64) / value,
        draws=draws,
        seed=seed,
    )
