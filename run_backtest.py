"""Backtest a strategy and write an honest report.

``python run_backtest.py`` trades the default strategy on synthetic bars; ``--data FILE`` takes real ones.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from feeds.errors import MuhuratError, SettingsError

if TYPE_CHECKING:
    from strategies.outcome import BacktestOutcome

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
        0 done; 2 bad arguments or settings; 3 bad data; 130 interrupted; 1 anything else.

    Notes
    -----
    Standard error holds nothing but one line that says what went wrong (and the progress bar, on a
    terminal). What is a fault of the program itself leaves its traceback in a file that the line names;
    ``--debug`` shows it instead.
    """
    debug = False
    try:
        options = _parser().parse_args(arguments)
        debug = options.debug
        outcome = _run(options)
        if not options.quiet:
            _show(outcome.lines())
    except MuhuratError as error:
        if debug:
            raise
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail("interrupted before the run was finished; its results were not written", 130)
    except OSError as error:
        if debug:
            raise
        place = f" at {error.filename}" if error.filename else ""
        return _fail(f"{error.strerror or error}{place}; make room there, or mend its permissions", 1)
    except Exception as error:
        if debug:
            raise
        return _fail(
            f"this is a bug, here or in a plugin of yours: {type(error).__name__}: {error}; please report it "
            f"with {_keep_traceback()}",
            1,
        )
    return 0


def _run(options: argparse.Namespace) -> BacktestOutcome:
    from strategies.progress import make_progress

    with make_progress(quiet=options.quiet) as progress:
        from strategies.backtest import BacktestRequest, run_backtest
        from strategies.settings import load_settings

        arguments = {
            "data.source": ("--data", options.data),
            "strategy.name": ("--strategy", options.strategy),
        }
        settings = load_settings(
            options.settings,
            options.overrides,
            {name: given for name, given in arguments.items() if given[1] is not None},
        )
        request = BacktestRequest(
            settings=settings,
            model=options.model,
            first=options.first,
            last=options.last,
            out_dir=options.out,
        )
        return run_backtest(request, progress)


def _show(lines: Sequence[str]) -> None:
    try:
        for line in lines:
            print(line)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, say `head`, has seen enough; the run is written all the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, exit_code: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return exit_code


def _keep_traceback() -> str:
    """Write the traceback of the error being handled into a file, and say where it is."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="muhurat-", suffix="-traceback.txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(traceback.format_exc())
    except OSError:
        return "what --debug shows"
    return file.name


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise SettingsError(f"{message}; see --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="run_backtest.py",
        description="Backtest a strategy and write an honest report.",
        epilog="Exit codes: 0 done, 2 bad arguments or settings, 3 bad data, 1 anything else.",
        allow_abbrev=False,
    )
    default_settings = ROOT / "settings.yaml"
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        default=default_settings if default_settings.exists() else None,
        help="settings file (default: settings.yaml beside this program)",
    )
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
    parser.add_argument(
        "--strategy",
        metavar="NAME",
        help="ml, ema_cross, opening_range, column_signal, random_entry, package.module:Class, entry point",
    )
    parser.add_argument(
        "--model",
        default="walkforward",
        metavar="walkforward|train|VERSION",
        help="train window by window (default), train once on the older part, or use a stored model",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the results (default: runs/<time>-<fingerprint>)"
    )
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a day such as 2016-01-31") from None


if __name__ == "__main__":
    sys.exit(main())
