"""Backtest a strategy and write an honest report.

``python run_backtest.py`` trades the default strategy on synthetic bars; ``--data FILE`` takes real ones.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from strategies.entry_point import Parser, day, read_settings, run_entry_point

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None for those of the process.

    Returns
    -------
    int
        0 done; 2 bad arguments or settings; 3 bad data; 130 interrupted; 1 anything else.

    Notes
    -----
    Standard error holds nothing but one line that says what went wrong (and the progress bar, on a
    terminal). What is a fault of the program itself leaves its traceback in a file that the line names;
    ``--debug`` shows it instead.
    """
    return run_entry_point(
        lambda: _parser().parse_args(arguments),
        _run,
        interrupted="interrupted before the run was finished; its results were not written",
    )


def _run(options: argparse.Namespace) -> int:
    from strategies.progress import make_progress

    with make_progress(quiet=options.quiet) as progress:
        from ml.parallel import on_cluster
        from strategies.backtest import BacktestRequest, run_backtest

        request = BacktestRequest(
            settings=read_settings(options),
            model=options.model,
            first=options.first,
            last=options.last,
            out_dir=options.out,
        )
        with on_cluster(options.cluster):
            outcome = run_backtest(request, progress)
    if not options.quiet:
        _show(outcome.lines())
    return 0


def _show(lines: Sequence[str]) -> None:
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, say `head`, has seen enough; the run is written all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> Parser:
    parser = Parser(
        prog="run_backtest.py",
        description="Backtest a strategy and write an honest report.",
        epilog="Exit codes: 0 done, 2 bad arguments or settings, 3 bad data, 1 anything else.",
    )
    parser.add_settings()
    parser.add_argument(
        "--data",
        action="append",
        metavar="[NAME=]FILE|DIR|store|synthetic",
        help="CSV or Parquet bars, a folder of them, stored bars, or synthetic ones; NAME=FILE for each "
        "instrument where several are traded",
    )
    parser.add_argument(
        "--instrument",
        action="append",
        metavar="NAME",
        help="underlying to trade (default: market.instrument); given again, several on one account",
    )
    parser.add_argument("--from", type=day, dest="first", metavar="DAY", help="first day, YYYY-MM-DD")
    parser.add_argument("--to", type=day, dest="last", metavar="DAY", help="last day, YYYY-MM-DD")
    parser.add_strategy()
    parser.add_argument(
        "--model",
        default="walkforward",
        metavar="walkforward|train|VERSION",
        help="train window by window (default), train once on the older part, or use a stored model",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the results (default: runs/<time>-<fingerprint>)"
    )
    parser.add_argument(
        "--cluster",
        metavar="tcp://HOST:8786",
        help="train the windows on a Dask cluster; without it on the cores of this machine",
    )
    parser.add_manners()
    return parser


if __name__ == "__main__":
    sys.exit(main())
