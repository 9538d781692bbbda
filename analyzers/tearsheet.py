"""The QuantStats page of a run, from DAILY returns, written offline and readable offline."""

from __future__ import annotations

import html
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analyzers.equity import daily_returns
from analyzers.result import RunResult
from analyzers.sharpe import SESSIONS_PER_YEAR

__all__ = ["tearsheet_title", "write_tearsheet"]

# What QuantStats 0.0.86 is known to say while it draws, and why that may pass; all else stays a warning.
KNOWN_WARNINGS: tuple[tuple[type[Warning], str, str], ...] = (
    # it calls pandas, seaborn and matplotlib in ways that later releases will drop; nothing is wrong yet
    (DeprecationWarning, r"The inplace keyword in DataFrame\.", ""),
    (DeprecationWarning, r"vert: bool was deprecated in Matplotlib", ""),
    (PendingDeprecationWarning, r"The set_bad function will be deprecated", ""),
    # it relabels date axes that are not interactive here, so the ticks cannot move away from their labels
    (UserWarning, r"set_ticklabels\(\) should only be used with a fixed number of ticks", ""),
    # runs without trades, or with very few: it shows dashes for what is undefined, which is what we want
    (UserWarning, r"No non-zero returns found for win rate", ""),
    (UserWarning, r"Insufficient data for omega ratio", ""),
    (RuntimeWarning, r"(invalid value|divide by zero) encountered in ", r"(scipy|numpy|pandas|quantstats)\b"),
    (RuntimeWarning, r"(Degrees of freedom <= 0|Mean of empty slice)", ""),
)


def tearsheet_title(result: RunResult) -> str:
    """Return the page's title: what was run, whether the bars are made up, and where the account ended."""
    parts = ["SYNTHETIC DATA"] if result.synthetic else []
    parts.append(result.title)
    if result.metrics["ruined_on"] is not None:
        parts.append(f"until the account was wiped out on {result.metrics['ruined_on']}")
    return " · ".join(parts)


def write_tearsheet(result: RunResult, path: Path) -> None:
    """Write the QuantStats page.

    Parameters
    ----------
    result : RunResult
        The run; its equity becomes daily returns (252 sessions a year, risk-free rate 0, no benchmark).
    path : pathlib.Path
        Where to. The page loads nothing from the network. Where there is no daily return at all it says so
        and nothing more.
    """
    returns = daily_returns(result.equity, result.starting_cash).returns
    title = html.escape(tearsheet_title(result))
    if returns.empty:
        path.write_text(
            f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
            "<p>There is no daily return to show: no session of the run ended with money in the account.",
            encoding="utf-8",
        )
        return
    with _drawing():
        import quantstats.reports

        quantstats.reports.html(  # type: ignore[no-untyped-call]
            returns, output=str(path), title=title, compounded=True, periods_per_year=SESSIONS_PER_YEAR
        )
    page = path.read_text(encoding="utf-8")
    # The page's icon is the only thing it would fetch.
    page = re.sub(r'<link[^>]*href="https?://[^"]*"[^>]*>', "", page)
    path.write_text(page, encoding="utf-8")


@contextmanager
def _drawing() -> Iterator[None]:
    # QuantStats asks for Arial in every label, and matplotlib reports each time that a machine has none.
    fonts = logging.getLogger("matplotlib.font_manager")
    level = fonts.level
    with warnings.catch_warnings():
        for category, message, module in KNOWN_WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=category, module=module)
        try:
            fonts.setLevel(logging.ERROR)
            import matplotlib as mpl

            mpl.use("agg")  # files only: a run must not need a display
            yield
        finally:
            fonts.setLevel(level)
