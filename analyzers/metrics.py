"""The figures of a run.

Conventions: money in rupees; ``…_pct`` in percent; rates and probabilities from 0 to 1; returns as fractions
(0.01 is one percent). Ratios come from DAILY returns of the account value, annualised with 252 sessions,
risk-free rate 0. A figure that is not defined is None, never NaN: ratios need two trades and returns that
vary.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from analyzers.equity import daily_returns, daily_values
from analyzers.sharpe import (
    SESSIONS_PER_YEAR,
    annual_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe,
)

__all__ = ["Metrics", "compute_metrics"]

Metrics = dict[str, float | int | str | None]

RATIOS = (
    "sortino",
    "calmar",
    "cagr_pct",
    "volatility_pct",
    "var_95",
    "cvar_95",
    "var_95_historical",
    "cvar_95_historical",
)

TAIL = 0.05  # of days, for the value at risk
TAIL_DEVIATIONS = float(ndtri(TAIL))
TAIL_DENSITY = float(np.exp(-(TAIL_DEVIATIONS**2) / 2.0) / np.sqrt(2.0 * np.pi))


def compute_metrics(
    trades: pd.DataFrame, equity: pd.DataFrame, starting_cash: float, trials: Sequence[float | None] = ()
) -> Metrics:
    """Return every figure of a run by name.

    Parameters
    ----------
    trades : pandas.DataFrame
        As from :func:`analyzers.trades.trades_frame`.
    equity : pandas.DataFrame
        As from :func:`analyzers.equity.equity_frame`.
    starting_cash : float
        Rupees before the first bar, above 0.
    trials : sequence of float or None
        Annualised Sharpe ratios of the trials made BEFORE this run, None where there is none; this run is
        counted on top of them.

    Returns
    -------
    dict
        ``max_drawdown`` (rupees) and ``max_drawdown_pct`` are falls from the highest account value at any
        bar's close, given as positive numbers. ``var_95`` and ``cvar_95`` are daily returns (losses negative)
        under a normal distribution, as QuantStats has them; ``…_historical`` come from the days as they were.
        ``breakeven_hit_rate`` is the share of winners at which net profit would be zero, given the average
        winner and loser: the run earns exactly when ``win_rate`` is above it (trades of exactly zero apart).
        ``gross_edge_bps`` and ``cost_bps`` are basis points of the value entered, over all trades.
        ``calmar`` is the yearly growth over the deepest fall from day to day.
    """
    return {
        **_money(trades, equity, starting_cash),
        **_trade_figures(trades),
        **_sides(trades),
        **_account_figures(equity, starting_cash, ratios=len(trades) >= 2, trials=trials),
    }


def _money(trades: pd.DataFrame, equity: pd.DataFrame, starting_cash: float) -> Metrics:
    value = float(np.sum(np.abs(trades["size"].to_numpy() * trades["entry_price"].to_numpy())))
    gross, slippage = float(trades["gross_pnl"].sum()), float(trades["slippage_cost"].sum())
    charges, net = float(trades["charges"].sum()), float(trades["net_pnl"].sum())
    final = float(equity["value"].iloc[-1]) if len(equity) else float(starting_cash)
    return {
        "net_pnl": net,
        "gross_pnl": gross,
        "charges": charges,
        "slippage_cost": slippage,
        "starting_cash": float(starting_cash),
        "final_value": final,
        "return_pct": 100.0 * (final / starting_cash - 1.0),
        "value_entered": value,
        "gross_edge_bps": 1e4 * gross / value if value else None,
        "cost_bps": 1e4 * (slippage + charges) / value if value else None,
        "net_edge_bps": 1e4 * net / value if value else None,
    }


def _trade_figures(trades: pd.DataFrame) -> Metrics:
    net = trades["net_pnl"].to_numpy(np.float64)
    wins, losses = net[net > 0.0], net[net < 0.0]
    average_win, average_loss = _mean(wins), _mean(losses)
    breakeven = None
    if average_win is not None and average_loss is not None:
        breakeven = -average_loss / (average_win - average_loss)
    return {
        "trades": len(net),
        "win_rate": len(wins) / len(net) if len(net) else None,
        "gross_win_rate": float(np.mean(trades["gross_pnl"].to_numpy() > 0.0)) if len(net) else None,
        "breakeven_hit_rate": breakeven,
        "profit_factor": float(wins.sum() / -losses.sum()) if len(losses) else None,
        "average_trade": _mean(net),
        "average_win": average_win,
        "average_loss": average_loss,
        "largest_win": float(wins.max()) if len(wins) else None,
        "largest_loss": float(losses.min()) if len(losses) else None,
        "longest_winning_streak": _longest_run(net > 0.0),
        "longest_losing_streak": _longest_run(net < 0.0),
        "average_bars_held": _mean(trades["bars_held"].to_numpy(np.float64)),
        "average_mae": _mean(trades["mae"].to_numpy(np.float64)),
        "average_mfe": _mean(trades["mfe"].to_numpy(np.float64)),
    }


def _sides(trades: pd.DataFrame) -> Metrics:
    figures: Metrics = {}
    for side in ("long", "short"):
        net = trades.loc[trades["side"] == side, "net_pnl"].to_numpy(np.float64)
        figures[f"{side}_trades"] = len(net)
        figures[f"{side}_net_pnl"] = float(net.sum())
        figures[f"{side}_win_rate"] = float(np.mean(net > 0.0)) if len(net) else None
    return figures


def _account_figures(
    equity: pd.DataFrame, starting_cash: float, *, ratios: bool, trials: Sequence[float | None]
) -> Metrics:
    daily = daily_returns(equity, starting_cash)
    returns = daily.returns.to_numpy(np.float64)
    # Days before the ruin alone would make the ratios of a wiped-out account look better than they are
    sharpe = annual_sharpe(returns) if ratios and daily.ruined_on is None else None
    day_fall_pct = _deepest_fall(np.append(starting_cash, daily_values(equity).to_numpy()))[1]
    fall, fall_pct = _deepest_fall(np.append(starting_cash, equity["value"].to_numpy(np.float64)))
    luckiest = expected_maximum_sharpe([*trials, sharpe], len(returns)) if sharpe is not None else None
    return {
        "sessions": len(daily_values(equity)),
        "exposure": float(np.mean(equity["position"].to_numpy() != 0.0)) if len(equity) else None,
        "max_drawdown": fall,
        "max_drawdown_pct": fall_pct,
        "max_drawdown_daily_pct": day_fall_pct,
        "sharpe": sharpe,
        **(_ratios(returns, day_fall_pct) if sharpe is not None else dict.fromkeys(RATIOS)),
        "trials": len(trials) + 1,
        "luckiest_trial_sharpe": luckiest,
        "probabilistic_sharpe": probabilistic_sharpe(returns) if sharpe is not None else None,
        "deflated_sharpe": probabilistic_sharpe(returns, luckiest) if luckiest is not None else None,
        "ruined_on": daily.ruined_on.date().isoformat() if daily.ruined_on is not None else None,
    }


# Of daily returns that vary; the names are those of RATIOS.
def _ratios(returns: np.ndarray, deepest_daily_fall_pct: float) -> Metrics:
    mean, deviation = float(np.mean(returns)), float(np.std(returns, ddof=1))
    downside = float(np.sqrt(np.sum(returns[returns < 0.0] ** 2) / len(returns)))
    growth = float(np.prod(1.0 + returns) ** (SESSIONS_PER_YEAR / len(returns)) - 1.0)
    quantile = float(np.quantile(returns, TAIL))
    return {
        "sortino": mean / downside * SESSIONS_PER_YEAR**0.5 if downside > 0.0 else None,
        "calmar": 100.0 * growth / deepest_daily_fall_pct if deepest_daily_fall_pct > 0.0 else None,
        "cagr_pct": 100.0 * growth,
        "volatility_pct": 100.0 * deviation * SESSIONS_PER_YEAR**0.5,
        "var_95": mean + TAIL_DEVIATIONS * deviation,
        "cvar_95": mean - deviation * TAIL_DENSITY / TAIL,
        "var_95_historical": quantile,
        "cvar_95_historical": float(np.mean(returns[returns <= quantile])),
    }


def _mean(values: np.ndarray) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _longest_run(flags: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


# Deepest fall from the highest value so far: rupees, and percent of that highest value. Both positive.
def _deepest_fall(values: np.ndarray) -> tuple[float, float]:
    peaks = np.maximum.accumulate(values)
    return float((peaks - values).max()), float(100.0 * ((peaks - values) / peaks).max())
