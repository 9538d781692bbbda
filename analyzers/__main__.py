"""Tell about finished runs: ``python -m analyzers report RUN_DIR``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analyzers.figures import FIGURES, text_of
from feeds.errors import DataError, MuhuratError

__all__ = ["load_summary", "main"]


def load_summary(run_dir: Path) -> dict[str, Any]:
    """Return the contents of a run's ``summary.json``.

    Raises
    ------
    DataError
        When the folder holds no run, or the file is damaged.
    """
    path = run_dir / "summary.json"
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(
            f"no summary.json in {run_dir} ({error.strerror}), expected the folder of a finished run: "
            "give the folder that run_backtest.py named at its end"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}), expected a finished run: run it again") from error
    missing = {"metrics", "metrics_at_todays_charges", "verdict", "data", "fingerprint"} - set(contents)
    if missing:
        raise DataError(
            f"{path} lacks {', '.join(sorted(missing))}, expected the summary of a finished run: run it again"
        )
    return dict(contents)


def print_report(summary: dict[str, Any], run_dir: Path) -> None:
    """Print the verdict and every figure: a table on a terminal, plain lines elsewhere."""
    console = Console(highlight=False, soft_wrap=True)
    verdict, data = summary["verdict"], summary["data"]
    if data.get("synthetic"):
        console.print(
            "SYNTHETIC DATA: these bars are made up; nothing here says anything about a market.",
            style="bold yellow",
        )
    what = f"{summary['instrument']} · {summary['strategy']} · {summary['bar_minutes']}-minute bars"
    console.print(f"{what} · {data['source']}", markup=False)
    console.print(f"Verdict: {verdict['label']}. {verdict['reason']}", style="bold", markup=False)
    if verdict["caution"]:
        console.print(verdict["caution"], style="yellow")
    today = summary["metrics_at_todays_charges"]
    if console.is_terminal:
        table = Table("", "as charged", f"at the charges of {today['rates_of']}")
        table.columns[1].justify = table.columns[2].justify = "right"
        for title, figures in FIGURES:
            table.add_section()
            table.add_row(title, style="bold")
            for figure in figures:
                key = figure.key
                table.add_row(
                    figure.label, text_of(figure, summary["metrics"][key]), text_of(figure, today[key])
                )
        console.print(table)
    else:
        for _, figures in FIGURES:
            for figure in figures:
                charged, now = (
                    text_of(figure, metrics[figure.key]) for metrics in (summary["metrics"], today)
                )
                print(figure.label, charged, now, sep="\t")
    console.print(f"Fingerprint {summary['fingerprint']}")
    console.print(f"Page: {run_dir / 'report.html'}", markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analyzers", description="Tell about finished runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="print the verdict and the figures of a finished run")
    report.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder that a run wrote")
    given = parser.parse_args(arguments)
    try:
        print_report(load_summary(given.run_dir), given.run_dir)
    except MuhuratError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
