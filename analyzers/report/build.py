"""Put the page together: one file that opens anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

from analyzers.equity import daily_values
from analyzers.figures import FIGURES, count, percent, rupees, short_rupees, text_of
from analyzers.report import charts, groups
from analyzers.report.importance import heat_tables
from analyzers.report.luck import luck_checks
from analyzers.report.prices import pack_prices
from analyzers.result import RunResult
from analyzers.window_money import with_money

__all__ = ["render_report", "write_report"]

HERE = Path(__file__).parent
DAYS_FOR_DAILY_POINTS = 40  # shorter runs draw their curves bar by bar, or every few bars
MOST_POINTS = 1000


def write_report(result: RunResult, path: Path, *, embedded_bars: int = 150_000) -> None:
    """Write ``report.html``; the parameters are those of :func:`render_report`."""
    path.write_text(render_report(result, embedded_bars=embedded_bars), encoding="utf-8")


def render_report(result: RunResult, *, embedded_bars: int = 150_000) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    result : RunResult
        The run.
    embedded_bars : int
        Bars that travel in the page for the price chart; the newest whole sessions that fit. 0 leaves it out.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(rupees=rupees, short=short_rupees, percent=percent, count=count)
    return environment.get_template("template.html.jinja").render(
        run=result,
        style=_own_file("style.css"),
        script=_own_file("page.js"),
        tone={"edge supported": "good", "edge not supported": "bad"}.get(result.verdict.label, "open"),
        intervals=_intervals(result),
        luck=luck_checks(result),
        arm_intervals=_arm_intervals(result),
        tiles=_tiles(result),
        figures=_figures(result),
        waterfalls=_waterfalls(result),
        curves=_curves(result),
        prices=pack_prices(result.bars, result.trades, embedded_bars),
        histogram=charts.histogram(result.trades["net_pnl"].to_numpy(np.float64)),
        breakdowns=(
            ("By hour of entry", groups.by_hour(result.trades)),
            ("By exit reason", groups.by_exit_reason(result.trades)),
            ("By weekday", groups.by_weekday(result.trades)),
        ),
        months=groups.by_month(result.trades),
        month_names=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        rules=groups.rule_counts(result.risk_rules, result.events),
        windows=[_window(window) for window in with_money(result.windows, result.trades)],
        pooled=_window(groups.pooled_windows(result.windows)) if result.windows else None,
        heats=heat_tables(result.windows),
        settings=_flat(result.settings),
        data=_flat(result.data),
        model=_flat(result.model or {}),
    )


# A file of this package, to stand in the page as it is.
def _own_file(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704


def _intervals(result: RunResult) -> Markup:
    verdict = result.verdict
    if verdict.gross_per_trade is None or verdict.net_per_trade is None:
        return Markup("")
    return charts.interval_chart(
        [
            ("before costs", verdict.gross_low or 0.0, verdict.gross_per_trade, verdict.gross_high or 0.0),
            ("after costs", verdict.net_low or 0.0, verdict.net_per_trade, verdict.net_high or 0.0),
        ]
    )


def _arm_intervals(result: RunResult) -> Markup:
    rows = [
        (arm.name, arm.net_low or 0.0, arm.net_per_trade, arm.net_high or 0.0)
        for arm in (result.arms.arms if result.arms else ())
        if arm.net_per_trade is not None
    ]
    return charts.interval_chart(rows) if rows else Markup("")


# Label, value, what it stands against, and a tone: what a trader asks first.
def _tiles(result: RunResult) -> list[tuple[str, str, str, str]]:
    texts = {
        figure.key: text_of(figure, result.metrics.get(figure.key))
        for _, group in FIGURES
        for figure in group
    }
    today = result.metrics_today["net_pnl"]

    def tone(value: object) -> str:
        return "" if not isinstance(value, float) or value == 0.0 else "good" if value > 0.0 else "bad"

    return [
        (
            "Net profit",
            texts["net_pnl"],
            f"{texts['return_pct']} of the starting cash",
            tone(result.metrics["net_pnl"]),
        ),
        (
            "Net at today's charges",
            rupees(float(today or 0.0)),
            f"rates of {result.today_rates_date.isoformat()}",
            tone(today),
        ),
        ("Gross edge", texts["gross_edge_bps"], f"costs take {texts['cost_bps']} a trade", ""),
        ("Win rate", texts["win_rate"], f"break-even at {texts['breakeven_hit_rate']}", ""),
        (
            "Sharpe ratio",
            texts["sharpe"],
            f"deflated: {texts['deflated_sharpe']} sure, trials: {texts['trials']}",
            "",
        ),
        ("Deepest drawdown", texts["max_drawdown_pct"], f"{texts['max_drawdown']} at bar closes", ""),
        ("Profit factor", texts["profit_factor"], f"{texts['average_trade']} a trade", ""),
        ("Trades", texts["trades"], f"a position in {texts['exposure']} of bars", ""),
    ]


def _figures(result: RunResult) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    return [
        (
            title,
            [
                (
                    figure.label,
                    figure.note,
                    text_of(figure, result.metrics.get(figure.key)),
                    text_of(figure, result.metrics_today.get(figure.key)),
                )
                for figure in group
            ],
        )
        for title, group in FIGURES
    ]


def _waterfalls(result: RunResult) -> list[tuple[str, Markup]]:
    titles = ("As charged on the day", f"At the charges of {result.today_rates_date.isoformat()}")
    drawn = []
    for title, metrics in zip(titles, (result.metrics, result.metrics_today), strict=True):
        gross, charges, slippage, net = (
            float(metrics[key] or 0.0) for key in ("gross_pnl", "charges", "slippage_cost", "net_pnl")
        )
        steps = (
            ("gross", gross, "total"),
            ("charges", -charges, "change"),
            ("slippage", -slippage, "change"),
            ("net", net, "total"),
        )
        drawn.append((title, charts.waterfall(steps)))
    return drawn


# Profit before and after costs, and the fall from the highest value, at session ends (bars in a short run).
def _curves(result: RunResult) -> dict[str, Markup]:
    equity, trades = result.equity, result.trades
    index = pd.DatetimeIndex(equity.index)
    dates = index.tz_localize(None).normalize()
    value = equity["value"].to_numpy(np.float64)
    peaks = np.maximum.accumulate(np.maximum(value, result.starting_cash))
    rows = np.minimum(index.searchsorted(pd.DatetimeIndex(trades["exit_time"])), max(len(index) - 1, 0))
    gross = np.bincount(rows, weights=trades["gross_pnl"], minlength=len(index)).cumsum()
    daily = len(daily_values(equity)) > DAYS_FOR_DAILY_POINTS
    every = max(1, -(-len(index) // MOST_POINTS))
    ends = (
        np.flatnonzero(np.append(dates[1:] != dates[:-1], True))
        if daily
        else np.arange(len(index))[::-every][::-1]
    )
    falls = value - peaks
    if len(ends):  # the deepest moment since the point before, not the moment itself
        falls = np.minimum.reduceat(falls, np.append(0, ends[:-1] + 1))
    labels = [time.strftime("%a %d %b %Y" if daily else "%a %d %b %Y %H:%M") for time in index[ends]]
    ticks = _time_ticks(index[ends])
    return {
        "profit": charts.line_chart(
            [
                charts.Line("after costs", "net", value[ends] - result.starting_cash, filled=True),
                charts.Line("before costs", "gross", gross[ends]),
            ],
            labels,
            height="tall",
            name="Profit since the start, before and after costs",
            ticks=ticks,
        ),
        "drawdown": charts.line_chart(
            [charts.Line("below the peak", "fall", falls, filled=True)],
            labels,
            height="short",
            name="Drawdown from the highest account value",
            ticks=ticks,
        ),
    }


# At most seven: starts of years, quarters, months or sessions, whichever is the coarsest with more than two.
def _time_ticks(times: pd.DatetimeIndex) -> list[tuple[int, str]]:
    for unit, form in (("Y", "%Y"), ("Q", "%b %Y"), ("M", "%b %Y"), ("D", "%d %b")):
        periods = times.tz_localize(None).to_period(unit)
        starts = [0, *(np.flatnonzero(periods[1:] != periods[:-1]) + 1).tolist()]
        if len(starts) > 2 or unit == "D":
            every = -(-len(starts) // 7)
            return [(point, times[point].strftime(form)) for point in starts[::every]]
    return []


def _window(window: Mapping[str, Any]) -> dict[str, Any]:
    confusion = window.get("confusion")
    importance = sorted((window.get("importance") or {}).items(), key=lambda item: -item[1])
    most = importance[0][1] if importance else 0.0
    points = [(p["predicted"], p["observed"], p["count"]) for p in window.get("calibration") or ()]
    rows = []
    for name, numbers in zip(("down", "flat", "up"), confusion or (), strict=False):
        total = sum(numbers) or 1
        rows.append((name, [(number, number / total) for number in numbers]))
    return {
        "facts": window,
        "confusion": rows,
        "calibration": charts.calibration_chart(points),
        "importance": [
            (name, share, 100.0 * share / most if most > 0.0 else 0.0) for name, share in importance
        ],
    }


# Nested mappings as lines of dotted name and text.
def _flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for key, value in tree.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(value, Mapping) and value:
            lines += _flat(value, name)
        elif isinstance(value, list | tuple):
            lines.append((name, ", ".join(map(str, value)) or "none"))
        else:
            lines.append((name, "none" if value is None else str(value)))
    return lines
