"""The account bar by bar, and its returns day by day."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from brokers.journal import Fill
from feeds.errors import DataError

__all__ = ["DailyReturns", "daily_returns", "daily_values", "equity_frame"]


def equity_frame(fills: Sequence[Fill], bars: pd.DataFrame, starting_cash: float) -> pd.DataFrame:
    """Return cash, account value and position at the close of every bar.

    Parameters
    ----------
    fills : sequence of Fill
        Executions of one instrument in the order in which they happened.
    bars : pandas.DataFrame
        The bar frame of the run; ``Fill.bar`` counts its rows.
    starting_cash : float
        Rupees before the first fill.

    Returns
    -------
    pandas.DataFrame
        Index of ``bars`` (START of the bar, Asia/Kolkata); columns ``cash`` (rupees: starting cash plus
        realised profit minus charges paid), ``value`` (rupees: cash plus the open position's profit at the
        bar's close) and ``position`` (units, positive long, negative short). Profit is realised against the
        average price of the position. When flat, ``value`` equals ``cash`` to the last bit.

    Raises
    ------
    DataError
        When a fill names a bar that is not there, or fills are not in the order of their bars.
    """
    bar, states = _account_after_each_fill(fills, starting_cash)
    if len(bar) and (bar[0] < 0 or bar[-1] >= len(bars) or (np.diff(bar) < 0).any()):
        raise DataError(
            f"fills name bars {bar.min()} to {bar.max()}, expected ascending numbers within "
            f"0 to {len(bars) - 1}: pass the fills and the bars of the same run"
        )
    latest = states[np.searchsorted(bar, np.arange(len(bars)), side="right")]
    cash, position, average = latest.T
    value = cash + position * (bars["close"].to_numpy(np.float64) - average)
    frame = pd.DataFrame({"cash": cash, "value": value, "position": position}, index=bars.index)
    frame.index.name = "datetime"
    return frame


# Rows (cash, position, average price): row 0 before any fill, row k after the k-th, which lies in bar[k - 1].
def _account_after_each_fill(fills: Sequence[Fill], starting_cash: float) -> tuple[np.ndarray, np.ndarray]:
    cash, position, average = float(starting_cash), 0.0, 0.0
    states = [(cash, position, average)]
    for fill in fills:
        size = fill.size
        if position * size >= 0.0:
            average = (average * position + fill.price * size) / (position + size)
            position += size
        else:
            closed = size if abs(size) <= abs(position) else -position
            cash += closed * (average - fill.price)
            position += size
            if abs(size) > abs(closed):
                average = fill.price
            elif position == 0.0:
                average = 0.0
        cash -= fill.charges
        states.append((cash, position, average))
    bar = np.asarray([fill.bar for fill in fills], dtype=np.int64)
    return bar, np.asarray(states, dtype=np.float64)


def daily_values(equity: pd.DataFrame) -> pd.Series:
    """Return the account value at the last bar of each IST date (index: naive dates), rupees."""
    dates = pd.DatetimeIndex(equity.index).tz_localize(None).normalize()
    ends = np.flatnonzero(np.append(dates[1:] != dates[:-1], True)) if len(dates) else np.empty(0, np.int64)
    return pd.Series(
        equity["value"].to_numpy()[ends], index=pd.DatetimeIndex(dates[ends], name="date"), name="value"
    )


class DailyReturns:
    """Returns of the account per session, for as long as there is an account.

    Attributes
    ----------
    returns : pandas.Series
        Value at the session's end over the value at the end of the one before (the first: over the starting
        cash) minus 1; a fraction, 0.01 is one percent. Index: naive IST dates. It ends before ``ruined_on``.
    ruined_on : pandas.Timestamp or None
        First session that ended with nothing or less; a return is not defined from there on.
    """

    def __init__(self, returns: pd.Series, ruined_on: pd.Timestamp | None) -> None:
        self.returns = returns
        self.ruined_on = ruined_on


def daily_returns(equity: pd.DataFrame, starting_cash: float) -> DailyReturns:
    """Return the daily returns of an equity frame.

    Parameters
    ----------
    equity : pandas.DataFrame
        As from :func:`equity_frame`.
    starting_cash : float
        Rupees before the first bar, above 0.

    Returns
    -------
    DailyReturns
        The series and, where the account was wiped out, the date.
    """
    values = daily_values(equity)
    ruined = np.flatnonzero(values.to_numpy() <= 0.0)
    alive = values if not len(ruined) else values.iloc[: ruined[0]]
    before = np.append(float(starting_cash), alive.to_numpy()[:-1])[: len(alive)]
    returns = pd.Series(alive.to_numpy() / before - 1.0, index=alive.index, name="return")
    return DailyReturns(returns, values.index[ruined[0]] if len(ruined) else None)
