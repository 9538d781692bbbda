"""How the figures of a run are named and written for people: on a terminal and on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

__all__ = ["FIGURES", "Figure", "count", "percent", "rupees", "short_rupees", "text_of"]

NOT_DEFINED = "–"
MINUS = "−"


class Figure(NamedTuple):
    """One line of a table of figures.

    Attributes
    ----------
    key : str
        Name in the metrics.
    label : str
        What people read.
    write : callable
        Value (a float) to text.
    note : str
        The convention behind it, a few words; may be empty.
    """

    key: str
    label: str
    write: Callable[[float], str]
    note: str = ""


def rupees(amount: float) -> str:
    """Return an amount in whole rupees, ``−₹1,553,021``."""
    text = f"{abs(amount):,.0f}"
    return f"{MINUS if amount < 0 and text != '0' else ''}₹{text}"


def short_rupees(amount: float) -> str:
    """Return an amount with three digits or so, ``−₹1.55M``; for axes and small bars."""
    size = abs(amount)
    sign = MINUS if amount < 0 and size >= 0.5 else ""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= unit:
            digits = f"{size / unit:.3g}" if size < 999.5 * unit else f"{size / unit:.0f}"
            return f"{sign}₹{digits}{name}"
    return f"{sign}₹{size:.0f}"


def percent(share: float) -> str:
    """Return a share from 0 to 1 as ``41.3 %``."""
    return _signed(100.0 * share, 1) + " %"


def count(number: float) -> str:
    """Return a count, ``4,862``."""
    return f"{number:,.0f}"


def _signed(number: float, digits: int) -> str:
    text = f"{abs(number):,.{digits}f}"
    return f"{MINUS if number < 0 and float(text.replace(',', '')) else ''}{text}"


def _plain(number: float) -> str:
    return _signed(number, 2)


def _already_percent(number: float) -> str:
    return _signed(number, 2) + " %"


def _small_percent(share: float) -> str:
    return _signed(100.0 * share, 2) + " %"


def _basis_points(number: float) -> str:
    return _signed(number, 2) + " bps"


def text_of(figure: Figure, value: float | int | str | None) -> str:
    """Return a metric's text; a dash where it is not defined."""
    if value is None:
        return NOT_DEFINED
    return value if isinstance(value, str) else figure.write(float(value))


FIGURES: tuple[tuple[str, tuple[Figure, ...]], ...] = (
    (
        "Money",
        (
            Figure("gross_pnl", "Gross profit", rupees, "before slippage and charges"),
            Figure("slippage_cost", "Slippage and latency", rupees),
            Figure("charges", "Charges", rupees, "brokerage, taxes, fees"),
            Figure("net_pnl", "Net profit", rupees),
            Figure("return_pct", "Return on starting cash", _already_percent),
            Figure("cagr_pct", "Growth per year", _already_percent, "252 sessions, compounded"),
            Figure("gross_edge_bps", "Gross edge per trade", _basis_points, "of the value entered"),
            Figure("cost_bps", "Cost per trade", _basis_points, "of the value entered"),
        ),
    ),
    (
        "Trades",
        (
            Figure("trades", "Trades", count),
            Figure("win_rate", "Win rate", percent, "net"),
            Figure("breakeven_hit_rate", "Break-even hit rate", percent, "win rate at which net is zero"),
            Figure("gross_win_rate", "Win rate before costs", percent),
            Figure("profit_factor", "Profit factor", _plain, "net wins over net losses"),
            Figure("average_trade", "Average trade", rupees),
            Figure("average_win", "Average winner", rupees),
            Figure("average_loss", "Average loser", rupees),
            Figure("longest_losing_streak", "Longest losing streak", count, "trades"),
            Figure("average_bars_held", "Average time held", _plain, "bars"),
            Figure("long_net_pnl", "Long trades, net", rupees),
            Figure("short_net_pnl", "Short trades, net", rupees),
        ),
    ),
    (
        "Risk",
        (
            Figure("max_drawdown", "Deepest drawdown", rupees, "at bar closes"),
            Figure("max_drawdown_pct", "Deepest drawdown", _already_percent, "at bar closes"),
            Figure("volatility_pct", "Volatility per year", _already_percent),
            Figure("var_95", "Value at risk, 95 %", _small_percent, "of a day, normal distribution"),
            Figure("cvar_95", "Expected shortfall, 95 %", _small_percent, "of a day, normal distribution"),
            Figure("exposure", "Bars with a position", percent),
        ),
    ),
    (
        "Ratios and luck",
        (
            Figure("sharpe", "Sharpe ratio", _plain, "daily returns × √252, risk-free 0"),
            Figure("sharpe_low", "Sharpe ratio, low end", _plain, "of its interval, weeks drawn again"),
            Figure("sharpe_high", "Sharpe ratio, high end", _plain),
            Figure("sortino", "Sortino ratio", _plain),
            Figure("calmar", "Calmar ratio", _plain),
            Figure("probabilistic_sharpe", "Chance that Sharpe is above 0", percent),
            Figure("trials", "Trials so far", count, "this one included"),
            Figure("luckiest_trial_sharpe", "Sharpe of the luckiest worthless trial", _plain, "expected"),
            Figure("deflated_sharpe", "Deflated Sharpe", percent, "chance that Sharpe is above that"),
            Figure("random_entry_p", "Random entries did as well", percent, "of random portfolios, gross"),
            Figure("random_entry_high_bps", "Best twentieth of them", _basis_points, "gross per trade"),
        ),
    ),
)
"""Every figure that is shown, in groups, in the order of reading."""
