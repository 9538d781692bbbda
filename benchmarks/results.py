"""One page of results on real bars: models and rules on the same sessions, with intervals and verdicts.

``python -m benchmarks.results --data FILE [--out docs/results.md]``. All of them trade the sessions that the
first walk-forward window leaves untouched. What each is judged by is in the report of a backtest as well
(see docs/significance.md); beside each other the six count as trials of one another, so that the deflated
Sharpe ratio knows how many were tried.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from analyzers.costs import at_todays_charges
from analyzers.equity import equity_frame
from analyzers.luck import random_entry_figures
from analyzers.metrics import Metrics, compute_metrics
from analyzers.trades import trades_frame
from analyzers.verdict import EdgeVerdict, judge_edge
from brokers.charges import latest_date
from brokers.settings import make_charges
from feeds.calendar import TradingCalendar
from feeds.settings import make_calendar
from feeds.terms import DatedTerms
from strategies.loading import RunBars, load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import Settings, load_settings
from strategies.simulation import Simulated, prepare_simulation

_MODEL = "strategy.name=ml"
CONTESTANTS: dict[str, tuple[str, ...]] = {
    "XGBoost": (_MODEL, "ml.model.kind=xgboost"),
    "LightGBM": (_MODEL, "ml.model.kind=lightgbm"),
    "ensemble (mean of both)": (_MODEL, "ml.model.kind=ensemble"),
    "`ema_cross`": ("strategy.name=ema_cross",),
    "`opening_range`": ("strategy.name=opening_range",),
    "`random_entry`": ("strategy.name=random_entry",),
}
OPTIONS: dict[str, tuple[str, ...]] = {
    "stacking": (_MODEL, "ml.model.kind=stacking"),
    "a model per volatility regime": (_MODEL, "ml.model.kind=regime"),
    "XGBoost, trained thresholds": (
        _MODEL,
        "ml.model.calibration=logistic",
        "ml.thresholds.kind=expected_net",
        "strategy.parameters.thresholds=trained",
    ),
}
RANDOM_SEEDS = range(1, 21)


class Row(NamedTuple):
    """One contestant at the charges of its dates and at today's."""

    name: str
    metrics: Metrics
    verdict: EdgeVerdict
    metrics_today: Metrics
    verdict_today: EdgeVerdict


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("--data", required=True, help="1-minute bars, CSV or Parquet")
    parser.add_argument("--out", type=Path, help="write the page there")
    options = parser.parse_args(arguments)
    base = (f"data.source={options.data}",)
    settings = load_settings(None, base)
    calendar = make_calendar(settings.market)
    bars = load_run_bars(settings, calendar)
    begin = prepare_model(settings, bars, "walkforward", now=dt.datetime.now(dt.UTC)).judges_from
    runs: dict[str, Simulated] = {}
    for name, choice in (CONTESTANTS | OPTIONS).items():
        started = time.perf_counter()
        runs[name] = _simulate(load_settings(None, [*base, *choice]), bars, calendar, begin)
        sys.stderr.write(f"{name}: {time.perf_counter() - started:.1f} s\n")
    rows = _judged(runs, settings, calendar)
    seeds = [_random(base, seed, bars, calendar, begin) for seed in RANDOM_SEEDS]
    page = _page(Path(options.data).stem, bars, rows, seeds)
    if options.out:
        options.out.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 0


def _simulate(settings: Settings, bars: RunBars, calendar: TradingCalendar, begin: dt.datetime) -> Simulated:
    model = None
    if settings.strategy.name == "ml":
        model = prepare_model(settings, bars, "walkforward", now=dt.datetime.now(dt.UTC))
    simulation = prepare_simulation(
        settings,
        calendar,
        bars.frame,
        predictor=model.predictor if model else None,
        counts_from=begin,
        minutes=bars.minutes,
    )
    simulation.run()
    return simulation.analyse()


def _random(
    base: tuple[str, ...], seed: int, bars: RunBars, calendar: TradingCalendar, begin: dt.datetime
) -> Metrics:
    settings = load_settings(None, [*base, "strategy.name=random_entry", f"strategy.parameters.seed={seed}"])
    return _simulate(settings, bars, calendar, begin).analysis.metrics


def _judged(runs: dict[str, Simulated], settings: Settings, calendar: TradingCalendar) -> list[Row]:
    """Judge each as the last of as many trials as there are contestants."""
    rows = []
    for name, run in runs.items():
        others = [other for other in runs.values() if other is not run]
        now = [other.analysis.metrics["sharpe"] for other in others]
        later = [other.analysis.metrics_today["sharpe"] for other in others]
        metrics, verdict = _judge(run, settings, calendar, now, today=False)
        metrics_today, verdict_today = _judge(run, settings, calendar, later, today=True)
        rows.append(Row(name, metrics, verdict, metrics_today, verdict_today))
    return rows


def _judge(
    run: Simulated, settings: Settings, calendar: TradingCalendar, others: Sequence[object], *, today: bool
) -> tuple[Metrics, EdgeVerdict]:
    cash, journal = settings.broker.starting_cash, run.journal
    fills = journal.fills
    if today:
        date = latest_date()
        largest = DatedTerms(settings.market, calendar)(date).largest_order
        fills = at_todays_charges(fills, make_charges(settings.broker), date, largest)
    trades = trades_frame(fills, journal.contexts, run.bars)
    sharpes = [float(sharpe) for sharpe in others if isinstance(sharpe, float)]
    metrics = compute_metrics(trades, equity_frame(fills, run.bars, cash), cash, sharpes)
    metrics |= random_entry_figures(trades, run.bars, settings.report)
    return metrics, judge_edge(trades, metrics)


def _page(source: str, bars: RunBars, rows: Sequence[Row], seeds: Sequence[Metrics]) -> str:
    info = bars.info
    gross = np.array([_number(seed["gross_edge_bps"]) for seed in seeds])
    net = np.array([_number(seed["net_pnl"]) for seed in seeds])
    return "\n".join(
        [
            f"# Results on real bars: {source}",
            "",
            f"{info['bars']:,} bars of 3 minutes, {info['first'][:10]} to {info['last'][:10]}, default "
            "settings; walk-forward: trained on 24 months, traded on the next three, moved on. All rows "
            "trade the same sessions, which no model had seen, and count as trials of one another. Made by "
            "`python -m benchmarks.results --data FILE`. A dash for the Sharpe ratio: the account was wiped "
            "out.",
            "",
            "## At the charges of each date",
            "",
            *_table([(row.name, row.metrics, row.verdict) for row in rows]),
            "",
            "## The same trades at today's charges",
            "",
            *_table([(row.name, row.metrics_today, row.verdict_today) for row in rows]),
            "",
            "bps: basis points of the value entered, mean over trades. Brackets: 95 % interval of the mean "
            "per trade in rupees, by bootstrap over whole sessions. Random as good: share of portfolios "
            "entered at random, at the same hours, held as long, on the same sides, that did as well gross.",
            "",
            "## Why, in the report's words",
            "",
            *[f"- **{row.name}**: {row.verdict.reason}" for row in rows],
            "",
            f"`random_entry` with {len(seeds)} seeds: gross {gross.mean():+.2f} bps a trade on average "
            f"(from {gross.min():+.2f} to {gross.max():+.2f}), net {net.mean():,.0f} rupees "
            f"(from {net.min():,.0f} to {net.max():,.0f}).",
            "",
        ]
    )


def _table(rows: Sequence[tuple[str, Metrics, EdgeVerdict]]) -> list[str]:
    lines = [
        "| | trades | gross, bps | costs, bps | gross a trade, ₹ | net a trade, ₹ | net, ₹ | Sharpe | "
        "random as good | verdict |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    for name, metrics, verdict in rows:
        cells = [
            name,
            f"{_number(metrics['trades']):,.0f}",
            f"{_number(metrics['gross_edge_bps']):+.2f}",
            f"{_number(metrics['cost_bps']):.2f}",
            _interval(verdict.gross_per_trade, verdict.gross_low, verdict.gross_high),
            _interval(verdict.net_per_trade, verdict.net_low, verdict.net_high),
            f"{_number(metrics['net_pnl']):,.0f}",
            _figure(metrics["sharpe"]),
            _figure(metrics.get("random_entry_p")),
            verdict.label,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _interval(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None or low is None or high is None:
        return "–"
    return f"{mean:+,.0f} [{low:+,.0f}, {high:+,.0f}]"


def _figure(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, (int, float)) else "–"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
