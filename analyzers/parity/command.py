"""The arguments of ``python -m analyzers parity``."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from feeds.errors import SettingsError

__all__ = ["MODELS", "add_parity_parser", "check_arguments"]

MODELS = ("percent", "ticks", "volatility", "square_root")


def add_parity_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its arguments."""
    parity = commands.add_parser(
        "parity",
        help="compare a live, paper or demo day with its backtest, or measure latency and slippage",
        description="Compare a live, paper or demo day with the backtest on its bars, decision by decision "
        "and trade by trade. Exit code 1 when bars, inputs or decisions differ, or a bound is passed.",
    )
    what = parity.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path, metavar="RUN", help="folder of the day, as run_live.py named it")
    what.add_argument(
        "--calibrate", type=Path, nargs="+", metavar="RUN",
        help="folders of days: measure their latency and slippage and turn them into settings",
    )  # fmt: skip
    parity.add_argument(
        "--bars", type=Path, metavar="FILE",
        help="with --run: replay these bars (CSV or Parquet) instead of those recorded",
    )  # fmt: skip
    parity.add_argument(
        "--max-rupees", type=_rupees, metavar="N",
        help="tolerate differing bars, inputs and decisions that cost at most N rupees in all; default: none",
    )  # fmt: skip
    parity.add_argument(
        "--max-difference", type=_rupees, metavar="N",
        help="fail when the two results are more than N rupees apart, whatever the cause; default: no bound",
    )  # fmt: skip
    parity.add_argument("--json", type=Path, metavar="FILE", help="default: RUN/parity.json")
    parity.add_argument(
        "--model",
        choices=MODELS,
        help="with --calibrate: slippage model to fit; default: the one of the days",
    )
    parity.add_argument("--write", type=Path, metavar="FILE", help="with --calibrate: settings file to write")


def check_arguments(given: argparse.Namespace) -> None:
    """Raise SettingsError for an argument of the other job."""
    of_other = ("model", "write") if given.run else ("bars", "max_rupees", "max_difference", "json")
    wrong = [f"--{name.replace('_', '-')}" for name in of_other if getattr(given, name) is not None]
    if wrong:
        job, other = ("--run", "--calibrate") if given.run else ("--calibrate", "--run")
        raise SettingsError(f"{', '.join(wrong)} with {job}, expected with {other} only: leave it out")


def _rupees(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number of rupees, 0 or more")
    return number
