"""Backtest a strategy and write an honest report.

``python run_backtest.py`` trades the default strategy on synthetic bars; ``--data FILE`` takes real ones.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str or None
        Command-line arguments; None for those of the process.

    Returns
    -------
    int
        0 done; 2 bad arguments or settings; 3 bad data; 1 anything else.
    """
    options = _parser().parse_args(arguments)
    from feeds.errors import MuhuratError
    from strategies.progress import make_progress

    progress = make_progress(quiet=options.quiet)
    try:
        with progress:
            from strategies.backtest import BacktestRequest, run_backtest
            from strategies.settings import load_settings

            settings = load_settings(options.settings, _overrides(options))
            outcome = run_backtest(
                BacktestRequest(
                    settings=settings,
                    model=options.model,
                    first=options.first,
                    last=options.last,
                    out_dir=options.out,
                ),
                progress,
            )
    except MuhuratError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    if not options.quiet:
        for line in outcome.lines():
            print(line)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_backtest.py", description="Backtest a strategy and write an honest report."
    )
    default_settings = ROOT / "settings.yaml"
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", default=default_settings if default_settings.exists() else None,
        help="settings file (default: settings.yaml beside this program)",
    )  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides",
        help="one setting, on top of the file; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--data",
        metavar="FILE|DIR|store|synthetic",
        help="CSV or Parquet bars, a folder of them, stored bars, or synthetic ones",
    )
    parser.add_argument("--from", type=_day, dest="first", metavar="DAY", help="first day, YYYY-MM-DD")
    parser.add_argument("--to", type=_day, dest="last", metavar="DAY", help="last day, YYYY-MM-DD")
    parser.add_argument("--strategy", metavar="NAME", help="ml, ema_cross, opening_range, column_signal, random_entry, "
                        "package.module:Class or an entry point")  # fmt: skip
    parser.add_argument(
        "--model", default="walkforward", metavar="walkforward|train|VERSION",
        help="train window by window, train once on the older part, or use a stored model (default: walkforward)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the results (default: runs/<time>-<fingerprint>)"
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    return parser


def _overrides(options: argparse.Namespace) -> list[str]:
    """Return ``--set`` with ``--data`` and ``--strategy`` laid on top."""
    overrides = list(options.overrides)
    if options.data is not None:
        overrides.append(f"data.source={options.data!r}")
    if options.strategy is not None:
        overrides.append(f"strategy.name={options.strategy!r}")
    return overrides


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a day such as 2016-01-31") from None


if __name__ == "__main__":
    sys.exit(main())
