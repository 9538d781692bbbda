"""Does the verdict tell the truth? The whole chain on made-up bars in which we know what there is to find.

``python -m benchmarks.significance [--seeds 200] [--workers 2] [--arms NAME,...]``. Each seed makes new
bars, trains walk-forward, trades and judges with the default account, costs and risk rules. The arms differ
in the planted edge alone; one goes without costs, because costs protect a verdict on worthless trades that
should not need them. Exit code 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import joblib
import numpy as np
from scipy.stats import binomtest

from feeds.settings import make_calendar
from strategies.loading import load_run_bars
from strategies.modelling import prepare_model
from strategies.settings import load_settings
from strategies.simulation import prepare_simulation

BASE = (
    "data.synthetic.sessions=380", "data.synthetic.edge_probability=0.04",
    "ml.split.train_months=4", "ml.split.test_months=4", "ml.workers=1",
    "ml.model.rounds=60", "ml.model.learning_rate=0.15",
    "strategy.name=ml", "strategy.parameters.buy_probability=0.42",
    "strategy.parameters.sell_probability=0.42", "report.bootstrap_samples=1000",
)  # fmt: skip
"""Small enough for a second or two a seed; the thresholds let enough trades through to see a small edge."""


class Arm(NamedTuple):
    """A truth, and how often the verdict has to say so.

    Attributes
    ----------
    overrides : tuple of str
        What sets it apart, ``section.key=value``.
    says : str
        What is counted: ``supported``, or ``eaten``: there is a gross edge and costs eat it.
    least, most : float
        Bounds of the share of seeds in which it is said.
    """

    overrides: tuple[str, ...]
    says: str
    least: float
    most: float


def _edge(basis_points: float) -> tuple[str, ...]:
    return ("data.synthetic.edge=momentum", f"data.synthetic.edge_bps={basis_points}")


ARMS = {
    "none": Arm((), "supported", 0.0, 0.05),
    "none-free": Arm(
        (
            "broker.charges.plan=percent", "broker.charges.percent=0", "broker.slippage.model=none",
            "broker.latency_ms=0",
        ),
        "supported", 0.0, 0.05,
    ),
    "twice": Arm(_edge(46), "supported", 0.9, 1.0),
    "half": Arm(_edge(9), "eaten", 0.9, 1.0),
}  # fmt: skip
"""No edge with and without costs, a gross edge of about twice the costs, and one of about half."""


class Outcome(NamedTuple):
    """What became of one seed; money in basis points of the value entered, mean over trades."""

    label: str
    eaten: bool
    trades: float
    gross_bps: float
    cost_bps: float


def run_seed(arm: str, seed: int) -> Outcome:
    """Make the bars of a seed, train, trade and judge."""
    settings = load_settings(None, [*BASE, *ARMS[arm].overrides, f"data.synthetic.seed={seed}"])
    calendar = make_calendar(settings.market)
    bars = load_run_bars(settings, calendar)
    model = prepare_model(settings, bars, "walkforward", now=dt.datetime.now(dt.UTC))
    simulation = prepare_simulation(
        settings,
        calendar,
        bars.frame,
        predictor=model.predictor,
        counts_from=model.judges_from,
        minutes=bars.minutes,
    )
    simulation.run()
    analysis = simulation.analyse().analysis
    figures = [analysis.metrics[name] for name in ("trades", "gross_edge_bps", "cost_bps")]
    trades, gross, cost = (float(value) if isinstance(value, (int, float)) else 0.0 for value in figures)
    verdict = analysis.verdict
    eaten = "gross edge" in verdict.reason and "eat it" in verdict.reason
    return Outcome(verdict.label, eaten, trades, gross, cost)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the arms and print how often each verdict was given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.significance", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="seeds of each arm")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--arms", default=",".join(ARMS), help="comma between")
    options = parser.parse_args(arguments)
    kept = True
    for name in options.arms.split(","):
        started = time.perf_counter()
        jobs = (joblib.delayed(run_seed)(name, seed) for seed in range(1, options.seeds + 1))
        outcomes = list(joblib.Parallel(n_jobs=options.workers)(jobs))
        kept &= _tell(name, outcomes)
        sys.stderr.write(f"{name}: {time.perf_counter() - started:.0f} s\n")
    return 0 if kept else 1


def _tell(name: str, outcomes: Sequence[Outcome]) -> bool:
    """Print an arm's figures; return whether its bounds were kept."""
    arm, seeds = ARMS[name], len(outcomes)
    labels = [outcome.label for outcome in outcomes]
    supported, eaten = labels.count("edge supported"), sum(outcome.eaten for outcome in outcomes)
    said = supported if arm.says == "supported" else eaten
    is_kept = arm.least <= said / seeds <= arm.most
    gross = np.array([outcome.gross_bps for outcome in outcomes])
    cost = np.mean([outcome.cost_bps for outcome in outcomes])
    ratio = f" = {gross.mean() / cost:.2f} x costs of {cost:.2f}" if cost > 0 else ", no costs"
    sys.stdout.write(
        f"{name}: {seeds} seeds, {np.mean([outcome.trades for outcome in outcomes]):.0f} trades a seed\n"
        f"  gross a trade {gross.mean():+.2f} ± {gross.std() / np.sqrt(seeds):.2f} bps{ratio}\n"
        f"  edge supported   {_share(supported, seeds)}\n"
        f"  gross edge eaten {_share(eaten, seeds)}\n"
        f"  too few trades   {_share(labels.count('too few trades'), seeds)}\n"
        f"  asked: {arm.says} {arm.least:.0%} to {arm.most:.0%}: {'kept' if is_kept else 'MISSED'}\n"
    )
    return is_kept


def _share(count: int, seeds: int) -> str:
    interval = binomtest(count, seeds).proportion_ci(confidence_level=0.95, method="exact")
    return f"{count:4d} = {count / seeds:6.1%}, 95 % interval {interval.low:.1%} to {interval.high:.1%}"


if __name__ == "__main__":
    raise SystemExit(main())
