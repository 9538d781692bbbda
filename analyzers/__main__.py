"""Tell about runs: ``python -m analyzers report``, ``parity``, ``status``, ``challengers``, ``alerts``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analyzers.figures import FIGURES, text_of
from analyzers.parity.command import add_parity_parser, check_arguments
from analyzers.status.command import add_status_parser
from feeds.command_line import run_command
from feeds.errors import DataError, SettingsError
from feeds.log import NullLog
from feeds.show import print_line, print_table

if TYPE_CHECKING:
    from analyzers.parity.compare import ParityResult

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
    """Print the verdict and every figure, as charged and at today's charges."""
    verdict, data = summary["verdict"], summary["data"]
    if data.get("synthetic"):
        print_line("SYNTHETIC DATA: these bars are made up; nothing here says anything about a market.")
    what = f"{summary['instrument']} · {summary['strategy']} · {summary['bar_minutes']}-minute bars"
    print_line(f"{what} · {data['source']}")
    print_line(f"Verdict: {verdict['label']}. {verdict['reason']}")
    if verdict["caution"]:
        print_line(verdict["caution"])
    charged, today = summary["metrics"], summary["metrics_at_todays_charges"]
    header = ("figure", ">as charged", f">at the charges of {today['rates_of']}")
    for title, figures in FIGURES:
        rows = [(f.label, text_of(f, charged[f.key]), text_of(f, today[f.key])) for f in figures]
        print_line("")
        print_table(title, header, rows)
    print_line("")
    print_line(f"Fingerprint {summary['fingerprint']}")
    print_line(f"Page: {run_dir / 'report.html'}")


def compare_day(given: argparse.Namespace) -> int:
    """Compare one day with its backtest, print and write the result; return 1 when it does not pass."""
    from analyzers.parity.as_json import write_parity_json
    from analyzers.parity.files import day_folders
    from analyzers.parity.text import print_parity

    folders = day_folders(given.run)
    if len(folders) > 1 and (given.bars or given.json):
        raise SettingsError(
            f"{given.run} holds a day of {', '.join(folders)}, which --bars and --json cannot be for; leave "
            "them out, or give the folder of one instrument"
        )
    results = replayed(given.run, given.bars)
    has_failed = False
    for result in results:
        failures = result.failures(max_rupees=given.max_rupees, max_difference=given.max_difference)
        print_parity(result, failures)
        path = given.json or result.day.folder / "parity.json"
        write_parity_json(result, failures, path)
        print_line(f"Details: {path}")
        has_failed |= bool(failures)
    return 1 if has_failed else 0


def calibrate_days(given: argparse.Namespace) -> int:
    """Measure latency and slippage over days, print them and the settings they make."""
    import yaml

    from analyzers.parity.calibrate import calibrate
    from analyzers.parity.command import MODELS
    from analyzers.parity.text import print_calibration

    results = [result for folder in given.calibrate for result in replayed(folder, None)]
    of_days = results[0].day.settings["broker"]["slippage"]["model"]
    calibration = calibrate(results, given.model or (of_days if of_days in MODELS else MODELS[0]))
    print_calibration(calibration)
    text = yaml.safe_dump({"broker": calibration.settings}, sort_keys=False)
    print_line("")
    if given.write is None:
        print_line(text.rstrip())
    else:
        given.write.write_text(text, encoding="utf-8")
        print_line(f"Settings: {given.write}")
    return 0


def replayed(run: Path, reference: Path | None) -> list[ParityResult]:
    """Replay a recorded day and return the comparison: of each where several instruments were traded.

    These are replayed together, on the one account that they had.
    """
    from analyzers.parity.compare import compare_days
    from analyzers.parity.files import day_folders, read_day
    from strategies.replay import load_reference, replay_day, replay_days

    days = {name: read_day(folder) for name, folder in day_folders(run).items()}
    if len(days) > 1:
        replays = replay_days(days)
    else:
        ((name, day),) = days.items()
        replays = {name: replay_day(day, None if reference is None else load_reference(reference, day))}
    return [compare_days(days[name], replay.run, replay.tick) for name, replay in replays.items()]


def show_status(given: argparse.Namespace) -> int:
    """Serve the status page of a folder until Ctrl-C or SIGTERM."""
    from feeds.secrets import load_secrets

    try:
        from analyzers.status.serving import serve_folder
    except ModuleNotFoundError as error:
        if error.name not in ("flask", "prometheus_client", "waitress"):
            raise
        raise SettingsError(
            f"the status page needs {error.name}, which is not installed; pip install 'muhurat[live]'"
        ) from error
    ends = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ends.set())
    with serve_folder(given.run, given.port, load_secrets()) as url:
        print_line(f"Status page: {url} (it only shows; Ctrl-C ends it)")
        sys.stdout.flush()
        ends.wait()
    return 0


class _Remedies(NullLog):
    """Shows what a person can do about a channel that fails."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Show a remedy."""
        if fields.get("remedy"):
            sys.stderr.write(f"{event.replace('_', ' ')}: {fields['remedy']}\n")


def try_channels(given: argparse.Namespace) -> int:
    """Send a test alert on every channel, print what became of it; return 1 when one does not work."""
    from analyzers.alerts.trial import try_alerts
    from feeds.secrets import load_secrets
    from strategies.settings import load_settings

    results = try_alerts(load_settings(given.settings, given.overrides).alerts, load_secrets(), _Remedies())
    for channel in results:
        outcome = (
            "sent" if channel.sent else channel.last_error or "not sent: it is switched off, or too slow"
        )
        print_line(f"{channel.name}: {outcome}")
    return 0 if all(channel.sent for channel in results) else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m analyzers", description="Tell about runs.")
    commands = parser.add_subparsers(dest="command", required=True)
    report = commands.add_parser("report", help="print the verdict and the figures of a finished run")
    report.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="folder that a run wrote")
    add_parity_parser(commands)
    add_status_parser(commands)
    challengers = commands.add_parser("challengers", help="print champion and challengers over all days")
    challengers.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="folder that run_live.py keeps its days in"
    )
    alerts = commands.add_parser("alerts", help="send a test alert on every channel that is set up")
    alerts.add_argument("--settings", type=Path, metavar="FILE", help="settings file (default: none)")
    alerts.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", dest="overrides",
        help="one setting, on top of the file; may be given again",
    )  # fmt: skip
    commands.add_parser("companion", help="started by run_live.py: status page and alerts beside it")
    given = parser.parse_args(arguments)

    def work() -> int:
        if given.command == "parity":
            check_arguments(given)
            return compare_day(given) if given.run else calibrate_days(given)
        if given.command == "status":
            return show_status(given)
        if given.command == "challengers":
            from analyzers.challenger_table import show_challengers

            return show_challengers(given.state)
        if given.command == "alerts":
            return try_channels(given)
        if given.command == "companion":
            from analyzers.companion.run import run_companion

            return run_companion(sys.stdin, sys.stdout)
        print_report(load_summary(given.run_dir), given.run_dir)
        return 0

    return run_command(work)


if __name__ == "__main__":
    sys.exit(main())
